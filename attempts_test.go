package attune_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/attune-automation/attune"
)

// told is an attempt in a line.
func told(a attune.Attempt) string {
	second := func(t time.Time) string {
		if t.IsZero() {
			return "-"
		}
		return fmt.Sprint(int(t.Sub(attune.Epoch) / time.Second))
	}
	text := fmt.Sprintf("%d on %s/%s %s %s %s %s", a.Number, a.Worker, a.Incarnation, second(a.Assigned), second(a.Started), second(a.Ended), a.Outcome())
	if a.Note != "" {
		text += " (" + a.Note + ")"
	}
	for _, s := range a.Late {
		text += " late " + s.Signal.String()
	}
	return text
}

func TestAttemptsOfAHistory(t *testing.T) {
	in := func(s attune.Signal, reason string) attune.Input { return attune.Input{Signal: s, Reason: reason} }
	on := func(worker, incarnation string) attune.Input {
		return attune.Input{Signal: attune.Assign, Worker: worker, Incarnation: incarnation}
	}
	late := func(s attune.Signal, attempt int) attune.Input { return attune.Input{Signal: s, Attempt: attempt} }
	admit, start, finish := in(attune.Admit, "waits"), in(attune.Start, ""), in(attune.Finish, "")
	for name, c := range map[string]struct {
		signals []attune.Input
		want    string
	}{
		"one that never got a slot has none":            {[]attune.Input{admit, in(attune.Cancel, "not wanted")}, ""},
		"one that completed":                            {[]attune.Input{admit, on("w", "w-1"), start, finish}, "1 on w/w-1 2 3 4 completed"},
		"one that runs has no end":                      {[]attune.Input{admit, on("w", "w-1"), start}, "1 on w/w-1 2 3 - "},
		"one that is being ended says why":              {[]attune.Input{admit, on("w", "w-1"), start, in(attune.Cancel, "too slow")}, "1 on w/w-1 2 3 -  (too slow)"},
		"one that was ended keeps why":                  {[]attune.Input{admit, on("w", "w-1"), start, in(attune.Cancel, "too slow"), in(attune.Confirm, "")}, "1 on w/w-1 2 3 5 cancelled (too slow)"},
		"one that was given back never started":         {[]attune.Input{admit, on("w", "w-1"), in(attune.Return, "full"), on("v", "v-1"), start, finish}, "1 on w/w-1 2 - 3 returned (full)\n2 on v/v-1 4 5 6 completed"},
		"one given back while it was ended is the last": {[]attune.Input{admit, on("w", "w-1"), in(attune.Cancel, "no"), in(attune.Return, "")}, "1 on w/w-1 2 - 4 cancelled (no)"},
		"retries are attempts of their own": {[]attune.Input{admit, on("w", "w-1"), start, in(attune.Retry, "exit code 3"), in(attune.Admit, ""), on("w", "w-1"), start,
			in(attune.Retry, "worker lost"), admit, on("v", "v-9"), in(attune.Fail, "exit code 4")},
			"1 on w/w-1 2 3 4 retried (exit code 3)\n2 on w/w-1 6 7 8 retried (worker lost)\n3 on v/v-9 10 - 11 failed (exit code 4)"},
		"a lost worker abandons, and what it says later changes nothing": {[]attune.Input{admit, on("w", "w-1"), start, in(attune.Lose, "its worker was lost"), late(attune.Finish, 1)},
			"1 on w/w-1 2 3 4 abandoned (its worker was lost) late finish"},
		"a late word counts for the attempt it speaks of": {[]attune.Input{admit, on("w", "w-1"), start, in(attune.Retry, ""), admit, on("w", "w-1"), late(attune.Fail, 1), start, finish},
			"1 on w/w-1 2 3 4 retried late fail\n2 on w/w-1 6 8 9 completed"},
		"what waits after a retry is not of the attempt before": {[]attune.Input{admit, on("w", "w-1"), start, in(attune.Retry, "once more"), in(attune.Cancel, "enough")},
			"1 on w/w-1 2 3 4 retried (once more)"},
	} {
		t.Run(name, func(t *testing.T) {
			x := &attune.Execution{Status: attune.Requested}
			for i, s := range c.signals {
				s.At = attune.Epoch.Add(time.Duration(i+1) * time.Second)
				if _, err := x.Apply(s); err != nil {
					x.Witness(s)
				}
			}
			steps, err := x.History.Steps()
			if err != nil {
				t.Fatal(err)
			}
			var lines []string
			for _, a := range attune.Attempts(steps) {
				lines = append(lines, told(a))
			}
			if got := strings.Join(lines, "\n"); got != c.want {
				t.Errorf("got\n%s\nwant\n%s", got, c.want)
			}
		})
	}
}

func TestAttemptsOfADamagedHistory(t *testing.T) {
	got := attune.Attempts([]attune.Step{{Attempt: 2, Signal: attune.Finish, To: attune.Completed, At: attune.Epoch}})
	if len(got) != 1 || told(got[0]) != "2 on / - - 0 completed" {
		t.Errorf("%+v", got)
	}
}
