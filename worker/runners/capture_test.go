package runners

import (
	"bytes"
	"strings"
	"testing"
)

func TestTheLastDocumentOfAText(t *testing.T) {
	for _, c := range []struct{ name, text, before, doc string }{
		{"nothing", "", "", ""},
		{"white space", " \n\n", " \n\n", ""},
		{"free text", "all is well\n", "all is well\n", ""},
		{"one document", `{"a":1}`, "", `{"a":1}`},
		{"a document behind text", "working\ndone\n{\"a\":1}\n", "working\ndone\n", `{"a":1}`},
		{"of several lines", "x\n{\n \"a\": [\n  {\n  }\n ]\n}\n\n", "x\n", "{\n \"a\": [\n  {\n  }\n ]\n}"},
		{"the last of two", "{\"a\":1}\n{\"a\":2}\n", "{\"a\":1}\n", `{"a":2}`},
		{"a list", "x\n[\n 1,\n 2\n]", "x\n", "[\n 1,\n 2\n]"},
		{"a number", "count\n5\n", "count\n", "5"},
		{"a word", "x\n\"done\"", "x\n", `"done"`},
		{"not at the begin of a line", `x {"a":1}`, `x {"a":1}`, ""},
		{"text behind it", "{\"a\":1}\nbye", "{\"a\":1}\nbye", ""},
		{"a brace in text", "{\nnot json }", "{\nnot json }", ""},
	} {
		before, doc := lastDocument([]byte(c.text))
		if string(before) != c.before || string(doc) != c.doc {
			t.Errorf("%s: %q, %q", c.name, before, doc)
		}
	}
}

func TestTheSearchForADocumentIsBounded(t *testing.T) {
	for line, end := range map[string]string{"[\n": "}]", "{\"a\":\n": "]}", "[" + strings.Repeat("1,", 500) + "\n": "]"} {
		text := []byte(strings.Repeat(line, (64<<10)/len(line)) + end)
		if _, doc, left := search(text, 1<<20); doc != nil || left < -len(text) {
			t.Errorf("%.10q: found %.20q with %d left", line, doc, left)
		}
	}
}

func TestADocumentIsFitForEveryStore(t *testing.T) {
	for from, want := range map[string]string{
		`{"b":1,"a":"<x>"}`:     `{"b":1,"a":"<x>"}`,
		`["a\u0000b"]`:          "[\"a\uFFFDb\"]",
		"[\"a\xffb\"]":          "[\"a\uFFFDb\"]",
		`["\ud800x","<"]`:       "[\"\uFFFDx\",\"<\"]",
		`{"\u0000k":1e400}`:     "{\"\uFFFDk\":1e400}",
		`{"a":1} x`:             "",
		" 5 \n":                 "5",
		`["12345678901234567"]`: `["12345678901234567"]`,
	} {
		if got := document([]byte(from)); string(got) != want {
			t.Errorf("%q: %q, want %q", from, got, want)
		}
	}
	if got := text([]byte("a\x00b\xffc\n")); got != "a\uFFFDb\uFFFDc\n" {
		t.Errorf("%q", got)
	}
}

func TestACaptureKeepsBothEnds(t *testing.T) {
	var c capture
	for i := range 5000 {
		c.write(bytes.Repeat([]byte{byte('a' + i%26)}, 1023))
		c.write([]byte("\n"))
	}
	if len(c.head) != headBytes || c.head[0] != 'a' || !c.truncated() {
		t.Error(len(c.head))
	}
	if end := c.end(); len(end) > tailBytes || len(end) < tailBytes-1024 || end[0] != end[1] || !bytes.HasSuffix(end, []byte("hh\n")) {
		t.Errorf("%d %q %q", len(end), end[:4], end[len(end)-4:])
	}
	if cap(c.tail) > 4*tailBytes {
		t.Error(cap(c.tail))
	}
}
