package api

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/attune-automation/attune"
)

// Problem is the body of every error, RFC 9457 problem+json.
type Problem struct {
	// Title names the kind of error, Status is the HTTP status.
	Title  string `json:"title"`
	Status int    `json:"status"`
	// Detail says what is wrong.
	Detail string `json:"detail"`
	// Code is a stable word for programs.
	Code string `json:"code"`
	// Where is the place, Try what to do. Both may be empty.
	Where string `json:"where,omitempty"`
	Try   string `json:"try,omitempty"`
	// Faults is every single fault where there are several.
	Faults []attune.Fault `json:"faults,omitempty"`
	// RetryAfter is in whole seconds, as in the header; 0 is unknown.
	RetryAfter int `json:"retry_after,omitempty"`
}

// statuses is the one place that maps kinds of errors to HTTP statuses. Denied
// is 401 where there was no valid token; fenced stays inside and looks like
// unavailable.
var statuses = map[attune.ErrorKind]int{
	attune.Internal:    http.StatusInternalServerError,
	attune.Invalid:     http.StatusUnprocessableEntity,
	attune.NotFound:    http.StatusNotFound,
	attune.Conflict:    http.StatusConflict,
	attune.Denied:      http.StatusForbidden,
	attune.TooLarge:    http.StatusRequestEntityTooLarge,
	attune.TooMuch:     http.StatusTooManyRequests,
	attune.Fenced:      http.StatusServiceUnavailable,
	attune.Unavailable: http.StatusServiceUnavailable,
}

// Codes of a Denied error that mean "who are you?" (401) and not "you may not".
const (
	codeNoToken    = "token_missing"
	codeWrongToken = "token_unknown"
	codeExpired    = "token_expired"
	codeEnded      = "token_ended"
)

// KindOfStatus is the way back, for clients: the kind of error behind an HTTP
// status.
func KindOfStatus(status int) attune.ErrorKind {
	switch {
	case status == http.StatusUnauthorized:
		return attune.Denied
	case status == http.StatusServiceUnavailable, status == http.StatusBadGateway, status == http.StatusGatewayTimeout:
		return attune.Unavailable
	}
	for kind, s := range statuses {
		if s == status {
			return kind
		}
	}
	if status >= 400 && status < 500 {
		return attune.Invalid
	}
	return attune.Internal
}

// newProblem is the problem for an error of the engine. Of an internal error
// nothing is told but its code and message: its cause may hold addresses.
func newProblem(err error) *Problem {
	var e *attune.Error
	switch {
	case errors.As(err, &e):
	case errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		e = attune.NewError(attune.Unavailable, "interrupted", "the request ended before its answer was known")
	default:
		e = attune.NewError(attune.KindOf(err), "internal", "the request failed inside the engine")
		e.Try = "the log of the node says why"
		if e.Kind == attune.Conflict {
			e.Code, e.Message, e.Try = "refused", err.Error(), ""
		}
	}
	p := &Problem{Title: e.Kind.String(), Status: statuses[e.Kind], Detail: e.Message, Code: e.Code, Where: e.Where, Try: e.Try, Faults: e.Faults}
	switch e.Kind {
	case attune.Denied:
		switch e.Code {
		case codeNoToken, codeWrongToken, codeExpired, codeEnded:
			p.Status = http.StatusUnauthorized
		}
	case attune.Fenced:
		p.Title, p.Code, p.Detail = attune.Unavailable.String(), "moving", "the work is moving to another node"
	case attune.Internal:
	default:
		if e.Cause != nil {
			p.Detail += ": " + e.Cause.Error()
		}
	}
	if e.RetryAfter > 0 {
		p.RetryAfter = int((e.RetryAfter + time.Second - 1) / time.Second)
	} else if p.Status == http.StatusTooManyRequests || p.Status == http.StatusServiceUnavailable {
		p.RetryAfter = 1
	}
	return p
}

// foreignProblem is huma's own error in our shape.
func foreignProblem(hc huma.Context, status int, message string, errs ...error) huma.StatusError {
	p := newForeignProblem(status, message, errs...)
	if hc != nil {
		if who := principalIn(hc.Context()); who != nil {
			who.code = p.Code
		}
	}
	return p
}

func newForeignProblem(status int, message string, errs ...error) *Problem {
	e := attune.NewError(KindOfStatus(status), "invalid_request", message)
	if len(errs) > 0 {
		e.Message = "the request is not valid"
	}
	switch status {
	case http.StatusRequestEntityTooLarge:
		e.Code, e.Message = "body_too_large", "the request body is over 1 MiB, or a pack over 32 MiB"
	case http.StatusUnsupportedMediaType:
		e.Code, e.Try = "unsupported_media_type", "Content-Type: application/json"
	case http.StatusRequestTimeout:
		e.Kind, e.Code = attune.Unavailable, "body_timeout"
	}
	if e.Kind == attune.Internal {
		e.Code = "internal"
		return newProblem(e)
	}
	for _, err := range errs {
		var d huma.ErrorDetailer
		if errors.As(err, &d) {
			detail := d.ErrorDetail()
			e.Faults = append(e.Faults, attune.Fault{Where: strings.TrimPrefix(detail.Location, "body."), Message: detail.Message})
		} else if err != nil {
			e.Faults = append(e.Faults, attune.Fault{Message: err.Error()})
		}
	}
	return newProblem(e)
}

func (p *Problem) Error() string { return p.Detail }

// GetStatus implements huma.StatusError.
func (p *Problem) GetStatus() int { return p.Status }

// ContentType implements huma.ContentTypeFilter.
func (p *Problem) ContentType(string) string { return "application/problem+json" }

// GetHeaders implements huma.HeadersError.
func (p *Problem) GetHeaders() http.Header {
	h := http.Header{}
	if p.RetryAfter > 0 {
		h.Set("Retry-After", strconv.Itoa(p.RetryAfter))
	}
	if p.Status == http.StatusUnauthorized {
		h.Set("WWW-Authenticate", `Bearer realm="attune"`)
	}
	return h
}

// writeProblem answers outside of huma.
func writeProblem(w http.ResponseWriter, p *Problem) {
	for name, values := range p.GetHeaders() {
		w.Header()[name] = values
	}
	w.Header().Set("Content-Type", p.ContentType(""))
	w.WriteHeader(p.Status)
	writeJSON(w, p)
}

// writeJSON writes v; a client that is gone is nobody to tell.
func writeJSON(w http.ResponseWriter, v any) {
	enc := json.NewEncoder(w)
	enc.SetEscapeHTML(false)
	_ = enc.Encode(v)
}
