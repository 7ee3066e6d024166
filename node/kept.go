package node

import (
	"context"
	"slices"
	"sync/atomic"
	"time"

	"github.com/attune-automation/attune"
	"github.com/attune-automation/attune/actors/retention"
	"github.com/attune-automation/attune/api"
	"github.com/attune-automation/attune/persistence"
)

// kept is what the retention has done, for the metrics. It is safe for
// concurrent use.
type kept struct {
	// rows and oldest are in the order of [persistence.Tables], of which there
	// are fewer than this; oldest in unix nanoseconds, 0 is none.
	rows, oldest [16]atomic.Int64
	passed       atomic.Int64 // in unix nanoseconds
}

// Pruned implements retention.Record.
func (k *kept) Pruned(rows map[persistence.Table]int64) {
	for table, n := range rows {
		k.rows[slices.Index(persistence.Tables(), table)].Add(n)
	}
}

// Passed implements retention.Record.
func (k *kept) Passed(at time.Time, oldest map[persistence.Table]time.Time) {
	for i, table := range persistence.Tables() {
		ns := int64(0)
		if t, ok := oldest[table]; ok {
			ns = t.UnixNano()
		}
		k.oldest[i].Store(ns)
	}
	k.passed.Store(at.UnixNano())
}

// currentDefinitions are the hashes of what the catalogue is made of.
func (n *Node) currentDefinitions() []string {
	var hashes []string
	if names := n.revisionRows.Load(); names != nil {
		hashes = append(hashes, *names...)
	}
	for _, a := range n.catalog.Load().Actions() {
		hashes = append(hashes, a.Hash)
	}
	return hashes
}

// askAgain is how long after a pass was asked for it is asked for again: the
// actor may have failed on the question.
const askAgain = 10 * time.Second

// Prune implements api.Admin. When ctx ends first, the pass goes on.
func (n *Node) Prune(ctx context.Context, r api.PruneRequest) (api.PruneReport, error) {
	ages := n.config.Keep.WithDefaults()
	if r.OlderThan != nil {
		ages.Executions, ages.Output = *r.OlderThan, *r.OlderThan
	}
	reports := make(chan retention.Report, 1)
	pass := &retention.Pass{Ages: ages, Try: r.Try, Reply: func(p retention.Report) { reports <- p }}
	again := time.NewTicker(askAgain)
	defer again.Stop()
	for {
		if err := n.Ready(); err != nil {
			return api.PruneReport{}, err
		}
		n.tree.Tell(n.tree.Retention, pass)
		select {
		case p := <-reports:
			return pruneReport(p), nil
		case <-again.C:
		case <-n.fatal:
			return api.PruneReport{}, &attune.Error{Kind: attune.Unavailable, Code: "node_failed", Message: "the node is ending: " + n.reason}
		case <-ctx.Done():
			return api.PruneReport{}, context.Cause(ctx)
		}
	}
}

func pruneReport(p retention.Report) api.PruneReport {
	r := api.PruneReport{Began: p.Began, Ended: p.Ended, Tables: []api.PrunedTable{}}
	for _, table := range persistence.Tables() {
		r.Tables = append(r.Tables, api.PrunedTable{Table: string(table), Rows: p.Rows[table]})
		r.Rows += p.Rows[table]
	}
	return r
}
