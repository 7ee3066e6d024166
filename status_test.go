package attune_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/attune-automation/attune"
)

func TestStatusText(t *testing.T) {
	seen := map[string]bool{}
	for _, s := range attune.Statuses() {
		name := s.String()
		if seen[name] || name == "" || name != strings.ToLower(name) {
			t.Errorf("status %d is called %q", s, name)
		}
		seen[name] = true
		if back, err := attune.ParseStatus(name); err != nil || back != s {
			t.Errorf("%q reads back as %s, %v", name, back, err)
		}
		b, err := json.Marshal(s)
		var back attune.Status
		if err != nil || string(b) != `"`+name+`"` || json.Unmarshal(b, &back) != nil || back != s {
			t.Errorf("%s is %s in JSON and reads back as %s", s, b, back)
		}
		if s.Live() == s.Terminal() {
			t.Errorf("%s is live %v and terminal %v", s, s.Live(), s.Terminal())
		}
	}
	for _, name := range []string{"", "none", "Running", "timed out", "unknown"} {
		if s, err := attune.ParseStatus(name); attune.KindOf(err) != attune.Invalid || err == nil || s != attune.NoStatus {
			t.Errorf("%q reads as %s, %v", name, s, err)
		}
	}
	if s := attune.NoStatus; s.Live() || s.Terminal() || s.Assigned() || s.Rank() != 0 {
		t.Error("no status is neither live nor terminal")
	}
}

// The numbers are stored: a change of any is a change of every stored row.
func TestTheStoredNumbers(t *testing.T) {
	for number, name := range map[uint8]string{1: "requested", 2: "delayed", 3: "scheduling", 4: "scheduled", 5: "running", 6: "paused",
		7: "stopping", 8: "completed", 9: "failed", 10: "timeout", 11: "cancelled", 12: "abandoned"} {
		if got := attune.Status(number).String(); got != name {
			t.Errorf("status %d is %s, was %s", number, got, name)
		}
	}
	for number, name := range map[uint8]string{1: "admit", 2: "hold", 3: "assign", 4: "return", 5: "start", 6: "finish", 7: "fail",
		8: "time out", 9: "retry", 10: "lose", 11: "expire", 12: "pause", 13: "resume", 14: "cancel", 15: "confirm", 16: "refuse", 17: "panic"} {
		if got := attune.Signal(number).String(); got != name {
			t.Errorf("signal %d is %s, was %s", number, got, name)
		}
	}
	for number, name := range map[uint8]string{1: "cancelled", 2: "timeout", 3: "panic"} {
		if got := attune.Cause(number).String(); got != name {
			t.Errorf("cause %d is %s, was %s", number, got, name)
		}
	}
}

// A damaged row, or a newer program, may say any number, and whoever prints it is
// not to die of that.
func TestANumberWithoutANameIsPrinted(t *testing.T) {
	for want, v := range map[string]fmt.Stringer{
		"status(200)": attune.Status(200), "cause(24)": attune.Cause(24), "signal(99)": attune.Signal(99), "effect(9)": attune.Effect(9), "backoff(3)": attune.Backoff(3),
		"error kind(9)": attune.ErrorKind(9), "enforcement status(3)": attune.EnforcementStatus(3), "worker state(255)": attune.WorkerState(255),
	} {
		if got := v.String(); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}

func TestRank(t *testing.T) {
	want := map[attune.Status]int{attune.Scheduled: 1, attune.Running: 2, attune.Paused: 2, attune.Stopping: 3,
		attune.Completed: 4, attune.Failed: 4, attune.TimedOut: 4, attune.Cancelled: 4, attune.Abandoned: 4}
	for _, s := range attune.Statuses() {
		if s.Rank() != want[s] {
			t.Errorf("%s has rank %d, want %d", s, s.Rank(), want[s])
		}
		if s.Live() && s.Assigned() != (s.Rank() > 0) {
			t.Errorf("%s: assigned is %v at rank %d", s, s.Assigned(), s.Rank())
		}
	}
}
