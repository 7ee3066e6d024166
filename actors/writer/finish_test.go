package writer_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/attune-automation/attune"
	"github.com/attune-automation/attune/persistence"
	"github.com/attune-automation/attune/persistence/memory"
)

func TestEndsAreNumberedAsTheyEnterAFlush(t *testing.T) {
	s := newStore()
	b := newBench(t, s)
	b.owned(3, 41)
	b.owned(3, 7) // an older word
	one, two, three := save(1, 2, attune.Failed), save(2, 2, attune.Running), save(3, 2, attune.Completed)
	other := &persistence.Save{Execution: &attune.Execution{ID: attune.ExecutionID(attune.MakeID(1, 4, 0)), Version: 2, Status: attune.Cancelled}}
	b.submit(three)
	b.submit(two, one, other)
	if one.Execution.FinishNumber != 0 {
		t.Error("an end has its number before it enters a flush")
	}
	b.drain()
	for _, c := range []struct {
		save *persistence.Save
		want int64
	}{{three, 42}, {one, 43}, {two, 0}, {other, 1}} {
		if got := c.save.Execution.FinishNumber; got != c.want {
			t.Errorf("%s of partition %d has the number %d, want %d", name(c.save), c.save.Execution.ID.Partition(), got, c.want)
		}
	}
	if len(b.unnumbered) != 0 {
		t.Errorf("numbers went to no row: %v", b.unnumbered)
	}
}

func TestAnEndKeepsItsNumberWhileItIsTriedAgain(t *testing.T) {
	s := newStore()
	tries := []error{persistence.Away("flush", nil), persistence.ErrUnknown, nil}
	s.flush = func(ops []persistence.Op) ([]persistence.Answer, error) {
		err := tries[0]
		tries = tries[1:]
		if err != nil {
			return nil, err
		}
		return committed(ops)
	}
	s.resolve = func(ops []persistence.Op) ([]persistence.Answer, error) {
		return make([]persistence.Answer, len(ops)), nil
	}
	b := newBench(t, s)
	op := save(1, 2, attune.Completed)
	b.submit(op)
	b.drain()
	if op.Execution.FinishNumber != 1 || len(b.unnumbered) != 0 || len(tries) != 0 {
		t.Errorf("the number is %d, without a row are %v", op.Execution.FinishNumber, b.unnumbered)
	}
}

func TestTheNumberOfAnEndThatIsNotStoredIsTold(t *testing.T) {
	for _, outcome := range []persistence.Outcome{persistence.Rejected, persistence.Conflict} {
		s := newStore()
		s.flush = func(ops []persistence.Op) ([]persistence.Answer, error) {
			answers, _ := committed(ops)
			answers[0].Outcome = outcome
			return answers, nil
		}
		b := newBench(t, s)
		bad := save(1, 2, attune.Completed)
		b.submit(bad)
		b.work()
		if got := b.unnumbered[3]; !slices.Equal(got, []int64{1}) || bad.Execution.FinishNumber != 0 {
			t.Fatalf("%s: told are %v, the row has %d", outcome, got, bad.Execution.FinishNumber)
		}
		s.flush = nil
		again, next := save(1, 2, attune.Failed), save(2, 2, attune.Completed)
		b.submit(again, next)
		b.drain()
		if again.Execution.FinishNumber != 2 || next.Execution.FinishNumber != 3 || len(b.unnumbered[3]) != 1 {
			t.Errorf("%s: the next numbers are %d and %d, told are %v", outcome, again.Execution.FinishNumber, next.Execution.FinishNumber, b.unnumbered[3])
		}
	}
}

// An end that is stored is saved again when a late report is kept as evidence.
// If that is refused, the end is stored all the same.
func TestAStoredEndKeepsItsNumberWhateverComesLater(t *testing.T) {
	for _, outcome := range []persistence.Outcome{persistence.Committed, persistence.Rejected, persistence.Conflict} {
		s := newStore()
		b := newBench(t, s)
		op := save(1, 2, attune.Completed)
		b.submit(op)
		b.drain()
		s.flush = func(ops []persistence.Op) ([]persistence.Answer, error) {
			return []persistence.Answer{{Outcome: outcome}}, nil
		}
		op.Execution.Version++
		b.submit(&persistence.Save{Execution: op.Execution})
		b.drain()
		if op.Execution.FinishNumber != 1 || len(b.unnumbered) != 0 {
			t.Errorf("%s: the number is %d, told as without a row are %v", outcome, op.Execution.FinishNumber, b.unnumbered)
		}
	}
}

// TestNothingIsLostOrToldTwice drives executions to their ends on a store that
// fails in every way, and compares what was answered with what is stored.
func TestNothingIsLostOrToldTwice(t *testing.T) {
	const partition, executions, last = 3, 40, int64(5)
	for seed := range uint64(20) {
		r := rand.New(rand.NewPCG(seed, 7))
		clock := &clock{now: attune.Epoch.AddDate(1, 0, 0)}
		inner := memory.New(memory.Config{Clock: clock})
		ctx := context.Background()
		if _, err := inner.Acquire(ctx, incarnation, "n1", time.Hour); err != nil {
			t.Fatal(err)
		}
		if err := inner.TakeOver(ctx, "", incarnation, []int{partition}); err != nil {
			t.Fatal(err)
		}
		kinds := []memory.FaultKind{memory.NoFault, memory.NoFault, memory.LostBefore, memory.LostAfter, memory.LostCommit}
		b := newBench(t, memory.NewFaulty(inner, func(string, int) memory.Fault { return memory.Fault{Kind: kinds[r.IntN(len(kinds))]} }))
		b.owned(partition, 0)
		rows := map[attune.ExecutionID]*attune.Execution{}
		for n := range int64(executions) {
			x := &attune.Execution{ID: attune.ExecutionID(attune.MakeID(n+1, partition, 0)), Action: "core.noop", Runner: "noop", Version: 1,
				Status: attune.Requested, Parameters: []byte(`{}`)}
			x.Root = x.ID
			x.History = x.History.Append(attune.Step{At: clock.now, Signal: attune.Admit, To: attune.Scheduling})
			rows[x.ID] = x
			b.submit(&persistence.Admit{Executions: []*attune.Execution{x}})
			for range r.IntN(3) {
				advance(b)
			}
		}
		for seen := 0; len(b.lent)+len(b.clock.timers) > 0; {
			advance(b)
			for ; seen < len(b.written); seen++ { // each execution goes on when it is answered, as its actor does
				w := b.written[seen]
				if w.Answer.Outcome != persistence.Committed {
					t.Fatalf("seed %d: %s is answered %s: %s", seed, name(w.Op), w.Answer.Outcome, w.Answer.Reason)
				}
				x := rowOf(w.Op)
				if x.Version < last {
					x.Version++
					x.Status = attune.Running
					if x.Version == last {
						x.Status, x.Finished, x.Result = attune.Completed, clock.now, []byte(`{}`)
					}
					b.submit(&persistence.Save{Execution: x})
				}
			}
		}
		if len(b.written) != executions*int(last) || len(b.fatal) != 0 {
			t.Fatalf("seed %d: %d answers, want %d; fatal %v", seed, len(b.written), executions*last, b.fatal)
		}
		var numbers []int64
		for id := range rows {
			x, err := inner.Execution(ctx, id)
			if err != nil || x.Version != last || x.Status != attune.Completed || x.FinishNumber != rows[id].FinishNumber {
				t.Fatalf("seed %d: %s is stored as %+v, %v", seed, id, x, err)
			}
			numbers = append(numbers, x.FinishNumber)
		}
		slices.Sort(numbers)
		for i, n := range numbers {
			if n != int64(i+1) {
				t.Fatalf("seed %d: the finish numbers have a gap: %v", seed, numbers)
			}
		}
	}
}

// advance does one thing that is due: lent work, else a timer.
func advance(b *bench) {
	switch {
	case len(b.lent) > 0:
		b.work()
	case len(b.clock.timers) > 0:
		b.fire()
	}
}

func rowOf(op persistence.Op) *attune.Execution {
	switch op := op.(type) {
	case *persistence.Admit:
		return op.Executions[0]
	case *persistence.Save:
		return op.Execution
	}
	panic(fmt.Sprintf("%T has no execution", op))
}
