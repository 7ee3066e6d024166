package rules

import (
	"fmt"
	"strings"

	"github.com/attune-automation/attune/expression/jsonpath"
)

const pathForms = "write trigger.name, trigger['a name'], trigger.list[0] or trigger.list[*].name"

// parsePath reads where a criterion looks: trigger.body.alerts[0].labels['a.b'],
// of what is under the root. A # and what follows it only tells two criteria
// of the same path apart.
func parsePath(text, root string) (*jsonpath.Path, error) {
	p, err := jsonpath.Parse(text[:suffix(text)])
	if err != nil {
		return nil, err
	}
	if s := p.Steps(); len(s) == 0 || s[0].Kind != jsonpath.Name || s[0].Name != root {
		return nil, fmt.Errorf("the path %q does not begin with %s", text, root)
	}
	return p.Behind(), nil
}

// suffix is where the # of a path is that is not within quotes, or its end.
func suffix(text string) int {
	var quote byte
	for i := range len(text) {
		switch c := text[i]; {
		case quote != 0:
			if c == quote {
				quote = 0
			}
		case c == '\'' || c == '"':
			quote = c
		case c == '#':
			return i
		}
	}
	return len(text)
}

// bodyPath is the path within body of a split that is a plain look-up, such
// as {{ body.alerts }}. Of any other nobody knows what to leave out of body.
func bodyPath(split string) (names []string, ok bool) {
	if !strings.HasPrefix(split, "{{") || !strings.HasSuffix(split, "}}") {
		return nil, false
	}
	p, err := parsePath(strings.TrimSpace(split[2:len(split)-2]), "body")
	if err != nil {
		return nil, false
	}
	for _, s := range p.Steps() {
		if s.Kind != jsonpath.Name || strings.ContainsAny(s.Name, " |()+-*/~%{}") {
			return nil, false
		}
		names = append(names, s.Name)
	}
	return names, true
}
