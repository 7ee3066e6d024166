package journal_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"sync"
	"testing"

	"go.uber.org/goleak"

	"github.com/attune-automation/attune"
	"github.com/attune-automation/attune/messages"
	"github.com/attune-automation/attune/worker"
	"github.com/attune-automation/attune/worker/journal"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// each runs a test for both journals. reopen is the journal after a crash.
func each(t *testing.T, test func(t *testing.T, reopen func() worker.Journal)) {
	t.Run("memory", func(t *testing.T) {
		m := journal.NewMemory(nil)
		test(t, func() worker.Journal { return m })
	})
	t.Run("disk", func(t *testing.T) {
		dir := t.TempDir()
		test(t, func() worker.Journal { return openDisk(t, journal.DiskConfig{Dir: dir, SegmentBytes: 4096}) })
	})
}

func openDisk(t *testing.T, config journal.DiskConfig) *journal.Disk {
	t.Helper()
	d, err := journal.NewDisk(config)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { d.Close() })
	return d
}

func token(n int) attune.Token {
	return attune.Token{Execution: attune.ExecutionID(attune.MakeID(int64(n), 1, 0)), Attempt: 1}
}

func started(n int) worker.Entry {
	return worker.Entry{Kind: worker.EntryStarted, Token: token(n), Node: "n1"}
}

func ended(n int) worker.Entry {
	return worker.Entry{Kind: worker.EntryEnded, Token: token(n), Node: "n1", Report: &messages.Report{
		Token: token(n), Kind: messages.FailedRun, Worker: "w", Incarnation: "a", Elapsed: 5,
		Result: []byte(`{"return_code":1}`), Failure: &attune.Failure{Code: "exit_code", Message: "1"},
	}}
}

func acknowledged(n int) worker.Entry {
	return worker.Entry{Kind: worker.EntryAcknowledged, Token: token(n)}
}

func begin(t *testing.T, j worker.Journal, incarnation string) []worker.Earlier {
	t.Helper()
	earlier, err := j.Begin(incarnation)
	if err != nil {
		t.Fatal(err)
	}
	return earlier
}

// add appends and waits until it is durable.
func add(t *testing.T, j worker.Journal, entries ...worker.Entry) {
	t.Helper()
	done := make(chan error, 1)
	j.Append(entries, func(err error) { done <- err })
	if err := <-done; err != nil {
		t.Fatal(err)
	}
}

func want(t *testing.T, got []worker.Earlier, want ...worker.Earlier) {
	t.Helper()
	if len(got) == 0 && len(want) == 0 {
		return
	}
	for i := range got {
		if len(got[i].Entries) == 0 {
			got[i].Entries = nil
		}
	}
	if !reflect.DeepEqual(got, want) {
		t.Fatalf("got  %+v\nwant %+v", got, want)
	}
}

func TestAJournalTellsTheLastWordOnWhatIsOpen(t *testing.T) {
	each(t, func(t *testing.T, reopen func() worker.Journal) {
		j := reopen()
		want(t, begin(t, j, "a"))
		add(t, j, started(3), started(1))
		add(t, j, started(2), ended(1))
		add(t, j, acknowledged(3))
		add(t, j)
		j = reopen()
		a := worker.Earlier{Incarnation: "a", Entries: []worker.Entry{ended(1), started(2)}}
		want(t, begin(t, j, "b"), a)
		add(t, j, started(4))
		j = reopen()
		want(t, begin(t, j, "c"), a, worker.Earlier{Incarnation: "b", Entries: []worker.Entry{started(4)}})
		j.Forget("a")
		add(t, j)
	})
}

func TestAForgottenIncarnationIsGone(t *testing.T) {
	dir := t.TempDir()
	j := openDisk(t, journal.DiskConfig{Dir: dir})
	begin(t, j, "a/../b") // whatever an incarnation is called
	add(t, j, started(1))
	begin(t, j, "c")
	j.Forget("a/../b")
	j.Close()
	want(t, begin(t, openDisk(t, journal.DiskConfig{Dir: dir}), "d"), worker.Earlier{Incarnation: "c"})
}

func TestATornTailIsNoEntry(t *testing.T) {
	whole := func() (string, []byte) {
		dir := t.TempDir()
		j := openDisk(t, journal.DiskConfig{Dir: dir})
		begin(t, j, "a")
		add(t, j, started(1))
		add(t, j, started(2))
		j.Close()
		path := filepath.Join(dir, "a.1.journal")
		content, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		return path, content
	}
	path, content := whole()
	record := (len(content) - len("attune-journal 1\n")) / 2
	for cut := 1; cut <= 2*record; cut++ {
		if err := os.WriteFile(path, content[:len(content)-cut], 0o600); err != nil {
			t.Fatal(err)
		}
		j := openDisk(t, journal.DiskConfig{Dir: filepath.Dir(path)})
		var entries []worker.Entry
		if cut <= record {
			entries = append(entries, started(1))
		}
		want(t, begin(t, j, "z"), worker.Earlier{Incarnation: "a", Entries: entries})
		j.Forget("z")
		j.Close()
	}
	bad := append([]byte(nil), content...)
	bad[len(bad)-3] ^= 1
	if err := os.WriteFile(path, bad, 0o600); err != nil {
		t.Fatal(err)
	}
	want(t, begin(t, openDisk(t, journal.DiskConfig{Dir: filepath.Dir(path)}), "z"),
		worker.Earlier{Incarnation: "a", Entries: []worker.Entry{started(1)}})
}

func TestAJournalStaysSmallAndKeepsWhatIsOpen(t *testing.T) {
	dir := t.TempDir()
	j := openDisk(t, journal.DiskConfig{Dir: dir, SegmentBytes: 4096})
	begin(t, j, "a")
	add(t, j, started(0))
	for i := 1; i <= 300; i++ {
		add(t, j, started(i))
		add(t, j, ended(i), acknowledged(i))
	}
	j.Close()
	files, err := filepath.Glob(dir + "/*")
	if err != nil || len(files) != 1 {
		t.Fatal(files, err)
	}
	if f, err := os.Stat(files[0]); err != nil || f.Size() > 3*4096 {
		t.Fatal(f.Size(), err)
	}
	want(t, begin(t, openDisk(t, journal.DiskConfig{Dir: dir}), "b"),
		worker.Earlier{Incarnation: "a", Entries: []worker.Entry{started(0)}})
}

// A goroutine that writes what waits in groups needs fewer syncs than entries.
func TestAppendsAreWrittenInGroups(t *testing.T) {
	var lent []func()
	d := openDisk(t, journal.DiskConfig{Dir: t.TempDir(), Lend: func(f func()) { lent = append(lent, f) }})
	begin(t, d, "a")
	done := 0
	for i := range 100 {
		d.Append([]worker.Entry{started(i)}, func(err error) {
			if err != nil {
				t.Error(err)
			}
			done++
		})
	}
	if len(lent) != 1 || done != 0 {
		t.Fatalf("%d steps lent, %d done before they ran", len(lent), done)
	}
	lent[0]()
	if done != 100 || len(lent) != 1 {
		t.Fatalf("%d of 100 done after one step, %d lent", done, len(lent))
	}
}

func TestADiskThatFailsAndComesBack(t *testing.T) {
	parent := t.TempDir()
	dir := filepath.Join(parent, "journal")
	d := openDisk(t, journal.DiskConfig{Dir: dir, SegmentBytes: 1})
	begin(t, d, "a")
	add(t, d, started(1))
	if err := os.Rename(dir, dir+".away"); err != nil { // a new segment cannot be made
		t.Fatal(err)
	}
	failed := make(chan error, 1)
	d.Append([]worker.Entry{started(2), ended(1)}, func(err error) { failed <- err })
	if err := <-failed; !errors.Is(err, os.ErrNotExist) {
		t.Fatal(err)
	}
	if err := os.Rename(dir+".away", dir); err != nil {
		t.Fatal(err)
	}
	add(t, d, started(3))
	d.Close()
	want(t, begin(t, openDisk(t, journal.DiskConfig{Dir: dir}), "b"),
		worker.Earlier{Incarnation: "a", Entries: []worker.Entry{ended(1), started(3)}})
}

func TestAppendFromManyAndClose(t *testing.T) {
	dir := t.TempDir()
	d := openDisk(t, journal.DiskConfig{Dir: dir, SegmentBytes: 2048})
	begin(t, d, "a")
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			for k := range 20 {
				add(t, d, started(100*i+k))
			}
		})
	}
	wg.Wait()
	d.Close()
	d.Close()
	d.Append(nil, func(err error) {
		if err == nil {
			t.Error("a closed journal took an entry")
		}
	})
	if _, err := d.Begin("b"); err == nil {
		t.Error("a closed journal began")
	}
	got := begin(t, openDisk(t, journal.DiskConfig{Dir: dir}), "b")
	if len(got) != 1 || len(got[0].Entries) != 160 {
		t.Fatal(len(got), fmt.Sprint(got)[:100])
	}
}

func TestMemoryLosesInACrashWhatIsNotDurable(t *testing.T) {
	var lent []func()
	m := journal.NewMemory(func(f func()) { lent = append(lent, f) })
	begin(t, m, "a")
	m.Append([]worker.Entry{started(1)}, func(error) {})
	lent[0]()
	m.Append([]worker.Entry{started(2)}, func(error) { t.Error("told after the crash") })
	m.Crash()
	lent[1]()
	want(t, begin(t, m, "b"), worker.Earlier{Incarnation: "a", Entries: []worker.Entry{started(1)}})
}

func TestABeginWaitsForWhatWasAppendedBefore(t *testing.T) {
	var lent []func()
	done := 0
	m := journal.NewMemory(func(f func()) { lent = append(lent, f) })
	begin(t, m, "a")
	m.Append([]worker.Entry{started(1)}, func(error) { done++ })
	want(t, begin(t, m, "b"), worker.Earlier{Incarnation: "a", Entries: []worker.Entry{started(1)}})
	lent[0]()
	if done != 1 {
		t.Fatalf("told %d times", done)
	}
}

// Had it been held without an entry, its tokens would be told as never started.
func TestAFileOfAnotherFormatIsNotHeld(t *testing.T) {
	dir := t.TempDir()
	for _, name := range []string{"a.1.journal", "b.journal", "b.x.journal", "notes.txt"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(strings.Repeat("x", 100)), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want(t, begin(t, openDisk(t, journal.DiskConfig{Dir: dir}), "c"))
}
