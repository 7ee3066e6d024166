package pattern

import (
	"testing"

	"github.com/dlclark/regexp2"
)

// The two engines must give one answer wherever both can: the inside is the
// point here.
func TestBothEnginesAgree(t *testing.T) {
	texts := []string{"", "a", "ab", "a\n", "\n", "a\nb", "[a]", "a-b_c", "Ärger 7", "x٣", "a b\tc\u00a0d", `\"{}`, "{,3}", "aaa", "a.b|c", "line\r\n", "ſK", "]", "a]", "^$"}
	patterns := []string{
		"a", "^a$", "^$", "$", `\Aa\Z`, "a.b", "(?s)a.b", "(?i)ÄRGER", "(?i)k", `\d+`, `\w+`, `\s`, `\W`, `\S+$`, `\D`, `[\w-]+$`, `[\d.]`, `[^\s]b`, "[[]a[]]", "[]a]+$", "[^]a]",
		"a{,2}$", "a{2,}", "{,x}", `\{,`, `\b\w`, `\bb`, `a\Bb`, "(?P<x>a)b", "(?:a|b)+", "a|$", `\.`, `\-b`, `a\_`, `b\_c`, `\"`, `[\]]`, `[\-_]`, "[a-c]{3}", `\n$`, "^(a|b)*?$", `\|`, "[&&a]", `[^\W\d_]`, `[\W\d]+$`, `[^\S\n]`, `[\D_]$`, `[^\Da]`, `[\S]b`,
	}
	linear := 0
	for _, p := range patterns {
		r, err := Compile(p, Options{})
		if err != nil {
			t.Errorf("%q: %v", p, err)
			continue
		}
		if r.linear == nil {
			continue
		}
		linear++
		net, err := regexp2.Compile(translate(p).netForm, regexp2.None)
		if err != nil {
			t.Errorf("%q: %v", p, err)
			continue
		}
		for _, text := range texts {
			if r.ascii && !isASCII(text) {
				continue
			}
			want, err := net.MatchString(text)
			if got := r.linear.MatchString(text); err != nil || got != want {
				t.Errorf("%q in %q: linear %v, backtracking %v %v", p, text, got, want, err)
			}
		}
	}
	if linear < len(patterns)-2 {
		t.Errorf("only %d of %d patterns are linear", linear, len(patterns))
	}
}
