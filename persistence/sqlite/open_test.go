package sqlite_test

import (
	"bufio"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/attune-automation/attune"
	"github.com/attune-automation/attune/persistence"
	"github.com/attune-automation/attune/persistence/sqlite"
)

func TestAFolderIsForOneProcess(t *testing.T) {
	dir := t.TempDir()
	first := open(t, dir)
	_, err := sqlite.Open(t.Context(), sqlite.Config{Dir: dir})
	var e *attune.Error
	if !errors.As(err, &e) || e.Kind != attune.Conflict || e.Code != "data_folder_in_use" || !strings.Contains(e.Message, dir) || e.Try == "" {
		t.Fatalf("opened twice: %v", err)
	}
	if err := first.Close(); err != nil {
		t.Fatal(err)
	}
	open(t, dir)
}

func TestWhatWasWrittenIsThereAgain(t *testing.T) {
	dir := t.TempDir()
	a := admission(0)
	first := open(t, dir)
	acquire(t, first, "node-1")
	flush(t, first, "node-1", a)
	if err := first.Close(); err != nil {
		t.Fatal(err)
	}
	second := open(t, dir)
	acquire(t, second, "node-2")
	if err := second.TakeOver(t.Context(), "node-1", "node-2", nil); err != nil {
		t.Fatal("a restart does not take over at once:", err)
	}
	if x, err := second.Execution(t.Context(), a.Executions[0].ID); err != nil || x.Rule != "alerts.disk_full" {
		t.Fatal(x, err)
	}
	if _, err := second.Flush(t.Context(), "node-1", nil); attune.KindOf(err) != attune.Fenced {
		t.Fatal("the incarnation before still writes:", err)
	}
}

func TestANewerDatabaseIsRefusedUnchanged(t *testing.T) {
	dir := t.TempDir()
	if err := open(t, dir).Close(); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, "attune.db")
	change(t, path, "INSERT INTO schema VALUES (99)")
	before, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	_, err = sqlite.Open(t.Context(), sqlite.Config{Dir: dir})
	var newer *persistence.ErrNewer
	if !errors.As(err, &newer) || newer.Have != 99 {
		t.Fatal("opened a newer database:", err)
	}
	if after, _ := os.ReadFile(path); string(after) != string(before) {
		t.Fatal("the database has changed")
	}
	change(t, path, "DELETE FROM schema WHERE version = 99")
	open(t, dir) // the lock was let go too
}

func TestAnOddFolderName(t *testing.T) {
	open(t, filepath.Join(t.TempDir(), "a b?c#d%41ü"))
}

func TestADamagedRowIsAnError(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir)
	acquire(t, s, "node-1")
	flush(t, s, "node-1", admission(0), admission(1))
	change(t, filepath.Join(dir, "attune.db"), fmt.Sprintf("UPDATE execution SET state = x'0102' WHERE id = %d", admission(0).Executions[0].ID))
	if _, err := s.Execution(t.Context(), admission(0).Executions[0].ID); err == nil || attune.KindOf(err) != attune.Internal {
		t.Fatalf("a damaged row: %v", err)
	}
	if _, err := s.Execution(t.Context(), admission(1).Executions[0].ID); err != nil {
		t.Fatal(err)
	}
}

// G15: a child process writes and says what was acknowledged until it is
// killed. All of that is there afterwards, and the folder is free.
func TestKillNine(t *testing.T) {
	if dir := os.Getenv("ATTUNE_TEST_SQLITE_CHILD"); dir != "" {
		s := open(t, dir)
		acquire(t, s, "child")
		for i := 0; ; i += 3 {
			flush(t, s, "child", admission(i), admission(i+1), admission(i+2))
			fmt.Printf("acknowledged %d\n", i+2)
		}
	}
	dir := t.TempDir()
	child := exec.Command(os.Args[0], "-test.run=^TestKillNine$")
	child.Env = append(os.Environ(), "ATTUNE_TEST_SQLITE_CHILD="+dir)
	out, err := child.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := child.Start(); err != nil {
		t.Fatal(err)
	}
	last := -1
	lines := bufio.NewScanner(out)
	for lines.Scan() {
		if n, ok := strings.CutPrefix(lines.Text(), "acknowledged "); ok {
			if last, err = strconv.Atoi(n); err != nil {
				t.Fatal(err)
			}
		}
		if last >= 200 {
			_ = child.Process.Kill() // what it still says in its last moments counts too
		}
	}
	_ = child.Wait() // "killed"
	if last < 200 {
		t.Fatalf("the child ended by itself after %d", last)
	}
	s := open(t, dir)
	for i := range last + 1 {
		a := admission(i)
		if _, err := s.Event(t.Context(), a.Event.ID); err != nil {
			t.Fatalf("%d of %d was acknowledged: %v", i, last, err)
		}
		if _, err := s.Execution(t.Context(), a.Executions[0].ID); err != nil {
			t.Fatalf("%d of %d was acknowledged: %v", i, last, err)
		}
	}
	acquire(t, s, "node-2")
	answers, err := s.Flush(t.Context(), "node-2", []persistence.Op{admission(0)})
	if err != nil || answers[0].Outcome != persistence.Duplicate {
		t.Fatal("the dedupe key is lost:", answers, err)
	}
}

func acquire(t testing.TB, s *sqlite.Store, incarnation string) {
	t.Helper()
	if _, err := s.Acquire(t.Context(), incarnation, "node", time.Hour); err != nil {
		t.Fatal(err)
	}
}

func flush(t testing.TB, s *sqlite.Store, incarnation string, admissions ...*persistence.Admit) {
	t.Helper()
	ops := make([]persistence.Op, len(admissions))
	for i, a := range admissions {
		ops[i] = a
	}
	answers, err := s.Flush(t.Context(), incarnation, ops)
	if err != nil {
		t.Fatal(err)
	}
	for _, a := range answers {
		if a.Outcome != persistence.Committed {
			t.Fatal(a)
		}
	}
}

// change runs SQL behind the store's back.
func change(t testing.TB, path, query string) {
	t.Helper()
	db, err := sql.Open("sqlite", path)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if _, err := db.Exec(query); err != nil {
		t.Fatal(err)
	}
}
