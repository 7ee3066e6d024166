package worker_test

import (
	"testing"
	"time"

	"github.com/attune-automation/attune/messages"
	"github.com/attune-automation/attune/worker"
)

func TestItRegistersUntilItIsAnswered(t *testing.T) {
	r := newRig(t)
	r.deaf = true
	r.start().advance(7 * time.Second)
	seen := all[messages.Registered](r)
	r.expect("asked", len(seen), 4)
	r.expect("runners", seen[0].Runners, "[echo held idle noop]")
	r.expect("labels, the operator's first", seen[0].Labels, "map[begins:1 zone:the operator's]")
	r.expect("heartbeats", len(all[messages.Heartbeat](r)), 0)
	r.send(messages.RegisterAck{Worker: "w", Incarnation: "w-1", Sent: r.mono(), Refused: "another w is alive"})
	r.advance(2 * time.Second)
	r.expect("asked after a refusal", len(all[messages.Registered](r)), 1)
	r.deaf = false
	r.advance(6 * time.Second)
	r.expect("asked after an answer", len(all[messages.Registered](r)), 1)
	r.expect("heartbeats", len(all[messages.Heartbeat](r)), 2)
	r.expect("incarnation", r.number, 1)
}

func TestNothingBeginsBeforeTheKeeperHasEndedEarlierRuns(t *testing.T) {
	r := newRig(t)
	r.keeper.fails = 2
	r.start().advance(3 * time.Second)
	r.expect("asked", len(all[messages.Registered](r)), 0)
	r.advance(time.Second)
	r.expect("asked", len(all[messages.Registered](r)), 1)
}

func TestWithoutAnAnswerTheIncarnationEndsWithItsLease(t *testing.T) {
	r := newRig(t).start()
	r.send(r.dispatch(1, "held"))
	r.settle()
	r.expect("started", r.held.started, []any{token(1)})
	r.deaf = true
	registered := r.now
	r.advance(10*time.Second - time.Millisecond)
	r.expect("incarnations within the lease", r.number, 1)
	r.expect("begins", r.keeper.begins, 1)
	r.send(r.dispatch(2, "held"))
	r.advance(time.Millisecond)
	r.expect("at", r.now-registered, 10*time.Second)
	r.expect("incarnations after the lease", r.number, 2)
	r.expect("begins", r.keeper.begins, 2)
	r.expect("says of what ran", r.reports(1), "[started lost]")

	r.deaf = false
	r.advance(2 * time.Second)
	r.expect("speaks for", r.lastSeen.Earlier, []string{"w-1"})
	old := r.dispatch(3, "held")
	old.Incarnation = "w-1"
	r.send(old, r.query(4, "w-1"))
	r.settle()
	r.expect("started", r.held.started, []any{token(1), token(2)})
	r.expect("says of what came late", r.reports(3), "[returned]")
	r.expect("says of what never came", r.reports(4), "[returned]")
	r.send(r.dispatch(5, "held"))
	r.settle()
	r.expect("the new one starts", r.held.started, []any{token(1), token(2), token(5)})
}

// An answer that was long on its way must not make the lease longer than the
// actor that gave it counts.
func TestTheLeaseCountsFromTheQuestion(t *testing.T) {
	r := newRig(t).start()
	sent := r.mono()
	r.deaf = true
	r.advance(9 * time.Second)
	r.send(messages.HeartbeatAck{Worker: "w", Incarnation: "w-1", Sent: sent + 2*time.Second})
	r.settle()
	r.expect("the keeper's lease", r.keeper.until, sent+12*time.Second)
	r.advance(3 * time.Second)
	r.expect("incarnations", r.number, 2)
	r.send(messages.HeartbeatAck{Worker: "w", Incarnation: "w-1", Sent: r.mono()})
	r.send(messages.HeartbeatAck{Worker: "w", Incarnation: "w-2", Sent: r.mono() + time.Hour})
	r.settle()
	r.expect("the keeper's lease", r.keeper.until, time.Duration(0))
}

func TestHeartbeatsKeepTheLease(t *testing.T) {
	r := newRig(t).start()
	r.advance(time.Minute)
	r.expect("incarnations", r.number, 1)
	r.expect("the keeper's lease", r.keeper.until, r.mono()+10*time.Second)
}

// Timers stand still while the machine is suspended; the lease does not.
func TestNothingStartsAfterASuspend(t *testing.T) {
	r := newRig(t).start()
	r.suspended = 10 * time.Second
	r.send(r.dispatch(1, "held"), r.dispatch(2, "noop"))
	r.settle()
	r.expect("started", len(r.held.started), 0)
	r.expect("incarnations", r.number, 2)
	r.expect("says", r.reports(2), "[]")
}

// The journal may take so long that the lease ends meanwhile.
func TestNothingStartsWhenTheJournalIsTooSlow(t *testing.T) {
	r := newRig(t).start()
	r.slow = true
	r.send(r.dispatch(1, "held"))
	r.settle()
	r.suspended = 10 * time.Second
	r.thaw()
	r.expect("started", len(r.held.started), 0)
	r.expect("says", r.reports(1), "[returned]")
}

func TestALostIncarnationEndsAndAnotherRegisters(t *testing.T) {
	r := newRig(t).start()
	r.send(r.dispatch(1, "held"))
	r.advance(5 * time.Second)
	r.send(messages.HeartbeatAck{Worker: "w", Incarnation: "w-1", Sent: r.mono(), Lost: true})
	r.settle()
	r.expect("incarnations", r.number, 2)
	r.expect("says", r.reports(1), "[started lost]")
	r.send(messages.RegisterAck{Worker: "w", Incarnation: "w-2", Sent: r.mono(), Lost: true})
	r.settle()
	r.expect("no hot loop", r.number, 2)
	r.advance(2 * time.Second)
	r.expect("incarnations", r.number, 3)
	r.expect("speaks for", r.lastSeen.Earlier, []string{"w-1", "w-2"})
}

// The end of a run that the keeper killed is told when the next incarnation has
// read the journal already.
func TestWhatARunOfAnEndedIncarnationSaysIsNotHeard(t *testing.T) {
	r := newRig(t).start()
	r.send(r.dispatch(1, "held"), r.dispatch(2, "idle"))
	r.settle()
	late := []func(worker.Event){r.held.events[token(1)], r.idle.events[token(2)]}
	r.deaf = true
	r.advance(11 * time.Second)
	r.expect("says", r.reports(1)+r.reports(2), "[started lost][started returned]")
	for _, events := range late {
		events(worker.Event{Kind: worker.Ended, End: messages.Finished})
	}
	r.deaf = false
	r.advance(4 * time.Second)
	r.expect("says", r.reports(1)+r.reports(2), "[lost lost][returned returned]")
	r.send(r.dispatch(3, "held"), r.dispatch(4, "held"), r.dispatch(5, "held"))
	r.settle()
	r.expect("slots", len(r.held.started), 3)
}

// What a turn has for the journal must not reach that of the next incarnation.
func TestAnEndJustBeforeTheIncarnationEndsIsKept(t *testing.T) {
	r := newRig(t).start()
	r.send(r.dispatch(1, "held"))
	r.advance(3 * time.Second)
	r.send(messages.HeartbeatAck{Worker: "w", Incarnation: "w-1", Sent: r.mono(), Lost: true})
	r.held.end(token(1), messages.Finished, "{}") // in the same turn, and before it
	r.settle()
	r.expect("incarnations", r.number, 2)
	r.crash()
	r.start()
	r.expect("says", r.reports(1), "[finished{}]")
}

func TestEarlierIncarnationsAreForgottenInTheEnd(t *testing.T) {
	r := newRig(t).start()
	r.send(r.dispatch(1, "held"))
	r.settle()
	r.crash()
	r.start().advance(20 * time.Minute)
	r.send(r.query(2, "w-1"))
	r.settle()
	r.expect("with something unacknowledged", r.reports(2), "[returned]")
	r.acks = true
	r.advance(4 * time.Second)
	r.send(r.query(3, "w-1"))
	r.settle()
	r.expect("with all acknowledged", r.reports(3), "[not mine]")
	r.crash()
	r.start()
	r.expect("speaks for", r.lastSeen.Earlier, []string{"w-2"})
}
