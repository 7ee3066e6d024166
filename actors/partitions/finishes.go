package partitions

import (
	"context"
	"time"

	"github.com/attune-automation/attune"
	"github.com/attune-automation/attune/actors"
	"github.com/attune-automation/attune/messages"
	"github.com/attune-automation/attune/persistence"
)

// finishes follows which ends were announced. Ends are numbered as they enter a
// flush; announced_to advances only over numbers without a gap, and only when
// the broker has proven that it took them, once a second. A later owner
// announces what lies above it again.
type finishes struct {
	part      *partition
	announced int64          // stored
	through   int64          // announced without a gap
	ahead     map[int64]bool // announced beyond a gap
	proving   bool
	// doubts counts the starts of the broker's actor: what it was handed before
	// one may be lost, and what it proves after it says nothing of that.
	doubts int
	// settled is the count of doubts since which all was announced again.
	settled int
	// losses is the count of the broker's losses since which all was announced: a
	// proof says nothing of what was lost before it, when the count has risen.
	losses int64
	// watched means that a gap is being looked at.
	watched bool
}

const (
	proveEvery = time.Second
	// gapWait is how long a number may be missing below others: the word of what
	// became of it may have been lost with this actor's life before.
	gapWait = 5 * time.Second
)

func (f *finishes) start(p *partition) {
	f.part, f.ahead, f.losses = p, map[int64]bool{}, p.tree.Meters.AnnounceLosses.Load()
}

// done counts a number as announced, or as one that went to no row.
func (f *finishes) done(n int64) {
	if n <= f.through {
		return
	}
	f.ahead[n] = true
	f.advance()
	f.watch()
	f.prove()
}

// watch looks later whether a gap is still the same. What is stored above it
// proves that its numbers are decided.
func (f *finishes) watch() {
	if f.watched || len(f.ahead) == 0 {
		return
	}
	f.watched = true
	tree, self, g := f.part.tree, f.part.self, &gap{f.part, f.through}
	tree.Clock.AfterFunc(gapWait, func() { tree.Tell(self, g) })
}

func (p *partition) lookAt(g *gap) {
	f := &p.finishes
	if g.by != p {
		return
	}
	if f.watched = false; f.through == g.at && len(f.ahead) > 0 {
		p.unproven(f.announced)
	}
	f.watch()
}

func (f *finishes) advance() {
	for f.ahead[f.through+1] {
		f.through++
		delete(f.ahead, f.through)
	}
}

// pass counts all numbers up to one that is stored, and announced now: those
// between went to no row, as a partition that was restarted may have forgotten.
func (f *finishes) pass(n int64) {
	for i := f.through + 1; i <= n; i++ {
		delete(f.ahead, i)
	}
	f.through = max(f.through, n)
	f.advance()
	f.prove()
}

// prove asks the broker a second later for the proof of what is announced by
// then.
func (f *finishes) prove() {
	if f.proving || f.through == f.announced {
		return
	}
	f.proving = true
	tree, self := f.part.tree, f.part.self
	tree.Clock.AfterFunc(proveEvery, func() { tree.Tell(self, &prove{}) })
}

type (
	prove struct{}
	// gap is where the numbers without a gap ended some time ago.
	gap struct {
		by *partition
		at int64
	}
	proven struct {
		through int64
		doubts  int
		err     error
	}
	// unproven is a page of the ends that are not proven announced.
	unproven struct {
		by     *partition
		doubts int
		rows   []*attune.Execution
		err    error
	}
)

func (p *partition) askProof() {
	tree, self, through, doubts := p.tree, p.self, p.finishes.through, p.finishes.doubts
	tree.Tell(tree.Broker, &messages.SyncBroker{Reply: func(err error) { tree.Tell(self, &proven{through, doubts, err}) }})
}

// proven stores what the broker took.
func (p *partition) proven(m *proven) {
	f := &p.finishes
	if m.err != nil || m.doubts != f.doubts || f.settled != f.doubts {
		f.proving = false
		f.prove()
		return
	}
	if p.tree.Meters.AnnounceLosses.Load() != f.losses {
		p.doubted()
		return
	}
	p.tree.Tell(p.tree.Writer, &actors.Submit{Op: &persistence.Announced{Partition: p.row.ID, Through: m.through}, ReplyTo: p.self})
}

// doubted reads again what is not proven announced: the broker, or its actor, may
// have lost it, or the question for the proof.
func (p *partition) doubted() {
	p.finishes.doubts++
	p.finishes.losses = p.tree.Meters.AnnounceLosses.Load()
	p.unproven(p.finishes.announced)
}

func (p *partition) unproven(after int64) {
	tree, store, id, self, doubts := p.tree, p.store, p.row.ID, p.self, p.finishes.doubts
	tree.Lend(func() {
		rows, err := store.Unannounced(context.Background(), id, after, loadPage)
		tree.Tell(self, &unproven{p, doubts, rows, err})
	})
}

func (p *partition) announceAgain(m *unproven) {
	f := &p.finishes
	switch {
	case m.by != p || m.doubts != f.doubts: // it is being read again
	case m.err != nil:
		tree, self := p.tree, p.self
		tree.Clock.AfterFunc(loadRetry, func() { tree.Tell(self, &actors.BrokerStarted{}) })
	default:
		for _, x := range m.rows {
			p.tree.Tell(p.tree.Broker, &messages.Announce{End: messages.EndOf(x)})
			f.pass(x.FinishNumber)
		}
		if len(m.rows) == loadPage {
			p.unproven(m.rows[loadPage-1].FinishNumber)
			return
		}
		f.settled, f.proving = f.doubts, false
		f.prove()
	}
}

// stored goes on from a stored mark; zero means that it was not stored.
func (f *finishes) stored(through int64) {
	f.announced = max(f.announced, through)
	f.part.row.AnnouncedTo = f.announced
	f.proving = false
	f.pass(f.announced) // of this actor's life before its restart, it may be news
}
