package secret

import (
	"encoding/json"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/attune-automation/attune"
)

// Stars stand for every secret.
const Stars = "********"

var starsJSON = json.RawMessage(`"` + Stars + `"`)

// Shortest is the length in bytes below which a text is not searched for: to
// replace every "1" would hide more than the secret.
const Shortest = 4

// Texts adds the texts of a value: each string and number in it, at any depth,
// that is long enough to be searched for.
func Texts(into []string, value any) []string {
	add := func(text string) {
		if len(text) >= Shortest {
			into = append(into, text)
		}
	}
	switch v := value.(type) {
	case string:
		add(v)
	case int:
		add(strconv.Itoa(v))
	case int64:
		add(strconv.FormatInt(v, 10))
	case float64:
		add(strconv.FormatFloat(v, 'f', -1, 64))
	case json.Number:
		add(v.String())
	case []any:
		for _, item := range v {
			into = Texts(into, item)
		}
	case map[string]any:
		for _, name := range slices.Sorted(maps.Keys(v)) {
			into = Texts(into, v[name])
		}
	}
	return into
}

// Within tells that a value holds one of the texts of a finder.
func (f *Finder) Within(value any) bool {
	switch v := value.(type) {
	case string:
		return f.In(v)
	case int64, float64, json.Number:
		return slices.ContainsFunc(Texts(nil, v), f.In)
	case []any:
		return slices.ContainsFunc(v, f.Within)
	case map[string]any:
		for name, item := range v {
			if f.In(name) || f.Within(item) {
				return true
			}
		}
	}
	return false
}

// WithoutDefaults is an action as it may be stored and shown: of its secret
// parameters the default is [Stars], and the values they may have are left out,
// as is the rest of their schema, which may say some.
// An action without secrets is the same one.
func WithoutDefaults(a *attune.Action) *attune.Action {
	shown := a
	for _, name := range slices.Sorted(maps.Keys(a.Parameters)) {
		p := a.Parameters[name]
		if p == nil || !p.Secret || p.Default == nil && len(p.Enum)+len(p.Schema) == 0 {
			continue
		}
		if shown == a {
			copied := *a
			shown, copied.Parameters = &copied, maps.Clone(a.Parameters)
		}
		hidden := *p
		hidden.Schema = nil
		if hidden.Enum = nil; hidden.Default != nil {
			hidden.Default = Stars
		}
		shown.Parameters[name] = &hidden
	}
	return shown
}

// lines are those of a text that has several.
func lines(text string) []string {
	if !strings.ContainsAny(text, "\r\n") {
		return nil
	}
	var all []string
	for line := range strings.FieldsFuncSeq(text, func(r rune) bool { return r == '\r' || r == '\n' }) {
		if line = strings.TrimSpace(line); len(line) >= Shortest {
			all = append(all, line)
		}
	}
	return all
}
