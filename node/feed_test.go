package node

import (
	"fmt"
	"testing"
	"time"

	"github.com/attune-automation/attune"
	"github.com/attune-automation/attune/api"
	"github.com/attune-automation/attune/persistence"
)

// still is a clock that a test moves.
type still struct{ now time.Time }

func (s *still) Now() time.Time { return s.now }

func (*still) AfterFunc(time.Duration, func()) attune.Timer { panic("a feed has no timers") }

func row(n int) *attune.Execution {
	return &attune.Execution{ID: attune.ExecutionID(attune.MakeID(1000, 3, n)), Action: "a.b", Status: attune.Running, Version: 2}
}

// store makes the feed hear of a flush whose operations were all committed.
func (f *feed) store(ops ...persistence.Op) {
	answers := make([]persistence.Answer, len(ops))
	for i := range answers {
		answers[i].Outcome = persistence.Committed
	}
	f.committed(ops, answers)
}

func (f *feed) storeMany(from, to int) {
	for n := from; n <= to; n++ {
		f.store(&persistence.Save{Execution: row(n % 4096)})
	}
}

// rest reads all there is, in numbers of changes; a loss is -1.
func rest(l api.Listener) []int64 {
	var all []int64
	into := make([]api.Change, 7)
	for {
		n, lost := l.Read(into)
		if lost {
			all = append(all, -1)
			continue
		}
		for _, c := range into[:n] {
			all = append(all, c.Number)
		}
		if n == 0 {
			return all
		}
	}
}

func numbers(from, to int64) (all []int64) {
	for n := from; n <= to; n++ {
		all = append(all, n)
	}
	return all
}

func wantNumbers(t *testing.T, what string, got, want []int64) {
	t.Helper()
	if len(got) > 50 && len(got) == len(want) && got[0] == want[0] && got[len(got)-1] == want[len(want)-1] {
		return
	}
	if fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("%s: %v, want %v", what, got, want)
	}
}

func TestOnlyWhatIsCommittedIsTold(t *testing.T) {
	f := newFeed(&still{attune.Epoch})
	l := f.listen(-1)
	defer l.Close()
	event := &attune.Event{ID: attune.EventID(attune.MakeID(1, 1, 1)), Trigger: "t.x"}
	ens := []*attune.Enforcement{{ID: 2, Rule: "r.a", Status: attune.EnforcementCreated}, {ID: 3, Rule: "r.b", Status: attune.EnforcementFailed, Failure: &attune.Failure{Code: "c", Message: "why"}}}
	xs := []*attune.Execution{{ID: 4, Rule: "r.a", Status: attune.Scheduled}, {ID: 5, Rule: "r.c", Status: attune.Scheduled}}
	judged := *event
	judged.Evaluated = attune.Epoch
	worker := &attune.Worker{Name: "w", State: attune.WorkerLost}
	ops := []persistence.Op{
		&persistence.Admit{Event: event, Enforcements: ens, Executions: xs},
		&persistence.Admit{Executions: []*attune.Execution{{ID: 6}}},
		&persistence.Extend{Event: event, Executions: []*attune.Execution{{ID: 7, Status: attune.Scheduling}}},
		&persistence.Extend{Event: &judged},
		&persistence.Save{Execution: row(8)},
		&persistence.Save{Execution: row(9)},
		&persistence.SaveWorker{Worker: worker},
		&persistence.RaiseIDHigh{},
	}
	is := func(o persistence.Outcome) persistence.Answer { return persistence.Answer{Outcome: o} }
	f.committed(ops, []persistence.Answer{{Outcome: persistence.Committed, Skipped: []string{"r.c"}}, is(persistence.Duplicate), is(persistence.Committed),
		is(persistence.Committed), is(persistence.Conflict), is(persistence.Committed), is(persistence.Committed), is(persistence.Committed)})
	select {
	case <-l.Woken():
	default:
		t.Error("nobody woke the listener")
	}
	into := make([]api.Change, 20)
	n, _ := l.Read(into)
	var got []string
	for _, c := range into[:n] {
		got = append(got, fmt.Sprintf("%d %s %s%s%s", c.Number, c.Kind, c.Status, c.Code, c.Reason))
	}
	want := []string{"1 event accepted", "2 enforcement created", "3 enforcement failedcwhy", "4 execution scheduled", "5 execution scheduling", "6 event evaluated",
		"7 execution running", "8 worker lost"}
	if fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("%q\nwant %q", got, want)
	}
}

func TestListenersReadEachAtItsPace(t *testing.T) {
	f := newFeed(&still{attune.Epoch})
	a := f.listen(-1)
	defer a.Close()
	f.storeMany(1, 20)
	b := f.listen(-1)
	defer b.Close()
	f.storeMany(21, 30)
	wantNumbers(t, "the first", rest(a), numbers(1, 30))
	wantNumbers(t, "the second", rest(b), numbers(21, 30))
	c := f.listen(12)
	defer c.Close()
	wantNumbers(t, "one that comes back", rest(c), numbers(13, 30))
	d := f.listen(30)
	defer d.Close()
	wantNumbers(t, "one that missed nothing", rest(d), nil)
	e := f.listen(31)
	defer e.Close()
	wantNumbers(t, "one from nowhere", rest(e), []int64{-1})
}

// Naively what is not read is kept: here a listener that never reads costs
// nothing, and is told of its loss.
func TestAListenerThatDoesNotReadIsLeftBehind(t *testing.T) {
	f := newFeed(&still{attune.Epoch})
	l := f.listen(-1)
	defer l.Close()
	keen := f.listen(-1)
	defer keen.Close()
	f.storeMany(1, remembered)
	wantNumbers(t, "all that is remembered", rest(f.listen(0)), numbers(1, remembered))
	f.storeMany(remembered+1, 3*remembered+5)
	if len(f.ring) != remembered {
		t.Errorf("%d are remembered", len(f.ring))
	}
	wantNumbers(t, "the one left behind", rest(l), []int64{-1})
	wantNumbers(t, "from the oldest", rest(f.listen(2*remembered+5)), numbers(2*remembered+6, 3*remembered+5))
	wantNumbers(t, "from one before", rest(f.listen(2*remembered+4)), []int64{-1})
	f.storeMany(1, 2)
	wantNumbers(t, "and goes on", rest(l), numbers(3*remembered+6, 3*remembered+7))
}

func TestNothingIsRememberedWhileNobodyListens(t *testing.T) {
	clock := &still{attune.Epoch}
	f := newFeed(clock)
	f.storeMany(1, 10)
	if f.next != 1 || f.ring != nil {
		t.Errorf("%d are counted before anybody listened", f.next-1)
	}
	l := f.listen(-1)
	f.storeMany(1, 10)
	l.Close()
	l.Close()
	clock.now = clock.now.Add(keepsAfter - time.Second)
	f.storeMany(11, 20)
	again := f.listen(10)
	wantNumbers(t, "one that comes back in time", rest(again), numbers(11, 20))
	again.Close()
	clock.now = clock.now.Add(keepsAfter)
	f.storeMany(21, 30)
	if f.ring != nil || f.open.Load() {
		t.Errorf("%d are remembered for nobody", len(f.ring))
	}
	for _, place := range []int64{10, 20} { // also of who had read all: something was stored since
		late := f.listen(place)
		wantNumbers(t, "one that comes back late", rest(late), []int64{-1})
		f.storeMany(1, 1)
		if got := rest(late); len(got) != 1 || got[0] < 0 {
			t.Errorf("and then %v", got)
		}
		late.Close()
	}
}

// What a flush pays for those who listen, and for nobody.
func BenchmarkFeed(b *testing.B) {
	const batch = 250
	ops := make([]persistence.Op, batch)
	answers := make([]persistence.Answer, batch)
	for i := range ops {
		ops[i], answers[i] = &persistence.Save{Execution: row(i)}, persistence.Answer{Outcome: persistence.Committed}
	}
	for name, listeners := range map[string]int{"nobody": 0, "one listener": 1, "100 listeners": 100} {
		b.Run(name, func(b *testing.B) {
			f := newFeed(&still{attune.Epoch})
			for range listeners {
				defer f.listen(-1).Close()
			}
			b.ReportAllocs()
			for b.Loop() {
				f.committed(ops, answers)
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/batch, "ns/change")
		})
	}
}
