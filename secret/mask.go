package secret

import (
	"encoding/json"
	"maps"
	"slices"
	"strconv"
)

// Mask replaces secrets by [Stars] wherever they turn up. It never changes, and
// is safe for concurrent use. A nil mask replaces nothing.
type Mask struct{ finder *Finder }

// formsAtMost bounds the forms that are searched for, in bytes: beyond it texts
// are searched for as they are, and by line. It is 6 MB of memory, and far more
// than anybody's secrets.
const formsAtMost = 256 << 10

// NewMask is a mask for texts, in all their forms; nil if none is long enough.
func NewMask(texts []string) *Mask {
	seen := map[string]bool{}
	var all []string
	size := 0
	for _, text := range texts {
		if len(text) < Shortest || seen[text] {
			continue
		}
		for _, form := range forms(text, size < formsAtMost) {
			if !seen[form] {
				seen[form] = true
				all = append(all, form)
				size += len(form)
			}
		}
	}
	if all == nil {
		return nil
	}
	return &Mask{NewFinder(all)}
}

// Stream begins to mask a stream. The mask must not be nil.
func (m *Mask) Stream() *Stream { return &Stream{mask: m} }

// mayBeCut is the length from which on a text may have been cut by whoever made
// it, and so may end within a secret.
const mayBeCut = 1000

// Text is a text with its secrets masked. Of a long one the end is masked too if
// a secret may begin there.
func (m *Mask) Text(text string) string { return m.text(text, false) }

func (m *Mask) text(text string, cut bool) string {
	cut = cut || len(text) >= mayBeCut
	if m == nil || !cut && !m.finder.In(text) {
		return text
	}
	s := m.Stream()
	return string(s.End(s.Write(nil, []byte(text)), cut))
}

// Document is a JSON document with every text in it masked, names too. Numbers
// keep their digits; one that is secret becomes a text. A document without
// secrets is the same bytes. cut says that any text may end within a secret.
func (m *Mask) Document(document []byte, cut bool) []byte {
	if m == nil || len(document) == 0 {
		return document
	}
	v, err := decode(document)
	if err != nil {
		return []byte(`"` + Stars + `"`) // no part of the engine makes one
	}
	v, changed := m.walk(v, cut)
	if !changed {
		return document
	}
	masked, _ := encode(v) // it came out of JSON
	return masked
}

func (m *Mask) walk(v any, cut bool) (_ any, changed bool) {
	switch v := v.(type) {
	case string:
		text := m.text(v, cut)
		return text, text != v
	case json.Number:
		if m.finder.In(v.String()) {
			return Stars, true
		}
	case []any:
		for i := range v {
			item, c := m.walk(v[i], cut)
			v[i], changed = item, changed || c
		}
		return v, changed
	case map[string]any:
		return m.members(v, cut)
	}
	return v, false
}

// members masks an object. Names that become the same are numbered.
func (m *Mask) members(object map[string]any, cut bool) (_ any, changed bool) {
	for _, name := range slices.Sorted(maps.Keys(object)) {
		item, c := m.walk(object[name], cut)
		object[name], changed = item, changed || c
		masked := m.Text(name)
		if masked == name {
			continue
		}
		delete(object, name)
		free := masked
		for n, taken := 2, has(object, free); taken; n++ {
			free = masked + " " + strconv.Itoa(n)
			taken = has(object, free)
		}
		object[free], changed = item, true
	}
	return object, changed
}

func has(object map[string]any, name string) bool {
	_, there := object[name]
	return there
}
