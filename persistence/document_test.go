package persistence

import (
	"encoding/json"
	"strings"
	"testing"
	"unicode/utf8"
)

var documents = []string{
	``, `{}`, `[]`, ` { "a" : [ 1 , -2.5e+7 , true , false , null , "x" ] } `, `{"a":1,}`, `[1,]`, `[,1]`, `{"a"}`, `{"a":}`, `{1:2}`, `{]`, `[}`, `{`, `[`, `]`,
	`1`, `-`, `01`, `1.`, `.5`, `1e`, `1e+`, `-0`, `-0.0E-1`, `1 2`, `tru`, `true1`, `nul`, `"`, `"a`, `"\"`, `"\x"`, `"\u12"`, `"\u00g0"`, "\"\n\"", "\"\x7f\"", "\"\x00\"", "\x00",
	`"\u0041\n\/"`, `"ü🙂"`, "\"\xff\"", "\"\xc3\"", "{\"\xff\":1}", `"\ud83d\ude42"`, `"\ud83d"`, `"\ud83dx"`, `"\ude42"`, `"\ud83d\u0041"`, `"\ud83d\u"`, `"\\u0000"`, `"\u0000"`,
	`"\\\u0000"`, "\ufeff{}", strings.Repeat("[", 900) + strings.Repeat("]", 900),
}

// FuzzDocument compares with encoding/json, which accepts what no store can
// hold: that must be text that does not survive its decoder and encoder.
func FuzzDocument(f *testing.F) {
	for _, d := range documents {
		f.Add(d)
	}
	f.Fuzz(func(t *testing.T, s string) {
		valid := json.Valid([]byte(s))
		switch why := documentFault([]byte(s)); why {
		case "":
			if !valid || !utf8.ValidString(s) {
				t.Fatalf("%q is accepted", s)
			}
			var v any
			if err := json.Unmarshal([]byte(s), &v); err == nil && strings.Contains(text(v), "\x00") {
				t.Fatalf("%q holds NUL", s)
			}
		case notJSON:
			if valid {
				t.Fatalf("%q is refused", s)
			}
		case notUTF8:
			if utf8.ValidString(s) {
				t.Fatalf("%q is UTF-8", s)
			}
		case nulChar:
			if !strings.Contains(s, `\u0000`) {
				t.Fatalf("%q holds no NUL", s)
			}
		case halfPair:
			if low := strings.ToLower(s); !strings.Contains(low, `\ud`) {
				t.Fatalf("%q has no surrogate", s)
			}
		case tooDeep:
			if strings.Count(s, "[")+strings.Count(s, "{") <= maxDepth {
				t.Fatalf("%q is not deep", s)
			}
		}
	})
}

// text is all texts of a decoded document.
func text(v any) (all string) {
	switch v := v.(type) {
	case string:
		return v
	case []any:
		for _, e := range v {
			all += text(e)
		}
	case map[string]any:
		for k, e := range v {
			all += k + text(e)
		}
	}
	return all
}

func TestDocumentFault(t *testing.T) {
	for s, want := range map[string]string{
		`{"a":["x",1]}`: "", `{"a":`: notJSON, `"\u0000"`: nulChar, `"\\u0000"`: "", `"\ud83d!"`: halfPair, `"\ud83d\ude42"`: "", "\"\xff\"": notUTF8,
		strings.Repeat("[", 5000) + strings.Repeat("]", 5000): tooDeep,
	} {
		if got := documentFault([]byte(s)); got != want {
			t.Errorf("%.40q: %q, want %q", s, got, want)
		}
	}
}
