package apitest

import (
	"context"
	"sync"
	"time"

	"github.com/attune-automation/attune"
	"github.com/attune-automation/attune/api"
	"github.com/attune-automation/attune/messages"
	"github.com/attune-automation/attune/packs"
	"github.com/attune-automation/attune/rules"
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
	// Apply, Delete and Switch are ApplyRule, DeleteRule and SwitchRule; Again is
	// RerunEnforcement and RerunExecution.
	Apply  func(r *attune.Rule, principal string, dry bool) (api.RuleChange, error)
	Delete func(ref string) error
	Switch func(ref string, enabled bool, principal string) (*rules.Rule, error)
	Again  func(id attune.ID, dedupe string, chain attune.Chain) (api.ExecutionReceipt, error)
	// Reload, Install and Remove are ReloadPacks, InstallPack and RemovePack.
	Reload  func(refs []string) ([]packs.Change, error)
	Install func(api.PackOrder) (packs.Change, error)
	Remove  func(api.PackOrder) (packs.Change, error)
	// Letters are DeadLetters; Letter is DeadLetter ("get"), ReplayDeadLetter
	// ("replay") and DropDeadLetter ("drop").
	Letters []messages.DeadLetter
	Letter  func(verb, id string) (messages.DeadLetter, error)
	// Judged, Machines and Tree are Evaluations, Workers and Actors.
	Judged   []attune.Evaluation
	Machines []api.WorkerView
	Tree     []messages.ActorView
	// Drain, Forget, Link and Content are DrainWorker, RemoveWorker, LinkWorker
	// and PackContent.
	Drain   func(name string, on bool) (api.WorkerView, error)
	Forget  func(name string) (api.WorkerView, error)
	Link    func(worker, session string, brought []messages.Parcel, wait time.Duration) ([]messages.Parcel, error)
	Content func(ref, content string) ([]byte, error)
	// NotReady is why the node takes no work.
	NotReady error
	// Health is Parts.
	Health []api.PartHealth
	// Watched is told, without waiting, whenever somebody begins to watch.
	Watched chan attune.ExecutionID

	mu       sync.Mutex
	watchers map[chan struct{}]attune.ExecutionID
	changes  []api.Change
	ears     map[*ear]bool
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

// RulesAt are those of Snapshot, at its revision alone.
func (e *Engine) RulesAt(_ context.Context, revision int64) (*rules.Set, error) {
	if revision != e.Snapshot.Revision() {
		return nil, absent("revision")
	}
	return e.Snapshot.Rules(), nil
}

// ApplyRule asks Apply, once the rule is compiled.
func (e *Engine) ApplyRule(_ context.Context, r *attune.Rule, principal string, dry bool) (api.RuleChange, error) {
	if _, faults := e.Snapshot.Compile(r); len(faults) > 0 {
		return api.RuleChange{}, &attune.Error{Kind: attune.Invalid, Code: "invalid_rule", Message: "the rule " + r.Ref + " is wrong", Faults: faults}
	}
	return e.Apply(r, principal, dry)
}

// DeleteRule asks Delete.
func (e *Engine) DeleteRule(_ context.Context, ref string) error { return e.Delete(ref) }

// SwitchRule asks Switch.
func (e *Engine) SwitchRule(_ context.Context, ref string, enabled bool, principal string) (*rules.Rule, error) {
	return e.Switch(ref, enabled, principal)
}

// RerunEnforcement asks Again.
func (e *Engine) RerunEnforcement(_ context.Context, id attune.EnforcementID, chain attune.Chain) (api.ExecutionReceipt, error) {
	return e.Again(attune.ID(id), "", chain)
}

// RerunExecution asks Again.
func (e *Engine) RerunExecution(_ context.Context, id attune.ExecutionID, dedupe string, chain attune.Chain) (api.ExecutionReceipt, error) {
	return e.Again(attune.ID(id), dedupe, chain)
}

// DeadLetters are a page of Letters.
func (e *Engine) DeadLetters(_ context.Context, q api.DeadLetterQuery) (found []messages.DeadLetter, more bool, err error) {
	for _, l := range e.Letters {
		switch {
		case q.Key != "" && q.Key != l.Key:
		case q.Skip > 0:
			q.Skip--
		case len(found) == q.Limit:
			return found, true, nil
		default:
			found = append(found, l)
		}
	}
	return found, false, nil
}

// DeadLetter asks Letter.
func (e *Engine) DeadLetter(_ context.Context, id string) (messages.DeadLetter, error) {
	return e.Letter("get", id)
}

// ReplayDeadLetter asks Letter.
func (e *Engine) ReplayDeadLetter(_ context.Context, id string) (messages.DeadLetter, error) {
	return e.Letter("replay", id)
}

// DropDeadLetter asks Letter.
func (e *Engine) DropDeadLetter(_ context.Context, id string) (messages.DeadLetter, error) {
	return e.Letter("drop", id)
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

// DrainWorker asks Drain.
func (e *Engine) DrainWorker(_ context.Context, name string, on bool) (api.WorkerView, error) {
	return e.Drain(name, on)
}

// RemoveWorker asks Forget.
func (e *Engine) RemoveWorker(_ context.Context, name string) (api.WorkerView, error) {
	return e.Forget(name)
}

// LinkWorker asks Link.
func (e *Engine) LinkWorker(_ context.Context, worker, session string, brought []messages.Parcel, wait time.Duration) ([]messages.Parcel, error) {
	return e.Link(worker, session, brought, wait)
}

// PackContent asks Content.
func (e *Engine) PackContent(_ context.Context, ref, content string) ([]byte, error) {
	return e.Content(ref, content)
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

// Tell makes changes known, numbered from 1.
func (e *Engine) Tell(changes ...api.Change) {
	e.mu.Lock()
	defer e.mu.Unlock()
	for _, c := range changes {
		c.Number = int64(len(e.changes) + 1)
		e.changes = append(e.changes, c)
	}
	for l := range e.ears {
		select {
		case l.woken <- struct{}{}:
		default:
		}
	}
}

// Listeners counts those who listen.
func (e *Engine) Listeners() int {
	e.mu.Lock()
	defer e.mu.Unlock()
	return len(e.ears)
}

// Listen follows what Tell says. Everything is remembered.
func (e *Engine) Listen(after int64) api.Listener {
	e.mu.Lock()
	defer e.mu.Unlock()
	if after < 0 {
		after = int64(len(e.changes))
	}
	l := &ear{engine: e, place: after, woken: make(chan struct{}, 1)}
	if e.ears == nil {
		e.ears = map[*ear]bool{}
	}
	e.ears[l] = true
	return l
}

// ear is a listener.
type ear struct {
	engine *Engine
	place  int64 // guarded by the engine's mu
	woken  chan struct{}
}

// Read implements api.Listener, as do the methods below. A place that is not
// there yet is lost.
func (l *ear) Read(into []api.Change) (int, bool) {
	l.engine.mu.Lock()
	defer l.engine.mu.Unlock()
	if l.place > int64(len(l.engine.changes)) {
		l.place = int64(len(l.engine.changes))
		return 0, true
	}
	n := copy(into, l.engine.changes[l.place:])
	l.place += int64(n)
	return n, false
}

// Place is where it stands.
func (l *ear) Place() int64 {
	l.engine.mu.Lock()
	defer l.engine.mu.Unlock()
	return l.place
}

// Woken gets a word with each Tell.
func (l *ear) Woken() <-chan struct{} { return l.woken }

// Close ends it.
func (l *ear) Close() {
	l.engine.mu.Lock()
	defer l.engine.mu.Unlock()
	delete(l.engine.ears, l)
}

// Ready is NotReady.
func (e *Engine) Ready() error { return e.NotReady }

// Parts is Health.
func (e *Engine) Parts() []api.PartHealth { return e.Health }

// Node is a node without a place.
func (e *Engine) Node() api.NodeView {
	return api.NodeView{Name: "test", Incarnation: "test-1", Version: "test"}
}
