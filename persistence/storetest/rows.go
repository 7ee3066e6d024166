package storetest

import (
	"encoding/json"
	"fmt"
	"time"

	"github.com/attune-automation/attune"
	"github.com/attune-automation/attune/persistence"
)

// began is the time of the first id.
var began = attune.Epoch.Add(300 * 24 * time.Hour)

func at(ms int) time.Time { return began.Add(time.Duration(ms) * time.Millisecond) }

// id is a fresh id of the partition; ids rise.
func (f *fixture) id(partition int) attune.ID {
	f.ids++
	return attune.MakeID(began.Sub(attune.Epoch).Milliseconds()+int64(f.ids), partition, f.ids%7)
}

func show(v any) string {
	b, err := json.Marshal(v)
	if err != nil {
		return fmt.Sprintf("%+v", v)
	}
	return string(b)
}

// chain is a cause with every field set.
func chain(id fmt.Stringer) attune.Chain {
	return attune.Chain{Correlation: id.String(), Traceparent: "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01", Principal: "@webhook"}
}

// newEvent is an event with every field set, evaluated.
func (f *fixture) newEvent(partition int) *attune.Event {
	id := attune.EventID(f.id(partition))
	return &attune.Event{
		ID: id, Trigger: "core.st2.webhook?url=sample", Payload: []byte(`{"body": {"name": "Ünïcode 🙂", "n": 1}}`), Dedupe: "d-" + id.String(),
		Accepted: at(3), OccurredAt: at(-5), Chain: chain(id), RulesRevision: 7, Evaluated: at(9),
	}
}

// newEnforcement is one with every field set but its failure.
func (f *fixture) newEnforcement(e attune.EventID, rule string) *attune.Enforcement {
	return &attune.Enforcement{
		ID: attune.EnforcementID(f.id(e.Partition())), Event: e, Rule: rule, RuleHash: "hash-" + rule, Action: "core.local",
		Status: attune.EnforcementCreated, Evaluation: []byte(`{"rule": "` + rule + `", "matched": true}`), Chain: chain(e), Created: at(4),
	}
}

// newExecution is a live execution as it is admitted, with its first history.
func (f *fixture) newExecution(partition int) *attune.Execution {
	id := attune.ExecutionID(f.id(partition))
	x := &attune.Execution{
		ID: id, Requested: at(2), Action: "core.local", ActionHash: "hash-of-core.local", Runner: "local-shell-cmd",
		Parameters: []byte(`{"cmd": "echo hello", "env": {}}`), Root: id, Chain: chain(id),
		RerunOf: id + 1, Limits: attune.Limits{Timeout: 90 * time.Second, Grace: 10 * time.Second, Deadline: at(1_000_000),
			Retry: attune.RetryPolicy{MaxAttempts: 3, On: []attune.Status{attune.Failed, attune.Abandoned}, Delay: attune.Span(1500 * time.Millisecond),
				Backoff: attune.Exponential, MaxDelay: attune.Span(time.Hour), Jitter: 0.1}},
		Version: 1, Status: attune.Requested,
	}
	apply(x, attune.Input{Signal: attune.Admit, At: at(1), Reason: "waits for a worker", Until: at(60_000)})
	return x
}

// apply makes a transition that must be allowed.
func apply(x *attune.Execution, in attune.Input) {
	if _, err := x.Apply(in); err != nil {
		panic(err)
	}
}

// assigned is the next state of x: an attempt on the worker.
func assigned(x *attune.Execution, worker, incarnation string) *attune.Execution {
	x = x.Clone()
	x.Version++
	apply(x, attune.Input{Signal: attune.Assign, At: at(20), Worker: worker, Incarnation: incarnation, Until: at(9_000)})
	return x
}

// finished is the last state of x, with the finish number.
func finished(x *attune.Execution, number int64) *attune.Execution {
	x = x.Clone()
	if x.Attempt == 0 {
		x = assigned(x, "w1", "w1#1")
		x.Version--
	}
	x.Version++
	apply(x, attune.Input{Signal: attune.Finish, At: at(50), Result: []byte(`{"exit_code": 0, "stdout": "hello"}`)})
	x.FinishNumber = number
	return x
}

// group is a whole admission: an event and, for each rule, an enforcement with
// its execution.
func (f *fixture) group(partition int, rules ...string) *persistence.Admit {
	a := &persistence.Admit{Event: f.newEvent(partition)}
	for _, rule := range rules {
		n, x := f.pair(a.Event, rule)
		a.Enforcements, a.Executions = append(a.Enforcements, n), append(a.Executions, x)
	}
	return a
}

// pair is an enforcement of the event and its execution.
func (f *fixture) pair(e *attune.Event, rule string) (*attune.Enforcement, *attune.Execution) {
	n, x := f.newEnforcement(e.ID, rule), f.newExecution(e.ID.Partition())
	n.Execution = x.ID
	x.Rule, x.Event, x.Enforcement, x.Trigger, x.Chain = rule, e.ID, n.ID, e.Trigger, e.Chain
	return n, x
}

// direct is the request of one execution, with a dedupe key unless it is "".
func (f *fixture) direct(partition int, key string) *persistence.Admit {
	a := &persistence.Admit{Executions: []*attune.Execution{f.newExecution(partition)}}
	if key != "" {
		a.Dedupe = &persistence.Dedupe{Kind: "execution", Source: "core.local", Key: key}
	}
	return a
}

func save(x *attune.Execution) persistence.Op { return &persistence.Save{Execution: x} }

func newWorker(name string, version int64) *attune.Worker {
	return &attune.Worker{
		Name: name, Incarnation: fmt.Sprintf("%s#%d", name, version), State: attune.WorkerAlive, Runners: []string{"local-shell-cmd", "noop"}, Slots: 8,
		Labels: map[string]string{"zone": "a", "gpu": ""}, Zone: "a", Registered: at(1), Changed: at(2),
		Lease: 30 * time.Second, Drained: true, Version: version,
	}
}
