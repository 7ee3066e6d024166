package expression

import (
	"regexp"
	"strconv"
	"strings"
)

// versionFilters are StackStorm's, for semantic versions; any other is an error.
func versionFilters() map[string]filter {
	all := map[string]filter{
		"version_match": on("pattern", func(_ *run, s string, args []any) (any, error) {
			return versionMatch(s, args[0])
		}),
		"version_strip_patch": on("", func(_ *run, s string, _ []any) (any, error) {
			v, err := parseVersion(s)
			return strconv.FormatUint(v.parts[0], 10) + "." + strconv.FormatUint(v.parts[1], 10), err
		}),
	}
	for name, holds := range map[string]func(order int) any{
		"version_compare":   func(order int) any { return int64(order) },
		"version_more_than": func(order int) any { return order > 0 },
		"version_less_than": func(order int) any { return order < 0 },
		"version_equal":     func(order int) any { return order == 0 },
	} {
		all[name] = on("pattern", func(_ *run, s string, args []any) (any, error) {
			order, err := orderVersions(s, args[0])
			if err != nil {
				return nil, err
			}
			return holds(order), nil
		})
	}
	for i, part := range []string{"major", "minor", "patch"} {
		all["version_bump_"+part] = on("", func(_ *run, s string, _ []any) (any, error) {
			v, err := parseVersion(s)
			if err != nil {
				return nil, err
			}
			return v.bump(i), nil
		})
	}
	return all
}

// version is a semantic version.
type version struct {
	parts      [3]uint64
	prerelease string
}

var semantic = regexp.MustCompile(`^(0|[1-9]\d*)\.(0|[1-9]\d*)\.(0|[1-9]\d*)(?:-((?:0|[1-9]\d*|\d*[a-zA-Z-][0-9a-zA-Z-]*)(?:\.(?:0|[1-9]\d*|\d*[a-zA-Z-][0-9a-zA-Z-]*))*))?(?:\+[0-9a-zA-Z-]+(?:\.[0-9a-zA-Z-]+)*)?$`)

func parseVersion(s string) (version, error) {
	var v version
	m := semantic.FindStringSubmatch(s)
	if m == nil {
		return v, typeFault("%s is no semantic version, such as 1.2.3", quote(shorten(s, 60)))
	}
	for i := range v.parts {
		n, err := strconv.ParseUint(m[i+1], 10, 63)
		if err != nil {
			return v, typeFault("%s has a number that is too large", quote(shorten(s, 60)))
		}
		v.parts[i] = n
	}
	v.prerelease = m[4]
	return v, nil
}

// bump counts the part up; those behind it become 0.
func (v version) bump(part int) string {
	v.parts[part]++
	for i := part + 1; i < len(v.parts); i++ {
		v.parts[i] = 0
	}
	return strconv.FormatUint(v.parts[0], 10) + "." + strconv.FormatUint(v.parts[1], 10) + "." + strconv.FormatUint(v.parts[2], 10)
}

func orderVersions(s string, with any) (int, error) {
	other, ok := with.(string)
	if !ok {
		return 0, typeFault("a version is a str, not a %s", typeName(with))
	}
	a, err := parseVersion(s)
	if err != nil {
		return 0, err
	}
	b, err := parseVersion(other)
	if err != nil {
		return 0, err
	}
	for i := range a.parts {
		if a.parts[i] != b.parts[i] {
			return compareNumbers(int64(a.parts[i]), int64(b.parts[i])), nil
		}
	}
	return orderPrereleases(a.prerelease, b.prerelease), nil
}

// orderPrereleases: one with a pre-release comes before the same without;
// numbers come before words.
func orderPrereleases(a, b string) int {
	switch {
	case a == b:
		return 0
	case a == "":
		return 1
	case b == "":
		return -1
	}
	x, y := strings.Split(a, "."), strings.Split(b, ".")
	for i := range min(len(x), len(y)) {
		if order := orderIdentifiers(x[i], y[i]); order != 0 {
			return order
		}
	}
	return compareNumbers(int64(len(x)), int64(len(y)))
}

func orderIdentifiers(a, b string) int {
	digits := func(s string) bool { return strings.Trim(s, "0123456789") == "" }
	switch aDigits, bDigits := digits(a), digits(b); {
	case aDigits && bDigits && len(a) != len(b): // they have no leading zero
		return compareNumbers(int64(len(a)), int64(len(b)))
	case aDigits != bDigits && aDigits:
		return -1
	case aDigits != bDigits:
		return 1
	}
	return strings.Compare(a, b)
}

// versionMatch holds a version against an operator and another, as in >=1.2.0;
// without an operator they must be equal.
func versionMatch(s string, condition any) (any, error) {
	text, ok := condition.(string)
	if !ok {
		return nil, typeFault("a condition is a str, not a %s", typeName(condition))
	}
	operator := text[:len(text)-len(strings.TrimLeft(text, "<>=!"))]
	order, err := orderVersions(s, text[len(operator):])
	if err != nil {
		return nil, err
	}
	switch operator {
	case "", "==":
		return order == 0, nil
	case "!=":
		return order != 0, nil
	case "<":
		return order < 0, nil
	case "<=":
		return order <= 0, nil
	case ">":
		return order > 0, nil
	case ">=":
		return order >= 0, nil
	}
	return nil, typeFault("%s does not begin with one of < <= == != >= >", quote(shorten(text, 60)))
}
