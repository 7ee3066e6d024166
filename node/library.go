package node

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"github.com/attune-automation/attune"
	"github.com/attune-automation/attune/api"
	"github.com/attune-automation/attune/packs"
)

const (
	// lookEvery is how often the files of packs are looked at. A change is read
	// when it has rested for that long.
	lookEvery = 500 * time.Millisecond
	// lookShare is the part of its time, one in so many, that looking may take:
	// ten thousand actions are looked at less often, but at least every lookAtMost.
	lookShare  = 50
	lookAtMost = 5 * time.Second
)

// library is the packs of a node that stand in folders.
type library struct {
	mu    sync.Mutex
	packs *packs.Library // or nil; guarded by mu
	// behind tells that what was read is not yet the node's.
	behind bool
	// changed is told of every change, one at a time; it may be nil.
	changed func([]packs.Change, *packs.Snapshot)
}

var errNoLibrary = &attune.Error{Kind: attune.Invalid, Code: "no_installs", Message: "the packs of this node cannot be changed"}

// ReloadPacks implements api.PackKeeper.
func (n *Node) ReloadPacks(ctx context.Context, refs ...string) ([]packs.Change, error) {
	l := &n.library
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.packs == nil {
		return nil, errNoLibrary
	}
	return n.reload(ctx, refs...)
}

// reload makes what the files say the node's; library.mu is held.
func (n *Node) reload(ctx context.Context, refs ...string) ([]packs.Change, error) {
	l := &n.library
	changes := l.packs.Reload(refs...)
	l.behind = true
	if err := n.SetPacks(ctx, l.packs.Packs()); err != nil {
		return nil, err
	}
	l.behind = false
	if l.changed != nil && len(changes) > 0 {
		l.changed(changes, n.catalog.Load())
	}
	return changes, nil
}

// InstallPack implements api.PackKeeper. A pack with faults, and one that would
// break a rule that works, are refused unless forced.
func (n *Node) InstallPack(ctx context.Context, o api.PackOrder) (packs.Change, error) {
	return n.change(ctx, o, func(l *packs.Library) (*packs.Proposal, error) { return l.ProposeInstall(o.Ref, o.Archive) })
}

// RemovePack implements api.PackKeeper. A pack that rules of others need is
// refused unless forced.
func (n *Node) RemovePack(ctx context.Context, o api.PackOrder) (packs.Change, error) {
	return n.change(ctx, o, func(l *packs.Library) (*packs.Proposal, error) { return l.ProposeRemove(o.Ref) })
}

func (n *Node) change(ctx context.Context, o api.PackOrder, propose func(*packs.Library) (*packs.Proposal, error)) (packs.Change, error) {
	l := &n.library
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.packs == nil {
		return packs.Change{}, errNoLibrary
	}
	p, err := propose(l.packs)
	if err != nil {
		return packs.Change{}, err
	}
	if err := n.refusal(p, o); err != nil {
		_ = p.Drop() // what is left of it is ended at the next start
		return packs.Change{}, err
	}
	if o.DryRun || p.Change.Change == packs.Unchanged {
		return p.Change, p.Drop()
	}
	if err := p.Apply(); err != nil {
		return packs.Change{}, err
	}
	_, err = n.reload(ctx, o.Ref)
	return p.Change, err
}

// refusal is why a change is not made, or nil.
func (n *Node) refusal(p *packs.Proposal, o api.PackOrder) error {
	if o.Force {
		return nil
	}
	if p.Pack != nil && len(p.Pack.Faults) > 0 {
		return &attune.Error{Kind: attune.Invalid, Code: "broken_pack", Message: "the pack " + o.Ref + " has faults", Faults: p.Pack.Faults,
			Try: "mend it, or install what is sound of it with --force"}
	}
	if breaks := p.Breaks(n.catalog.Load().Rules()); len(breaks) > 0 {
		return &attune.Error{Kind: attune.Conflict, Code: "pack_needed", Message: "rules of others would not work any more", Faults: breaks,
			Try: "change those rules first, or go on with --force"}
	}
	return nil
}

// watchPacks reads packs again after their files were saved, until ctx ends.
func (n *Node) watchPacks(ctx context.Context) {
	wait := lookEvery
	for {
		timer := time.NewTimer(wait)
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
			return
		}
		began := time.Now()
		moving, err := n.look(ctx)
		if err != nil && ctx.Err() == nil {
			n.tree.Log.Warn("the packs were read and cannot be taken over; trying again", slog.Any("error", err))
		}
		wait = lookEvery
		if !moving {
			wait = min(max(lookEvery, lookShare*time.Since(began)), lookAtMost)
		}
	}
}

// look looks once. It is moving while a change has yet to rest.
func (n *Node) look(ctx context.Context) (moving bool, err error) {
	l := &n.library
	l.mu.Lock()
	defer l.mu.Unlock()
	if !l.packs.Look() && !l.behind && !n.doubtful.Load() {
		return l.packs.Moving(), nil
	}
	_, err = n.reload(ctx)
	return false, err
}
