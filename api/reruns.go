package api

import (
	"context"
	"net/http"

	"github.com/attune-automation/attune"
)

// RerunRequest is the body of POST /api/v1/executions/{id}/rerun; it may be left
// out.
type RerunRequest struct {
	// Dedupe makes repetitions one execution; the header Idempotency-Key says
	// the same.
	Dedupe string `json:"dedupe,omitempty" maxLength:"512"`
}

type rerunEnforcementInput struct {
	Caller
	ByID
}

type rerunExecutionInput struct {
	Caller
	ByID
	Body *RerunRequest
}

// rerunEnforcement needs no key: an enforcement has at most one execution.
func (s *server) rerunEnforcement(ctx context.Context, in *rerunEnforcementInput) (*requestExecutionOutput, error) {
	var id attune.EnforcementID
	if err := id.UnmarshalText([]byte(in.ID)); err != nil {
		return nil, err
	}
	receipt, err := s.Engine.RerunEnforcement(ctx, id, in.chain(ctx))
	if err != nil {
		return nil, err
	}
	return s.started(ctx, receipt)
}

func (s *server) rerunExecution(ctx context.Context, in *rerunExecutionInput) (*requestExecutionOutput, error) {
	id, err := attune.ParseExecutionID(in.ID)
	if err != nil {
		return nil, err
	}
	key := in.Idempotency
	if in.Body != nil {
		if key, err = oneKey(in.Body.Dedupe, key); err != nil {
			return nil, err
		}
	}
	receipt, err := s.Engine.RerunExecution(ctx, id, key, in.chain(ctx))
	if err != nil {
		return nil, err
	}
	return s.started(ctx, receipt)
}

// started shows the execution that was started again, or was before.
func (s *server) started(ctx context.Context, receipt ExecutionReceipt) (*requestExecutionOutput, error) {
	x, err := s.Store.Execution(ctx, receipt.ID)
	if err != nil {
		return nil, err
	}
	out := &requestExecutionOutput{Status: http.StatusCreated, Location: "/api/v1/executions/" + receipt.ID.String(),
		Body: RunAnswer{s.whole(ctx, x), receipt.Duplicate}}
	if receipt.Duplicate {
		out.Status = http.StatusOK
	}
	return out, nil
}
