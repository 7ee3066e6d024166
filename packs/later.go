package packs

import (
	"bytes"
	"strings"
	"sync"

	"github.com/attune-automation/attune"
	"github.com/attune-automation/attune/expression"
	"github.com/attune-automation/attune/rules"
)

// later is something that is compiled when it is first asked for: of ten
// thousand actions few are ever used.
type later[T any] struct {
	once sync.Once
	made T
}

func (l *later[T]) get(compile func() T) T {
	l.once.Do(func() { l.made = compile() })
	return l.made
}

// CheckPayload holds the payload of an event against what its trigger says of
// it; key is a trigger's ref or key. A trigger without payload_schema, or one
// that takes any, accepts everything. Errors are *attune.Error: NotFound, or
// Invalid with every fault.
func (s *Snapshot) CheckPayload(key string, payload []byte) error {
	t, err := s.Trigger(key)
	if err != nil || len(t.PayloadSchema) == 0 || t.AnyPayload {
		return err
	}
	shape := s.payloads[key].get(func() *rules.Shape { return rules.DecodeShape(t.PayloadSchema) })
	if len(bytes.TrimSpace(payload)) == 0 {
		payload = []byte("null")
	}
	value, err := expression.DecodeJSON(payload)
	if err != nil {
		return &attune.Error{Kind: attune.Invalid, Code: "invalid_json", Message: "the payload is not JSON", Where: "payload", Cause: err}
	}
	faults := shape.Check(value)
	if len(faults) == 0 {
		return nil
	}
	wrong := &attune.Error{Kind: attune.Invalid, Code: "invalid_payload", Message: "the payload is not what " + t.Ref + " says of it",
		Try: "attune trigger get " + t.Ref + " shows its payload_schema"}
	for _, f := range faults {
		what := strings.TrimPrefix(f.Where, ".")
		if what == "" {
			what = "it"
		}
		wrong.Faults = append(wrong.Faults, attune.Fault{Where: "payload" + f.Where, Message: what + " " + f.Message, Try: f.Try})
	}
	return wrong
}

// Config is the configuration of a pack, defaults applied; it may hold secrets.
// nil: there is none, or it has faults. It must not be changed.
func (s *Snapshot) Config(ref string) map[string]any {
	if p := s.pack(ref); p != nil {
		return p.Config
	}
	return nil
}

// ConfigSecrets are the texts in the configuration of a pack that must not be
// seen: what its schema calls secret, at any depth.
func (s *Snapshot) ConfigSecrets(ref string) []string {
	if p := s.pack(ref); p != nil {
		return configSecrets(p)
	}
	return nil
}

func configSecrets(p *attune.Pack) []string {
	if len(p.ConfigSchema) == 0 {
		return nil
	}
	return rules.DecodeShape(p.ConfigSchema).Secrets(p.Config)
}

// ShownConfig is the configuration of a pack with its secrets masked, as
// people may see it.
func ShownConfig(p *attune.Pack, mask string) map[string]any {
	if len(p.ConfigSchema) == 0 || p.Config == nil {
		return p.Config
	}
	shown, _ := rules.DecodeShape(p.ConfigSchema).Mask(p.Config, mask).(map[string]any)
	return shown
}

func (s *Snapshot) pack(ref string) *attune.Pack {
	for _, p := range s.packs {
		if p.Ref == ref {
			return p
		}
	}
	return nil
}
