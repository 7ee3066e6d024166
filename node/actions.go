package node

import (
	"context"
	"encoding/json"
	"fmt"
	"sync"

	"github.com/attune-automation/attune"
	"github.com/attune-automation/attune/packs"
	"github.com/attune-automation/attune/persistence"
	"github.com/attune-automation/attune/secret"
)

// actions are the actions by content: what is under way keeps the one it began
// with, also when its pack has changed since.
type actions struct {
	store  persistence.Catalog
	byHash sync.Map // string -> *attune.Action
}

// find is the action with that content, or nil.
func (a *actions) find(hash string) *attune.Action {
	if v, ok := a.byHash.Load(hash); ok {
		return v.(*attune.Action)
	}
	return nil
}

// fetch reads the actions of executions that were loaded. One that is not
// stored stays unknown: its dispatch says no more than its name. After an error
// it is called again.
func (a *actions) fetch(rows []*attune.Execution) error {
	for _, x := range rows {
		if a.find(x.ActionHash) != nil {
			continue
		}
		def, err := a.store.Definition(context.Background(), x.ActionHash)
		if err != nil && attune.KindOf(err) == attune.NotFound {
			continue
		}
		if err != nil {
			return fmt.Errorf("read the definition of %s: %w", x.ID, err)
		}
		action := &attune.Action{}
		if json.Unmarshal(def.Body, action) == nil {
			a.byHash.Store(x.ActionHash, action)
		}
	}
	return nil
}

// keep stores actions, and remembers them once they are stored. Those of the
// present catalogue are stored already: of ten thousand a reload brings a few.
func (a *actions) keep(ctx context.Context, all []*attune.Action, present *packs.Snapshot) error {
	defs := make([]persistence.Definition, 0, len(all))
	for _, action := range all {
		if present.Holds(action) {
			continue
		}
		body, err := json.Marshal(secret.WithoutDefaults(action))
		if err != nil {
			return fmt.Errorf("encode action %s: %w", action.Ref, err)
		}
		defs = append(defs, persistence.Definition{Hash: action.Hash, Kind: "action", Ref: action.Ref, Body: body})
	}
	if err := a.store.PutDefinitions(ctx, defs); err != nil {
		return fmt.Errorf("store %d actions: %w", len(defs), err)
	}
	for _, action := range all {
		a.byHash.Store(action.Hash, action)
	}
	return nil
}
