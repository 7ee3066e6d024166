package api

import (
	"context"
	"encoding/json"

	"github.com/attune-automation/attune/messages"
)

// ActorView is an actor as the API shows it.
type ActorView struct {
	Path  string `json:"path"`
	Kind  string `json:"kind"`
	State string `json:"state"`
	// Mailbox is how many messages wait, OldestAge how long the first has.
	Mailbox   int    `json:"mailbox"`
	OldestAge string `json:"oldest_age,omitempty"`
	Handled   int64  `json:"handled"`
	Restarts  int    `json:"restarts"`
	LastError string `json:"last_error,omitempty"`
	Parent    string `json:"parent,omitempty"`
	Children  int    `json:"children"`
}

// ActorDetail is one actor in full.
type ActorDetail struct {
	ActorView
	// ChildPaths are at most 1000.
	ChildPaths []string `json:"child_paths,omitempty"`
	// Detail is the actor's own state; null when it did not answer in time.
	Detail json.RawMessage `json:"detail"`
	// Signals are the last messages it handled, oldest first.
	Signals []ActorSignal `json:"signals"`
}

// ActorSignal is one message an actor handled.
type ActorSignal struct {
	At   string `json:"at"`
	Name string `json:"name"`
}

func viewActor(a messages.ActorView) ActorView {
	return ActorView{a.Path, a.Kind, a.State, a.Mailbox, span(a.OldestAge), a.Handled, a.Restarts, a.LastError, a.Parent, a.Children}
}

type actorsInput struct {
	Page
	Kind   string `query:"kind"`
	Parent string `query:"parent" doc:"Path of the parent"`
}

type (
	actorInput struct {
		Path string `path:"path"`
	}
	actorList   struct{ Body List[ActorView] }
	actorOutput struct{ Body ActorDetail }
)

func (s *server) listActors(_ context.Context, in *actorsInput) (*actorList, error) {
	var kept []messages.ActorView
	for _, a := range s.Engine.Actors() {
		if (in.Kind == "" || a.Kind == in.Kind) && (in.Parent == "" || a.Parent == in.Parent) {
			kept = append(kept, a)
		}
	}
	return &actorList{after(in.Page, kept, func(a messages.ActorView) string { return a.Path }, viewActor)}, nil
}

func (s *server) getActor(ctx context.Context, in *actorInput) (*actorOutput, error) {
	a, err := s.Engine.Actor(ctx, in.Path)
	if err != nil {
		return nil, err
	}
	d := ActorDetail{ActorView: viewActor(a.ActorView), ChildPaths: a.ChildPaths, Detail: document(a.Detail), Signals: []ActorSignal{}}
	if d.Detail == nil {
		d.Detail = json.RawMessage("null")
	}
	for _, sig := range a.Signals {
		d.Signals = append(d.Signals, ActorSignal{stamp(sig.At), sig.Name})
	}
	return &actorOutput{d}, nil
}
