package api

import (
	"cmp"
	"context"
	"slices"

	"github.com/attune-automation/attune"
	"github.com/attune-automation/attune/persistence"
)

// scope is what an execution's token may see: the tree of executions that it
// belongs to, the event and the enforcement that began the tree, and the events
// that it sent itself. Everything else is not there, neither by id nor in lists
// nor as a filter: it is answered like an id that nothing has.
type scope struct {
	// own is the execution whose token it is.
	own         attune.ExecutionID
	root        attune.ExecutionID
	event       attune.EventID
	enforcement attune.EnforcementID
	// chain is that of the execution.
	chain attune.Chain
}

func newScope(ctx context.Context, rows Store, x *attune.Execution) (*scope, error) {
	root := x
	if x.Root != 0 && x.Root != x.ID {
		var err error
		if root, err = rows.Execution(ctx, x.Root); err != nil && attune.KindOf(err) != attune.NotFound {
			return nil, err
		} else if err != nil { // no longer kept: what it was caused by is not either
			root = &attune.Execution{ID: x.Root}
		}
	}
	return &scope{own: x.ID, root: root.ID, event: root.Event, enforcement: root.Enforcement, chain: x.Chain}, nil
}

func (s *scope) holds(x *attune.Execution) bool { return x.ID == s.root || x.Root == s.root }

// scopeOf is what the caller of a request may see; nil is everything.
func scopeOf(ctx context.Context) *scope {
	if who := principalIn(ctx); who != nil {
		return who.scope
	}
	return nil
}

// missing is the error for a row that is not there for this caller: that of
// the stores for a row that is not there at all.
func missing(id interface{ String() string }, noun string) error {
	return persistence.Missing(noun + " " + id.String())
}

// within is a store as the caller of a request sees it. Every handler reads
// through it, so that none can forget.
type within struct{ Store }

// Event implements persistence.Reader, as do the methods below.
func (w within) Event(ctx context.Context, id attune.EventID) (*attune.Event, error) {
	e, err := w.Store.Event(ctx, id)
	if s := scopeOf(ctx); s == nil || err != nil || id == s.event || e.Chain.Principal == executionPrincipal(s.own) {
		return e, err
	}
	return nil, missing(id, "event")
}

// Enforcement finds a row.
func (w within) Enforcement(ctx context.Context, id attune.EnforcementID) (*attune.Enforcement, error) {
	e, err := w.Store.Enforcement(ctx, id)
	if s := scopeOf(ctx); s == nil || err != nil || id == s.enforcement {
		return e, err
	}
	return nil, missing(id, "enforcement")
}

// Execution finds a row.
func (w within) Execution(ctx context.Context, id attune.ExecutionID) (*attune.Execution, error) {
	x, err := w.Store.Execution(ctx, id)
	if s := scopeOf(ctx); s == nil || err != nil || s.holds(x) {
		return x, err
	}
	return nil, missing(id, "execution")
}

// ReadOutput reads what an attempt printed.
func (w within) ReadOutput(ctx context.Context, token attune.Token, stream persistence.Stream, offset int64, limit int) ([]byte, error) {
	if scopeOf(ctx) != nil {
		if _, err := w.Execution(ctx, token.Execution); err != nil {
			return nil, err
		}
	}
	return w.Store.ReadOutput(ctx, token, stream, offset, limit)
}

// NextOutput reads the next piece of what an attempt printed.
func (w within) NextOutput(ctx context.Context, token attune.Token, stream persistence.Stream, offset int64, limit int) (persistence.OutputChunk, error) {
	if scopeOf(ctx) != nil {
		if _, err := w.Execution(ctx, token.Execution); err != nil {
			return persistence.OutputChunk{}, err
		}
	}
	return w.Store.NextOutput(ctx, token, stream, offset, limit)
}

// Events lists, for a scope, its event alone: those that the execution sent are
// found by id.
func (w within) Events(ctx context.Context, q persistence.Query) ([]*attune.Event, error) {
	s := scopeOf(ctx)
	if s == nil {
		return w.Store.Events(ctx, q)
	}
	if err := w.filters(ctx, s, q); err != nil || s.event == 0 {
		return nil, err
	}
	q.Event = s.event
	return w.Store.Events(ctx, q)
}

// Enforcements lists, for a scope, its enforcement alone.
func (w within) Enforcements(ctx context.Context, q persistence.Query) ([]*attune.Enforcement, error) {
	s := scopeOf(ctx)
	if s == nil {
		return w.Store.Enforcements(ctx, q)
	}
	if err := w.filters(ctx, s, q); err != nil || s.enforcement == 0 {
		return nil, err
	}
	q.Event, q.Enforcement = s.event, s.enforcement
	return w.Store.Enforcements(ctx, q)
}

// Executions lists, for a scope, its tree.
func (w within) Executions(ctx context.Context, q persistence.Query) ([]*attune.Execution, error) {
	s := scopeOf(ctx)
	if s == nil {
		return w.Store.Executions(ctx, q)
	}
	if err := w.filters(ctx, s, q); err != nil {
		return nil, err
	}
	if q.Parent != 0 {
		return w.Store.Executions(ctx, q)
	}
	return w.tree(ctx, s, q)
}

// filters refuses ids that the scope does not hold.
func (w within) filters(ctx context.Context, s *scope, q persistence.Query) error {
	switch {
	case q.Event != 0 && q.Event != s.event:
		return missing(q.Event, "event")
	case q.Enforcement != 0 && q.Enforcement != s.enforcement:
		return missing(q.Enforcement, "enforcement")
	case q.Parent != 0:
		_, err := w.Execution(ctx, q.Parent)
		return err
	}
	return nil
}

// maxTree bounds the executions that are looked at for one list of a tree.
const maxTree = 10_000

// tree walks from parents to children, by their index, and keeps the newest
// rows that the query asks for. The naive way, to walk the whole table and keep
// what is of the tree, would let an action make the store read everything. On
// the way rows are held without their documents, of which a tree may have many
// gigabytes; those of the page are read again in full.
func (w within) tree(ctx context.Context, s *scope, q persistence.Query) ([]*attune.Execution, error) {
	root, err := w.Store.Execution(ctx, s.root)
	if err != nil {
		return nil, err
	}
	var kept []*attune.Execution
	seen := 0
	for level := []*attune.Execution{light(root)}; len(level) > 0; {
		var below []*attune.Execution
		for _, x := range level {
			if seen++; seen > maxTree {
				return nil, &attune.Error{Kind: attune.TooLarge, Code: "tree_too_large", Try: "?parent=ID lists the children of one",
					Message: "the tree has more executions than can be listed at once"}
			}
			if asked(q, x) {
				kept = append(kept, x)
			}
			children, err := w.children(ctx, x.ID)
			if err != nil {
				return nil, err
			}
			below = append(below, children...)
		}
		if level = below; len(kept) > 2*q.Limit || len(level) == 0 {
			slices.SortFunc(kept, func(a, b *attune.Execution) int { return cmp.Compare(b.ID, a.ID) })
			kept = kept[:min(len(kept), q.Limit)]
		}
	}
	for i, x := range kept {
		if kept[i], err = w.Store.Execution(ctx, x.ID); err != nil {
			return nil, err
		}
	}
	return kept, nil
}

// light is a copy without documents.
func light(x *attune.Execution) *attune.Execution {
	c := *x
	c.Parameters, c.Result, c.History = nil, nil, nil
	return &c
}

// childrenPage is how many rows are held in full at a time.
const childrenPage = 100

// children are all those of one execution, light, as far as a tree is looked at.
func (w within) children(ctx context.Context, parent attune.ExecutionID) (all []*attune.Execution, err error) {
	for q := (persistence.Query{Parent: parent, Limit: childrenPage}); len(all) <= maxTree; {
		page, err := w.Store.Executions(ctx, q)
		if err != nil {
			return nil, err
		}
		for _, x := range page {
			all = append(all, light(x))
		}
		if len(page) < q.Limit {
			break
		}
		q.Before = attune.ID(page[len(page)-1].ID)
	}
	return all, nil
}

// asked says that a query asks for the row.
func asked(q persistence.Query, x *attune.Execution) bool {
	from, to := q.Bounds()
	fits := func(want, have string) bool { return want == "" || want == have }
	return attune.ID(x.ID) >= from && attune.ID(x.ID) < to && fits(q.Trigger, x.Trigger) && fits(q.Rule, x.Rule) && fits(q.Action, x.Action) &&
		fits(q.Worker, x.Worker) && (q.Status == attune.NoStatus || q.Status == x.Status) &&
		(q.Event == 0 || q.Event == x.Event) && (q.Enforcement == 0 || q.Enforcement == x.Enforcement)
}
