package api

import (
	"context"

	"github.com/attune-automation/attune"
	"github.com/attune-automation/attune/persistence"
)

type listEnforcementsInput struct {
	Page
	Rule    string `query:"rule"`
	Action  string `query:"action"`
	Event   string `query:"event"`
	Since   string `query:"since" doc:"RFC 3339 time"`
	Payload bool   `query:"payload" doc:"Include evaluations"`
}

type enforcementList struct{ Body List[EnforcementView] }

func (s *server) listEnforcements(ctx context.Context, in *listEnforcementsInput) (*enforcementList, error) {
	q, err := in.query(in.Since)
	if err == nil {
		err = filterIDs(&q, in.Event, "")
	}
	if err != nil {
		return nil, err
	}
	q.Rule, q.Action = in.Rule, in.Action
	rows, err := s.Store.Enforcements(ctx, q)
	if err != nil {
		return nil, err
	}
	return &enforcementList{paged(in.Page, rows, func(e *attune.Enforcement) string { return e.ID.String() },
		func(e *attune.Enforcement) EnforcementView { return viewEnforcement(e, in.Payload) })}, nil
}

type enforcementOutput struct{ Body EnforcementView }

func (s *server) getEnforcement(ctx context.Context, in *ByID) (*enforcementOutput, error) {
	var id attune.EnforcementID
	if err := id.UnmarshalText([]byte(in.ID)); err != nil {
		return nil, err
	}
	e, err := s.Store.Enforcement(ctx, id)
	if err != nil {
		return nil, err
	}
	return &enforcementOutput{viewEnforcement(e, true)}, nil
}

// enforcementsOf is all of an event's enforcements, oldest first.
func (s *server) enforcementsOf(ctx context.Context, event attune.EventID) ([]*attune.Enforcement, error) {
	var all []*attune.Enforcement
	q := persistence.Query{Event: event, Limit: 1000}
	for {
		rows, err := s.Store.Enforcements(ctx, q)
		if err != nil {
			return nil, err
		}
		for _, e := range rows {
			all = append([]*attune.Enforcement{e}, all...)
			q.Before = attune.ID(e.ID)
		}
		if len(rows) < q.Limit {
			return all, nil
		}
	}
}
