package rules

import (
	"encoding/json"
	"fmt"
	"math"
	"strconv"
	"strings"
)

// cast makes value fit the declared type of a parameter: text from a template
// or a command line becomes the number, boolean, list or object it spells.
// Nothing becomes text. The error ends a sentence that begins with the
// parameter.
func cast(declared string, value any) (any, error) {
	if n, ok := value.(json.Number); ok {
		value = fromNumber(n)
	}
	if i, ok := value.(int); ok {
		value = int64(i)
	}
	text, isText := value.(string)
	switch declared {
	case "":
		return value, nil
	case "string":
		if isText {
			return value, nil
		}
	case "integer":
		if v, ok := castInteger(value, text); ok {
			return v, nil
		}
	case "number":
		if v, ok := parseNumber(strings.TrimSpace(text)); ok {
			return v, nil
		}
		switch f := value.(type) {
		case int64:
			return value, nil
		case float64:
			if !math.IsInf(f, 0) && !math.IsNaN(f) {
				return value, nil
			}
		}
	case "boolean":
		switch {
		case strings.EqualFold(text, "true"):
			return true, nil
		case strings.EqualFold(text, "false"):
			return false, nil
		}
		if _, ok := value.(bool); ok {
			return value, nil
		}
	case "array":
		if v, ok := decodeIf(value, text, isText).([]any); ok {
			return v, nil
		}
	case "object":
		if v, ok := decodeIf(value, text, isText).(map[string]any); ok {
			return v, nil
		}
	}
	return nil, &mismatch{declared, value}
}

func castInteger(value any, text string) (any, bool) {
	switch v := value.(type) {
	case int64:
		return v, true
	case float64: // JSON has one kind of number
		if v == math.Trunc(v) && v >= -(1<<63) && v < 1<<63 {
			return int64(v), true
		}
	case string:
		i, err := strconv.ParseInt(strings.TrimSpace(text), 10, 64)
		return i, err == nil
	}
	return nil, false
}

func decodeIf(value any, text string, isText bool) any {
	if isText {
		value, _ = decodeText(text)
	}
	return value
}

// mismatch is a value that does not fit a type.
type mismatch struct {
	declared string
	value    any
}

func (m *mismatch) Error() string {
	return "must be " + typeWord(m.declared) + ", not " + show(m.value)
}

func typeWord(declared string) string {
	switch declared {
	case "string":
		return "a text"
	case "integer", "array", "object":
		return "an " + declared
	}
	return "a " + declared
}

// show is a short value as it is, and a long one by its type.
func show(v any) string {
	switch x := v.(type) {
	case string:
		if len(x) <= 60 {
			return fmt.Sprintf("the text %q", x)
		}
	case bool, int64, float64:
		return fmt.Sprint(x)
	}
	return typeOf(v)
}
