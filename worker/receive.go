package worker

import (
	"github.com/attune-automation/attune"
	"github.com/attune-automation/attune/messages"
)

// receive takes a message from a node. Whatever is said while the worker does
// not know its own past is dropped, and will be said again.
func (w *Worker) receive(m any) {
	if w.state == preparing || w.left {
		return
	}
	switch m := m.(type) {
	case messages.Bundle:
		for _, item := range m.Items {
			w.receive(item)
		}
	case messages.Dispatch:
		w.dispatched(&m)
	case messages.Stop:
		w.stop(m)
	case messages.StateQuery:
		for _, asked := range m.Asked {
			w.query(m.Node, asked)
		}
	case messages.ReportAck:
		for _, token := range m.Tokens {
			w.acknowledge(token)
		}
	case messages.OutputAck:
		w.stored(m)
	case messages.RegisterAck:
		w.registered(m)
	case messages.HeartbeatAck:
		if m.Incarnation != w.incarnation {
			return
		}
		if m.Lost {
			w.end("it was declared lost")
			return
		}
		if m.Drained != w.drained {
			w.drained = m.Drained
			w.config.Log.Info("the operator's word on this worker changed", "worker", w.config.Name, "drained", m.Drained)
		}
		w.answering = m.Node
		w.renew(m.Sent)
	}
}

func (w *Worker) registered(m messages.RegisterAck) {
	switch {
	case m.Incarnation != w.incarnation:
	case m.Lost:
		w.end("it was declared lost")
	case m.Refused != "":
		w.config.Log.Warn("worker is refused, will try again", "worker", w.config.Name, "incarnation", w.incarnation, "reason", m.Refused)
	default:
		first := w.state == registering
		w.answering = m.Node
		w.renew(m.Sent)
		if first && w.state == serving {
			w.tellAnswering()
		}
	}
}

// tellAnswering says the ends that are due to other nodes, which may be gone, to
// the one that took this incarnation.
func (w *Worker) tellAnswering() {
	for _, a := range w.unacked {
		if a.phase == ended && a.node != w.answering {
			w.say(w.answering, *a.report)
		}
	}
}

// address is to whom, and by whom, something is said of a token.
type address struct {
	token       attune.Token
	incarnation string
	node        string
	epoch       int64
}

// resolve finds the attempt that is spoken of. fresh means that the token is
// addressed to this incarnation and was never seen: the caller puts it into the
// seen set. Otherwise, and without an attempt, nothing is left to say: what the
// token is due was answered, or it comes from a node that lost the partition.
func (w *Worker) resolve(to address) (a *attempt, fresh bool) {
	highest := &w.epochs[to.token.Execution.Partition()%attune.Partitions]
	if to.epoch < *highest {
		return nil, false
	}
	*highest = to.epoch
	if a := w.attempts[to.token]; a != nil {
		a.node = to.node
		return a, false
	}
	if kind, ok := w.past.find(to.token); ok {
		if kind != 0 {
			w.say(to.node, w.report(to, kind, "this was reported and acknowledged before"))
		}
		return nil, false
	}
	if to.incarnation == w.incarnation {
		return nil, true
	}
	if _, ok := w.earlier[to.incarnation]; ok {
		a := w.admit(to)
		w.close(a, messages.Report{Kind: messages.Returned, Reason: "that incarnation has ended and never started it"})
		return nil, false
	}
	w.say(to.node, w.report(to, messages.NotMine, "there is no journal of that incarnation"))
	return nil, false
}

func (w *Worker) report(to address, kind messages.ReportKind, reason string) messages.Report {
	return messages.Report{Token: to.token, Kind: kind, Worker: w.config.Name, Incarnation: to.incarnation, Reason: reason}
}

// dispatched starts an attempt, or answers what became of it.
func (w *Worker) dispatched(d *messages.Dispatch) {
	if d.Worker != w.config.Name {
		return
	}
	to := address{d.Token, d.Incarnation, d.Node, d.Epoch}
	a, fresh := w.resolve(to)
	if !fresh {
		w.tell(a)
		return
	}
	if !w.alive(w.leaseUntil) {
		return // nothing is promised without a lease: it comes again
	}
	a = w.admit(to)
	runner, ok := w.config.Runners[d.Runner]
	switch {
	case w.draining:
		if len(w.outbox.all) == 0 { // a node that has just started does not know, and would send it again at once
			w.announce(messages.Draining{Worker: w.config.Name, Incarnation: w.incarnation})
		}
		w.close(a, messages.Report{Kind: messages.Returned, Reason: "the worker drains"})
	case !ok:
		w.close(a, messages.Report{Kind: messages.RefusedRun, Reason: "the worker has no runner " + d.Runner})
	case w.busy >= w.config.Slots:
		w.close(a, messages.Report{Kind: messages.Returned, Reason: "no slot is free"})
	case w.broken && !runner.Pure():
		w.close(a, messages.Report{Kind: messages.Returned, Reason: "the worker cannot write its journal"})
	default:
		if refusal := w.unseal(a, d); refusal != nil {
			w.close(a, *refusal)
			return
		}
		w.busy++
		a.runner, a.pure = runner, runner.Pure()
		if w.config.Packs != nil && d.EntryPoint != "" {
			w.fetch(a)
			return
		}
		w.ready(a)
	}
}

// ready starts an attempt that has all it needs, once the journal has it.
func (w *Worker) ready(a *attempt) {
	if a.pure {
		w.launch(a)
		return
	}
	w.starting = append(w.starting, a)
	w.entries = append(w.entries, Entry{Kind: EntryStarted, Token: a.token, Node: a.node})
}

// stop ends an attempt, or makes sure that it never starts.
func (w *Worker) stop(m messages.Stop) {
	if m.Worker != w.config.Name {
		return
	}
	to := address{m.Token, m.Incarnation, m.Node, m.Epoch}
	a, fresh := w.resolve(to)
	switch {
	case fresh:
		w.close(w.admit(to), messages.Report{Kind: messages.Returned, Reason: "it was stopped before it came"})
	case a == nil:
	case a.phase == ended:
		w.tell(a)
	case a.fetching: // nothing of it was started, and it need not wait for the network
		w.busy--
		w.close(a, messages.Report{Kind: messages.Returned, Reason: "it was stopped before it started"})
	default:
		a.stopped = true
		if a.phase == running && a.end == nil {
			a.runner.Stop(a.token, m.Grace)
		}
	}
}

// query answers what became of a token; one that was never seen never will be.
func (w *Worker) query(node string, asked messages.TokenAt) {
	to := address{asked.Token, asked.Incarnation, node, asked.Epoch}
	a, fresh := w.resolve(to)
	if fresh {
		w.close(w.admit(to), messages.Report{Kind: messages.Returned, Reason: "it never came"})
		return
	}
	w.tell(a)
}

// acknowledge ends the story of a token. An acknowledgement of what has not
// ended speaks of something else.
func (w *Worker) acknowledge(token attune.Token) {
	a := w.attempts[token]
	if a == nil || a.phase != ended {
		return
	}
	delete(w.attempts, token)
	w.past.add(token, a.report.Kind, w.config.Mono()+remember)
	if a.journalled && a.incarnation == w.incarnation {
		w.entries = append(w.entries, Entry{Kind: EntryAcknowledged, Token: token})
	}
	*a = attempt{phase: acknowledged} // it may wait in unacked for a while, without its result
}
