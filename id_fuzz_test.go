package attune_test

import (
	"strings"
	"testing"

	"github.com/attune-automation/attune"
)

// FuzzID reads two texts as ids. What is one has one canonical text, which reads
// back as it, is taken by the type of its kind alone, and sorts as the number
// does. Everything else is invalid.
func FuzzID(f *testing.F) {
	for _, pair := range [][2]string{
		{"ex-0c3k9w2v7r1ab", "ev-0c3k9w2v7r1ab"}, {"EX-OC3K9W2V7RIAB", "ex-0c3k9w2v7rlab"}, {"ex-0000000000001", "ex-7zzzzzzzzzzzz"}, {"iq-03z9gs2000m01", "en-03z9gs2000m02"},
		{"", "ex-"}, {"ex-03z9gs2000m0u", "xx-03z9gs2000m01"}, {"EX-O3Z9GS2OOOMOI", "ex-03z9gs2000mol"}, {"ex-8000000000000", "ex--000000000000"}, {"ex-0c3k9w2v7r1abc", "ex_0c3k9w2v7r1ab"}, {"ex-0c3k9w2v7r1\xffb", "ex-\u212a000000000000"},
	} {
		f.Add(pair[0], pair[1])
	}
	f.Fuzz(func(t *testing.T, one, other string) {
		kind, id, canonical := read(t, one)
		otherKind, otherID, otherCanonical := read(t, other)
		if id == 0 || otherID == 0 || kind != otherKind {
			return
		}
		if (id < otherID) != (canonical < otherCanonical) || (id == otherID) != (canonical == otherCanonical) {
			t.Errorf("%q and %q are %d and %d, and sort otherwise", one, other, id, otherID)
		}
	})
}

// read holds one text against what ids promise.
func read(t *testing.T, text string) (attune.Kind, attune.ID, string) {
	kind, id, err := attune.ParseID(text)
	if err != nil {
		if attune.KindOf(err) != attune.Invalid || id != 0 {
			t.Errorf("%q is refused as %v with %d", text, err, id)
		}
		return "", 0, ""
	}
	canonical := attune.FormatID(kind, id)
	if k, again, err := attune.ParseID(canonical); k != kind || again != id || err != nil {
		t.Errorf("%q is written %q, which reads as %s %d, %v", text, canonical, k, again, err)
	}
	// What was forgiven is a look-alike, and nothing else.
	same := strings.NewReplacer("o", "0", "i", "1", "l", "1").Replace(strings.ToLower(text[len(kind)+1:]))
	if strings.ToLower(text[:len(kind)]) != string(kind) || string(kind)+"-"+same != canonical {
		t.Errorf("%q is taken for %q", text, canonical)
	}
	if id.Partition() >= attune.Partitions || attune.MakeID(id.Millis(), id.Partition(), int(id&attune.MaxSequence)) != id {
		t.Errorf("%q is %d of %d in %d", text, id, id.Millis(), id.Partition())
	}
	for want, unmarshal := range map[attune.Kind]func([]byte) error{
		attune.KindEvent: new(attune.EventID).UnmarshalText, attune.KindEnforcement: new(attune.EnforcementID).UnmarshalText, attune.KindExecution: new(attune.ExecutionID).UnmarshalText,
	} {
		if err := unmarshal([]byte(text)); (err == nil) != (want == kind) {
			t.Errorf("%q as %s: %v", text, want, err)
		}
	}
	return kind, id, canonical
}
