package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/attune-automation/attune"
	"github.com/attune-automation/attune/api"
	"github.com/attune-automation/attune/api/apitest"
	"github.com/attune-automation/attune/persistence"
	"github.com/attune-automation/attune/persistence/sqlite"
)

// diagnosis is what the doctor says, by check, and its exit code.
func diagnosis(t *testing.T, data string, args ...string) (map[string]finding, int) {
	t.Helper()
	var out bytes.Buffer
	code := execute(t.Context(), append([]string{"admin", "doctor", "-o", "json", "--data", data}, args...),
		streams{in: &bytes.Buffer{}, out: &out, talk: io.Discard, env: func(string) string { return "" }})
	var all []finding
	if err := json.Unmarshal(out.Bytes(), &all); err != nil {
		t.Fatalf("%v: %s", err, &out)
	}
	found := map[string]finding{}
	for _, f := range all {
		found[f.Check] = f
		if f.State != stateOK && (f.Means == "" || f.Do == "") {
			t.Errorf("%s is %s, and it is not said what that means and what to do: %+v", f.Check, f.State, f)
		}
	}
	return found, code
}

// dataOf is a folder that a node was on, as change leaves it.
func dataOf(t *testing.T, change func(dir string, s *sqlite.Store)) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "data")
	s, err := sqlite.Open(t.Context(), sqlite.Config{Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	for name, size := range map[string]int{"attune.key": 32, tokenFile: 40} {
		if err := os.WriteFile(filepath.Join(dir, name), make([]byte, size), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	change(dir, s)
	return dir
}

func TestTheDoctorFindsWhatIsWrongWithAFolder(t *testing.T) {
	check := func(err error) {
		if err != nil {
			t.Error(err)
		}
	}
	for name, c := range map[string]struct {
		change      func(dir string, s *sqlite.Store)
		what, state string
		code        int
	}{
		"nothing":                   {func(string, *sqlite.Store) {}, "database", stateOK, 0},
		"a folder that others read": {func(dir string, _ *sqlite.Store) { check(os.Chmod(dir, 0o755)) }, "data folder", stateWarn, 0},
		"a key that others read":    {func(dir string, _ *sqlite.Store) { check(os.Chmod(filepath.Join(dir, "attune.key"), 0o640)) }, "key", stateFail, 1},
		"a key of another length":   {func(dir string, _ *sqlite.Store) { check(os.Truncate(filepath.Join(dir, "attune.key"), 7)) }, "key", stateFail, 1},
		"a token that others read":  {func(dir string, _ *sqlite.Store) { check(os.Chmod(filepath.Join(dir, tokenFile), 0o644)) }, "token", stateFail, 1},
		"a clock that was set back": {idsAhead(t), "clock", stateFail, 1},
		"a database that is cut off": {func(dir string, s *sqlite.Store) {
			check(s.Close())
			check(os.Truncate(filepath.Join(dir, sqlite.File), 30_000))
		}, "database", stateFail, 1},
		"a database that is none": {func(dir string, s *sqlite.Store) {
			check(s.Close())
			check(os.WriteFile(filepath.Join(dir, sqlite.File), bytes.Repeat([]byte("no database "), 1000), 0o600))
		}, "database", stateFail, 1},
	} {
		t.Run(name, func(t *testing.T) {
			found, code := diagnosis(t, dataOf(t, c.change))
			if found[c.what].State != c.state || code != c.code {
				t.Errorf("exit code %d, %+v", code, found)
			}
		})
	}
}

// idsAhead is a folder whose ids are an hour ahead.
func idsAhead(t *testing.T) func(string, *sqlite.Store) {
	return func(_ string, s *sqlite.Store) {
		if _, err := s.Acquire(t.Context(), "n", "n", time.Minute); err != nil {
			t.Error(err)
		}
		high := time.Now().Add(time.Hour).Sub(attune.Epoch).Milliseconds()
		if _, err := s.Flush(t.Context(), "n", []persistence.Op{&persistence.RaiseIDHigh{Partition: 3, High: high}}); err != nil {
			t.Error(err)
		}
	}
}

func TestTheDoctorSaysWhoUsesAFolder(t *testing.T) {
	dir := dataOf(t, func(dir string, _ *sqlite.Store) {
		if found, code := diagnosis(t, dir); found["lock"].State != stateWarn || code != 0 {
			t.Errorf("used by nobody who says so: exit code %d, %+v", code, found["lock"])
		}
	})
	if found, code := diagnosis(t, dir); found["lock"].State != stateOK || code != 0 {
		t.Errorf("used by nobody: exit code %d, %+v", code, found["lock"])
	}
	if found, code := diagnosis(t, filepath.Join(dir, "no")); found["data folder"].State != stateWarn || code != 0 {
		t.Errorf("a folder that is not there: exit code %d, %+v", code, found)
	}
}

func TestTheDoctorAsksTheNode(t *testing.T) {
	w := apitest.New(t)
	ask := func() (map[string]finding, int) {
		return diagnosis(t, t.TempDir(), "--server", w.URL, "--token", w.Viewer)
	}
	if found, code := ask(); found["node"].State != stateOK || found["workers"].State != stateFail || found["overdue"].State != stateFail || code != 1 {
		t.Errorf("without worker and metrics: exit code %d, %+v", code, found)
	}
	w.Engine.Machines = []api.WorkerView{{Worker: attune.Worker{Name: "a", State: attune.WorkerAlive, Slots: 3}}, {Worker: attune.Worker{Name: "b", State: attune.WorkerLost}}}
	if found, _ := ask(); found["workers"].State != stateWarn {
		t.Errorf("with a lost worker: %+v", found["workers"])
	}
	w.Engine.Health = []api.PartHealth{{Part: "store", State: api.PartOK}, {Part: "broker", State: api.PartDegraded, Reason: "the connection is down"}}
	if found, _ := ask(); found["node"].State != stateOK || found["broker"].State != stateWarn {
		t.Errorf("without its broker: %+v", found)
	}
	w.Engine.NotReady = errors.New("it drains")
	if found, code := ask(); found["node"].State != stateFail || code != 1 {
		t.Errorf("not ready: exit code %d, %+v", code, found["node"])
	}
	if found, code := diagnosis(t, t.TempDir(), "--server", "http://127.0.0.1:1", "--token", "x"); found["node"].State != stateFail || code != 1 {
		t.Errorf("not there: exit code %d, %+v", code, found["node"])
	}
}

// A backup goes into a file whole or not at all, and over nobody's file.
func TestABackupIsAFileOrNone(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "b.tar")
	take := func(broken error) int {
		w := apitest.New(t)
		w.Ruler.Archive, w.Ruler.Broken = "no tar", broken
		return execute(context.Background(), []string{"admin", "backup", file, "--server", w.URL, "--token", w.Admin},
			streams{in: &bytes.Buffer{}, out: io.Discard, talk: io.Discard, env: func(string) string { return "" }})
	}
	if code := take(nil); code != exitUsage {
		t.Errorf("an answer that is no backup: exit code %d", code)
	}
	if code := take(errors.New("the disk is gone")); code != exitUnreachable {
		t.Errorf("an answer that breaks off: exit code %d", code)
	}
	if left, err := os.ReadDir(dir); err != nil || len(left) > 0 {
		t.Errorf("left behind: %v, %v", left, err)
	}
	if err := os.WriteFile(file, []byte("mine"), 0o600); err != nil {
		t.Fatal(err)
	}
	if code := take(nil); code != exitConflict {
		t.Errorf("over a file: exit code %d", code)
	}
}
