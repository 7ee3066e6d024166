package sim

import (
	"context"
	"fmt"
	"time"

	"github.com/attune-automation/attune"
	"github.com/attune-automation/attune/actors/retention"
	"github.com/attune-automation/attune/persistence"
	"github.com/attune-automation/attune/persistence/memory"
)

// buried are the rows that the retention deleted, as they were, for the checker,
// and what of them should not have gone.
type buried struct {
	rows   memory.Rows
	faults []string
}

// prune asks the node for a pass with a short age. Dedupe keys are kept: clients
// send again for as long as they live.
func (w *world) prune() bool {
	if w.current == nil || w.current.process.frozen {
		return false
	}
	age := w.between(0, 10*time.Second)
	tree := w.current.node.Tree()
	tree.Tell(tree.Retention, &retention.Pass{Ages: retention.Ages{Executions: age, Output: age, Dedupe: retention.Forever},
		Reply: func(retention.Report) { w.count("pass answered", true) }})
	return true
}

// Prune implements persistence.Retention, and looks what went.
func (r *recorder) Prune(ctx context.Context, incarnation string, p persistence.Prune) (persistence.Pruned, error) {
	before := r.Store.Rows()
	out, err := r.Store.Prune(ctx, incarnation, p)
	if len(out.Rows) == 0 {
		return out, err
	}
	after := r.Store.Rows()
	r.world.trace("pruned by %s: %s %v", incarnation, p.Shelf, out.Rows)
	there := map[any]bool{}
	for _, e := range after.Events {
		there[e.ID] = true
	}
	for _, e := range after.Enforcements {
		there[e.ID] = true
	}
	for _, x := range after.Executions {
		there[x.ID] = true
	}
	b := &r.buried
	for _, e := range before.Events {
		if !there[e.ID] {
			b.rows.Events = append(b.rows.Events, e)
			b.wrong(e.Evaluated.IsZero(), e.ID, "was not judged to its end")
			r.world.count("event pruned", true)
		}
	}
	for _, e := range before.Enforcements {
		if !there[e.ID] {
			b.rows.Enforcements = append(b.rows.Enforcements, e)
			b.wrong(there[e.Event], e.ID, "went before its event")
		}
	}
	for _, x := range before.Executions {
		if there[x.ID] {
			b.wrong(x.Event != 0 && !there[x.Event], x.ID, "has lost its event")
			continue
		}
		b.rows.Executions = append(b.rows.Executions, x)
		b.wrong(!x.Status.Terminal(), x.ID, "was "+x.Status.String())
		b.wrong(x.FinishNumber > before.Partitions[x.ID.Partition()].AnnouncedTo, x.ID, "was not proven announced")
	}
	for i, is := range r.Store.Rows().Partitions {
		b.wrong(is.FinishNumber < before.Partitions[i].FinishNumber, attune.EventID(attune.MakeID(1, i, 0)), "is of a partition whose finish number fell")
	}
	return out, err
}

func (b *buried) wrong(is bool, id fmt.Stringer, why string) {
	if is {
		b.faults = append(b.faults, fmt.Sprintf("pruned: %s %s", id, why))
	}
}

// all are the rows of the store with those that are buried.
func (b *buried) all(rows memory.Rows) memory.Rows {
	rows.Events = append(b.rows.Events, rows.Events...)
	rows.Enforcements = append(b.rows.Enforcements, rows.Enforcements...)
	rows.Executions = append(b.rows.Executions, rows.Executions...)
	return rows
}
