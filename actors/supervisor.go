package actors

import (
	"time"

	"github.com/asynkron/protoactor-go/actor"

	"github.com/attune-automation/attune"
)

// Supervisor is embedded by every actor that has children: it is their restart
// policy. A failed child is restarted at once; at its limit of failures within
// the window it is stopped and GaveUp is told. Failures decay: one is forgotten
// when it is older than the window.
//
// protoactor's own default would stop a child for good, silently, after ten
// failures in ten seconds.
type Supervisor struct {
	// Clock tells the time of failures.
	Clock attune.Clock
	// Limit is the number of failures within Within at which a child is
	// stopped.
	Limit  int
	Within time.Duration
	// GaveUp is called on the parent's turn after it told the child to stop.
	GaveUp func(child *actor.PID, reason any)

	failures map[string][]time.Time
}

// HandleFailure implements actor.SupervisorStrategy, on the parent's turn.
func (s *Supervisor) HandleFailure(_ *actor.ActorSystem, parent actor.Supervisor, child *actor.PID, _ *actor.RestartStatistics, reason, _ any) {
	now := s.Clock.Now()
	if s.failures == nil {
		s.failures = map[string][]time.Time{}
	}
	recent := s.failures[child.Id][:0]
	for _, at := range s.failures[child.Id] {
		if now.Sub(at) < s.Within {
			recent = append(recent, at)
		}
	}
	recent = append(recent, now)
	if len(recent) < s.Limit {
		s.failures[child.Id] = recent
		parent.RestartChildren(child)
		return
	}
	delete(s.failures, child.Id)
	parent.StopChildren(child)
	if s.GaveUp != nil {
		s.GaveUp(child, reason)
	}
}

// Forget drops what is remembered of a child that ended in order.
func (s *Supervisor) Forget(path string) { delete(s.failures, path) }
