package persistence

import (
	"math"
	"reflect"
	"testing"
	"time"

	"github.com/attune-automation/attune"
)

// FuzzRow reads bytes as the packed columns of every kind of row. What reads
// without a fault is the same when it is written and read again.
func FuzzRow(f *testing.F) {
	var e Encoder
	at := time.UnixMilli(1_790_000_000_000)
	chain := attune.Chain{Correlation: "c", Traceparent: "00-1", Principal: "me"}
	event := e.EventSpec(&attune.Event{Dedupe: "k", OccurredAt: at, Chain: chain, RulesRevision: 7, Accepted: at})
	enforcement := e.EnforcementSpec(&attune.Enforcement{RuleHash: "h", Execution: 5, Failure: &attune.Failure{Code: "c", Message: "m"}, Chain: chain, Created: at})
	x := &attune.Execution{ActionHash: "h", Runner: "noop", Root: 9, Chain: chain, Requested: at, Attempt: 2, Reason: "because", Started: at, Failure: &attune.Failure{Detail: "d"},
		Limits: attune.Limits{Timeout: time.Minute, Grace: time.Second, Deadline: at}, History: attune.History(nil).Append(attune.Step{At: at, Signal: attune.Admit, To: attune.Scheduling})}
	spec, state := e.ExecutionSpec(x), e.ExecutionState(x)
	tried := *x
	tried.Cause, tried.Limits.Retry = attune.CauseTimeout, attune.RetryPolicy{MaxAttempts: 3, On: []attune.Status{attune.Failed}, Backoff: attune.Linear, Jitter: 0.5}
	f.Add(e.ExecutionSpec(&tried), e.ExecutionState(&tried))
	unknown := tried // a row that nobody wrote: numbers without a name, and a pause without end
	unknown.Cause, unknown.Limits.Retry.Backoff, unknown.Limits.Retry.Jitter = 24, 24, math.NaN()
	f.Add(e.ExecutionSpec(&unknown), e.ExecutionState(&unknown))
	f.Add(e.ExecutionSpec(&tried), e.ExecutionState(&unknown))
	for _, pair := range [][2][]byte{{event, nil}, {enforcement, {format}}, {spec, state}, {spec[:len(spec)-1], state}, {spec, state[:9]}, {{}, {}}, {{format}, {2}}, {{format, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1}, state}} {
		f.Add(pair[0], pair[1])
	}
	f.Fuzz(func(t *testing.T, spec, state []byte) {
		var e Encoder
		if v, again := new(attune.Event), new(attune.Event); DecodeEvent(spec, v) == nil {
			if err := DecodeEvent(e.EventSpec(v), again); err != nil || !reflect.DeepEqual(v, again) {
				t.Errorf("an event of %x is %+v, and read back %+v, %v", spec, v, again, err)
			}
		}
		if v, again := new(attune.Enforcement), new(attune.Enforcement); DecodeEnforcement(spec, v) == nil {
			if err := DecodeEnforcement(e.EnforcementSpec(v), again); err != nil || !reflect.DeepEqual(v, again) {
				t.Errorf("an enforcement of %x is %+v, and read back %+v, %v", spec, v, again, err)
			}
		}
		if v, again := new(attune.Execution), new(attune.Execution); DecodeExecution(spec, state, v) == nil {
			if err := DecodeExecution(e.ExecutionSpec(v), e.ExecutionState(v), again); err != nil || !reflect.DeepEqual(v, again) {
				t.Errorf("an execution of %x, %x is %+v, and read back %+v, %v", spec, state, v, again, err)
			}
		}
	})
}
