package expression

import (
	"cmp"
	"math"
	"math/bits"
	"slices"
	"strconv"
	"strings"
)

// isNumber says whether v takes part in arithmetic; a bool does, as in Python.
func isNumber(v any) bool {
	switch v.(type) {
	case bool, int64, float64:
		return true
	}
	return false
}

// integer returns the value of a bool or an int64.
func integer(v any) (int64, bool) {
	switch v := v.(type) {
	case int64:
		return v, true
	case bool:
		if v {
			return 1, true
		}
		return 0, true
	}
	return 0, false
}

func float(v any) float64 {
	if f, ok := v.(float64); ok {
		return f
	}
	i, _ := integer(v)
	return float64(i)
}

// compareNumbers orders two numbers exactly, also where an int64 has more
// digits than a float64.
func compareNumbers(a, b any) int {
	x, xInt := integer(a)
	y, yInt := integer(b)
	switch {
	case xInt && yInt:
		return cmp.Compare(x, y)
	case xInt:
		return compareIntFloat(x, float(b))
	case yInt:
		order := compareIntFloat(y, float(a))
		if order == unordered {
			return order
		}
		return -order
	}
	f, g := float(a), float(b)
	if f != f || g != g {
		return unordered
	}
	return cmp.Compare(f, g)
}

func compareIntFloat(i int64, f float64) int {
	switch {
	case f != f:
		return unordered
	case f >= 1<<63:
		return -1
	case f < -1<<63:
		return 1
	}
	whole := math.Floor(f)
	if order := cmp.Compare(i, int64(whole)); order != 0 {
		return order
	}
	if f > whole {
		return -1
	}
	return 0
}

// number reads the text of a JSON number: int64 when it is written as an
// integer that fits, else float64.
func number(text string) (any, error) {
	if !strings.ContainsAny(text, ".eE") {
		if i, err := strconv.ParseInt(text, 10, 64); err == nil {
			return i, nil
		}
	}
	f, err := strconv.ParseFloat(text, 64)
	if err != nil {
		return nil, typeFault("%s is not a number", quote(shorten(text, 40)))
	}
	return f, nil
}

func overflow() error {
	f := newTypeFault("the integer does not fit into 64 bits")
	f.try = "use a float, as in x * 1.0"
	return f
}

// arithmetic applies + - * / // % ** ~ to two values.
func arithmetic(r *run, operator string, a, b any) (any, error) {
	if operator == "~" {
		left, err := r.text(a)
		if err != nil {
			return nil, err
		}
		right, err := r.text(b)
		if err != nil {
			return nil, err
		}
		return r.join(left, right)
	}
	if isNumber(a) && isNumber(b) {
		x, xInt := integer(a)
		y, yInt := integer(b)
		if xInt && yInt && operator != "/" {
			return integers(operator, x, y)
		}
		return floats(operator, float(a), float(b))
	}
	switch operator {
	case "+":
		switch x := a.(type) {
		case string:
			if y, ok := b.(string); ok {
				return r.join(x, y)
			}
		case []any:
			if y, ok := b.([]any); ok {
				if err := r.entries(len(x) + len(y)); err != nil {
					return nil, err
				}
				return slices.Concat(x, y), nil
			}
		}
	case "*":
		if n, ok := integer(b); ok {
			return r.repeat(a, n)
		}
		if n, ok := integer(a); ok {
			return r.repeat(b, n)
		}
	}
	f := newTypeFault("%s does not work on a %s and a %s", operator, typeName(a), typeName(b))
	if operator == "+" && (typeName(a) == "str" || typeName(b) == "str") {
		f.try = "join texts with ~"
	}
	return nil, f
}

func (r *run) join(a, b string) (any, error) {
	if err := r.make(len(a) + len(b)); err != nil {
		return nil, err
	}
	return a + b, nil
}

// repeat is text * n and list * n.
func (r *run) repeat(v any, n int64) (any, error) {
	n = max(n, 0)
	size := 0
	switch v := v.(type) {
	case string:
		size = len(v)
	case []any:
		size = len(v) * bytesPerEntry
	default:
		return nil, typeFault("* does not work on a %s and an int", typeName(v))
	}
	high, total := bits.Mul64(uint64(size), uint64(n))
	if high > 0 || total > MaxOutput {
		return nil, r.make(MaxOutput + 1)
	}
	if err := r.make(int(total)); err != nil {
		return nil, err
	}
	if text, ok := v.(string); ok {
		if size == 0 {
			return "", nil
		}
		return strings.Repeat(text, int(n)), nil
	}
	if size == 0 {
		return []any{}, nil
	}
	return slices.Repeat(v.([]any), int(n)), r.spend(int(total) / bytesPerEntry)
}

func integers(operator string, x, y int64) (any, error) {
	switch operator {
	case "+":
		if sum := x + y; (sum > x) == (y > 0) {
			return sum, nil
		}
	case "-":
		if difference := x - y; (difference < x) == (y > 0) {
			return difference, nil
		}
	case "*":
		if product, ok := multiply(x, y); ok {
			return product, nil
		}
	case "//", "%":
		if y == 0 {
			return nil, typeFault("division by zero")
		}
		if x == math.MinInt64 && y == -1 {
			break
		}
		quotient, rest := x/y, x%y
		if rest != 0 && (rest < 0) != (y < 0) {
			quotient, rest = quotient-1, rest+y
		}
		if operator == "%" {
			return rest, nil
		}
		return quotient, nil
	case "**":
		if y < 0 {
			return floats(operator, float64(x), float64(y))
		}
		return power(x, y)
	}
	return nil, overflow()
}

func multiply(x, y int64) (int64, bool) {
	if x == 0 || y == 0 {
		return 0, true
	}
	product := x * y
	return product, product/y == x && (x != -1 || y != math.MinInt64) && (y != -1 || x != math.MinInt64)
}

// power is x**y for y >= 0, by squaring; it ends at the first overflow.
func power(x, y int64) (any, error) {
	result, ok := int64(1), false
	for y > 0 {
		if y&1 == 1 {
			if result, ok = multiply(result, x); !ok {
				return nil, overflow()
			}
		}
		if y >>= 1; y > 0 {
			if x, ok = multiply(x, x); !ok {
				return nil, overflow()
			}
		}
	}
	return result, nil
}

func floats(operator string, x, y float64) (any, error) {
	if y == 0 && (operator == "/" || operator == "//" || operator == "%") {
		return nil, typeFault("division by zero")
	}
	switch operator {
	case "+":
		return x + y, nil
	case "-":
		return x - y, nil
	case "*":
		return x * y, nil
	case "/":
		return x / y, nil
	case "//":
		return math.Floor(x / y), nil
	case "%":
		rest := math.Mod(x, y)
		if rest != 0 && (rest < 0) != (y < 0) {
			rest += y
		}
		return rest, nil
	}
	if x == 0 && y < 0 {
		return nil, typeFault("zero has no negative power")
	}
	result := math.Pow(x, y)
	if result != result && x == x && y == y || math.IsInf(result, 0) && !math.IsInf(x, 0) && !math.IsInf(y, 0) {
		return nil, typeFault("%v ** %v is not a number that fits", x, y)
	}
	return result, nil
}
