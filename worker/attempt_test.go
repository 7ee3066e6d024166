package worker_test

import (
	"errors"
	"testing"
	"time"

	"github.com/attune-automation/attune"
	"github.com/attune-automation/attune/messages"
	"github.com/attune-automation/attune/worker"
)

func TestADispatchThatComesAgainIsAnsweredAndNotStarted(t *testing.T) {
	r := newRig(t).start()
	d := r.dispatch(1, "held")
	r.send(d)
	r.settle()
	r.expect("says", r.reports(1), "[started]")
	r.send(d, d)
	r.settle()
	r.expect("says of what runs", r.reports(1), "[started]")
	r.held.end(token(1), messages.Finished, `{}`)
	r.settle()
	r.expect("says", r.reports(1), "[finished{}]")
	r.send(d)
	r.settle()
	r.expect("says of what has ended", r.reports(1), "[finished{}]")
	r.send(messages.ReportAck{Worker: "w", Tokens: []attune.Token{token(1)}}, d)
	r.settle()
	r.expect("says of what is acknowledged", r.reports(1), "[finished]")
	r.advance(14 * time.Minute)
	r.send(d)
	r.settle()
	r.expect("started", r.held.started, []any{token(1)})
	r.expect("says of what is acknowledged", r.reports(1), "[finished]")
	older := r.dispatch(1, "held")
	older.Token.Attempt = 0
	newer := r.dispatch(1, "held")
	newer.Token.Attempt = 2
	r.send(older, newer)
	r.settle()
	r.expect("only a newer attempt starts", r.held.started, []any{token(1), newer.Token})
}

func TestADispatchForAnotherIncarnationIsNotStarted(t *testing.T) {
	r := newRig(t).start()
	for n, incarnation := range []string{"", "w-0", "other"} {
		d := r.dispatch(n+1, "noop")
		d.Incarnation = incarnation
		r.send(d, r.query(n+1, incarnation))
		r.settle()
		r.expect("says", r.reports(n+1), "[not mine not mine]")
	}
	d := r.dispatch(4, "noop")
	d.Worker = "v"
	r.send(d)
	r.advance(3 * time.Second)
	r.expect("says", r.reports(4), "[]")
}

// Whoever was told "never seen" may have assigned the next attempt already.
func TestWhatIsSaidToBeUnseenNeverStarts(t *testing.T) {
	r := newRig(t).start()
	r.send(r.query(1, "w-1"), r.dispatch(1, "held"))
	r.send(messages.Stop{Token: token(2), Worker: "w", Incarnation: "w-1", Node: "n1", Epoch: 1}, r.dispatch(2, "held"))
	r.settle()
	r.expect("started", len(r.held.started), 0)
	r.expect("says", r.reports(1)+r.reports(2), "[returned][returned]")
}

func TestANodeThatLostThePartitionIsNotHeard(t *testing.T) {
	r := newRig(t).start()
	d := r.dispatch(1, "held")
	d.Epoch = 5
	r.send(d)
	r.settle()
	stale := r.dispatch(9, "held") // same partition
	stale.Epoch = 4
	other := r.dispatch(2, "held") // another one
	r.send(stale, other, messages.Stop{Token: token(1), Worker: "w", Incarnation: "w-1", Epoch: 4}, r.query(9, "w-1"))
	r.settle()
	r.expect("started", r.held.started, []any{token(1), token(2)})
	r.expect("stopped", len(r.held.stops), 0)
	r.expect("says", r.reports(9), "[]")
	stale.Epoch = 6 // the same token, sent again by its new owner
	r.held.end(token(2), messages.Finished, "")
	r.settle()
	r.send(stale)
	r.settle()
	r.expect("started", len(r.held.started), 3)
}

func TestNeverMoreThanTheSlots(t *testing.T) {
	r := newRig(t).start()
	for n := 1; n <= 4; n++ {
		r.send(r.dispatch(n, "held"))
	}
	r.settle()
	r.expect("started", len(r.held.started), 2)
	r.expect("says", r.reports(3)+r.reports(4), "[returned][returned]")
	r.held.end(token(1), messages.FailedRun, "")
	r.send(r.dispatch(5, "held"))
	r.settle()
	r.expect("started", len(r.held.started), 3)
}

func TestWhatCannotRunIsRefused(t *testing.T) {
	r := newRig(t).start()
	r.send(r.dispatch(1, "winrm"))
	r.settle()
	r.expect("says", all[messages.Report](r)[0].Reason, "the worker has no runner winrm")
}

// Without the entry, a restarted worker would say of a run that it was never
// started.
func TestTheJournalHasATokenBeforeItStarts(t *testing.T) {
	r := newRig(t).start()
	r.slow = true
	r.send(r.dispatch(1, "held"), r.dispatch(2, "idle"))
	r.settle()
	r.expect("pure ones started", r.idle.started, []any{token(2)})
	r.expect("others started", len(r.held.started), 0)
	r.thaw()
	r.expect("others started", r.held.started, []any{token(1)})
}

func TestAStopBeforeTheStartPreventsIt(t *testing.T) {
	r := newRig(t).start()
	r.slow = true
	r.send(r.dispatch(1, "held"), messages.Stop{Token: token(1), Worker: "w", Incarnation: "w-1", Node: "n1", Epoch: 1})
	r.settle()
	r.thaw()
	r.expect("started", len(r.held.started), 0)
	r.expect("says", r.reports(1), "[returned]")
	r.send(r.dispatch(2, "held"), r.dispatch(3, "held"))
	r.settle()
	r.expect("the slot is free", len(r.held.started), 2)
}

func TestAStopReachesTheRunner(t *testing.T) {
	r := newRig(t).start()
	stop := messages.Stop{Token: token(1), Worker: "w", Incarnation: "w-1", Node: "n2", Epoch: 1}
	r.send(r.dispatch(1, "held"))
	r.settle()
	r.send(stop, stop)
	r.settle()
	r.expect("stops", r.held.stops, []any{token(1), token(1)})
	r.held.end(token(1), messages.StoppedRun, "")
	r.settle()
	r.expect("says", r.reports(1), "[started stopped]")
	r.send(stop)
	r.settle()
	r.expect("stops", len(r.held.stops), 2)
	r.expect("says", r.reports(1), "[stopped]")
}

func TestARestartedWorkerReportsWhatTheJournalSays(t *testing.T) {
	r := newRig(t)
	r.config.Slots = 5
	r.start()
	for n := 1; n <= 3; n++ {
		r.send(r.dispatch(n, "held"))
	}
	r.settle()
	r.held.end(token(1), messages.FailedRun, `{"return_code":3}`)
	r.held.end(token(2), messages.Finished, ``)
	r.send(messages.ReportAck{Tokens: []attune.Token{token(2)}})
	r.settle()
	r.slow = true
	r.send(r.dispatch(4, "held"))
	r.settle()
	r.journal.(interface{ Crash() }).Crash()
	r.crash()
	r.thaw()
	r.acks = true
	r.start()
	r.expect("speaks for", r.lastSeen.Earlier, []string{"w-1"})
	r.expect("what had ended", r.reports(1), `[failed{"return_code":3}]`)
	r.expect("what was acknowledged", r.reports(2), "[]")
	r.expect("what ran", r.reports(3), "[lost]")
	r.send(r.query(4, "w-1"), r.query(5, "w-1"), r.query(6, "w-0"))
	r.settle()
	r.expect("what was not durable", r.reports(4), "[returned]")
	r.expect("what never came", r.reports(5), "[returned]")
	r.expect("another's", r.reports(6), "[not mine]")
	r.expect("started", len(r.held.started), 0)
	r.crash() // what is acknowledged is told once more, since only the journal of w-1 has it
	r.start()
	r.expect("speaks for", r.lastSeen.Earlier, []string{"w-1", "w-2"})
}

func TestEndsAreReportedUntilTheyAreAcknowledged(t *testing.T) {
	r := newRig(t).start()
	r.send(r.dispatch(1, "noop"), r.query(2, "w-1"))
	r.advance(9 * time.Second)
	ok := `finished{"failed":false,"succeeded":true,"return_code":0}`
	r.expect("says", r.reports(1), "["+ok+" "+ok+" "+ok+" "+ok+" "+ok+"]")
	r.expect("says", r.reports(2), "[returned returned returned returned returned]")
	r.acks = true
	r.advance(2 * time.Second)
	r.reports(1)
	r.advance(time.Minute)
	r.expect("says", r.reports(1), "[]")
}

func TestReportsGoToWhoeverAskedLast(t *testing.T) {
	r := newRig(t).start()
	r.send(r.dispatch(1, "held"))
	r.settle()
	asked := r.query(1, "w-1")
	asked.Node = "n2"
	var heard []any
	if _, err := r.broker.Subscribe(messages.Reports, "n2", func(m any) { heard = append(heard, m.(messages.Bundle).Items...) }); err != nil {
		t.Fatal(err)
	}
	r.send(asked)
	r.settle()
	r.held.end(token(1), messages.Finished, "")
	r.settle()
	r.expect("n2 heard", len(heard), 2)
}

// Naively, an end is due to the node that dispatched it, for ever: when that node
// is gone for good nobody acknowledges it, and a drain waits in vain.
func TestTheEndsOfANodeThatIsGoneGoToTheOneThatAnswers(t *testing.T) {
	r := newRig(t).start()
	gone := r.dispatch(1, "held")
	gone.Node = "gone"
	r.send(gone)
	r.settle()
	r.crash()
	r.acks = true
	r.start()
	r.expect("says", r.reports(1), "[lost]")
	drained := false
	r.worker.BeginDrain(func() { drained = true })
	r.settle()
	r.expect("drained", drained, true)
}

// Naively, each report is a message of its own: the broker is the dearest part.
func TestWhatHappensTogetherIsOneBundle(t *testing.T) {
	r := newRig(t)
	r.config.Slots = 1000
	r.deaf = true
	sizes := []int{}
	if _, err := r.broker.Subscribe(messages.Reports, "n3", func(m any) { sizes = append(sizes, len(m.(messages.Bundle).Items)) }); err != nil {
		t.Fatal(err)
	}
	r.start()
	r.send(messages.RegisterAck{Incarnation: "w-1", Sent: r.mono()})
	for i := range 3 {
		var items []any
		for n := range 40 {
			d := r.dispatch(40*i+n+1, "noop")
			d.Node = "n3"
			items = append(items, d)
		}
		r.send(items...)
	}
	r.settle()
	r.expect("bundles", sizes, "[40 40 40]") // each came alone, as steps do; one item per token
	sizes = nil
	r.advance(2 * time.Second)
	r.expect("bundles", sizes, "[50 50 20]")
}

func TestAJournalThatCannotBeWrittenStopsTheWork(t *testing.T) {
	r := newRig(t)
	faulty := &faultyJournal{Journal: r.journal}
	r.config.Journal = faulty
	r.start()
	faulty.err = errors.New("disk full")
	r.send(r.dispatch(1, "held"))
	r.settle()
	r.send(r.dispatch(2, "held"), r.dispatch(3, "noop"))
	r.advance(4 * time.Second)
	r.expect("started", len(r.held.started), 0)
	r.expect("asks for no more", r.lastBeat.Draining, true)
	r.expect("has slots", r.lastBeat.Running, 0)
	faulty.err = nil
	r.advance(4 * time.Second)
	r.expect("asks for more", r.lastBeat.Draining, false)
	r.send(r.dispatch(4, "held"))
	r.settle()
	r.expect("started", r.held.started, []any{token(4)})
}

type faultyJournal struct {
	worker.Journal
	err error
}

func (f *faultyJournal) Append(entries []worker.Entry, done func(error)) {
	if f.err != nil {
		done(f.err)
		return
	}
	f.Journal.Append(entries, done)
}
