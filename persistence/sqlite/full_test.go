package sqlite_test

import (
	"errors"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/attune-automation/attune"
	"github.com/attune-automation/attune/persistence"
	"github.com/attune-automation/attune/persistence/sqlite"
)

func TestAFullDatabaseTakesNothingHalfAndHeals(t *testing.T) {
	s := open(t, t.TempDir())
	acquire(t, s, "node-1")
	flush(t, s, "node-1", admission(0))
	if err := s.Script("PRAGMA max_page_count = 40"); err != nil {
		t.Fatal(err)
	}
	ops := admissions(1, 300)
	if _, err := s.Flush(t.Context(), "node-1", ops); attune.KindOf(err) != attune.Unavailable || errors.Is(err, persistence.ErrUnknown) {
		t.Fatal("a flush into a full database:", err)
	}
	nothing(t, s, ops)
	if err := s.Script("PRAGMA max_page_count = 1000000"); err != nil {
		t.Fatal(err)
	}
	all(t, s, ops)
}

// A log that cannot grow fails the commit itself: nobody knows, until Resolve
// does.
func TestACommitThatFailsIsUnknownUntilResolved(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir)
	acquire(t, s, "node-1")
	flush(t, s, "node-1", admission(0))
	log, err := os.Stat(filepath.Join(dir, "attune.db-wal"))
	if err != nil {
		t.Fatal(err)
	}
	var limit syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_FSIZE, &limit); err != nil {
		t.Fatal(err)
	}
	signal.Ignore(syscall.SIGXFSZ)
	t.Cleanup(func() { signal.Reset(syscall.SIGXFSZ) })
	restrict := func(to uint64) {
		if err := syscall.Setrlimit(syscall.RLIMIT_FSIZE, &syscall.Rlimit{Cur: to, Max: limit.Max}); err != nil {
			t.Fatal(err)
		}
	}
	t.Cleanup(func() { restrict(limit.Cur) })

	ops := admissions(1, 100)
	restrict(uint64(log.Size()) + 20_000)
	_, err = s.Flush(t.Context(), "node-1", ops)
	restrict(limit.Cur)
	if !errors.Is(err, persistence.ErrUnknown) || attune.KindOf(err) != attune.Unavailable {
		t.Fatal("a commit that failed:", err)
	}
	nothing(t, s, ops)
	answers, err := s.Resolve(t.Context(), "node-1", ops)
	if err != nil {
		t.Fatal(err)
	}
	for _, a := range answers {
		if a.Outcome != persistence.NotWritten {
			t.Fatal(a)
		}
	}
	all(t, s, ops)
}

func admissions(from, n int) (ops []persistence.Op) {
	for i := range n {
		ops = append(ops, admission(from+i))
	}
	return ops
}

// nothing wants no row of the operations.
func nothing(t *testing.T, s *sqlite.Store, ops []persistence.Op) {
	t.Helper()
	for _, op := range ops {
		if _, err := s.Event(t.Context(), op.(*persistence.Admit).Event.ID); attune.KindOf(err) != attune.NotFound {
			t.Fatal("a row of a flush that failed:", err)
		}
	}
}

// all flushes the operations and wants every row.
func all(t *testing.T, s *sqlite.Store, ops []persistence.Op) {
	t.Helper()
	answers, err := s.Flush(t.Context(), "node-1", ops)
	if err != nil {
		t.Fatal(err)
	}
	for i, a := range answers {
		if a.Outcome != persistence.Committed {
			t.Fatal(a)
		}
		if _, err := s.Execution(t.Context(), ops[i].(*persistence.Admit).Executions[0].ID); err != nil {
			t.Fatal(err)
		}
	}
}
