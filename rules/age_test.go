package rules_test

import (
	"testing"
	"time"

	"github.com/attune-automation/attune"
	"github.com/attune-automation/attune/rules"
)

// acceptedAt is an event that was accepted at a moment.
func acceptedAt(at time.Time) *attune.Event {
	return &attune.Event{ID: attune.EventID(attune.MakeID(1, 1, 1)), Accepted: at}
}

// testdata/times.json holds the microseconds since 1970 that Python's dateutil
// reads, or null for what it refuses.
func TestTimesAreReadAsInPython(t *testing.T) {
	var cases [][2]any
	read(t, "testdata/times.json", &cases)
	at := time.Date(2025, 6, 1, 12, 0, 0, 0, time.UTC)
	for _, c := range cases {
		for _, o := range []struct {
			operator string
			off      float64 // added to the true age
			want     bool
		}{{"td_lt", 0.001, true}, {"timediff_lt", 0, false}, {"td_gt", -0.001, true}, {"timediff_gt", 0, false}} {
			micros, readable := c[1].(float64)
			seconds := (float64(at.UnixMicro()) - micros) / 1e6
			rule := compile(t, &attune.Rule{Enabled: true, Criteria: []attune.Criterion{{Path: "trigger.at", Type: o.operator, Pattern: seconds + o.off}}}, nil)
			m := rule.Judge(acceptedAt(at), map[string]any{"at": c[0]})
			if (m.Evaluation.Error == "") != readable || readable && m.Matched != o.want {
				t.Errorf("%q %s %v: got %+v", c[0], o.operator, seconds+o.off, m.Evaluation)
			}
		}
	}
}

func TestTheAgeIsSeenFromTheAcceptanceOfTheEvent(t *testing.T) {
	rule := compile(t, &attune.Rule{Enabled: true, Criteria: []attune.Criterion{{Path: "trigger.at", Type: "td_lt", Pattern: "{{ trigger.limit }}"}}}, nil)
	payload := map[string]any{"at": "2025-01-01T00:00:00Z", "limit": int64(60)}
	start := time.Date(2025, 1, 1, 0, 0, 0, 0, time.UTC)
	for offset, want := range map[time.Duration]bool{0: true, time.Millisecond: true, 59 * time.Second: true, time.Minute: false, 100 * 365 * 24 * time.Hour / 2: false} {
		if m := rule.Judge(acceptedAt(start.Add(offset)), payload); m.Matched != want || m.Evaluation.Error != "" {
			t.Errorf("%v later: %+v", offset, m.Evaluation)
		}
	}
	payload["limit"] = "60" // no number
	if m := rule.Judge(acceptedAt(start), payload); m.Matched || m.Evaluation.Error != "trigger.at: its pattern must be a number of seconds, not a text" {
		t.Errorf("got %+v", m.Evaluation)
	}
	for _, wrong := range []any{"60", []any{}, true} {
		_, faults := rules.Compile(&attune.Rule{Criteria: []attune.Criterion{{Path: "trigger.at", Type: "td_gt", Pattern: wrong}}}, nil)
		if (len(faults) == 0) != (wrong == true) { // a boolean is a number to Python
			t.Errorf("%v: %v", wrong, faults)
		}
	}
}
