package scheduler_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/attune-automation/attune"
	"github.com/attune-automation/attune/messages"
)

func TestTheFewestInFlightAreChosen(t *testing.T) {
	b := newBench(t)
	b.join("big", 16)
	for range 3 {
		b.place("noop")
	}
	b.join("mid", 4)
	b.join("one", 1)
	first := []attune.ExecutionID{b.place("noop"), b.place("noop")}
	if got := b.where(first...); got != "mid one" {
		t.Errorf("with 3, 0 and 0 in flight: %s", got)
	}
	next := []attune.ExecutionID{b.place("noop"), b.place("noop"), b.place("noop"), b.place("noop"), b.place("noop"), b.place("noop")}
	if got := b.where(next...); got != "mid mid big mid big big" {
		t.Errorf("with 3, 1 and 1 (full) in flight: %s", got)
	}
	b.check(nil)
}

func TestEqualLoadsRotate(t *testing.T) {
	b := newBench(t)
	for _, name := range []string{"a", "b", "c"} {
		b.join(name, 10)
	}
	var got []string
	for range 9 { // each ends before the next begins: the naive way takes a every time
		id := b.place("noop")
		got = append(got, b.where(id))
		b.end(id)
	}
	if want := "a b c a b c a b c"; strings.Join(got, " ") != want {
		t.Errorf("runs one after another went to %v", got)
	}
	var ids []attune.ExecutionID
	for range 9 {
		ids = append(ids, b.place("noop"))
	}
	if got, want := b.where(ids...), "a b c a b c a b c"; got != want {
		t.Errorf("runs at a time went to %s", got)
	}
}

// A worker that gives back what it gets is always the one with the least to do.
func TestAWorkerThatGaveARunBackComesLast(t *testing.T) {
	b := newBench(t)
	b.join("a", 1)
	b.join("b", 3)
	first := b.place("noop")
	b.end(first)
	busy := []attune.ExecutionID{b.place("noop"), b.place("noop")} // on b and a
	b.end(busy[1])
	again := func() attune.ExecutionID {
		id := b.id()
		b.do(&messages.Place{ID: id, Attempt: 2, Runner: "noop", Not: "a"})
		return id
	}
	runs := []attune.ExecutionID{again(), again(), again(), again()}
	if got := b.where(append(busy[:1:1], runs...)...); got != "b b b a -" {
		t.Errorf("with none in flight on a, which gave them back, they are on %s", got)
	}
	b.end(runs[2])
	if got := b.where(runs[3]); got != "a" {
		t.Errorf("when only a has a slot it is on %s", got)
	}
	b.check(nil)
}

func TestRunsThatWaitAreFirstInFirstOut(t *testing.T) {
	b := newBench(t)
	var ids []attune.ExecutionID
	for range 50 {
		ids = append(ids, b.place("noop"))
	}
	if len(b.order) != 0 || len(b.waiting) != 50 || b.said() != "queueing, 0 restarts" {
		t.Fatalf("without a worker %d are placed, %d wait; it is %s", len(b.order), len(b.waiting), b.said())
	}
	if got := b.waiting[ids[0]]; got != "waiting for a worker: none is connected" {
		t.Errorf("it waits because: %s", got)
	}
	b.join("w", 3)
	late := b.place("noop")
	for i := range 48 {
		b.end(ids[i])
	}
	if !slices.Equal(b.order, append(ids, late)) || b.said() != "open, 0 restarts" {
		t.Errorf("the order is %v; it is %s", b.order, b.said())
	}
}

func TestRunnersShareAWorkerInTheOrderOfArrival(t *testing.T) {
	b := newBench(t)
	w := b.join("w", 1, "noop", "echo")
	first := b.place("noop")
	var want []attune.ExecutionID
	for i := range 10 {
		want = append(want, b.place([]string{"echo", "echo", "noop"}[i%3]))
	}
	for _, id := range append([]attune.ExecutionID{first}, want[:9]...) {
		b.end(id)
	}
	if got := b.order[1:]; !slices.Equal(got, want) || len(w.taken) != 1 {
		t.Errorf("the order is %v, want %v", got, want)
	}
}

func TestARunThatNobodyCanTakeExplainsItselfAndBlocksNobody(t *testing.T) {
	b := newBench(t)
	b.join("a", 1)
	b.join("b", 1)
	stuck := b.place("python")
	if got, want := b.waiting[stuck], "waiting for a worker with the runner python: none of 2 workers has it"; got != want {
		t.Errorf("it waits because: %s", got)
	}
	one, two := b.place("noop"), b.place("noop")
	full := b.place("noop")
	if got := b.where(one, two, full); got != "a b -" {
		t.Errorf("runs behind it went to %s", got)
	}
	if got, want := b.waiting[full], "waiting for a free slot: 2 attempts on 2 workers"; got != want {
		t.Errorf("it waits because: %s", got)
	}
	b.end(one)
	if got := b.where(full, stuck); got != "a -" {
		t.Errorf("a free slot went to %s", got)
	}
	b.waiting[stuck] = ""
	b.do(&messages.Place{ID: stuck, Attempt: 1, Runner: "python"})
	if b.waiting[stuck] == "" {
		t.Error("asked again, the scheduler does not say that the run waits")
	}
	b.join("snake", 1, "python")
	if got := b.where(stuck); got != "snake" {
		t.Errorf("with a worker that can take it, it is on %s", got)
	}
}

func TestAskedTwiceARunHasOnePlace(t *testing.T) {
	b := newBench(t)
	id, other := b.place("noop"), b.place("noop")
	for range 3 {
		b.do(&messages.Place{ID: id, Attempt: 1, Runner: "noop"})
	}
	w := b.join("w", 3)
	if got := b.where(id, other); got != "w w" || len(w.taken) != 2 {
		t.Errorf("they are on %s, %d slots are taken", got, len(w.taken))
	}
}

func TestWithdraw(t *testing.T) {
	b := newBench(t)
	one, two, three := b.place("noop"), b.place("noop"), b.place("noop")
	for _, id := range []attune.ExecutionID{one, two, two, b.id()} {
		b.do(&messages.Withdraw{ID: id})
	}
	b.do(&messages.Place{ID: two, Attempt: 1, Runner: "noop"}) // it came back, behind the third
	w := b.join("w", 1)
	b.end(three)
	if !slices.Equal(b.order, []attune.ExecutionID{three, two}) || len(w.taken) != 1 {
		t.Errorf("placed are %v, %d slots are taken", b.order, len(w.taken))
	}
	b.end(two)
	if got := b.where(b.place("noop")); got != "w" {
		t.Errorf("a run after what was withdrawn is on %s", got)
	}
}

func TestManyWithdrawnRunsDoNotStayInTheQueue(t *testing.T) {
	b := newBench(t)
	for range 5000 {
		b.do(&messages.Withdraw{ID: b.place("noop")})
	}
	var ids []attune.ExecutionID
	for range 3000 {
		ids = append(ids, b.place("noop"))
	}
	b.join("w", 2)
	for _, id := range ids {
		b.end(id)
	}
	if !slices.Equal(b.order, ids) || len(b.waiting) == 0 && b.said() != "open, 0 restarts" {
		t.Errorf("%d are placed of %d; it is %s", len(b.order), len(ids), b.said())
	}
}

func TestRevoke(t *testing.T) {
	b := newBench(t)
	a := b.join("a", 4)
	b.join("b", 2)
	b.do(&messages.RevokeSlots{Worker: "a", Incarnation: "a-0"}) // of an earlier incarnation
	if got := b.where(b.place("noop"), b.place("noop")); got != "a b" {
		t.Errorf("they are on %s", got)
	}
	b.do(&messages.RevokeSlots{Worker: "a", Incarnation: "a-1"})
	one, two := b.place("noop"), b.place("noop")
	if got := b.where(one, two); got != "b -" {
		t.Errorf("after a revoke they are on %s", got)
	}
	a.incarnation, a.taken = "a-2", map[attune.Token]bool{}
	b.do(b.granted(a, true))
	if p := b.at[two]; p == nil || p.Incarnation != "a-2" {
		t.Errorf("the next incarnation did not take what waits: %+v", p)
	}
}

func TestANewIncarnationDisplacesTheOld(t *testing.T) {
	b := newBench(t)
	a := b.join("a", 2)
	b.place("noop")
	a.incarnation, a.taken = "a-2", map[attune.Token]bool{}
	b.at = map[attune.ExecutionID]*messages.Placed{}
	b.do(b.granted(a, true)) // and the revoke of the old one was lost
	ids := []attune.ExecutionID{b.place("noop"), b.place("noop"), b.place("noop")}
	if got := b.where(ids...); got != "a a -" || b.at[ids[0]].Incarnation != "a-2" {
		t.Errorf("they are on %s", got)
	}
}

func TestAResetGrantIsTheTruth(t *testing.T) {
	b := newBench(t)
	w := b.join("w", 4)
	for range 5 { // a grant that is repeated without reset would add up
		b.do(b.granted(w, true))
	}
	for range 6 {
		b.place("noop")
	}
	if len(w.taken) != 4 || len(b.waiting) != 2 {
		t.Errorf("%d of 4 slots are taken, %d runs wait", len(w.taken), len(b.waiting))
	}
}

func TestSlotsAreReturned(t *testing.T) {
	b := newBench(t)
	w := b.join("w", 3)
	one, two := b.place("noop"), b.place("noop")
	b.end(one)
	b.do(&messages.ReturnSlots{Worker: "w", Incarnation: "w-1"})
	if len(b.returned) != 1 || !slices.Equal(b.returned[0].Tokens, []attune.Token{{Execution: two, Attempt: 1}}) || b.returned[0].Incarnation != "w-1" {
		t.Fatalf("returned are %+v", b.returned)
	}
	if got := b.where(b.place("noop")); got != "-" {
		t.Errorf("after its slots were returned a run is on %s", got)
	}
	b.do(b.granted(w, true))
	if len(w.taken) != 2 {
		t.Errorf("granted again, %d slots are taken", len(w.taken))
	}
	b.do(&messages.ReturnSlots{Worker: "nobody", Incarnation: "x"})
	if len(b.returned) != 2 || b.returned[1].Worker != "nobody" || b.returned[1].Tokens != nil {
		t.Errorf("an unknown worker is answered %+v", b.returned[1:])
	}
}

func TestASchedulerThatFailedAsksEverybodyAgain(t *testing.T) {
	b := newBench(t)
	w := b.join("w", 2)
	placed := []attune.ExecutionID{b.place("noop"), b.place("noop")}
	waits := b.place("noop")
	before := b.started
	b.fail = true
	lost := b.place("noop") // the message it fails on is lost
	if b.said() != "open, 1 restarts" || b.started != [2]int{before[0] + 1, before[1] + 1} {
		t.Fatalf("it is %s; workers and partitions were told %v of its start, %v before", b.said(), b.started, before)
	}
	b.end(placed[0]) // its slot was placed by the scheduler before
	if len(w.taken) != 1 {
		t.Errorf("%d slots are taken", len(w.taken))
	}
	for _, id := range []attune.ExecutionID{waits, lost} { // the partitions' executions repeat
		b.do(&messages.Place{ID: id, Attempt: 1, Runner: "noop"})
	}
	if got := b.where(waits, lost); got != "w -" || len(w.taken) != 2 {
		t.Errorf("they are on %s, %d slots are taken", got, len(w.taken))
	}
}

func TestAfterARestartTheLoadsCountWhatWasPlacedBefore(t *testing.T) {
	b := newBench(t)
	a := b.join("a", 16)
	var old []attune.ExecutionID
	for range 4 {
		old = append(old, b.place("noop"))
	}
	b.join("b", 16)
	b.fail = true
	b.do(&messages.Withdraw{})
	var ids []attune.ExecutionID
	for range 4 {
		ids = append(ids, b.place("noop"))
	}
	if got := b.where(ids...); got != "b b b b" {
		t.Errorf("with 4 and 0 in flight before the restart, they are on %s", got)
	}
	for _, id := range old {
		b.end(id)
	}
	if got := b.where(b.place("noop"), b.place("noop"), b.place("noop")); got != "a a a" || len(a.taken) != 3 {
		t.Errorf("with 0 and 4 in flight, they are on %s", got)
	}
}
