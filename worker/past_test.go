package worker

import (
	"testing"
	"time"

	"github.com/attune-automation/attune"
	"github.com/attune-automation/attune/messages"
)

func TestThePastIsForgottenAndItsMemoryGivenBack(t *testing.T) {
	p := past{limit: 1e6, known: map[attune.ExecutionID]known{}}
	token := func(n, attempt int) attune.Token {
		return attune.Token{Execution: attune.ExecutionID(n), Attempt: attempt}
	}
	for n := range 5000 {
		p.add(token(n, 2), messages.Finished, time.Duration(n))
	}
	p.add(token(1, 1), messages.Returned, 6000) // late news of an older attempt
	p.add(token(2, 3), messages.FailedRun, 6000)
	for _, c := range []struct {
		token attune.Token
		kind  messages.ReportKind
		known bool
	}{
		{token(1, 2), messages.Finished, true}, {token(1, 1), 0, true}, {token(1, 3), 0, false},
		{token(2, 3), messages.FailedRun, true}, {token(2, 2), 0, true}, {token(9999, 1), 0, false},
	} {
		if kind, known := p.find(c.token); kind != c.kind || known != c.known {
			t.Errorf("%v: %s %v", c.token, kind, known)
		}
	}
	p.forget(4999)
	if len(p.known) != 1 || cap(p.order) > 4096 {
		t.Errorf("%d known, room for %d", len(p.known), cap(p.order))
	}
	if kind, _ := p.find(token(2, 3)); kind != messages.FailedRun {
		t.Error("a newer attempt was forgotten with an older one")
	}
}

func TestThePastIsBounded(t *testing.T) {
	p := past{limit: 100, known: map[attune.ExecutionID]known{}}
	for n := range p.limit + 10 {
		p.add(attune.Token{Execution: attune.ExecutionID(n), Attempt: 1}, messages.Finished, time.Hour)
	}
	if len(p.known) != p.limit {
		t.Error(len(p.known))
	}
}
