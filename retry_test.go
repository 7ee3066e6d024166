package attune_test

import (
	"encoding/json"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/attune-automation/attune"
)

func TestPauses(t *testing.T) {
	token := attune.Token{Execution: attune.ExecutionID(attune.MakeID(1, 2, 3)), Attempt: 1}
	for name, c := range map[string]struct {
		policy attune.RetryPolicy
		want   []time.Duration
	}{
		"constant":               {attune.RetryPolicy{Delay: attune.Span(time.Second), MaxDelay: attune.Span(time.Minute)}, []time.Duration{1, 1, 1}},
		"linear":                 {attune.RetryPolicy{Delay: attune.Span(time.Second), MaxDelay: attune.Span(time.Minute), Backoff: attune.Linear}, []time.Duration{1, 2, 3, 4}},
		"exponential":            {attune.RetryPolicy{Delay: attune.Span(time.Second), MaxDelay: attune.Span(time.Minute), Backoff: attune.Exponential}, []time.Duration{1, 2, 4, 8, 16, 32, 60, 60}},
		"bounded from the first": {attune.RetryPolicy{Delay: attune.Span(10 * time.Second), MaxDelay: attune.Span(2 * time.Second)}, []time.Duration{2, 2}},
		"none":                   {attune.RetryPolicy{}, []time.Duration{0, 0}},
	} {
		for i, want := range c.want {
			if got := c.policy.Pause(token, i+1); got != want*time.Second {
				t.Errorf("%s: after %d tries %s, want %ds", name, i+1, got, want)
			}
		}
	}
	far := attune.RetryPolicy{Delay: attune.Span(attune.MaxPause), MaxDelay: attune.Span(attune.MaxPause), Backoff: attune.Exponential}
	if got := far.Pause(token, attune.MaxTries); got != attune.MaxPause {
		t.Errorf("the longest pause is %s", got)
	}
}

// Naively all that failed at one moment comes back at one moment.
func TestJitterSpreadsAndRepeats(t *testing.T) {
	r := attune.RetryPolicy{Delay: attune.Span(10 * time.Second), MaxDelay: attune.Span(time.Minute), Jitter: 0.2}
	var all []time.Duration
	for i := range 1000 {
		token := attune.Token{Execution: attune.ExecutionID(attune.MakeID(1000, 1, i)), Attempt: 1}
		p := r.Pause(token, 1)
		if p != r.Pause(token, 1) {
			t.Fatal("the same token has two pauses")
		}
		all = append(all, p)
	}
	slices.Sort(all)
	if all[0] < 10*time.Second || all[999] > 12*time.Second || all[999]-all[0] < 1900*time.Millisecond || all[500] < 10800*time.Millisecond || all[500] > 11200*time.Millisecond {
		t.Errorf("the pauses go from %s over %s to %s", all[0], all[500], all[999])
	}
}

func TestParseRetry(t *testing.T) {
	every := []attune.Status{attune.Failed, attune.TimedOut, attune.Abandoned}
	for text, want := range map[string]attune.RetryPolicy{
		`3`: {MaxAttempts: 3, On: every, Delay: attune.Span(time.Second), MaxDelay: attune.Span(time.Hour)},
		`{"max_attempts": 5, "on": ["abandoned", "failed"], "delay": "250ms", "backoff": "exponential", "max_delay": 30, "jitter": 0.5}`: {
			MaxAttempts: 5, On: []attune.Status{attune.Failed, attune.Abandoned}, Delay: attune.Span(250 * time.Millisecond), Backoff: attune.Exponential, MaxDelay: attune.Span(30 * time.Second), Jitter: 0.5},
		`{"max_attempts": 2, "delay": "2h"}`: {MaxAttempts: 2, On: every, Delay: attune.Span(2 * time.Hour), MaxDelay: attune.Span(2 * time.Hour)},
	} {
		var got attune.RetryPolicy
		if err := json.Unmarshal([]byte(text), &got); err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("%s is %+v, %v", text, got, err)
		}
		again, err := json.Marshal(got)
		var back attune.RetryPolicy
		if err != nil || json.Unmarshal(again, &back) != nil || !reflect.DeepEqual(back, got) {
			t.Errorf("%s comes back as %s", text, again)
		}
	}
	for text, want := range map[string]string{
		`0`:                             "retry.max_attempts",
		`101`:                           "retry.max_attempts",
		`2.5`:                           "retry.max_attempts",
		`"x"`:                           "retry.max_attempts",
		`{}`:                            "retry",
		`{"max_attempts": 3, "on": []}`: "retry.on",
		`{"max_attempts": 3, "on": ["cancelled"]}`:               "retry.on",
		`{"max_attempts": 3, "on": "failed"}`:                    "retry.on",
		`{"max_attempts": 3, "delay": "-1s"}`:                    "retry.delay",
		`{"max_attempts": 3, "delay": "169h"}`:                   "retry.delay",
		`{"max_attempts": 3, "delay": 1e300}`:                    "retry.delay",
		`{"max_attempts": 3, "backoff": "quadratic"}`:            "retry.backoff",
		`{"max_attempts": 3, "jitter": 1.1}`:                     "retry.jitter",
		`{"max_attempts": 3, "delay": "10s", "max_delay": "9s"}`: "retry.max_delay",
		`{"max_attempts": 3, "attempts": 4, "jitter": "x"}`:      "retry.attempts retry.jitter",
	} {
		var v any
		if err := json.Unmarshal([]byte(text), &v); err != nil {
			t.Fatal(err)
		}
		_, faults := attune.ParseRetry(v)
		var where []string
		for _, f := range faults {
			where = append(where, f.Where)
		}
		if got := strings.Join(where, " "); got != want {
			t.Errorf("%s has faults at %q, want %q", text, got, want)
		}
	}
}

func TestParseMoment(t *testing.T) {
	at, in, err := attune.ParseMoment("2030-01-31T08:00:00+01:00")
	if err != nil || in != 0 || !at.Equal(time.Date(2030, 1, 31, 7, 0, 0, 0, time.UTC)) {
		t.Error(at, in, err)
	}
	if at, in, err = attune.ParseMoment("90s"); err != nil || !at.IsZero() || in != 90*time.Second {
		t.Error(at, in, err)
	}
	for _, text := range []string{"", "0s", "-1m", "tomorrow", "8785h", "2030-01-31", "9999-12-31T23:59:59-01:00"} {
		if _, _, err := attune.ParseMoment(text); attune.KindOf(err) != attune.Invalid {
			t.Errorf("%q: %v", text, err)
		}
	}
}

// A time whose zone puts it out of the calendar is read by package time, and no
// JSON can be written of it.
func TestATimeThatIsReadCanBeWritten(t *testing.T) {
	for text, want := range map[string]string{
		"2030-01-31T08:00:00.5+01:00": "2030-01-31T07:00:00.5Z", "0000-01-01T01:00:00+01:00": "0000-01-01T00:00:00Z", "9999-12-31T22:59:59-01:00": "9999-12-31T23:59:59Z",
		"0000-01-01T00:00:00+01:00": "", "9999-12-31T23:59:59-01:00": "", "2030-01-31": "", "": "",
	} {
		at, err := attune.ParseTime(text)
		if want == "" {
			if attune.KindOf(err) != attune.Invalid || !at.IsZero() {
				t.Errorf("%q is %s, %v", text, at, err)
			}
		} else if b, err := json.Marshal(at); err != nil || string(b) != `"`+want+`"` {
			t.Errorf("%q is written as %s, %v", text, b, err)
		}
	}
}

// underway is an execution with one attempt, as its steps made it.
func underway(t *testing.T, r attune.RetryPolicy, steps ...attune.Input) *attune.Execution {
	t.Helper()
	id := attune.ExecutionID(attune.MakeID(1000, 7, 1))
	x := &attune.Execution{ID: id, Status: attune.Requested, Version: 1, Limits: attune.Limits{Retry: r, Deadline: attune.Epoch.Add(time.Hour)}}
	for _, in := range append([]attune.Input{{Signal: attune.Admit}}, steps...) {
		in.At = attune.Epoch.Add(time.Minute)
		if _, err := x.Apply(in); err != nil {
			t.Fatal(err)
		}
	}
	return x
}

func TestAgain(t *testing.T) {
	assign, start := attune.Input{Signal: attune.Assign, Worker: "w", Incarnation: "w-1"}, attune.Input{Signal: attune.Start}
	returned, retry := attune.Input{Signal: attune.Return}, attune.Input{Signal: attune.Retry}
	readmit, expire := attune.Input{Signal: attune.Admit}, attune.Input{Signal: attune.Expire}
	cancel, panicked := attune.Input{Signal: attune.Cancel}, attune.Input{Signal: attune.Panic}
	three := attune.RetryPolicy{MaxAttempts: 3, On: []attune.Status{attune.Failed, attune.TimedOut, attune.Abandoned}, Delay: attune.Span(10 * time.Second), MaxDelay: attune.Span(time.Hour)}
	failed := three
	failed.On = failed.On[:1]
	long := three
	long.Delay = attune.Span(59 * time.Minute)
	type steps = []attune.Input
	for name, c := range map[string]struct {
		policy attune.RetryPolicy
		steps  steps
		on     attune.Signal
		why    string // "" is no retry and no word
		again  bool
	}{
		"the first of three failed":             {three, steps{assign, start}, attune.Fail, "attempt 1 of 3 failed (exit_code): trying again at 2025-01-01T00:01:10Z", true},
		"it timed out":                          {three, steps{assign, start}, attune.TimeOut, "attempt 1 of 3 timed out (exit_code): trying again at 2025-01-01T00:01:10Z", true},
		"its worker was lost":                   {three, steps{assign, start}, attune.Lose, "attempt 1 of 3 was lost with its worker (exit_code): trying again at 2025-01-01T00:01:10Z", true},
		"it finished":                           {three, steps{assign, start}, attune.Finish, "", false},
		"it can never run":                      {three, steps{assign}, attune.Refuse, "", false},
		"without a policy":                      {attune.RetryPolicy{}, steps{assign, start}, attune.Fail, "", false},
		"not on that end":                       {failed, steps{assign, start}, attune.TimeOut, "", false},
		"the last of three":                     {three, steps{assign, start, retry, readmit, assign, retry, readmit, assign, start}, attune.Fail, "", false},
		"what was returned does not count":      {three, steps{assign, returned, assign, returned, assign, returned, assign, start}, attune.Fail, "attempt 1 of 3 failed (exit_code): trying again at 2025-01-01T00:01:10Z", true},
		"the end of a stop by its limit":        {three, steps{assign, start, expire}, attune.Confirm, "attempt 1 of 3 timed out (exit_code): trying again at 2025-01-01T00:01:10Z", true},
		"a success while it was stopped":        {three, steps{assign, start, expire}, attune.Finish, "", false},
		"after a cancel":                        {three, steps{assign, start, cancel}, attune.Fail, "", false},
		"after a cancel of what was timing out": {three, steps{assign, start, expire, cancel}, attune.TimeOut, "", false},
		"after a panic":                         {three, steps{assign, start, panicked}, attune.Fail, "", false},
		"the next would begin at the deadline":  {long, steps{assign, start}, attune.Fail, "attempt 1 of 3 failed (exit_code): another would come after the deadline", false},
	} {
		x := underway(t, c.policy, c.steps...)
		until, why, again := x.Again(attune.Input{Signal: c.on, At: attune.Epoch.Add(time.Minute), Failure: &attune.Failure{Code: "exit_code"}})
		if why != c.why || again != c.again || again != !until.IsZero() {
			t.Errorf("%s: %q, %t until %s", name, why, again, until)
		}
	}
}
