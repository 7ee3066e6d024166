package partitions

import (
	"context"
	"log/slog"

	"github.com/asynkron/protoactor-go/actor"

	"github.com/attune-automation/attune"
	"github.com/attune-automation/attune/actors"
	"github.com/attune-automation/attune/messages"
	"github.com/attune-automation/attune/persistence"
)

// What a partition reads when it begins: its live executions page by page, the
// ends that may not have been announced, the events not judged to the end.

func (p *partition) loadPage() {
	tree, store, id, after, self, prepare := p.tree, p.store, p.row.ID, p.after, p.self, p.executions.Prepare
	tree.Lend(func() {
		m := &page{by: p}
		if m.rows, m.err = store.Live(context.Background(), id, after, loadPage); m.err == nil {
			m.err = prepare(wholeOf(m.rows))
		}
		tree.Tell(self, m)
	})
}

func wholeOf(rows []persistence.Live) (whole []*attune.Execution) {
	for _, row := range rows {
		if row.Whole != nil {
			whole = append(whole, row.Whole)
		}
	}
	return whole
}

func (p *partition) addPage(ctx actor.Context, m *page) {
	if m.by != p {
		return
	}
	if m.err != nil {
		p.retryLoad(m.err)
		return
	}
	for _, row := range m.rows {
		p.after = row.ID
		switch _, waits := p.waiting[row.ID]; {
		case waits || p.live[row.ID] != nil:
		case row.Whole == nil:
			p.await(row)
		default:
			p.tree.Tell(p.spawn(ctx, row.ID).pid, &messages.Load{Execution: row.Whole})
		}
	}
	p.arm()
	if len(m.rows) == loadPage {
		p.loadPage()
		return
	}
	p.loadUnfinished(p.announced)
}

// loadUnfinished reads the ends that may not have been announced, page by page,
// and with the last page the events that were not judged to the end.
func (p *partition) loadUnfinished(after int64) {
	tree, store, id, self := p.tree, p.store, p.row.ID, p.self
	tree.Lend(func() {
		u := &unfinished{by: p}
		if u.unannounced, u.err = store.Unannounced(context.Background(), id, after, loadPage); u.err == nil && len(u.unannounced) < loadPage {
			u.events, u.err = store.UnevaluatedEvents(context.Background(), id, maxUnevaluated)
		}
		tree.Tell(self, u)
	})
}

// addUnfinished goes on with what an earlier owner left: events that were not
// judged to the end, and ends that may not have been announced.
func (p *partition) addUnfinished(m *unfinished) {
	if m.by != p {
		return
	}
	if m.err != nil {
		p.retryLoad(m.err)
		return
	}
	for _, x := range m.unannounced {
		p.tree.Tell(p.tree.Broker, &messages.Announce{End: messages.EndOf(x)})
		p.finishes.pass(x.FinishNumber)
	}
	if len(m.unannounced) == loadPage {
		p.loadUnfinished(m.unannounced[loadPage-1].FinishNumber)
		return
	}
	for _, ev := range m.events {
		p.tree.Tell(p.tree.Rules, &messages.JudgeAgain{Event: ev})
	}
	p.loaded = true
	p.open()
}

// resume hands the events that were not judged to the end to the rules again.
// While the partition loads it does so anyway.
func (p *partition) resume() {
	if !p.loaded {
		return
	}
	tree, store, id, self := p.tree, p.store, p.row.ID, p.self
	tree.Lend(func() {
		events, err := store.UnevaluatedEvents(context.Background(), id, maxUnevaluated)
		tree.Tell(self, &unjudged{p, events, err})
	})
}

func (p *partition) addUnjudged(m *unjudged) {
	if m.by == p && m.err != nil {
		tree, self := p.tree, p.self
		tree.Clock.AfterFunc(loadRetry, func() { tree.Tell(self, &actors.RulesStarted{}) })
	}
	if m.by == p {
		for _, ev := range m.events {
			p.tree.Tell(p.tree.Rules, &messages.JudgeAgain{Event: ev})
		}
	}
}

func (p *partition) retryLoad(err error) {
	p.tree.Log.Error("loading a partition failed, trying again", slog.Int("partition", p.row.ID), slog.String("error", err.Error()))
	p.tree.Clock.AfterFunc(loadRetry, func() { p.tree.Tell(p.self, &reload{}) })
}
