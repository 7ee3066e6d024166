package rules

import (
	"fmt"
	"strconv"
	"strings"
)

// path is where a criterion looks: trigger.body.alerts[0].labels['a.b'].
type path []step

// step goes from an object to its member, or from a list to its item.
type step struct {
	name  string
	index int // with isIndex
	// isIndex tells [0] from a name.
	isIndex bool
}

const pathForms = "write trigger.name, trigger['a name'] or trigger.list[0]"

// parsePath reads a path. Of JSONPath that is names, quoted names and indexes;
// wildcards, slices, filters and recursive descent are refused.
func parsePath(text string) (path, error) {
	rest, ok := strings.CutPrefix(text, "trigger")
	if !ok || rest != "" && rest[0] != '.' && rest[0] != '[' {
		return nil, fmt.Errorf("the path %q does not begin with trigger", text)
	}
	var p path
	for rest != "" {
		var s step
		var err error
		if rest[0] == '.' {
			end := strings.IndexAny(rest[1:], ".[")
			if end < 0 {
				end = len(rest) - 1
			}
			s.name, rest = rest[1:1+end], rest[1+end:]
			if s.name == "" || s.name == "*" {
				err = fmt.Errorf("the path %q has a wildcard or an empty name", text)
			}
		} else {
			s, rest, err = parseBracket(text, rest[1:])
		}
		if err != nil {
			return nil, err
		}
		p = append(p, s)
	}
	return p, nil
}

// parseBracket reads what follows a [.
func parseBracket(text, rest string) (step, string, error) {
	if rest != "" && (rest[0] == '\'' || rest[0] == '"') {
		end := strings.IndexByte(rest[1:], rest[0])
		if end < 0 || !strings.HasPrefix(rest[end+2:], "]") {
			return step{}, "", fmt.Errorf("the path %q has a quote that is not closed", text)
		}
		return step{name: rest[1 : end+1]}, rest[end+3:], nil
	}
	inner, after, closed := strings.Cut(rest, "]")
	index, err := strconv.ParseUint(inner, 10, 31)
	if !closed || err != nil {
		return step{}, "", fmt.Errorf("the path %q has [%s], which is not an index", text, inner)
	}
	return step{index: int(index), isIndex: true}, after, nil
}

// find is the value at the path, or nil when there is none.
func (p path) find(v any) any {
	for _, s := range p {
		switch of := v.(type) {
		case map[string]any:
			if s.isIndex {
				return nil
			}
			v = of[s.name]
		case []any:
			if !s.isIndex || s.index >= len(of) {
				return nil
			}
			v = of[s.index]
		default:
			return nil
		}
	}
	return v
}
