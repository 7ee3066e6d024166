package attune_test

import (
	"bytes"
	"math/rand/v2"
	"reflect"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/attune-automation/attune"
)

func randomStep(r *rand.Rand) attune.Step {
	text := func() string { return strings.Repeat("ü.x\x00", r.IntN(12)) }
	s := attune.Step{
		At:     attune.Epoch.Add(time.Duration(r.Int64N(1<<40)-1000) * time.Millisecond),
		Signal: attune.Signal(r.IntN(18)), To: attune.Status(r.IntN(13)), Attempt: r.IntN(1 << r.IntN(20)), Refused: r.IntN(2) == 0,
	}
	if r.IntN(2) == 0 {
		s.Worker, s.Incarnation = text(), text()
	}
	if r.IntN(2) == 0 {
		s.Note = text()
	}
	return s
}

func TestHistoryRoundTrip(t *testing.T) {
	for seed := range uint64(500) {
		r := rand.New(rand.NewPCG(seed, 2))
		var h attune.History
		var want []attune.Step
		for range r.IntN(20) {
			s := randomStep(r)
			before := bytes.Clone(h)
			h = h.Append(s)
			if !bytes.HasPrefix(h, before) {
				t.Fatalf("seed %d: appending changed what was there", seed)
			}
			want = append(want, s)
		}
		got, err := h.Steps()
		if err != nil || !reflect.DeepEqual(got, want) {
			t.Fatalf("seed %d: %v\nread  %+v\nwrote %+v", seed, err, got, want)
		}
	}
}

func TestHistoryCutsLongNotes(t *testing.T) {
	for _, note := range []string{strings.Repeat("a", 200), strings.Repeat("a", 5000), strings.Repeat("ä", 150), "a" + strings.Repeat("ä", 150), strings.Repeat("€", 80)} {
		steps, err := attune.History(nil).Append(attune.Step{At: attune.Epoch, Note: note}).Steps()
		if err != nil {
			t.Fatal(err)
		}
		got := steps[0].Note
		if len(got) > 200 || len(got) < 197 || !strings.HasPrefix(note, got) || !utf8.ValidString(got) {
			t.Errorf("a note of %d bytes is kept as %q", len(note), got)
		}
	}
}

func TestHistoryOfMillisecondsKeepsTheZone(t *testing.T) {
	at := time.Date(2026, 3, 1, 12, 0, 0, 1_999_999, time.FixedZone("east", 3600))
	steps, err := attune.History(nil).Append(attune.Step{At: at}).Steps()
	if want := time.Date(2026, 3, 1, 11, 0, 0, 1_000_000, time.UTC); err != nil || steps[0].At != want {
		t.Errorf("%s is kept as %s, want %s; %v", at, steps[0].At, want, err)
	}
}

func TestADamagedHistoryTellsSo(t *testing.T) {
	whole := attune.History(nil).Append(attune.Step{At: attune.Epoch, Signal: attune.Admit, To: attune.Scheduling}).
		Append(attune.Step{At: attune.Epoch, Signal: attune.Assign, To: attune.Scheduled, Attempt: 1, Worker: "w", Incarnation: "w-1", Note: "n"})
	first := attune.History(nil).Append(attune.Step{At: attune.Epoch, Signal: attune.Admit, To: attune.Scheduling})
	for n := 1; n < len(whole); n++ {
		steps, err := whole[:n].Steps()
		boundary := n == 1 || n == len(first)
		if (err == nil) != boundary {
			t.Errorf("cut at %d of %d: %v", n, len(whole), err)
		}
		if want := map[bool]int{true: 1}[n >= len(first)]; len(steps) != want {
			t.Errorf("cut at %d: %d steps can be read, want %d", n, len(steps), want)
		}
	}
	if steps, err := attune.History(nil).Steps(); err != nil || steps != nil {
		t.Errorf("the empty history holds %v, %v", steps, err)
	}
	if _, err := (attune.History{2, 1, 1, 0, 0, 0}).Steps(); err == nil {
		t.Error("a newer format is read as if it were known")
	}
}

func FuzzHistory(f *testing.F) {
	f.Add([]byte{})
	f.Add([]byte{1})
	f.Add([]byte{1, 1, 3, 0, 0, 0})
	f.Add([]byte{1, 1, 3, 0, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0})
	f.Add([]byte{1, 1, 3, 6, 2, 1, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1, 'x'}) // a text longer than all memory
	f.Add([]byte{9, 9, 9})
	for seed := range uint64(20) {
		r := rand.New(rand.NewPCG(seed, 3))
		var h attune.History
		for range 5 {
			h = h.Append(randomStep(r))
		}
		f.Add([]byte(h))
		for range 4 {
			h = bytes.Clone(h)
			h[r.IntN(len(h))] = byte(r.Uint32())
			f.Add([]byte(h))
		}
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		steps, err := attune.History(b).Steps()
		var again attune.History
		for _, s := range steps {
			again = again.Append(s)
		}
		if err != nil || len(steps) == 0 {
			return
		}
		for _, s := range steps { // a text too long for us, or a time beyond counting, is not ours
			if len(s.Note) > 200 || !utf8.ValidString(s.Note) {
				return
			}
		}
		back, err := again.Steps()
		if err != nil || !reflect.DeepEqual(back, steps) {
			t.Errorf("%x reads as %+v, written again as %+v, %v", b, steps, back, err)
		}
	})
}
