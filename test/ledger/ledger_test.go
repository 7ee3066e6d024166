package ledger_test

import (
	"slices"
	"testing"

	"github.com/attune-automation/attune/test/ledger"
)

func what(t *testing.T, folder string) (all []ledger.What) {
	t.Helper()
	lines, err := ledger.Read(folder)
	if err != nil {
		t.Fatal(err)
	}
	for _, l := range lines {
		all = append(all, l.What)
	}
	return all
}

func begin(t *testing.T, folder, execution string, attempt int) *ledger.Attempt {
	t.Helper()
	a, err := ledger.Begin(folder, execution, attempt, "key")
	if err != nil {
		t.Fatal(err)
	}
	return a
}

func TestAnAttemptIsWrittenWithItsBeginAndEnd(t *testing.T) {
	folder := t.TempDir()
	if lines, err := ledger.Read(folder); err != nil || len(lines) != 0 {
		t.Fatalf("before anything it is %v, %v", lines, err)
	}
	if err := begin(t, folder, "ex-1", 2).End(); err != nil {
		t.Fatal(err)
	}
	lines, err := ledger.Read(folder)
	if err != nil || len(lines) != 2 {
		t.Fatalf("%v, %v", lines, err)
	}
	for i, what := range []ledger.What{ledger.Start, ledger.End} {
		if l := lines[i]; l.What != what || l.Execution != "ex-1" || l.Attempt != 2 || l.Key != "key" || l.At == 0 {
			t.Errorf("line %d is %+v", i, l)
		}
	}
}

// The first attempt is alive as long as its lock is held, whatever it wrote.
func TestAnAttemptThatBeginsWhileAnotherLivesSaysSo(t *testing.T) {
	folder := t.TempDir()
	one := begin(t, folder, "ex-1", 1)
	if err := one.End(); err != nil {
		t.Fatal(err)
	}
	begin(t, folder, "ex-2", 1)
	if got := what(t, folder); slices.Contains(got, ledger.Overlap) {
		t.Fatalf("two executions are said to overlap: %v", got)
	}
	begin(t, folder, "ex-1", 2)
	if got := what(t, folder); !slices.Contains(got, ledger.Overlap) {
		t.Fatalf("two attempts of one execution overlap, and the ledger is %v", got)
	}
}
