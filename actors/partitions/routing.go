package partitions

import (
	"fmt"
	"sort"

	"github.com/attune-automation/attune"
	"github.com/attune-automation/attune/actors"
	"github.com/attune-automation/attune/messages"
	"github.com/attune-automation/attune/persistence"
)

// inOrder lists the live executions that have actors by id, so that a simulation is the same
// each time.
func (p *partition) inOrder() []*entry {
	all := make([]*entry, 0, len(p.live))
	for _, e := range p.live {
		all = append(all, e)
	}
	sort.Slice(all, func(i, j int) bool { return all[i].id < all[j].id })
	return all
}

// deliver hands a message to its execution, and reports whether it lives; one
// that does not needs it no more.
func (p *partition) deliver(id attune.ExecutionID, m any) bool {
	e := p.live[id]
	if e == nil {
		w, waits := p.waiting[id]
		if waits {
			p.rouse(id, w, m)
		}
		return waits
	}
	if e.away() {
		p.hold(e, m)
	} else {
		p.tree.Tell(e.pid, m)
	}
	return true
}

// report hands a worker's report to its execution. Reports of what is not live
// are looked up: a repetition is acknowledged, anything else kept as evidence.
func (p *partition) report(m *messages.Report) {
	if !p.deliver(m.Token.Execution, m) && p.loaded && m.Kind != messages.Started && m.Kind != messages.NotMine {
		p.read(m.Token.Execution, m)
	}
}

func (p *partition) addStray(m *read) {
	r := m.stray
	switch {
	case p.deliver(m.id, r): // it was being loaded
		return
	case m.err != nil && attune.KindOf(m.err) != attune.NotFound:
		return // the worker repeats it
	case m.err == nil && !m.row.Status.Terminal():
		return // its actor is being made; the worker repeats it
	case m.err == nil && actors.Witness(m.row, r, p.tree.Clock.Now()):
		m.row.Version++
		p.tree.Tell(p.tree.Writer, &actors.Submit{Op: &persistence.Save{Execution: m.row}})
	}
	p.tree.Tell(p.tree.Broker, &messages.ToWorker{Worker: r.Worker, Item: messages.ReportAck{Worker: r.Worker, Tokens: []attune.Token{r.Token}}})
}

// cancel hands a request to its execution. What is not live is for the caller
// to look up: it has ended, or never was.
func (p *partition) cancel(m *messages.Cancel) {
	switch {
	case p.deliver(m.ID, m):
	case !p.loaded:
		m.Reply(nil, errLoading)
	default:
		m.Reply(nil, notLive(m.ID))
	}
}

var errLoading = &attune.Error{Kind: attune.Unavailable, Code: "loading", Message: "the execution is being loaded", Try: "again in a moment"}

func notLive(id attune.ExecutionID) error {
	return &attune.Error{Kind: attune.NotFound, Code: "not_live", Message: fmt.Sprintf("%s is not live", id)}
}

// checkSlot answers the audit of a worker's actor for executions that are gone.
func (p *partition) checkSlot(m *messages.SlotTaken) {
	if !p.deliver(m.Token.Execution, m) && p.loaded {
		p.tree.Tell(p.tree.Workers, &messages.FreeSlot{Token: m.Token, Worker: m.Worker, Incarnation: m.Incarnation})
	}
}
