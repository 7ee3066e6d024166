package worker

import (
	"errors"

	"github.com/attune-automation/attune/messages"
)

// outbox is what a turn has to say, until its end.
type outbox struct {
	telling []*attempt       // whose state is to be told to their node
	nodes   []string         // with items, in the order of the first
	items   map[string][]any // by node
	all     []any            // for all nodes
}

// tell says what is known of an attempt at the end of the turn, once, and
// nothing if that is nothing. Nil is nobody.
func (w *Worker) tell(a *attempt) {
	if a != nil && !a.queued {
		a.queued = true
		w.outbox.telling = append(w.outbox.telling, a)
	}
}

// say sends an item to one node at the end of the turn.
func (w *Worker) say(node string, item any) {
	if w.outbox.items == nil {
		w.outbox.items = map[string][]any{}
	}
	if len(w.outbox.items[node]) == 0 {
		w.outbox.nodes = append(w.outbox.nodes, node)
	}
	w.outbox.items[node] = append(w.outbox.items[node], item)
}

// announce sends an item to all nodes at the end of the turn.
func (w *Worker) announce(item any) { w.outbox.all = append(w.outbox.all, item) }

// repeat says again what was not acknowledged for a beat, the longest unsaid
// first, some at a time. The node an end is due to may be gone for good: every
// other repetition goes to the node that last answered us.
func (w *Worker) repeat() {
	now := w.config.Mono()
	for left := repeatAtMost; left > 0 && w.open(); left-- {
		a := w.unacked[0]
		if now-a.said < beat {
			break
		}
		a.said = now
		w.unacked = append(w.unacked[1:], a)
		if a.repeated = !a.repeated; a.repeated && w.answering != "" {
			w.say(w.answering, *a.report)
			continue
		}
		w.tell(a)
	}
	w.pourAgain(now)
}

// send sends everything the turn has to say, in bundles.
func (w *Worker) send() {
	o := &w.outbox
	now := w.config.Mono()
	for _, a := range o.telling {
		a.queued = false
		switch {
		case a.phase == ended:
			a.said = now
			w.say(a.node, *a.report)
		case a.phase == running && a.told:
			w.say(a.node, messages.Report{Token: a.token, Kind: messages.Started, Worker: w.config.Name, Incarnation: a.incarnation})
		}
	}
	clear(o.telling)
	o.telling = o.telling[:0]
	w.bundle(messages.Heartbeats, "", o.all)
	for _, node := range o.nodes {
		w.bundle(messages.Reports, node, o.items[node])
		delete(o.items, node)
	}
	o.nodes, o.all = o.nodes[:0], nil
}

// bundle sends items in as few bundles as their bounds allow. Bundles that do
// not arrive are said again by whoever has the item, so an error is only noted.
func (w *Worker) bundle(exchange messages.Exchange, key string, items []any) {
	for len(items) > 0 {
		n, size := 0, 0
		for n < len(items) && n < messages.MaxBundle && (n == 0 || size+weight(items[n]) <= bundleBytes) {
			size += weight(items[n])
			n++
		}
		err := w.config.Broker.Send(exchange, key, messages.Bundle{From: w.incarnation, Items: items[:n:n]})
		if err != nil && !errors.Is(err, messages.ErrUnroutable) {
			w.config.Log.Debug("worker cannot send", "worker", w.config.Name, "exchange", exchange, "error", err)
		}
		items = items[n:]
	}
}

// weight is about how many bytes an item has, where it has many.
func weight(item any) int {
	switch item := item.(type) {
	case messages.Report:
		return len(item.Result)
	case messages.Output:
		return len(item.Data)
	}
	return 0
}
