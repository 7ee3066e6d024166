package node

import (
	"context"

	"github.com/attune-automation/attune"
	"github.com/attune-automation/attune/messages"
	"github.com/attune-automation/attune/persistence"
)

// told is a store whose flushes are told of: what was committed, once that is
// certain, and before anybody else is told.
type told struct {
	persistence.Flusher
	committed []func(ops []persistence.Op, answers []persistence.Answer)
}

// toldStore tells the feed of changes, and the broker of statuses if it is to
// announce them.
func (n *Node) toldStore() told {
	t := told{n.parts.Store, []func([]persistence.Op, []persistence.Answer){n.feed.committed}}
	if n.config.AnnounceStatuses {
		t.committed = append(t.committed, n.announceStatuses)
	}
	return t
}

// Flush implements persistence.Flusher.
func (t told) Flush(ctx context.Context, incarnation string, ops []persistence.Op) ([]persistence.Answer, error) {
	answers, err := t.Flusher.Flush(ctx, incarnation, ops)
	t.tell(ops, answers, err)
	return answers, err
}

// Resolve implements persistence.Flusher.
func (t told) Resolve(ctx context.Context, incarnation string, ops []persistence.Op) ([]persistence.Answer, error) {
	answers, err := t.Flusher.Resolve(ctx, incarnation, ops)
	t.tell(ops, answers, err)
	return answers, err
}

func (t told) tell(ops []persistence.Op, answers []persistence.Answer, err error) {
	if err != nil {
		return
	}
	for _, committed := range t.committed {
		committed(ops, answers)
	}
}

// announceStatuses has the broker announce what a flush changed.
func (n *Node) announceStatuses(ops []persistence.Op, answers []persistence.Answer) {
	for i, op := range ops {
		if answers[i].Outcome != persistence.Committed {
			continue
		}
		switch op := op.(type) {
		case *persistence.Admit:
			n.announceNew(op.Executions, answers[i].Skipped)
		case *persistence.Extend:
			n.announceNew(op.Executions, answers[i].Skipped)
		case *persistence.Rerun:
			n.announceNew([]*attune.Execution{op.Execution}, nil)
		case *persistence.Save:
			n.announceStatus(op.Execution)
		}
	}
}

func (n *Node) announceNew(all []*attune.Execution, skipped []string) {
	left := map[string]bool{}
	for _, rule := range skipped {
		left[rule] = true
	}
	for _, x := range all {
		if !left[x.Rule] {
			n.announceStatus(x)
		}
	}
}

func (n *Node) announceStatus(x *attune.Execution) {
	if s := messages.StatusOf(x); s != nil {
		n.tree.Tell(n.tree.Broker, &messages.AnnounceStatus{Status: s})
	}
}
