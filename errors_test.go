package attune_test

import (
	"errors"
	"fmt"
	"io"
	"testing"

	"github.com/attune-automation/attune"
)

func TestKindOf(t *testing.T) {
	denied := attune.NewError(attune.Denied, "no", "you may not")
	for _, c := range []struct {
		name string
		err  error
		want attune.ErrorKind
	}{
		{"the error itself", denied, attune.Denied},
		{"wrapped", fmt.Errorf("cancel ex-1: %w", denied), attune.Denied},
		{"the outer of two", &attune.Error{Kind: attune.Unavailable, Cause: denied}, attune.Unavailable},
		{"joined", errors.Join(io.EOF, denied), attune.Denied},
		{"a refused signal", fmt.Errorf("apply: %w", &attune.Refused{Status: attune.Completed, Signal: attune.Cancel}), attune.Conflict},
		{"a foreign one", io.EOF, attune.Internal},
		{"none", nil, attune.Internal},
	} {
		if got := attune.KindOf(c.err); got != c.want {
			t.Errorf("%s: %s, want %s", c.name, got, c.want)
		}
	}
}

func TestErrorMessages(t *testing.T) {
	for _, c := range []struct {
		name string
		err  *attune.Error
		want string
	}{
		{"a message alone", attune.NewError(attune.NotFound, "not_found", "there is no pack"), "there is no pack"},
		{"a place", &attune.Error{Message: "it is wrong", Where: "a.yaml:3:7"}, "a.yaml:3:7: it is wrong"},
		{"a cause", &attune.Error{Message: "read it", Cause: io.EOF}, "read it: EOF"},
		{"faults", &attune.Error{Message: "2 faults", Faults: []attune.Fault{{Where: "parameters.cmd", Message: "is missing", Try: "a text"}, {Message: "too much"}}},
			"2 faults; parameters.cmd: is missing (a text); too much"},
	} {
		if got := c.err.Error(); got != c.want {
			t.Errorf("%s: %q, want %q", c.name, got, c.want)
		}
	}
	if err := (&attune.Error{Cause: io.EOF}); !errors.Is(err, io.EOF) {
		t.Error("the cause is not found")
	}
	if got, want := (&attune.Refused{Status: attune.Completed, Signal: attune.TimeOut}).Error(), "time out is refused: the execution is completed"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
}

func TestErrorKinds(t *testing.T) {
	names := map[string]bool{}
	for k := attune.Internal; k <= attune.Unavailable; k++ {
		if names[k.String()] {
			t.Errorf("two kinds are called %s", k)
		}
		names[k.String()] = true
		want := k == attune.Internal || k == attune.TooMuch || k == attune.Unavailable
		if k.Retryable() != want {
			t.Errorf("%s: trying again helps: %v, want %v", k, k.Retryable(), want)
		}
	}
}
