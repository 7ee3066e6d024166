package packs_test

import (
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/attune-automation/attune"
	"github.com/attune-automation/attune/packs"
)

func TestDeadlineAndRetryOfActionsAndRules(t *testing.T) {
	p := packs.LoadFS(pack(map[string]string{
		"actions/a.yaml":  "name: a\nrunner_type: noop\ndeadline: 10m\nretry: {max_attempts: 3, on: [failed], delay: 10, backoff: linear, jitter: 0.5}\n",
		"actions/b.yaml":  "name: b\nrunner_type: noop\ndeadline: 90\nretry: 2\n",
		"actions/c.yaml":  "name: c\nrunner_type: noop\n",
		"triggers/t.yaml": "name: t\n",
		"rules/r.yaml":    "name: r\ntrigger: {type: p.t}\naction: {ref: p.a}\ndeadline: 1h30m\nretry:\n  max_attempts: 9\n",
	}), "p", "")
	if len(p.Faults) > 0 {
		t.Fatal(faultText(p.Faults))
	}
	all := []attune.Status{attune.Failed, attune.TimedOut, attune.Abandoned}
	for i, want := range []struct {
		deadline time.Duration
		retry    *attune.RetryPolicy
	}{
		{10 * time.Minute, &attune.RetryPolicy{MaxAttempts: 3, On: all[:1], Delay: attune.Span(10 * time.Second), Backoff: attune.Linear, MaxDelay: attune.Span(time.Hour), Jitter: 0.5}},
		{90 * time.Second, &attune.RetryPolicy{MaxAttempts: 2, On: all, Delay: attune.Span(time.Second), MaxDelay: attune.Span(time.Hour)}},
		{0, nil},
	} {
		if a := p.Actions[i]; time.Duration(a.Deadline) != want.deadline || !reflect.DeepEqual(a.Retry, want.retry) {
			t.Errorf("%s has the deadline %s and the retry %+v", a.Ref, time.Duration(a.Deadline), a.Retry)
		}
	}
	if r := p.Rules[0]; time.Duration(r.Deadline) != 90*time.Minute || r.Retry == nil || r.Retry.MaxAttempts != 9 {
		t.Errorf("the rule has the deadline %s and the retry %+v", time.Duration(r.Deadline), r.Retry)
	}
}

func TestFaultsOfDeadlineAndRetryHaveTheirPlaces(t *testing.T) {
	p := packs.LoadFS(pack(map[string]string{
		"actions/a.yaml": "name: a\nrunner_type: noop\ndeadline: soon\nretry:\n  max_attempts: 0\n  delay: 1s\n  often: yes\n",
		"actions/b.yaml": "name: b\nrunner_type: noop\ndeadline: 0\nretry: {}\n",
	}), "p", "")
	got := faultText(p.Faults)
	for _, want := range []string{
		`actions/a.yaml:3:11: deadline must be a duration above zero and of at most a year, not the text "soon"`,
		"actions/a.yaml:5:3: max_attempts: it is not a whole number from 1 to 100",
		"actions/a.yaml:7:3: often: retry has no such key",
		"actions/b.yaml:3:11: deadline must be",
		"actions/b.yaml:4:8: retry: it does not say how often",
	} {
		if !strings.Contains(got, want) {
			t.Errorf("no fault %q in\n%s", want, got)
		}
	}
	if len(p.Faults) != 5 || len(p.Actions) != 0 {
		t.Errorf("%d actions and these faults:\n%s", len(p.Actions), got)
	}
}
