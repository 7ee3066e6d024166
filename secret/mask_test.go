package secret_test

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"math/rand/v2"
	"net/url"
	"strconv"
	"strings"
	"testing"

	"github.com/attune-automation/attune/secret"
)

const canary = "hü\"n<ter>/22&x \\y"

func TestEveryFormOfASecretIsFound(t *testing.T) {
	plain, _ := json.Marshal(canary)
	var careless bytes.Buffer
	e := json.NewEncoder(&careless)
	e.SetEscapeHTML(false)
	_ = e.Encode(canary)
	for name, text := range map[string]string{
		"as it is":                   canary,
		"in JSON":                    string(plain),
		"in JSON with < and >":       careless.String(),
		"in JSON of ASCII":           `"h\u00fc\"n<ter>/22&x \\y"`,
		"in a query":                 "b=" + url.QueryEscape(canary),
		"in a path":                  "/" + url.PathEscape(canary),
		"in a query in small digits": strings.ToLower(url.QueryEscape(canary)),
		"in a URL of JavaScript":     "h%C3%BC%22n%3Cter%3E%2F22%26x%20%5Cy",
		"in base64":                  base64.StdEncoding.EncodeToString([]byte(canary)),
		"in base64 without =":        base64.RawStdEncoding.EncodeToString([]byte(canary)),
		"in base64 for URLs":         base64.URLEncoding.EncodeToString([]byte(canary)),
		"in hexadecimal":             hex.EncodeToString([]byte(canary)),
		"in large hexadecimal":       strings.ToUpper(hex.EncodeToString([]byte(canary))),
		"twice with nothing between": canary + canary,
		"behind half of itself":      canary[:7] + canary,
	} {
		t.Run(name, func(t *testing.T) {
			got := secret.NewMask([]string{canary}).Text("<" + text + ">")
			if !strings.Contains(got, secret.Stars) || strings.Contains(got, text) || len(got) > len(secret.Stars)+16 {
				t.Errorf("it says %s", got)
			}
		})
	}
}

func TestASecretWithinALongerBase64IsFound(t *testing.T) {
	for _, before := range []string{"", "u", "us", "use", "user:"} {
		for _, behind := range []string{"", "x", "xy", "xyz"} {
			whole := base64.StdEncoding.EncodeToString([]byte(before + "open-sesame-9" + behind))
			got := secret.NewMask([]string{"open-sesame-9"}).Text("Basic " + whole)
			if !strings.Contains(got, secret.Stars) {
				t.Errorf("between %q and %q: %s", before, behind, got)
				continue
			}
			left, _, _ := strings.Cut(strings.TrimPrefix(got, "Basic "), secret.Stars)
			if text, _ := base64.RawStdEncoding.DecodeString(left[:len(left)/4*4]); strings.Contains(string(text), "ope") {
				t.Errorf("between %q and %q it says %q", before, behind, got)
			}
		}
	}
}

func TestLinesOfASecretAreFoundAlone(t *testing.T) {
	m := secret.NewMask([]string{"first line\r\n  second line  \nx\n"})
	if got := m.Text("1 | first line\n2 | second line\n3 | x\n"); got != "1 | ********\n2 | ********\n3 | x\n" {
		t.Errorf("%q", got)
	}
}

func TestShortTextsAreNotSearchedFor(t *testing.T) {
	if m := secret.NewMask([]string{"", "1", "abc"}); m != nil || m.Text("abc") != "abc" || string(m.Document([]byte(`"abc"`), true)) != `"abc"` {
		t.Error("a text of three bytes is masked")
	}
	if got := secret.NewMask([]string{"abcd"}).Text("abcd abc"); got != "******** abc" {
		t.Error(got)
	}
}

func TestDocuments(t *testing.T) {
	m := secret.NewMask([]string{"hunter22", "123456"})
	for _, c := range []struct{ name, given, wants string }{
		{"without a secret is the same bytes", `{"b": 1.50, "a":"\u0041<"}`, `{"b": 1.50, "a":"\u0041<"}`},
		{"in a text", `["is hunter22 <"]`, `["is ******** <"]`},
		{"written otherwise", `["\u0068unter22"]`, `["********"]`},
		{"as a name", `{"hunter22":1,"xhunter22":2}`, `{"********":1,"x********":2}`},
		{"as a name twice", `{"hunter22":1,"********":2}`, `{"********":2,"******** 2":1}`},
		{"as a number", `[123456, 12345678, 12.50]`, `["********","********",12.50]`},
		{"as what is no document", `hunter22`, `"********"`},
		{"deep down", `{"a":[{"b":"hunter22"}]}`, `{"a":[{"b":"********"}]}`},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := string(m.Document([]byte(c.given), false)); got != c.wants {
				t.Errorf("%s, not %s", got, c.wants)
			}
		})
	}
}

func TestALongTextThatEndsWithinASecretIsMaskedThere(t *testing.T) {
	m := secret.NewMask([]string{"hunter22"})
	long := strings.Repeat("x", 2000)
	if got := m.Text(long + "hunter2"); got != long+secret.Stars {
		t.Errorf("…%s", got[1990:])
	}
	if got := m.Text("is hunter2"); got != "is hunter2" {
		t.Error(got)
	}
	s := m.Stream()
	if got := s.End(s.Write(nil, []byte("is hunter2")), true); string(got) != "is ********" {
		t.Errorf("a stream that was cut: %s", got)
	}
	if got := string(m.Document([]byte(`{"stdout":"is hunter2"}`), true)); got != `{"stdout":"is ********"}` {
		t.Errorf("a document whose texts were cut: %s", got)
	}
	s = m.Stream()
	if got := s.End(s.Write(nil, []byte("is hun")), true); string(got) != "is hun" {
		t.Errorf("three bytes: %s", got)
	}
}

// naive masks by looking for every text at every place.
func naive(texts []string, in string) string {
	covered := make([]bool, len(in))
	for at := range in {
		for _, text := range texts {
			if strings.HasPrefix(in[at:], text) {
				for i := range len(text) {
					covered[at+i] = true
				}
			}
		}
	}
	var out strings.Builder
	for i := range in {
		if !covered[i] {
			out.WriteByte(in[i])
		} else if i == 0 || !covered[i-1] {
			out.WriteString(secret.Stars)
		}
	}
	return out.String()
}

func TestAStreamIsMaskedAlikeHoweverItIsCut(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	word := func(n int) string {
		b := make([]byte, n)
		for i := range b {
			b[i] = "ab\n"[random.IntN(3)*random.IntN(2)]
		}
		return string(b)
	}
	for range 3000 {
		var texts []string
		for range 1 + random.IntN(3) {
			texts = append(texts, strings.ReplaceAll(word(4+random.IntN(5)), "\n", "a"))
		}
		given := word(random.IntN(60))
		s := secret.NewMask(texts).Stream()
		var got []byte
		for rest := given; rest != ""; {
			n := 1 + random.IntN(len(rest))
			before := len(got)
			got = s.Write(got, []byte(rest[:n]))
			if said := len(got) - before; said > 200 {
				t.Fatal("it says more than it heard")
			}
			rest = rest[n:]
		}
		got = s.End(got, false)
		if wants := naive(texts, given); string(got) != wants {
			t.Fatalf("%q without %q is %q, not %q", given, texts, got, wants)
		}
	}
}

func TestWhatIsHeldBackIsBounded(t *testing.T) {
	s := secret.NewMask([]string{"aaaab"}).Stream()
	said := 0
	for range 10_000 {
		said += len(s.Write(nil, []byte("aaaa")))
	}
	if held := 40_000 - said; held > 8 {
		t.Errorf("%d bytes are held back", held)
	}
}

func TestTextsOfValues(t *testing.T) {
	got := secret.Texts(nil, map[string]any{"b": "text", "a": []any{int64(12345), 1.25, true, nil, "abc", json.Number("678901")}})
	if strings.Join(got, " ") != "12345 1.25 678901 text" {
		t.Errorf("%q", got)
	}
	f := secret.NewFinder([]string{"text"})
	for _, in := range []any{"a text", []any{"x", "text"}, map[string]any{"k": "text"}, map[string]any{"text": 1}} {
		if !f.Within(in) {
			t.Errorf("it is not found in %v", in)
		}
	}
	if f.Within("tex") || f.Within(nil) || f.Within(true) {
		t.Error("it is found where it is not")
	}
}

func TestManySecretsHaveABound(t *testing.T) {
	var texts []string
	for i := range 20_000 {
		texts = append(texts, strings.Repeat("x", 30)+strconv.Itoa(100_000+i))
	}
	m := secret.NewMask(texts)
	if got := m.Text(texts[0] + " " + texts[19_999]); got != "******** ********" {
		t.Error(got)
	}
	first, last := hex.EncodeToString([]byte(texts[0])), hex.EncodeToString([]byte(texts[19_999]))
	if m.Text(first) == first || m.Text(last) != last {
		t.Error("the forms of all are searched for, or of none")
	}
}

func BenchmarkNewMaskOfAMegabyte(b *testing.B) {
	random := rand.New(rand.NewPCG(1, 2))
	text := make([]byte, 1<<20)
	for i := range text {
		text[i] = byte('a' + random.IntN(26))
	}
	for b.Loop() {
		secret.NewMask([]string{string(text)})
	}
}

func BenchmarkStream(b *testing.B) {
	lines := bytes.Repeat([]byte("2026-11-25T13:00:00Z info order A-1001 was packed in 13 ms\n"), 500)
	m := secret.NewMask([]string{"wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY", "hunter22-hunter22"})
	b.SetBytes(int64(len(lines)))
	s := m.Stream()
	var out []byte
	for b.Loop() {
		out = s.Write(out[:0], lines)
	}
}

func BenchmarkNewMask(b *testing.B) {
	for b.Loop() {
		secret.NewMask([]string{"wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"})
	}
}
