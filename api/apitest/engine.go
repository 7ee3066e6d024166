package apitest

import (
	"context"
	"sync"

	"github.com/attune-automation/attune"
	"github.com/attune-automation/attune/api"
	"github.com/attune-automation/attune/messages"
	"github.com/attune-automation/attune/packs"
)

// Engine answers as its fields say; a field that is nil answers with nothing.
// It implements api.Engine.
type Engine struct {
	// Snapshot is the catalogue.
	Snapshot *packs.Snapshot
	// Offer, Request and Stop are OfferEvent, RequestExecution and Cancel.
	Offer   func(api.EventOffer) (api.EventReceipt, error)
	Request func(api.ExecutionRequest) (api.ExecutionReceipt, error)
	Stop    func(id attune.ExecutionID, reason, principal string) (*attune.Execution, error)
	// Reload, Install and Remove are ReloadPacks, InstallPack and RemovePack.
	Reload  func(refs []string) ([]packs.Change, error)
	Install func(api.PackOrder) (packs.Change, error)
	Remove  func(api.PackOrder) (packs.Change, error)
	// Judged, Machines and Tree are Evaluations, Workers and Actors.
	Judged   []attune.Evaluation
	Machines []api.WorkerView
	Tree     []messages.ActorView
	// NotReady is why the node takes no work.
	NotReady error
	// Watched is told, without waiting, whenever somebody begins to watch.
	Watched chan attune.ExecutionID

	mu       sync.Mutex
	watchers map[chan struct{}]attune.ExecutionID
}

// Wake wakes whoever watches the execution.
func (e *Engine) Wake(id attune.ExecutionID) {
	e.mu.Lock()
	defer e.mu.Unlock()
	for c, of := range e.watchers {
		if of == id {
			select {
			case c <- struct{}{}:
			default:
			}
		}
	}
}

// Watch implements api.Engine, as do the methods below.
func (e *Engine) Watch(id attune.ExecutionID) (<-chan struct{}, func()) {
	c := make(chan struct{}, 1)
	e.mu.Lock()
	if e.watchers == nil {
		e.watchers = map[chan struct{}]attune.ExecutionID{}
	}
	e.watchers[c] = id
	e.mu.Unlock()
	select {
	case e.Watched <- id:
	default:
	}
	return c, func() {
		e.mu.Lock()
		defer e.mu.Unlock()
		delete(e.watchers, c)
	}
}

// Watchers counts those who watch.
func (e *Engine) Watchers() int {
	e.mu.Lock()
	defer e.mu.Unlock()
	return len(e.watchers)
}

// OfferEvent checks the payload against the catalogue, then asks Offer.
func (e *Engine) OfferEvent(_ context.Context, o api.EventOffer) (api.EventReceipt, error) {
	if err := e.Snapshot.CheckPayload(o.Trigger, o.Payload); err != nil && attune.KindOf(err) == attune.Invalid {
		return api.EventReceipt{}, err
	}
	return e.Offer(o)
}

// RequestExecution checks the request against the catalogue, then asks Request.
func (e *Engine) RequestExecution(_ context.Context, r api.ExecutionRequest) (api.ExecutionReceipt, error) {
	if _, _, err := e.Snapshot.Request(r.Action, r.Parameters); err != nil {
		return api.ExecutionReceipt{}, err
	}
	return e.Request(r)
}

// Cancel asks Stop.
func (e *Engine) Cancel(_ context.Context, id attune.ExecutionID, reason, principal string) (*attune.Execution, error) {
	return e.Stop(id, reason, principal)
}

// Evaluations are those of the event in Judged.
func (e *Engine) Evaluations(_ context.Context, event attune.EventID) ([]attune.Evaluation, error) {
	var of []attune.Evaluation
	for _, j := range e.Judged {
		if j.Event == event {
			of = append(of, j)
		}
	}
	return of, nil
}

// ReloadPacks asks Reload.
func (e *Engine) ReloadPacks(_ context.Context, refs ...string) ([]packs.Change, error) {
	return e.Reload(refs)
}

// InstallPack asks Install.
func (e *Engine) InstallPack(_ context.Context, o api.PackOrder) (packs.Change, error) {
	return e.Install(o)
}

// RemovePack asks Remove.
func (e *Engine) RemovePack(_ context.Context, o api.PackOrder) (packs.Change, error) {
	return e.Remove(o)
}

// Catalog is Snapshot.
func (e *Engine) Catalog() *packs.Snapshot { return e.Snapshot }

// Workers are Machines.
func (e *Engine) Workers(context.Context) ([]api.WorkerView, error) { return e.Machines, nil }

// Actors are Tree.
func (e *Engine) Actors() []messages.ActorView { return e.Tree }

// Actor finds one in Tree.
func (e *Engine) Actor(_ context.Context, path string) (messages.ActorDetail, error) {
	for _, a := range e.Tree {
		if a.Path == path {
			return messages.ActorDetail{ActorView: a, Detail: []byte(`{"live":1}`)}, nil
		}
	}
	return messages.ActorDetail{}, absent("actor")
}

// Ready is NotReady.
func (e *Engine) Ready() error { return e.NotReady }

// Node is a node without a place.
func (e *Engine) Node() api.NodeView { return api.NodeView{Name: "test", Version: "test"} }
