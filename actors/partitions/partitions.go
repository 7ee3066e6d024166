// Package partitions holds the actors between a node and its executions: one
// for all partitions of the node, and one per partition.
package partitions

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"github.com/asynkron/protoactor-go/actor"

	"github.com/attune-automation/attune"
	"github.com/attune-automation/attune/actors"
	"github.com/attune-automation/attune/cluster"
	"github.com/attune-automation/attune/messages"
	"github.com/attune-automation/attune/persistence"
)

// Store is what partitions read and claim.
type Store interface {
	persistence.Leases
	persistence.Loader
	Execution(ctx context.Context, id attune.ExecutionID) (*attune.Execution, error)
}

// Executions makes the actor of an execution. It is how the node lends one kind
// of actor to another.
type Executions struct {
	// Props are those of an execution's actor.
	Props *actor.Props
	// Panicked is the message that ends an execution whose actor failed too
	// often.
	Panicked func(reason string) any
	// Place is the request for a slot of an execution that waits for one.
	Place func(persistence.Live) *messages.Place
	// Warm is how many executions of a partition that wait for a slot keep
	// their actors; those behind them are passive.
	Warm int
	// Prepare fetches what the actors of these executions will need and may
	// not block for. It is called on a lent turn.
	Prepare func(rows []*attune.Execution) error
}

// Partitions compares the partitions the node owns with those it should own,
// and claims what is free. Its children are the owned ones.
type Partitions struct {
	actors.Supervisor
	tree       *actors.Tree
	store      Store
	executions Executions
	owned      Owned
	claimed    map[int]*actor.PID
	claiming   bool
}

// Owned is told which partitions the node owns, for whoever routes.
type Owned interface {
	// Claim records that the node owns a partition at an epoch.
	Claim(partition int, epoch int64)
	// Next records the first due moment of a partition, in unix nanoseconds of
	// database time, or zero: how overdue it gets is a metric.
	Next(partition int, due int64)
	// Live records how many live executions a partition has, and Room also
	// whether the node may have so many; if not, nothing is recorded.
	Live(partition, count int)
	Room(partition, count int) bool
}

// claimRetry is how long after a claim the next is tried, while it failed or
// others own partitions: their leases may end. Where one ends sooner the claim is
// tried just behind its end: whoever starts after a kill is not to wait longer
// than it must.
const (
	claimRetry  = time.Second
	claimBehind = 20 * time.Millisecond
)

// New is the actor above all partitions of a node.
func New(tree *actors.Tree, store Store, executions Executions, owned Owned) *Partitions {
	return &Partitions{Supervisor: actors.Supervisor{Clock: tree.Clock, Limit: 5, Within: time.Minute,
		GaveUp: func(child *actor.PID, reason any) {
			tree.Fatal(fmt.Sprintf("%s failed 5 times within 60 s: %v", child.Id, reason))
		}},
		tree: tree, store: store, executions: executions, owned: owned, claimed: map[int]*actor.PID{}}
}

// Kind implements actors.Actor.
func (p *Partitions) Kind() string { return "partitions" }

// State implements actors.Actor.
func (p *Partitions) State() string {
	if p.claiming {
		return "claiming"
	}
	return "settled"
}

// Detail implements actors.Actor.
func (p *Partitions) Detail() any { return map[string]any{"owned": len(p.claimed)} }

type (
	claimed struct {
		rows []persistence.Partition
		// again is how long until the first lease of another ends, if it is not
		// renewed.
		again time.Duration
		err   error
	}
	claim struct{}
)

// Receive implements actor.Actor.
func (p *Partitions) Receive(ctx actor.Context) {
	switch m := ctx.Message().(type) {
	case *actor.Started, *claim:
		p.claim()
	case *claimed:
		p.settle(ctx, m)
	case *messages.WorkerLost, *messages.SchedulerStarted, *actors.BrokerStarted, *actors.RulesStarted:
		for i := range attune.Partitions {
			if p.claimed[i] != nil {
				p.tree.Tell(p.claimed[i], m)
			}
		}
	}
}

// claim takes over what placement over the live leases gives this node and no
// live node owns.
func (p *Partitions) claim() {
	p.claiming = true
	tree, store := p.tree, p.store
	tree.Lend(func() {
		rows, again, err := takeOver(context.Background(), store, tree.Incarnation)
		tree.Tell(tree.Partitions, &claimed{rows, again, err})
	})
}

func takeOver(ctx context.Context, store persistence.Leases, me string) (_ []persistence.Partition, again time.Duration, err error) {
	leases, err := store.LeaseRows(ctx)
	if err != nil {
		return nil, 0, err
	}
	now, err := store.Renew(ctx, me, cluster.LeaseTTL)
	if err != nil {
		return nil, 0, err
	}
	again = claimRetry
	live := map[string]bool{me: true}
	members := []string{me}
	for _, l := range leases {
		if l.Incarnation != me && !l.Dead && l.Expires.After(now) {
			live[l.Incarnation] = true
			members = append(members, l.Incarnation)
			again = min(again, l.Expires.Sub(now)+claimBehind)
		}
	}
	rows, err := store.PartitionRows(ctx)
	if err != nil {
		return nil, 0, err
	}
	wanted := cluster.Place(members, attune.Partitions)
	from := map[string][]int{}
	var order []string
	for _, row := range rows {
		if wanted[row.ID] != me || live[row.Owner] {
			continue
		}
		if from[row.Owner] == nil {
			order = append(order, row.Owner)
		}
		from[row.Owner] = append(from[row.Owner], row.ID)
	}
	for _, owner := range order {
		if err := store.TakeOver(ctx, owner, me, from[owner]); err != nil {
			return nil, 0, fmt.Errorf("take over %d partitions of %q: %w", len(from[owner]), owner, err)
		}
	}
	rows, err = store.PartitionRows(ctx)
	return rows, again, err
}

func (p *Partitions) settle(ctx actor.Context, m *claimed) {
	if m.err != nil {
		p.tree.Log.Error("claiming partitions failed, trying again", slog.String("error", m.err.Error()))
		p.tree.Clock.AfterFunc(claimRetry, func() { p.tree.Tell(p.tree.Partitions, &claim{}) })
		return
	}
	p.claiming = false
	for _, row := range m.rows {
		if row.Owner != p.tree.Incarnation || p.claimed[row.ID] != nil {
			continue
		}
		p.owned.Claim(row.ID, row.Epoch)
		p.tree.Tell(p.tree.Writer, &actors.Owned{Partition: row.ID, FinishNumber: max(row.FinishNumber, row.AnnouncedTo)})
		row := row
		pid, err := ctx.SpawnNamed(p.tree.Props(func() actors.Actor { return newPartition(p.tree, p.store, p.executions, &row, p.owned) }), actors.PartitionName(row.ID))
		if err != nil {
			panic(err) // the name is ours alone
		}
		p.claimed[row.ID] = pid
	}
	if len(p.claimed) < attune.Partitions {
		p.tree.Clock.AfterFunc(m.again, func() { p.tree.Tell(p.tree.Partitions, &claim{}) })
	}
}
