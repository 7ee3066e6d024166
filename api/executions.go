package api

import (
	"context"
	"encoding/json"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/attune-automation/attune"
	"github.com/attune-automation/attune/expression"
)

type listExecutionsInput struct {
	Page
	Action  string `query:"action"`
	Status  string `query:"status"`
	Rule    string `query:"rule"`
	Worker  string `query:"worker"`
	Trigger string `query:"trigger"`
	Event   string `query:"event"`
	Parent  string `query:"parent"`
	Since   string `query:"since" doc:"RFC 3339 time"`
	Payload bool   `query:"payload" doc:"Include parameters, results and histories"`
}

type executionList struct{ Body List[ExecutionView] }

func (s *server) listExecutions(ctx context.Context, in *listExecutionsInput) (*executionList, error) {
	q, err := in.query(in.Since)
	if err == nil {
		err = filterIDs(&q, in.Event, in.Parent)
	}
	if err == nil && in.Status != "" {
		q.Status, err = attune.ParseStatus(in.Status)
	}
	if err != nil {
		return nil, err
	}
	q.Action, q.Rule, q.Worker, q.Trigger = in.Action, in.Rule, in.Worker, in.Trigger
	rows, err := s.Store.Executions(ctx, q)
	if err != nil {
		return nil, err
	}
	memo := map[string]secrets{}
	return &executionList{paged(in.Page, rows, func(x *attune.Execution) string { return x.ID.String() },
		func(x *attune.Execution) ExecutionView {
			return viewExecution(x, in.Payload, s.secretsOf(ctx, x, memo))
		})}, nil
}

type executionOutput struct{ Body ExecutionView }

func (s *server) getExecution(ctx context.Context, in *ByID) (*executionOutput, error) {
	x, err := s.execution(ctx, in.ID)
	if err != nil {
		return nil, err
	}
	return &executionOutput{s.whole(ctx, x)}, nil
}

func (s *server) execution(ctx context.Context, text string) (*attune.Execution, error) {
	id, err := attune.ParseExecutionID(text)
	if err != nil {
		return nil, err
	}
	return s.Store.Execution(ctx, id)
}

// whole is the view with everything in it.
func (s *server) whole(ctx context.Context, x *attune.Execution) ExecutionView {
	return viewExecution(x, true, s.secretsOf(ctx, x, nil))
}

// RunRequest is the body of POST /api/v1/executions.
type RunRequest struct {
	// Action is a ref.
	Action string `json:"action" minLength:"1" maxLength:"255"`
	// Parameters are literal values; text is cast to the declared type.
	Parameters json.RawMessage `json:"parameters,omitempty"`
	// Timeout limits one attempt: text such as 90s; empty takes the action's.
	Timeout string `json:"timeout,omitempty"`
	// Deadline limits the execution with all its attempts: an RFC 3339 time, or
	// text such as 10m from the request on; empty takes the action's.
	Deadline string `json:"deadline,omitempty"`
	// Retry is the object that packs know by this key, or a number of attempts;
	// none takes the action's.
	Retry json.RawMessage `json:"retry,omitempty"`
	// At is when it may start, like Deadline; empty is at once.
	At string `json:"at,omitempty"`
	// Dedupe makes repetitions one execution; the header Idempotency-Key says
	// the same.
	Dedupe string `json:"dedupe,omitempty" maxLength:"512"`
}

// RunAnswer is the execution that a request became.
type RunAnswer struct {
	ExecutionView
	// Duplicate means that the execution was there before.
	Duplicate bool `json:"duplicate"`
}

type requestExecutionInput struct {
	Caller
	Prefer string `header:"Prefer" doc:"wait=30 answers when the execution has ended, or after 30 seconds"`
	Body   RunRequest
}

type requestExecutionOutput struct {
	Status   int
	Location string `header:"Location"`
	Applied  string `header:"Preference-Applied"`
	Body     RunAnswer
}

func (s *server) requestExecution(ctx context.Context, in *requestExecutionInput) (*requestExecutionOutput, error) {
	request, err := in.request(ctx)
	if err != nil {
		return nil, err
	}
	receipt, err := s.Engine.RequestExecution(ctx, request)
	if err != nil {
		return nil, err
	}
	out := &requestExecutionOutput{Status: http.StatusCreated, Location: "/api/v1/executions/" + receipt.ID.String()}
	if receipt.Duplicate {
		out.Status = http.StatusOK
	}
	var x *attune.Execution
	if wait, ok := preferredWait(in.Prefer); ok {
		out.Applied = "wait=" + strconv.Itoa(int(wait/time.Second))
		x, err = s.await(ctx, receipt.ID, wait, ended)
	} else {
		x, err = s.Store.Execution(ctx, receipt.ID)
	}
	if err != nil {
		return nil, err
	}
	out.Body = RunAnswer{s.whole(ctx, x), receipt.Duplicate}
	return out, nil
}

// request checks the body, and says who asks.
func (in *requestExecutionInput) request(ctx context.Context) (ExecutionRequest, error) {
	r, err := in.Body.Request()
	if err != nil {
		return r, err
	}
	r.Chain = in.chain(ctx)
	if own := scopeOf(ctx); own != nil {
		r.Root, r.Parent = own.root, own.own
	}
	if r.Dedupe, err = oneKey(in.Body.Dedupe, in.Idempotency); err == nil && r.Dedupe != "" && r.Root != 0 {
		r.Dedupe = r.Root.String() + "/" + r.Dedupe // or its answer would be an execution of somebody else
	}
	return r, err
}

// Request is what the body asks for; all its faults are named at once. Whoever
// asks the same some other way is checked by it, too.
func (b *RunRequest) Request() (ExecutionRequest, error) {
	r := ExecutionRequest{Action: b.Action, Dedupe: b.Dedupe}
	var faults []attune.Fault
	var err error
	if len(b.Parameters) > 0 {
		given, err := expression.DecodeJSON(b.Parameters) // large integers keep their digits
		var object bool
		if r.Parameters, object = given.(map[string]any); err != nil || !object {
			faults = append(faults, attune.Fault{Where: "parameters", Message: "it is not an object", Try: `{"name": value}`})
		}
	}
	if b.Timeout != "" {
		if r.Timeout, err = time.ParseDuration(b.Timeout); err != nil || r.Timeout <= 0 {
			faults = append(faults, attune.Fault{Where: "timeout", Message: "it is not a duration above zero", Try: "90s, 5m, 1h30m"})
		}
	}
	faults = append(faults, b.times(&r)...)
	if faults != nil {
		return r, &attune.Error{Kind: attune.Invalid, Code: "invalid_request", Message: "the request is not valid", Faults: faults}
	}
	return r, nil
}

// times reads what the body says of deadline, retry and start.
func (b *RunRequest) times(r *ExecutionRequest) (faults []attune.Fault) {
	var err error
	for _, m := range []struct {
		where, text string
		at          *time.Time
		in          *time.Duration
	}{{"deadline", b.Deadline, &r.Deadline, &r.Within}, {"at", b.At, &r.NotBefore, &r.After}} {
		if m.text == "" {
			continue
		}
		if *m.at, *m.in, err = attune.ParseMoment(m.text); err != nil {
			faults = append(faults, attune.Fault{Where: m.where, Message: "it is neither a time nor a duration of at most a year", Try: "2030-01-31T08:00:00Z, or 10m from now"})
		}
	}
	if len(b.Retry) > 0 {
		v, err := expression.DecodeJSON(b.Retry)
		if err != nil {
			return append(faults, attune.Fault{Where: "retry", Message: "it is not JSON"})
		}
		policy, wrong := attune.ParseRetry(v)
		r.Retry, faults = &policy, append(faults, wrong...)
	}
	return faults
}

// preferredWait reads wait=N, in whole seconds, of RFC 7240.
func preferredWait(header string) (time.Duration, bool) {
	for part := range strings.SplitSeq(header, ",") {
		if text, ok := strings.CutPrefix(strings.TrimSpace(part), "wait="); ok {
			if n, err := strconv.ParseUint(text, 10, 16); err == nil {
				return min(time.Duration(n)*time.Second, longestWait), true
			}
		}
	}
	return 0, false
}

// CancelRequest is the body of POST /api/v1/executions/{id}/cancel; it may be
// left out.
type CancelRequest struct {
	// Reason is kept in the history, for people.
	Reason string `json:"reason,omitempty" maxLength:"200"`
}

type cancelInput struct {
	Caller
	ByID
	Body *CancelRequest
}

// cancel is idempotent; an execution that has ended is shown as it is.
func (s *server) cancel(ctx context.Context, in *cancelInput) (*executionOutput, error) {
	id, err := attune.ParseExecutionID(in.ID)
	if err != nil {
		return nil, err
	}
	reason := ""
	if in.Body != nil {
		reason = in.Body.Reason
	}
	x, err := s.Engine.Cancel(ctx, id, reason, principalOf(ctx))
	if err != nil {
		return nil, err
	}
	return &executionOutput{s.whole(ctx, x)}, nil
}
