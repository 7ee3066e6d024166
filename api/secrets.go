package api

import (
	"bytes"
	"context"
	"encoding/json"
	"strings"

	"github.com/attune-automation/attune"
	"github.com/attune-automation/attune/secret"
)

// What is stored holds no secrets: parameters are sealed, and what an action
// says was masked by its worker. What is masked here besides was stored by a
// version before that, readable, or is in a definition.

// secrets are the names of an action's secret parameters.
type secrets struct {
	names map[string]bool
	// unknown means that the definition could not be found: then every value
	// is hidden.
	unknown bool
}

// secretsOf looks up which parameters of an execution are secret, in the
// definition that it began with. Lookups of one request share memo.
func (s *server) secretsOf(ctx context.Context, x *attune.Execution, memo map[string]secrets) secrets {
	if known, ok := memo[x.ActionHash]; ok {
		return known
	}
	hide := secrets{unknown: true}
	if a, err := s.Engine.Catalog().Action(x.Action); err == nil && a.Hash == x.ActionHash {
		hide = secretParameters(a)
	} else if d, err := s.Store.Definition(ctx, x.ActionHash); err == nil {
		var a attune.Action
		if json.Unmarshal(d.Body, &a) == nil {
			hide = secretParameters(&a)
		}
	}
	if memo != nil {
		memo[x.ActionHash] = hide
	}
	return hide
}

func secretParameters(a *attune.Action) secrets {
	names := map[string]bool{}
	for name, p := range a.Parameters {
		if p != nil && p.Secret {
			names[name] = true
		}
	}
	return secrets{names: names}
}

func (h secrets) hides(name string) bool { return h.unknown || h.names[name] }

// parameters is the stored object with its secrets masked.
func (h secrets) parameters(stored []byte) json.RawMessage {
	if secret.Sealed(stored) {
		return secret.Shown(stored)
	}
	if !h.unknown && len(h.names) == 0 {
		return document(stored)
	}
	var values map[string]json.RawMessage
	if json.Unmarshal(stored, &values) != nil {
		return nil
	}
	for name := range values {
		if h.hides(name) {
			values[name] = json.RawMessage(`"` + secret.Stars + `"`)
		}
	}
	b, _ := json.Marshal(values) // of raw messages that were just read
	return b
}

// veil hides the values of secrets where they turn up again: in results,
// failures and notes. The zero veil hides nothing.
type veil struct{ replace *strings.Replacer }

// veil is for an execution with these parameters.
func (h secrets) veil(stored []byte) veil {
	if !h.unknown && len(h.names) == 0 || secret.Sealed(stored) {
		return veil{}
	}
	var values map[string]any
	if json.Unmarshal(stored, &values) != nil {
		return veil{}
	}
	var pairs []string
	for name, value := range values {
		if text, ok := value.(string); ok && h.names[name] && len(text) >= secret.Shortest {
			pairs = append(pairs, text, secret.Stars)
		}
	}
	if pairs == nil {
		return veil{}
	}
	return veil{strings.NewReplacer(pairs...)}
}

func (v veil) text(s string) string {
	if v.replace == nil {
		return s
	}
	return v.replace.Replace(s)
}

// document is a JSON document with every string veiled. Numbers keep their
// digits.
func (v veil) document(stored []byte) json.RawMessage {
	if v.replace == nil {
		return document(stored)
	}
	d := json.NewDecoder(bytes.NewReader(stored))
	d.UseNumber()
	var doc any
	if d.Decode(&doc) != nil {
		return nil
	}
	b, _ := json.Marshal(v.walk(doc)) // of what was just decoded
	return b
}

func (v veil) walk(doc any) any {
	switch doc := doc.(type) {
	case string:
		return v.text(doc)
	case []any:
		for i := range doc {
			doc[i] = v.walk(doc[i])
		}
	case map[string]any:
		for k := range doc {
			doc[k] = v.walk(doc[k])
		}
	}
	return doc
}
