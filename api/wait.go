package api

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/attune-automation/attune"
)

const (
	// longestWait bounds how long one request may wait.
	longestWait = 5 * time.Minute
	// lookAnyway is how long a waiter trusts a watch that says nothing; after
	// it, it looks for itself. Watches are hints.
	lookAnyway = 5 * time.Second
)

type waitInput struct {
	ByID
	Timeout string `query:"timeout" default:"30s" doc:"How long to wait at most, up to 5m; 0s only looks"`
	Version int64  `query:"version" minimum:"0" doc:"Answer as soon as the version is above this; 0 waits for the end"`
}

// wait answers with the execution when it has ended, has changed since version,
// or the time is up: the status tells which.
func (s *server) wait(ctx context.Context, in *waitInput) (*executionOutput, error) {
	id, err := attune.ParseExecutionID(in.ID)
	if err != nil {
		return nil, err
	}
	limit, err := time.ParseDuration(in.Timeout)
	if err != nil || limit < 0 {
		return nil, &attune.Error{Kind: attune.Invalid, Code: "invalid_duration", Message: fmt.Sprintf("%q is not a duration", in.Timeout),
			Where: "query.timeout", Try: "30s"}
	}
	until := ended
	if in.Version > 0 {
		until = func(x *attune.Execution) bool { return x.Version > in.Version || ended(x) }
	}
	x, err := s.await(ctx, id, min(limit, longestWait), until)
	if err != nil {
		return nil, err
	}
	return &executionOutput{s.whole(ctx, x)}, nil
}

func ended(x *attune.Execution) bool { return x.Status.Terminal() }

// await is the execution as soon as it is as wanted, or as it is when the limit
// has passed.
func (s *server) await(ctx context.Context, id attune.ExecutionID, limit time.Duration, wanted func(*attune.Execution) bool) (*attune.Execution, error) {
	changed, stop := s.Engine.Watch(id) // before the first look, so that no change falls between
	defer stop()
	patience, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	for {
		x, err := s.Store.Execution(ctx, id)
		if err != nil || wanted(x) || patience.Err() != nil {
			return x, err
		}
		sleep(patience, changed)
		if ctx.Err() != nil {
			return nil, context.Cause(ctx)
		}
	}
}

// sleep returns when something changed or may have, or ctx ends.
func sleep(ctx context.Context, changed <-chan struct{}) {
	nap, cancel := context.WithTimeout(ctx, lookAnyway)
	defer cancel()
	select {
	case <-changed:
	case <-nap.Done():
	}
}

// lastWord is why an answer that was open ends with its context: the token
// behind it does not work any more, or the node ends.
func lastWord(ctx context.Context) (code, message string) {
	if ended := (errTokenEnded{}); errors.As(context.Cause(ctx), &ended) {
		p := newProblem(ended)
		return p.Code, p.Detail
	}
	return "node_ended", "the node ends; ask again after its restart"
}
