package api

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/attune-automation/attune"
)

// The inside is the point: which status a kind gets.
func TestKindsOfErrors(t *testing.T) {
	for _, c := range []struct {
		err    error
		status int
		code   string
	}{
		{attune.NewError(attune.Invalid, "x", "m"), 422, "x"},
		{attune.NewError(attune.NotFound, "x", "m"), 404, "x"},
		{attune.NewError(attune.Conflict, "x", "m"), 409, "x"},
		{attune.NewError(attune.Denied, "role_missing", "m"), 403, "role_missing"},
		{attune.NewError(attune.Denied, codeNoToken, "m"), 401, codeNoToken},
		{attune.NewError(attune.TooLarge, "x", "m"), 413, "x"},
		{attune.NewError(attune.TooMuch, "x", "m"), 429, "x"},
		{attune.NewError(attune.Fenced, "x", "m"), 503, "moving"},
		{attune.NewError(attune.Unavailable, "x", "m"), 503, "x"},
		{attune.NewError(attune.Internal, "x", "m"), 500, "x"},
		{errors.New("secret address"), 500, "internal"},
		{fmt.Errorf("read: %w", context.Canceled), 503, "interrupted"},
		{fmt.Errorf("cancel: %w", &attune.Refused{Status: attune.Completed, Signal: attune.Cancel}), 409, "refused"},
	} {
		p := newProblem(c.err)
		if p.Status != c.status || p.Code != c.code {
			t.Errorf("%v: %d %s, want %d %s", c.err, p.Status, p.Code, c.status, c.code)
		}
		if strings.Contains(p.Detail, "secret") {
			t.Errorf("an internal error was told: %s", p.Detail)
		}
		if wait := p.GetHeaders().Get("Retry-After"); (wait != "") != (c.status == 429 || c.status == 503) {
			t.Errorf("%v: Retry-After %q", c.err, wait)
		}
	}
	e := &attune.Error{Kind: attune.TooMuch, RetryAfter: 1500 * time.Millisecond}
	if wait := newProblem(e).GetHeaders().Get("Retry-After"); wait != "2" {
		t.Errorf("Retry-After %q, want it rounded up", wait)
	}
}

func TestStatusesLeadBackToKinds(t *testing.T) {
	for kind, status := range statuses {
		if kind == attune.Fenced {
			kind = attune.Unavailable
		}
		if got := KindOfStatus(status); got != kind {
			t.Errorf("%d: %v, want %v", status, got, kind)
		}
	}
	if KindOfStatus(http.StatusUnauthorized) != attune.Denied || KindOfStatus(http.StatusTeapot) != attune.Invalid {
		t.Error("401 or 418")
	}
}
