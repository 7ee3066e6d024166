package rules_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/attune-automation/attune"
	"github.com/attune-automation/attune/rules"
)

// vault is an action with secrets of every kind.
func vault() *attune.Action {
	return &attune.Action{Ref: "p.vault", Enabled: true, Parameters: map[string]*attune.Parameter{
		"password": {Type: "string", Secret: true},
		"pin":      {Type: "integer", Secret: true, Enum: []any{int64(7), int64(123456)}},
		"host":     {Type: "string"},
		"cmd":      {Type: "string", Default: "login {{ password | upper }}", HasDefault: true},
		"loud":     {Type: "string", Default: "{{ cmd }}!", HasDefault: true},
		"count":    {Type: "integer", Default: "{{ password }}", HasDefault: true},
		"note":     {Type: "object"},
	}}
}

func TestWhatIsSecretOfARequest(t *testing.T) {
	for _, c := range []struct {
		name   string
		given  map[string]any
		hidden []string // names, nil is nothing
		also   []string
	}{
		{"no value of a secret is nothing", map[string]any{"host": "h", "count": 1, "cmd": "x"}, nil, nil},
		{"the secret, and what is made of it", map[string]any{"password": "hunter22", "count": 1}, []string{"cmd", "loud", "password"}, nil},
		{"a default that is not used", map[string]any{"password": "hunter22", "count": 1, "cmd": "x"}, []string{"loud", "password"}, nil},
		{"what repeats it", map[string]any{"password": "hunter22", "count": 1, "host": "hunter22.example"}, []string{"cmd", "host", "loud", "password"}, nil},
		{"what repeats it, deep down", map[string]any{"password": "hunter22", "count": 1, "note": map[string]any{"a": []any{"x hunter22"}}}, []string{"cmd", "loud", "note", "password"}, nil},
		{"a number", map[string]any{"pin": 123456, "count": 123456, "cmd": "x", "loud": "x"}, []string{"count", "pin"}, nil},
		{"one that is too short to be searched for", map[string]any{"pin": 7, "count": 7, "cmd": "x", "loud": "x"}, []string{"pin"}, nil},
		{"one of the pack", map[string]any{"host": "a of-the-pack b", "count": 1, "cmd": "x", "loud": "x"}, []string{"host"}, []string{"of-the-pack"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			action := vault()
			action.Hidden = c.also
			s, faults := rules.NewSchema(action)
			if len(faults) > 0 {
				t.Fatal(faults)
			}
			params, faults := s.Check(c.given)
			if len(faults) > 0 {
				t.Fatal(faults)
			}
			h := s.Hidden(c.given, params)
			if h == nil {
				if c.hidden != nil {
					t.Error("nothing is hidden")
				}
				return
			}
			if fmt.Sprint(h.Names) != fmt.Sprint(c.hidden) || fmt.Sprint(h.Also) != fmt.Sprint(c.also) {
				t.Errorf("hidden are %v and %v", h.Names, h.Also)
			}
		})
	}
}

// Whatever is wrong with a request, its faults quote no secret.
func TestFaultsQuoteNoSecret(t *testing.T) {
	const hush = "hunter22"
	refused := func(change func(a *attune.Action, given map[string]any)) string {
		a, given := vault(), map[string]any{"password": hush}
		change(a, given)
		_, faults := checkParameters(a, given)
		if len(faults) == 0 {
			t.Error("there is no fault")
		}
		return fmt.Sprint(faults)
	}
	for name, change := range map[string]func(a *attune.Action, given map[string]any){
		"a default of it is no integer": func(*attune.Action, map[string]any) {},
		"a default of it cannot be rendered": func(a *attune.Action, _ map[string]any) {
			a.Parameters["count"].Default = "{{ password + 1 }}"
		},
		"a default of it fails on what was made of it": func(a *attune.Action, _ map[string]any) {
			a.Parameters["count"].Default = "{{ (password | upper).nothing[1] + 1 }}"
		},
		"a default made of it is no integer": func(a *attune.Action, _ map[string]any) {
			a.Parameters["count"].Default = "{{ password | upper }}"
		},
		"it is itself wrong":          func(_ *attune.Action, given map[string]any) { given["pin"] = hush },
		"it is none of those allowed": func(a *attune.Action, _ map[string]any) { a.Parameters["password"].Enum = []any{hush + "x"} },
		"another value repeats it":    func(_ *attune.Action, given map[string]any) { given["note"] = "a " + hush },
		"its own default is the secret": func(a *attune.Action, given map[string]any) {
			delete(given, "password")
			a.Parameters["password"].Default = hush
			a.Parameters["password"].HasDefault = true
		},
		"a text of the pack": func(a *attune.Action, given map[string]any) {
			delete(given, "password")
			a.Hidden = []string{hush}
			given["note"] = hush
		},
	} {
		t.Run(name, func(t *testing.T) {
			if said := refused(change); strings.Contains(strings.ToLower(said), hush) {
				t.Errorf("it says %s", said)
			}
		})
	}
}

// A failed enforcement is stored with its reason: that quotes neither what the
// rule gives nor what was rendered for a secret.
func TestAFailedMatchQuotesNoSecret(t *testing.T) {
	const hush = "hunter22"
	for name, parameters := range map[string]map[string]any{
		"a secret that cannot be rendered": {"password": "{{ trigger.x + 1 }}", "count": 1},
		"a secret of the wrong type":       {"pin": "{{ trigger.x }}", "count": 1},
		"a default made of it":             {"password": hush},
		"what repeats it":                  {"password": hush, "count": "{{ trigger.x }}"},
	} {
		t.Run(name, func(t *testing.T) {
			rule := &attune.Rule{Ref: "p.r", Enabled: true, Action: "p.vault", Parameters: parameters}
			m := compile(t, rule, vault()).Judge(event, map[string]any{"x": hush})
			if m.Failure == nil || strings.Contains(m.Failure.Message, hush) {
				t.Errorf("it says %+v", m.Failure)
			}
		})
	}
	broken := &attune.Rule{Ref: "p.r", Action: "p.vault", Parameters: map[string]any{"password": hush + "{{ "}}
	if _, faults := rules.Compile(broken, vault()); len(faults) != 1 || strings.Contains(faults[0].String(), hush) {
		t.Errorf("a literal that is no template: %v", faults)
	}
	sound := &attune.Rule{Ref: "p.r", Enabled: true, Action: "p.vault", Parameters: map[string]any{"password": hush, "count": 1}}
	if m := compile(t, sound, vault()).Judge(event, nil); m.Hidden == nil || fmt.Sprint(m.Hidden.Names) != "[cmd loud password]" {
		t.Errorf("hidden: %+v, %+v", m.Hidden, m.Failure)
	}
	// A parameter that is no secret holds one, for this rule alone; so does the
	// default that is made of it.
	linked := &attune.Rule{Ref: "p.r", Enabled: true, Action: "p.vault", Parameters: map[string]any{"password": hush, "count": 1, "host": "{{ password | upper }}", "cmd": "to {{ host }}", "loud": "x"}}
	action := vault()
	action.Parameters["url"] = &attune.Parameter{Type: "string", Default: "http://{{ host }}/", HasDefault: true}
	if m := compile(t, linked, action).Judge(event, nil); m.Hidden == nil || fmt.Sprint(m.Hidden.Names) != "[cmd host password url]" {
		t.Errorf("hidden: %+v, %+v", m.Hidden, m.Failure)
	}
}

func BenchmarkHidden(b *testing.B) {
	for name, given := range map[string]map[string]any{"no secret given": {"host": "h", "count": 1, "cmd": "x"}, "one secret": {"password": "hunter22", "count": 1}} {
		s, _ := rules.NewSchema(vault())
		params, _ := s.Check(given)
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				s.Hidden(given, params)
			}
		})
	}
}
