package attune_test

import (
	"encoding/json"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/attune-automation/attune"
)

func randomID(r *rand.Rand) attune.ID {
	return attune.MakeID(1+r.Int64N(1<<41-1), r.IntN(attune.Partitions), r.IntN(attune.MaxSequence+1))
}

func TestIDRoundTrip(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 1))
	kinds := []attune.Kind{attune.KindEvent, attune.KindEnforcement, attune.KindExecution, attune.KindInquiry}
	for range 5000 {
		millis, partition, sequence := 1+r.Int64N(1<<41-1), r.IntN(attune.Partitions), r.IntN(attune.MaxSequence+1)
		id := attune.MakeID(millis, partition, sequence)
		if id <= 0 || id.Millis() != millis || id.Partition() != partition || !id.Time().Equal(attune.Epoch.Add(time.Duration(millis)*time.Millisecond)) {
			t.Fatalf("%d of %d, %d, %d is of %d at %s", id, millis, partition, sequence, id.Partition(), id.Time())
		}
		kind := kinds[r.IntN(len(kinds))]
		text := attune.FormatID(kind, id)
		if len(text) != 16 || !strings.HasPrefix(text, string(kind)+"-") || strings.ToLower(text) != text {
			t.Fatalf("%d is written %q", id, text)
		}
		if k, back, err := attune.ParseID(text); err != nil || k != kind || back != id {
			t.Fatalf("%q reads back as %s %d, %v", text, k, back, err)
		}
	}
}

func TestIDsSortByTime(t *testing.T) {
	r := rand.New(rand.NewPCG(2, 1))
	ids := make([]attune.ID, 1000)
	for i := range ids {
		ids[i] = randomID(r)
	}
	slices.Sort(ids)
	for i, id := range ids[1:] {
		before := ids[i]
		if before.Time().After(id.Time()) {
			t.Fatalf("%d sorts before %d and is later", before, id)
		}
		if a, b := attune.ExecutionID(before).String(), attune.ExecutionID(id).String(); before != id && a >= b {
			t.Fatalf("the text %s does not sort before %s", a, b)
		}
	}
}

func TestAnIDForgivesCrockfordsLookAlikes(t *testing.T) {
	want := attune.ExecutionID(attune.MakeID(1<<20, 1, 33))
	text := want.String()
	if strings.Count(text, "0") == 0 || strings.Count(text, "1") == 0 {
		t.Fatalf("%s has neither 0 nor 1 to mistake", text)
	}
	digits := text[3:]
	for name, digits := range map[string]string{
		"upper case": strings.ToUpper(digits), "the letter o": strings.ReplaceAll(digits, "0", "o"), "the letter O": strings.ReplaceAll(digits, "0", "O"),
		"the letter i": strings.ReplaceAll(digits, "1", "i"), "the letter l": strings.ReplaceAll(digits, "1", "l"), "the letter L": strings.ReplaceAll(digits, "1", "L"),
	} {
		if got, err := attune.ParseExecutionID("ex-" + digits); err != nil || got != want {
			t.Errorf("%s: ex-%s reads as %s, %v", name, digits, got, err)
		}
	}
	if got, err := attune.ParseExecutionID(strings.ToUpper(text)); err != nil || got != want {
		t.Errorf("%s reads as %s, %v", strings.ToUpper(text), got, err)
	}
}

func TestWhatIsNoID(t *testing.T) {
	beyond := attune.FormatID(attune.KindExecution, attune.MakeID(1000, attune.Partitions, 0))
	for name, text := range map[string]string{
		"nothing": "", "a word": "running", "no prefix": "0c3k9w2v7r1ab", "an unknown prefix": "xx-0c3k9w2v7r1ab", "too short": "ex-0c3k9w2v7r1a",
		"too long": "ex-0c3k9w2v7r1abc", "u is not in the alphabet": "ex-0c3k9w2v7r1au", "a sign": "ex--c3k9w2v7r1ab", "a space": " ex-0c3k9w2v7r1ab",
		"over 63 bits": "ex-8000000000000", "the sign bit": "ex-zzzzzzzzzzzzz", "zero": "ex-0000000000000", "a partition there is not": beyond, "a number": "123456",
	} {
		_, id, err := attune.ParseID(text)
		if err == nil || attune.KindOf(err) != attune.Invalid || id != 0 {
			t.Errorf("%s: %q reads as %d, %v", name, text, id, err)
		}
		if _, err := attune.ParseExecutionID(text); err == nil {
			t.Errorf("%s: %q is taken for an execution", name, text)
		}
	}
}

func TestTypedIDsRefuseOtherKinds(t *testing.T) {
	id := attune.MakeID(99, 5, 1)
	texts := map[attune.Kind]string{}
	for _, k := range []attune.Kind{attune.KindEvent, attune.KindEnforcement, attune.KindExecution, attune.KindInquiry} {
		texts[k] = attune.FormatID(k, id)
	}
	for want, read := range map[attune.Kind]func([]byte) (attune.ID, error){
		attune.KindEvent: func(b []byte) (attune.ID, error) {
			var v attune.EventID
			err := v.UnmarshalText(b)
			return attune.ID(v), err
		},
		attune.KindEnforcement: func(b []byte) (attune.ID, error) {
			var v attune.EnforcementID
			err := v.UnmarshalText(b)
			return attune.ID(v), err
		},
		attune.KindExecution: func(b []byte) (attune.ID, error) {
			var v attune.ExecutionID
			err := v.UnmarshalText(b)
			return attune.ID(v), err
		},
	} {
		for kind, text := range texts {
			got, err := read([]byte(text))
			if kind == want && (err != nil || got != id) {
				t.Errorf("%s as %s: %d, %v", text, want, got, err)
			}
			if kind != want && (attune.KindOf(err) != attune.Invalid || err == nil || got != 0 || !strings.Contains(err.Error(), text)) {
				t.Errorf("%s as %s: %d, %v", text, want, got, err)
			}
		}
		if got, err := read(nil); got != 0 || err != nil {
			t.Errorf("nothing as %s: %d, %v", want, got, err)
		}
	}
}

func TestIDsInJSON(t *testing.T) {
	type row struct {
		Event       attune.EventID                `json:"event"`
		Enforcement attune.EnforcementID          `json:"enforcement"`
		Execution   attune.ExecutionID            `json:"execution"`
		ByExecution map[attune.ExecutionID]string `json:"by,omitempty"`
	}
	id := attune.MakeID(1<<40, 127, 4095)
	want := row{attune.EventID(id), attune.EnforcementID(id), attune.ExecutionID(id), map[attune.ExecutionID]string{attune.ExecutionID(id): "x"}}
	b, err := json.Marshal(want)
	if err != nil || !strings.Contains(string(b), `"execution":"`+want.Execution.String()+`"`) || !strings.Contains(string(b), `"event":"ev-`) {
		t.Fatalf("%s, %v", b, err)
	}
	var got row
	if err := json.Unmarshal(b, &got); err != nil || got.Event != want.Event || got.Enforcement != want.Enforcement || got.Execution != want.Execution || got.ByExecution[want.Execution] != "x" {
		t.Errorf("%s reads back as %+v, %v", b, got, err)
	}
	if want.Event.Partition() != 127 || want.Enforcement.Partition() != 127 || want.Execution.Partition() != 127 {
		t.Error("a typed id has another partition than its number")
	}
	if b, err := json.Marshal(row{}); err != nil || string(b) != `{"event":"","enforcement":"","execution":""}` {
		t.Errorf("zero ids are %s, %v", b, err)
	}
	if err := json.Unmarshal([]byte(`{"execution":""}`), &got); err != nil || got.Execution != 0 {
		t.Errorf("an empty text reads as %s, %v", got.Execution, err)
	}
	if err := json.Unmarshal([]byte(`{"execution":123}`), &got); err == nil {
		t.Error("a number is read as an id")
	}
}
