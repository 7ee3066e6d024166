package attune_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"reflect"
	"testing"
	"time"

	"github.com/attune-automation/attune"
)

// walk applies random signals to an execution and looks at it after each.
type walk struct {
	t     *testing.T
	rand  *rand.Rand
	x     *attune.Execution
	now   time.Time
	steps []attune.Step // what the history must hold
	final attune.Status
}

func newWalk(t *testing.T, seed uint64) *walk {
	w := &walk{t: t, rand: rand.New(rand.NewPCG(seed, 1)), now: attune.Epoch.AddDate(1, 2, 3)}
	id := attune.ExecutionID(attune.MakeID(1000, 7, 1))
	w.x = &attune.Execution{ID: id, Root: id, Action: "core.noop", Runner: "noop", Parameters: []byte(`{}`), Status: attune.Requested, Version: 1}
	return w
}

func (w *walk) input() attune.Input {
	signals := attune.Signals()
	if w.rand.IntN(2) == 0 { // what leads to further attempts, else most walks end in the first
		signals = []attune.Signal{attune.Admit, attune.Assign, attune.Start, attune.Return, attune.Retry}
	}
	w.now = w.now.Add(time.Duration(w.rand.IntN(3000)) * time.Millisecond)
	in := attune.Input{Signal: signals[w.rand.IntN(len(signals))], At: w.now, Reason: fmt.Sprintf("reason %d", w.rand.IntN(100)),
		Until: w.now.Add(time.Minute), Result: []byte(`{"n":1}`), Failure: &attune.Failure{Code: "exit_code"}}
	switch w.rand.IntN(4) {
	case 0:
		in.Attempt = w.x.Attempt
	case 1:
		in.Attempt = max(1, w.x.Attempt+w.rand.IntN(5)-2)
	}
	if in.Signal == attune.Assign {
		in.Worker, in.Incarnation = "w1", fmt.Sprintf("w1-%d", w.rand.IntN(9))
	}
	return in
}

func (w *walk) step() {
	in := w.input()
	before := w.x.Clone()
	wantTo, wantCause, wantEffects, refusal := attune.Next(before.Status, before.Cause, in.Signal)
	late := in.Attempt != 0 && in.Attempt != before.Attempt
	effects, err := w.x.Apply(in)
	if late || refusal != nil {
		w.refused(in, before, effects, err)
		return
	}
	x := w.x
	switch {
	case err != nil:
		w.t.Fatalf("%s on %s: %v", before.Status, in.Signal, err)
	case x.Status != wantTo || x.Cause != wantCause || !reflect.DeepEqual(effects, wantEffects):
		w.t.Fatalf("%s on %s: %s (%s) %v, want %s (%s) %v", before.Status, in.Signal, x.Status, x.Cause, effects, wantTo, wantCause, wantEffects)
	case x.Version != before.Version:
		w.t.Fatal("a transition counts no stored state: its owner does")
	}
	want := attune.Step{At: in.At, Signal: in.Signal, To: x.Status, Attempt: x.Attempt, Note: in.Reason}
	if in.Signal == attune.Assign {
		want.Worker, want.Incarnation = in.Worker, in.Incarnation
	}
	w.steps = append(w.steps, want)
	w.stamped(in, before)
}

// stamped checks times, reasons and the attempt.
func (w *walk) stamped(in attune.Input, before *attune.Execution) {
	x := w.x
	wantStarted, wantAttempt := before.Started, before.Attempt
	switch {
	case in.Signal == attune.Start:
		wantStarted = in.At
	case (in.Signal == attune.Return || in.Signal == attune.Retry) && !x.Status.Terminal():
		wantStarted = time.Time{}
	case in.Signal == attune.Assign:
		wantAttempt++
		if x.Worker != in.Worker || x.Incarnation != in.Incarnation {
			w.t.Fatalf("assigned to %s %s, want %s %s", x.Worker, x.Incarnation, in.Worker, in.Incarnation)
		}
	}
	if !x.Started.Equal(wantStarted) || x.Attempt != wantAttempt || x.Token() != (attune.Token{Execution: x.ID, Attempt: wantAttempt}) {
		w.t.Fatalf("%s on %s: started %s, attempt %d; want %s, %d", before.Status, in.Signal, x.Started, x.Attempt, wantStarted, wantAttempt)
	}
	if !x.Status.Terminal() {
		if x.Reason != in.Reason || !x.Until.Equal(in.Until) || !x.Finished.IsZero() || x.Result != nil || x.Failure != nil {
			w.t.Fatalf("a live execution: reason %q until %s, finished %s, result %s, failure %v", x.Reason, x.Until, x.Finished, x.Result, x.Failure)
		}
		return
	}
	w.final = x.Status
	if x.Reason != "" || !x.Until.IsZero() || !x.Finished.Equal(in.At) || string(x.Result) != string(in.Result) || x.Failure != in.Failure {
		w.t.Fatalf("an ended execution: reason %q until %s, finished %s, result %s, failure %v", x.Reason, x.Until, x.Finished, x.Result, x.Failure)
	}
}

// refused checks that nothing at all changed, then keeps the evidence and
// checks that nothing but the history did.
func (w *walk) refused(in attune.Input, before *attune.Execution, effects []attune.Effect, err error) {
	var refused *attune.Refused
	if !errors.As(err, &refused) || refused.Status != before.Status || refused.Signal != in.Signal || effects != nil {
		w.t.Fatalf("%s, attempt %d, on %s of attempt %d: %v, effects %v", before.Status, before.Attempt, in.Signal, in.Attempt, err, effects)
	}
	if !reflect.DeepEqual(w.x, before) {
		w.t.Fatalf("a refused signal changed\n%+v\nto\n%+v", before, w.x)
	}
	if w.rand.IntN(2) == 0 {
		return
	}
	w.x.Witness(in)
	attempt := in.Attempt
	if attempt == 0 {
		attempt = before.Attempt
	}
	w.steps = append(w.steps, attune.Step{At: in.At, Signal: in.Signal, To: before.Status, Attempt: attempt, Note: in.Reason, Refused: true})
	same := w.x.Clone()
	same.History = before.History
	if !reflect.DeepEqual(same, before) {
		w.t.Fatalf("evidence changed\n%+v\nto\n%+v", before, w.x)
	}
}

// whole checks that the history is what happened, without a gap.
func (w *walk) whole() {
	steps, err := w.x.History.Steps()
	if err != nil || !reflect.DeepEqual(steps, w.steps) {
		w.t.Fatalf("%v\nthe history is\n%+v\nbut this happened\n%+v", err, steps, w.steps)
	}
	status, cause, attempt, at := attune.Requested, attune.NoCause, 0, time.Time{}
	for i, s := range steps {
		if s.At.Before(at) || s.At.Location() != time.UTC {
			w.t.Fatalf("step %d is at %s, after %s", i, s.At, at)
		}
		at = s.At
		if s.Refused {
			if s.To != status {
				w.t.Fatalf("step %d is evidence in %s, the status was %s", i, s.To, status)
			}
			continue
		}
		to, next, _, err := attune.Next(status, cause, s.Signal)
		if err != nil || to != s.To {
			w.t.Fatalf("step %d: %s leads from %s to %s, the history says %s, %v", i, s.Signal, status, to, s.To, err)
		}
		if s.Signal == attune.Assign {
			attempt++
		}
		if s.Attempt != attempt {
			w.t.Fatalf("step %d speaks of attempt %d, it was %d", i, s.Attempt, attempt)
		}
		status, cause = to, next
	}
	if status != w.x.Status || cause != w.x.Cause || attempt != w.x.Attempt {
		w.t.Fatalf("the history ends in %s (%s), attempt %d; the execution in %s (%s), attempt %d", status, cause, attempt, w.x.Status, w.x.Cause, w.x.Attempt)
	}
}

func TestApplyWalks(t *testing.T) {
	ends, attempts := map[attune.Status]int{}, 0
	for seed := range uint64(500) {
		w := newWalk(t, seed)
		for range 60 {
			w.step()
			if w.final != attune.NoStatus && w.x.Status != w.final {
				t.Fatalf("seed %d: %s became %s", seed, w.final, w.x.Status)
			}
			if t.Failed() {
				return
			}
		}
		w.whole()
		ends[w.final]++
		attempts = max(attempts, w.x.Attempt)
	}
	for _, s := range attune.Statuses() {
		if s.Terminal() && ends[s] == 0 {
			t.Errorf("no walk ended %s: %v", s, ends)
		}
	}
	if attempts < 3 {
		t.Errorf("no walk had more than %d attempts", attempts)
	}
}

func TestALateAttemptIsRefused(t *testing.T) {
	w := newWalk(t, 1)
	apply := func(in attune.Input) error {
		in.At = w.now
		_, err := w.x.Apply(in)
		return err
	}
	for _, in := range []attune.Input{
		{Signal: attune.Admit}, {Signal: attune.Assign, Worker: "a", Incarnation: "a-1"}, {Signal: attune.Return, Attempt: 1},
		{Signal: attune.Assign, Worker: "b", Incarnation: "b-1"},
	} {
		if err := apply(in); err != nil {
			t.Fatal(err)
		}
	}
	before := w.x.Clone()
	for _, late := range []attune.Input{{Signal: attune.Start, Attempt: 1}, {Signal: attune.Finish, Attempt: 1}, {Signal: attune.Finish, Attempt: 3}} {
		if err := apply(late); err == nil || !reflect.DeepEqual(w.x, before) {
			t.Errorf("%s of attempt %d counts in attempt 2: %v", late.Signal, late.Attempt, err)
		}
	}
	if err := apply(attune.Input{Signal: attune.Finish, Attempt: 2}); err != nil || w.x.Status != attune.Completed {
		t.Errorf("the newest attempt does not count: %s, %v", w.x.Status, err)
	}
}

func TestACloneDoesNotShareItsHistory(t *testing.T) {
	w := newWalk(t, 1)
	w.x.Witness(attune.Input{Signal: attune.Start, At: w.now})
	w.x.History = append(make(attune.History, 0, 1000), w.x.History...)
	c := w.x.Clone()
	w.x.Witness(attune.Input{Signal: attune.Finish, At: w.now})
	c.Witness(attune.Input{Signal: attune.Lose, At: w.now})
	for _, x := range []*attune.Execution{w.x, c} {
		steps, err := x.History.Steps()
		want := map[bool]attune.Signal{true: attune.Lose, false: attune.Finish}[x == c]
		if err != nil || len(steps) != 2 || steps[1].Signal != want {
			t.Errorf("the history is %+v, %v; want %s last", steps, err, want)
		}
	}
}

func TestTokenText(t *testing.T) {
	token := attune.Token{Execution: attune.ExecutionID(attune.MakeID(1, 2, 3)), Attempt: 4}
	if got, want := token.String(), token.Execution.String()+":4"; got != want {
		t.Errorf("the token is %s, want %s", got, want)
	}
}
