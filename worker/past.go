package worker

import (
	"time"

	"github.com/attune-automation/attune"
	"github.com/attune-automation/attune/messages"
)

// past remembers the tokens that are acknowledged, so that a dispatch that
// comes late does not start one again. It keeps one small entry for each
// execution: its newest attempt here stands for those before, which were over
// when it was assigned.
type past struct {
	limit int // of tokens: beyond, the oldest are forgotten early
	known map[attune.ExecutionID]known
	order []forgetting // by moment; those before first are gone
	first int
}

type known struct {
	attempt int32
	kind    messages.ReportKind
}

type forgetting struct {
	execution attune.ExecutionID
	attempt   int32
	at        time.Duration
}

// add keeps a token until the moment at.
func (p *past) add(t attune.Token, kind messages.ReportKind, at time.Duration) {
	if k, ok := p.known[t.Execution]; ok && int(k.attempt) >= t.Attempt {
		return
	}
	p.known[t.Execution] = known{int32(t.Attempt), kind}
	p.order = append(p.order, forgetting{t.Execution, int32(t.Attempt), at})
	if len(p.order)-p.first > p.limit {
		p.drop()
	}
}

// find says how the token ended; it is zero for an attempt before the newest
// known. False means never heard of.
func (p *past) find(t attune.Token) (messages.ReportKind, bool) {
	k, ok := p.known[t.Execution]
	switch {
	case !ok || t.Attempt > int(k.attempt):
		return 0, false
	case t.Attempt < int(k.attempt):
		return 0, true
	}
	return k.kind, true
}

// forget drops what is due.
func (p *past) forget(now time.Duration) {
	for p.first < len(p.order) && p.order[p.first].at <= now {
		p.drop()
	}
}

// drop forgets the oldest entry, and gives memory back now and then.
func (p *past) drop() {
	f := p.order[p.first]
	if p.known[f.execution].attempt == f.attempt {
		delete(p.known, f.execution)
	}
	if p.first++; p.first >= 1024 && p.first > len(p.order)/2 {
		p.order = append([]forgetting(nil), p.order[p.first:]...)
		p.first = 0
	}
}
