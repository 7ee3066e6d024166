package secret_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"github.com/attune-automation/attune"
	"github.com/attune-automation/attune/secret"
)

func box(t testing.TB, keys ...byte) *secret.Box {
	t.Helper()
	var all [][]byte
	for _, k := range keys {
		all = append(all, bytes.Repeat([]byte{k}, 32))
	}
	b, err := secret.NewBox(nil, all[0], all[1:]...)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

const (
	plain  = `{"big":12345678901234567890,"host":"<x>","password":"hunter22"}`
	action = "p.a"
)

var hidden = &secret.Hidden{Names: []string{"password"}, Searched: []string{"password"}, Also: []string{"from the pack"}}

func sealed(t testing.TB, b *secret.Box) []byte {
	t.Helper()
	s, err := b.Seal(action, []byte(plain), hidden)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func code(err error) string {
	if e := (*attune.Error)(nil); errors.As(err, &e) {
		return e.Code
	}
	return ""
}

func TestWhatIsSealedIsOpenedAsItWas(t *testing.T) {
	b := box(t, 1)
	s := sealed(t, b)
	if bytes.Contains(s, []byte("hunter22")) || bytes.Contains(s, []byte("from the pack")) || !secret.Sealed(s) {
		t.Fatalf("sealed it is %s", s)
	}
	if shown := string(secret.Shown(s)); shown != `{"big":12345678901234567890,"host":"<x>","password":"********"}` {
		t.Errorf("shown it is %s", shown)
	}
	opened, mask, err := b.Open(action, s)
	if err != nil || string(opened) != plain {
		t.Fatalf("opened it is %s, %v", opened, err)
	}
	if got := mask.Text("hunter22, from the pack, <x>"); got != "********, ********, <x>" {
		t.Errorf("masked: %s", got)
	}
	if bytes.Equal(s, sealed(t, b)) {
		t.Error("the same seal twice: its nonce is not random")
	}
}

func TestASealInAnotherOrderIsOneToo(t *testing.T) {
	b := box(t, 1)
	var members map[string]json.RawMessage
	if err := json.Unmarshal(sealed(t, b), &members); err != nil {
		t.Fatal(err)
	}
	other := `{ "host": "<x>", "password" : "********", "big":12345678901234567890, "$sealed" : ` + string(members[secret.Member]) + `}`
	if opened, _, err := b.Open(action, []byte(other)); err != nil || string(opened) != plain {
		t.Errorf("opened it is %s, %v", opened, err)
	}
}

func TestNothingSecretCostsNothing(t *testing.T) {
	for _, h := range []*secret.Hidden{nil, {}} {
		s, err := (*secret.Box)(nil).Seal(action, []byte(plain), h)
		if err != nil || string(s) != plain {
			t.Errorf("sealed it is %s, %v", s, err)
		}
	}
	opened, mask, err := (*secret.Box)(nil).Open(action, []byte(plain))
	if err != nil || string(opened) != plain || mask != nil {
		t.Errorf("opened it is %s, %v, %v", opened, mask, err)
	}
}

func TestAValueThatLooksLikeASealIsAValue(t *testing.T) {
	b := box(t, 1)
	s := sealed(t, b)
	for name, given := range map[string]string{
		"as a text":             `{"host":"$sealed"}`,
		"as a member":           `{"host":{"$sealed":"1.x.y"}}`,
		"a true one, one below": `{"host":` + string(s) + `}`,
	} {
		t.Run(name, func(t *testing.T) {
			opened, mask, err := b.Open(action, []byte(given))
			if err != nil || string(opened) != given || mask != nil {
				t.Errorf("opened it is %s, %v, %v", opened, mask, err)
			}
		})
	}
}

func TestWhatCannotBeOpenedSaysWhy(t *testing.T) {
	b := box(t, 1)
	s := string(sealed(t, b))
	seal := s[strings.Index(s, "1."):strings.Index(s, `","big`)]
	with := func(other string) string { return strings.Replace(s, seal, other, 1) }
	for _, c := range []struct {
		name   string
		box    *secret.Box
		action string
		given  string
		says   string
	}{
		{"another key", box(t, 2), action, s, "with the key "},
		{"no key", nil, action, s, "with the key "},
		{"another action", b, "p.b", s, "of something else"},
		{"a changed byte", b, action, with(seal[:len(seal)-3] + "AAA"), "was changed"},
		{"another format", b, action, with("2" + seal[1:]), "format"},
		{"half of it", b, action, with("1." + strings.Split(seal, ".")[1] + ".AAAA"), "damaged"},
		{"no base64", b, action, with("1." + strings.Split(seal, ".")[1] + ".???"), "damaged"},
		{"no seal at all", b, action, with("x"), "no seal"},
		{"no text", b, action, `{"$sealed":7}`, "no text"},
	} {
		t.Run(c.name, func(t *testing.T) {
			opened, _, err := c.box.Open(c.action, []byte(c.given))
			if code(err) != secret.CodeUnreadable || !strings.Contains(err.Error(), c.says) || opened != nil {
				t.Errorf("%s, %v", opened, err)
			}
		})
	}
}

func TestAnOlderKeyStillOpens(t *testing.T) {
	s := sealed(t, box(t, 1))
	opened, _, err := box(t, 2, 1).Open(action, s)
	if err != nil || string(opened) != plain {
		t.Errorf("opened it is %s, %v", opened, err)
	}
	if _, err := secret.NewBox(nil, []byte("short")); code(err) != "wrong_key" {
		t.Errorf("a short key: %v", err)
	}
	if _, err := (*secret.Box)(nil).Seal(action, []byte(plain), hidden); code(err) != "no_key" {
		t.Errorf("without a key: %v", err)
	}
}

func TestDefaultsOfSecretsAreLeftOut(t *testing.T) {
	a := &attune.Action{Parameters: map[string]*attune.Parameter{
		"open":   {Default: "shown", Enum: []any{"shown"}},
		"secret": {Default: "hunter22", Enum: []any{"hunter22"}, Secret: true},
		"bare":   {Secret: true},
	}}
	text, err := json.Marshal(secret.WithoutDefaults(a))
	if err != nil || strings.Contains(string(text), "hunter22") || !strings.Contains(string(text), "shown") {
		t.Errorf("%s, %v", text, err)
	}
	if a.Parameters["secret"].Default != "hunter22" {
		t.Error("the action itself was changed")
	}
	if plain := (&attune.Action{Parameters: map[string]*attune.Parameter{"open": {Default: 1}}}); secret.WithoutDefaults(plain) != plain {
		t.Error("an action without secrets is copied")
	}
}

func BenchmarkSealAndOpen(b *testing.B) {
	one := box(b, 1)
	s := sealed(b, one)
	b.Run("seal", func(b *testing.B) {
		for b.Loop() {
			_, _ = one.Seal(action, []byte(plain), hidden)
		}
	})
	b.Run("open", func(b *testing.B) {
		for b.Loop() {
			_, _, _ = one.Open(action, s)
		}
	})
	document := []byte(plain)
	b.Run("nothing to seal", func(b *testing.B) {
		for b.Loop() {
			_, _ = one.Seal(action, document, nil)
		}
	})
	b.Run("nothing to open", func(b *testing.B) {
		for b.Loop() {
			_, _, _ = one.Open(action, document)
		}
	})
}
