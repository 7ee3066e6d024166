package partitions

import (
	"time"

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
}

const proveEvery = time.Second

func (f *finishes) start(p *partition) { f.part, f.ahead = p, map[int64]bool{} }

// done counts a number as announced, or as one that went to no row.
func (f *finishes) done(n int64) {
	if n <= f.through {
		return
	}
	f.ahead[n] = true
	for f.ahead[f.through+1] {
		f.through++
		delete(f.ahead, f.through)
	}
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
	prove  struct{}
	proven struct {
		through int64
		err     error
	}
)

func (p *partition) askProof() {
	tree, self, through := p.tree, p.self, p.finishes.through
	tree.Tell(tree.Broker, &messages.SyncBroker{Reply: func(err error) { tree.Tell(self, &proven{through, err}) }})
}

// proven stores what the broker took.
func (p *partition) proven(m *proven) {
	f := &p.finishes
	if m.err != nil {
		f.proving = false
		f.prove()
		return
	}
	p.tree.Tell(p.tree.Writer, &actors.Submit{Op: &persistence.Announced{Partition: p.row.ID, Through: m.through}, ReplyTo: p.self})
}

func (f *finishes) stored(through int64) {
	f.announced = max(f.announced, through)
	f.proving = false
	f.prove()
}
