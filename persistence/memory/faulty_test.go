package memory_test

import (
	"errors"
	"testing"
	"time"

	"github.com/attune-automation/attune"
	"github.com/attune-automation/attune/persistence"
	"github.com/attune-automation/attune/persistence/memory"
	"github.com/attune-automation/attune/persistence/storetest"
)

// A wrapper without faults is the store.
func TestFaultyContract(t *testing.T) {
	storetest.Run(t, func(testing.TB) persistence.Store {
		return memory.NewFaulty(memory.New(memory.Config{Clock: &clock{}}), func(string, int) memory.Fault { return memory.Fault{} })
	})
}

func TestFaults(t *testing.T) {
	stalled := false
	for name, c := range map[string]struct {
		fault   memory.Fault
		kind    attune.ErrorKind // of the error, where it is not unknown
		unknown bool
		written int
	}{
		"a conflict is not written":          {memory.Fault{Kind: memory.Contradicted, Op: 4}, 0, false, 2},
		"a connection lost before":           {memory.Fault{Kind: memory.LostBefore}, attune.Unavailable, false, 0},
		"committed, and nobody knows":        {memory.Fault{Kind: memory.LostAfter}, 0, true, 3},
		"not committed, and nobody knows":    {memory.Fault{Kind: memory.LostCommit}, 0, true, 0},
		"a stall ends, and the call goes on": {memory.Fault{Stall: func() { stalled = true }}, 0, false, 3},
		"no fault":                           {memory.Fault{}, 0, false, 3},
	} {
		t.Run(name, func(t *testing.T) {
			store := memory.New(memory.Config{Clock: &clock{}})
			faulty := memory.NewFaulty(store, func(method string, call int) memory.Fault {
				if method == "Flush" && call == 2 {
					return c.fault
				}
				return memory.Fault{}
			})
			if _, err := faulty.Acquire(t.Context(), "n", "n", time.Hour); err != nil {
				t.Fatal(err)
			}
			if _, err := faulty.Flush(t.Context(), "n", nil); err != nil {
				t.Fatal("the first call has no fault:", err)
			}
			ops := []persistence.Op{admission(1), admission(2), admission(3)}
			answers, err := faulty.Flush(t.Context(), "n", ops)
			switch {
			case errors.Is(err, persistence.ErrUnknown) != c.unknown:
				t.Fatal(err)
			case err != nil && !c.unknown && attune.KindOf(err) != c.kind:
				t.Fatal(err)
			case c.fault.Kind == memory.Contradicted && (answers[1].Outcome != persistence.Conflict || answers[2].Outcome != persistence.Committed):
				t.Fatal(answers)
			}
			if got := len(store.Rows().Executions); got != c.written {
				t.Fatalf("%d executions are written, want %d", got, c.written)
			}
			if c.unknown {
				resolved, err := faulty.Resolve(t.Context(), "n", ops)
				if err != nil || (resolved[0].Outcome == persistence.Committed) != (c.written > 0) {
					t.Fatal(resolved, err)
				}
			}
		})
	}
	if !stalled {
		t.Error("the stall was not called")
	}
}

func TestFaultsOfOtherMethods(t *testing.T) {
	store := memory.New(memory.Config{Clock: &clock{}})
	kind := memory.LostBefore
	faulty := memory.NewFaulty(store, func(string, int) memory.Fault { return memory.Fault{Kind: kind} })
	token := attune.AccessToken{Name: "t"}
	if err := faulty.PutAccessToken(t.Context(), token); attune.KindOf(err) != attune.Unavailable {
		t.Fatal(err)
	}
	if rows, _ := store.AccessTokens(t.Context()); len(rows) != 0 {
		t.Fatal("written although the connection was lost before")
	}
	kind = memory.LostAfter
	if err := faulty.PutAccessToken(t.Context(), token); attune.KindOf(err) != attune.Unavailable {
		t.Fatal(err)
	}
	if rows, _ := store.AccessTokens(t.Context()); len(rows) != 1 {
		t.Fatal("not written although only the answer was lost")
	}
	if _, err := faulty.Execution(t.Context(), 7); attune.KindOf(err) != attune.NotFound {
		t.Fatal("an error of the store is passed on:", err)
	}
}

func TestRowsAreAllOfIt(t *testing.T) {
	s := memory.New(memory.Config{Clock: &clock{}})
	if _, err := s.Acquire(t.Context(), "n", "n", time.Hour); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Flush(t.Context(), "n", []persistence.Op{admission(2), admission(1)}); err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	r := s.Rows()
	if len(r.Leases) != 1 || len(r.Partitions) != attune.Partitions || len(r.Events) != 2 || len(r.Enforcements) != 2 || len(r.Executions) != 2 || len(r.Dedupe) != 2 {
		t.Fatalf("%+v", r)
	}
	if r.Events[0].ID > r.Events[1].ID || r.Executions[0].ID > r.Executions[1].ID || r.Dedupe[0].First > r.Dedupe[1].First {
		t.Fatal("not in order of id")
	}
	r.Executions[0].Rule = "changed"
	if s.Rows().Executions[0].Rule != "a" {
		t.Fatal("the rows are not copies")
	}
}

func TestALeaseExpiresWithTheClock(t *testing.T) {
	var c clock
	s := memory.New(memory.Config{Clock: &c})
	for _, n := range []string{"a", "b"} {
		if _, err := s.Acquire(t.Context(), n, n, 4*time.Second); err != nil {
			t.Fatal(err)
		}
	}
	c.ms.Store(3999)
	if err := s.TakeOver(t.Context(), "a", "b", nil); attune.KindOf(err) != attune.Conflict {
		t.Fatal("taken over before its end:", err)
	}
	c.ms.Store(4000)
	if err := s.TakeOver(t.Context(), "a", "b", nil); err != nil {
		t.Fatal(err)
	}
}

func admission(i int) *persistence.Admit {
	id := func(kind int) attune.ID { return attune.MakeID(int64(i), i, kind) }
	e := &attune.Event{ID: attune.EventID(id(0))}
	n := &attune.Enforcement{ID: attune.EnforcementID(id(1)), Event: e.ID, Rule: "a"}
	x := &attune.Execution{ID: attune.ExecutionID(id(2)), Event: e.ID, Enforcement: n.ID, Rule: "a", Version: 1, Status: attune.Requested}
	return &persistence.Admit{Dedupe: &persistence.Dedupe{Kind: "event", Key: e.ID.String()}, Event: e,
		Enforcements: []*attune.Enforcement{n}, Executions: []*attune.Execution{x}}
}
