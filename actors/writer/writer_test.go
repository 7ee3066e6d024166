package writer_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/attune-automation/attune"
	"github.com/attune-automation/attune/actors"
	"github.com/attune-automation/attune/persistence"
)

func newStore() *store { return &store{incarnations: map[string]bool{}} }

func TestAFlushIsWhatIsPendingWhenTheStoreIsFree(t *testing.T) {
	s := newStore()
	b := newBench(t, s)
	b.submit(saveWorker("c"))
	if len(b.lent) != 1 || b.state() != "flushing" {
		t.Fatalf("an operation waits though the store is free: it is %s", b.state())
	}
	b.submit(saveWorker("b"), saveWorker("d"), saveWorker("a"))
	if len(b.lent) != 1 || len(b.written) != 0 {
		t.Fatalf("%d flushes are under way, %d answers given", len(b.lent), len(b.written))
	}
	b.work()
	if got := b.outcomes(); got != "c committed; " || len(b.lent) != 1 {
		t.Errorf("after the first flush: %s", got)
	}
	b.work()
	if got := b.outcomes(); got != "c committed; a committed; b committed; d committed; " || len(s.flushes) != 2 || names(s.flushes[1]) != "a b d " {
		t.Errorf("after the second flush: %s, in %d flushes", got, len(s.flushes))
	}
	if b.state() != "idle" || len(b.lent) != 0 || len(s.incarnations) != 1 || !s.incarnations[incarnation] {
		t.Errorf("in the end it is %s and wrote as %v", b.state(), s.incarnations)
	}
}

func TestAFlushIsSortedAndHasOneOperationPerRow(t *testing.T) {
	s := newStore()
	b := newBench(t, s)
	b.submit(saveWorker("first"))
	b.submit(save(5, 2, attune.Running), &persistence.RaiseIDHigh{Partition: 9}, saveWorker("w"), save(5, 3, attune.Stopping), save(4, 2, attune.Running),
		save(5, 4, attune.Cancelled), &persistence.Admit{Executions: []*attune.Execution{{ID: attune.ExecutionID(attune.MakeID(99, 1, 0))}}}, &persistence.RaiseIDHigh{Partition: 2})
	b.drain()
	var got []string
	for _, ops := range s.flushes {
		got = append(got, names(ops))
	}
	if want := []string{"first ", "admit99 x4.2 x5.2 w high2 high9 ", "x5.3 ", "x5.4 "}; !slices.Equal(got, want) {
		t.Errorf("the flushes are %q, want %q", got, want)
	}
	if len(b.written) != 9 {
		t.Errorf("%d of 9 are answered", len(b.written))
	}
}

func TestManyStatesOfOneRowAreWrittenInOrder(t *testing.T) {
	s := newStore()
	b := newBench(t, s)
	var ops []persistence.Op
	for version := range int64(50) { // among others, so that an unstable sort would mix them
		ops = append(ops, save(7, version+1, attune.Running), save(100-version, 1, attune.Running))
	}
	for n := range 950 { // and more than one flush takes, so that some stay behind
		ops = append(ops, saveWorker(fmt.Sprint("w", n)))
	}
	ops = append(ops, save(7, 51, attune.Stopping))
	b.submit(saveWorker("first"))
	b.submit(ops...)
	b.drain()
	version := int64(0)
	for _, flush := range s.flushes {
		for _, op := range flush {
			if x, ok := op.(*persistence.Save); ok && attune.ID(x.Execution.ID).Millis() == 7 {
				if version++; x.Execution.Version != version {
					t.Fatalf("version %d is written where %d is due", x.Execution.Version, version)
				}
			}
		}
	}
	if version != 51 || len(b.written) != 1052 {
		t.Errorf("%d of 51 versions are written, %d answers given", version, len(b.written))
	}
}

func TestNobodyNeedsToBeAnswered(t *testing.T) {
	s := newStore()
	b := newBench(t, s)
	b.tree.Tell(b.tree.Writer, &actors.Submit{Op: saveWorker("a")})
	b.queue.run()
	b.drain()
	if len(s.flushes) != 1 || b.state() != "idle" {
		t.Errorf("%d flushes, it is %s", len(s.flushes), b.state())
	}
}

func TestTheBoundsOfAFlush(t *testing.T) {
	large := func(n int64, bytes int) persistence.Op {
		op := save(n, 2, attune.Completed)
		op.Execution.Result = make([]byte, bytes)
		return op
	}
	var many []persistence.Op
	for i := range 2500 {
		many = append(many, saveWorker(fmt.Sprintf("w%04d", 2500-i)))
	}
	for _, c := range []struct {
		name string
		ops  []persistence.Op
		want []int
	}{
		{"a thousand rows", many, []int{1000, 1000, 500}},
		{"a megabyte", []persistence.Op{large(1, 400_000), large(2, 400_000), large(3, 400_000), large(4, 10), large(5, 10)}, []int{2, 3}},
		{"one alone may be larger", []persistence.Op{large(1, 10), large(2, 3<<20), large(3, 10)}, []int{1, 1, 1}},
		{"exactly a megabyte", []persistence.Op{large(1, 1<<19-100), large(2, 1<<19-100), large(3, 10)}, []int{2, 1}},
	} {
		s := newStore()
		b := newBench(t, s)
		b.submit(saveWorker("first"))
		b.submit(c.ops...)
		b.drain()
		var got []int
		for _, ops := range s.flushes[1:] {
			got = append(got, len(ops))
			if !slices.IsSortedFunc(ops, func(a, b persistence.Op) int { return strings.Compare(name(a), name(b)) }) {
				t.Errorf("%s: a flush is not sorted", c.name)
			}
		}
		if !slices.Equal(got, c.want) || len(b.written) != 1+len(c.ops) {
			t.Errorf("%s: flushes of %v, want %v; %d answers", c.name, got, c.want, len(b.written))
		}
	}
}

func TestAnUnknownOutcomeIsResolvedBeforeAnyAnswer(t *testing.T) {
	s := newStore()
	b := newBench(t, s)
	b.submit(saveWorker("first"))
	b.submit(saveWorker("a"), saveWorker("b"), saveWorker("c"))
	b.work()
	s.flush = func([]persistence.Op) ([]persistence.Answer, error) {
		return nil, fmt.Errorf("commit: %w", persistence.ErrUnknown)
	}
	s.resolve = func([]persistence.Op) ([]persistence.Answer, error) {
		return []persistence.Answer{{Outcome: persistence.Committed}, {}, {Outcome: persistence.Conflict}}, nil
	}
	b.work()
	b.submit(saveWorker("aa"))
	if got := b.outcomes(); got != "first committed; " || len(b.lent) != 1 || len(s.resolves) != 0 {
		t.Fatalf("before the outcome is certain: %s%d pieces of work are lent", got, len(b.lent))
	}
	s.flush = nil
	b.work()
	if got := b.outcomes(); got != "first committed; a committed; c conflict; " || len(s.resolves) != 1 || names(s.resolves[0]) != "a b c " {
		t.Errorf("after resolving: %s", got)
	}
	b.work()
	if got := b.outcomes(); got != "first committed; a committed; c conflict; aa committed; b committed; " || names(s.flushes[2]) != "aa b " || len(s.flushes) != 3 {
		t.Errorf("in the end: %s", got)
	}
}

func TestAWriterWithoutItsLeaseWaits(t *testing.T) {
	s := newStore()
	b := newBench(t, s)
	b.tree.Hold(b.tree.Mono())
	b.submit(saveWorker("a"))
	for range 3 {
		b.fire()
	}
	if len(s.flushes) != 0 || len(b.lent) != 0 || b.state() != "store away" || len(b.fatal) != 0 {
		t.Errorf("without its lease: %d flushes; it is %s", len(s.flushes), b.state())
	}
	b.tree.Hold(b.tree.Mono() + 1)
	b.drain()
	if got := b.outcomes(); got != "a committed; " || b.state() != "idle" {
		t.Errorf("with its lease renewed: %s; it is %s", got, b.state())
	}
}

func TestWhatWasNotWrittenGoesBeforeItsSuccessor(t *testing.T) {
	s := newStore()
	s.flush = func([]persistence.Op) ([]persistence.Answer, error) { return nil, persistence.ErrUnknown }
	s.resolve = func([]persistence.Op) ([]persistence.Answer, error) { return []persistence.Answer{{}}, nil }
	b := newBench(t, s)
	b.submit(save(1, 2, attune.Running))
	b.submit(save(1, 3, attune.Stopping))
	b.work()
	b.work()
	s.flush = nil
	b.drain()
	if got := b.outcomes(); got != "x1.2 committed; x1.3 committed; " {
		t.Errorf("the answers are %s", got)
	}
}

func TestAStoreThatIsAwayIsTriedAgain(t *testing.T) {
	s := newStore()
	away := true
	s.flush = func(ops []persistence.Op) ([]persistence.Answer, error) {
		if away {
			return nil, persistence.Away("flush", errors.New("connection refused"))
		}
		return committed(ops)
	}
	b := newBench(t, s)
	b.submit(saveWorker("a"))
	var pauses []time.Duration
	for range 10 {
		b.work()
		if b.state() != "store away" || len(b.written) != 0 {
			t.Fatalf("it is %s, the answers are %s", b.state(), b.outcomes())
		}
		b.submit(saveWorker(fmt.Sprint("b", len(pauses))))
		pauses = append(pauses, b.fire())
	}
	ms := time.Millisecond
	if want := []time.Duration{20 * ms, 40 * ms, 80 * ms, 160 * ms, 320 * ms, 640 * ms, 1280 * ms, 2000 * ms, 2000 * ms, 2000 * ms}; !slices.Equal(pauses, want) {
		t.Errorf("the pauses are %v", pauses)
	}
	away = false
	b.drain()
	if len(b.written) != 11 || len(s.flushes) != 12 || len(s.flushes[11]) != 10 || b.state() != "idle" {
		t.Errorf("%d of 11 are answered after %d flushes; it is %s", len(b.written), len(s.flushes), b.state())
	}
	away = true
	b.submit(saveWorker("c"))
	b.work()
	if pause := b.fire(); pause != 20*ms {
		t.Errorf("the next outage begins with a pause of %s", pause)
	}
}

func TestAStoreThatCannotResolveIsAskedAgain(t *testing.T) {
	s := newStore()
	s.flush = func([]persistence.Op) ([]persistence.Answer, error) { return nil, persistence.ErrUnknown }
	s.resolve = func([]persistence.Op) ([]persistence.Answer, error) { return nil, persistence.Away("resolve", nil) }
	b := newBench(t, s)
	b.submit(saveWorker("a"))
	b.work()
	for range 3 {
		b.work()
		b.fire()
	}
	if len(s.flushes) != 1 || len(s.resolves) != 3 || len(b.written) != 0 {
		t.Fatalf("%d flushes, %d resolves, answers %s", len(s.flushes), len(s.resolves), b.outcomes())
	}
	s.resolve = nil
	b.drain()
	if got := b.outcomes(); got != "a committed; " || len(s.flushes) != 1 {
		t.Errorf("answers %s after %d flushes", got, len(s.flushes))
	}
}

func TestAFencedWriterAnswersNobodyAndEndsTheNode(t *testing.T) {
	fenced := func([]persistence.Op) ([]persistence.Answer, error) { return nil, persistence.LeaseDead(incarnation) }
	for name, prepare := range map[string]func(*store){
		"in a flush": func(s *store) { s.flush = fenced },
		"in a resolve": func(s *store) {
			s.flush = func([]persistence.Op) ([]persistence.Answer, error) { return nil, persistence.ErrUnknown }
			s.resolve = fenced
		},
	} {
		s := newStore()
		prepare(s)
		b := newBench(t, s)
		b.submit(saveWorker("a"))
		b.submit(saveWorker("b"))
		b.drain()
		b.submit(saveWorker("c"))
		if len(b.fatal) != 1 || !strings.Contains(b.fatal[0], "lease") || b.state() != "fenced" {
			t.Errorf("%s: the node had to end: %v; it is %s", name, b.fatal, b.state())
		}
		if len(b.written) != 0 || len(b.lent) != 0 || len(s.flushes) != 1 {
			t.Errorf("%s: answers %s, %d flushes", name, b.outcomes(), len(s.flushes))
		}
	}
}

func TestEveryOutcomeIsAnsweredAsItIs(t *testing.T) {
	s := newStore()
	want := []persistence.Answer{{Outcome: persistence.Committed, Skipped: []string{"p.r"}}, {Outcome: persistence.Duplicate, First: 7},
		{Outcome: persistence.Conflict, Reason: "version 3"}, {Outcome: persistence.Rejected, Reason: "NUL"}}
	s.flush = func(ops []persistence.Op) ([]persistence.Answer, error) {
		if len(ops) == 1 {
			return committed(ops)
		}
		return want, nil
	}
	b := newBench(t, s)
	b.submit(saveWorker("first"))
	b.submit(saveWorker("a"), saveWorker("b"), saveWorker("c"), saveWorker("d"))
	b.drain()
	for i, w := range b.written[1:] {
		if w.Answer.Outcome != want[i].Outcome || w.Answer.First != want[i].First || w.Answer.Reason != want[i].Reason || len(w.Answer.Skipped) != len(want[i].Skipped) {
			t.Errorf("%s is answered %+v, want %+v", name(w.Op), w.Answer, want[i])
		}
	}
}
