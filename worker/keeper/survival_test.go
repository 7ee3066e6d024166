package keeper_test

import (
	"context"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/attune-automation/attune/worker/keeper"
)

func TestRunsOfAKilledOrFrozenWorkerEndWithItsLease(t *testing.T) {
	for name, signal := range map[string]unix.Signal{"killed": unix.SIGKILL, "frozen": unix.SIGSTOP} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			inBothModes(t, func(t *testing.T, mode keeper.Mode) {
				t.Parallel()
				dir := t.TempDir()
				const lease = time.Second
				const margin = 2 * time.Second // the worker's kill margin
				cmd, out := startVictim(t, dir, mode, lease, hostile)
				begin := keeper.BoottimeNow()
				if err := cmd.Process.Signal(signal); err != nil {
					t.Fatal(err)
				}
				out.rest()
				took := time.Duration(keeper.BoottimeNow() - begin)
				// Half a lease is for a victim that had no processor for a while.
				if took < lease/2 || took > lease+margin {
					t.Errorf("with a lease of %v the runs ended after %v", lease, took)
				}
				if left := withMarker("KEEPER_TEST=" + dir); len(left) > 0 {
					t.Errorf("left: %v", left)
				}
				if signal == unix.SIGKILL {
					awaitKeepers(t, dir) // it has nobody to serve any more
				}
				killEarlier(t, dir)
			})
		})
	}
}

func TestKillEarlierEndsTheRunsOfALivingKeeper(t *testing.T) {
	for name, signal := range map[string]unix.Signal{"of a killed worker": unix.SIGKILL, "of a frozen worker": unix.SIGSTOP} {
		t.Run(name, func(t *testing.T) {
			inBothModes(t, func(t *testing.T, mode keeper.Mode) {
				// A path that is too long for the address of a socket.
				dir := filepath.Join(t.TempDir(), strings.Repeat("long", 30))
				if err := os.Mkdir(dir, 0o700); err != nil {
					t.Fatal(err)
				}
				cmd, out := startVictim(t, dir, mode, time.Hour, hostile)
				if err := cmd.Process.Signal(signal); err != nil {
					t.Fatal(err)
				}
				killEarlier(t, dir)
				if left := withMarker("KEEPER_TEST=" + dir); len(left) > 0 {
					t.Errorf("left: %v", left)
				}
				out.rest()
			})
		})
	}
}

func TestWhatADeadKeeperLeftIsEnded(t *testing.T) {
	inBothModes(t, func(t *testing.T, mode keeper.Mode) {
		script := coverable(mode)
		t.Run("by the worker", func(t *testing.T) {
			b := open(t, mode)
			out := b.start(keeper.Run{Token: "r"}, script)
			b.next(keeper.Started, "r")
			out.await(5 * len("x\n"))
			killKeepers(t, b.dir)
			if e := b.next(keeper.Ended, "r"); e.Cause != keeper.CauseOrphan || e.ExitCode != -1 {
				t.Errorf("got %+v", e)
			}
			if left := withMarker(b.marker); len(left) > 0 {
				t.Errorf("told ended, left: %v", left)
			}
			out.rest()
			b.start(keeper.Run{Token: "r"}, "exit 9") // a new keeper, under the same lease
			if e := b.ended("r"); e.ExitCode != 9 {
				t.Errorf("got %+v", e)
			}
		})
		t.Run("by its successor", func(t *testing.T) {
			dir := t.TempDir()
			cmd, out := startVictim(t, dir, mode, time.Hour, script)
			cmd.Process.Signal(unix.SIGSTOP) // else it would do it itself
			killKeepers(t, dir)
			killEarlier(t, dir)
			if left := withMarker("KEEPER_TEST=" + dir); len(left) > 0 {
				t.Errorf("left: %v", left)
			}
			out.rest()
		})
	})
}

func TestKillEarlierIsBoundedByItsContext(t *testing.T) {
	dir := t.TempDir()
	lock, err := os.Create(filepath.Join(dir, "keeper-0123.lock"))
	if err != nil {
		t.Fatal(err)
	}
	defer lock.Close()
	if err := unix.Flock(int(lock.Fd()), unix.LOCK_EX); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancelCause(t.Context())
	cause := errors.New("no time")
	cancel(cause)
	if err := keeper.KillEarlier(ctx, dir); !errors.Is(err, cause) || !strings.Contains(err.Error(), "0123") {
		t.Error(err)
	}
	if _, err := os.Stat(lock.Name()); err != nil {
		t.Error("the record of a living keeper was removed", err)
	}
}

func TestKillEarlierWithNothingToDo(t *testing.T) {
	if err := keeper.KillEarlier(t.Context(), filepath.Join(t.TempDir(), "none")); err != nil {
		t.Error(err)
	}
	dir := t.TempDir()
	os.WriteFile(filepath.Join(dir, "keeper-torn.lock"), []byte(`{"cgro`), 0o600)
	if err := keeper.KillEarlier(t.Context(), dir); err != nil {
		t.Error(err)
	}
	if entries, _ := os.ReadDir(dir); len(entries) > 0 {
		t.Errorf("left: %v", entries)
	}
}

func killEarlier(t *testing.T, dir string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	if err := keeper.KillEarlier(ctx, dir); err != nil {
		t.Fatal(err)
	}
	if entries, err := os.ReadDir(dir); err != nil || len(entries) > 0 {
		t.Errorf("left in the folder: %v, %v", entries, err)
	}
}

// killKeepers kills -9 the keepers with a record in dir.
func killKeepers(t *testing.T, dir string) {
	t.Helper()
	for _, keeper := range keeperProcesses(t, dir) {
		pid, err := strconv.Atoi(keeper)
		if err != nil {
			t.Fatal(err)
		}
		if err := unix.Kill(pid, unix.SIGKILL); err != nil {
			t.Fatal(err)
		}
	}
}

// keeperProcesses finds the keepers with a record in dir: the last argument of
// each is its id.
func keeperProcesses(t testing.TB, dir string) []string {
	t.Helper()
	locks, _ := filepath.Glob(filepath.Join(dir, "*.lock"))
	cmdlines, _ := filepath.Glob("/proc/[0-9]*/cmdline")
	var pids []string
	for _, lock := range locks {
		id := strings.TrimSuffix(strings.TrimPrefix(filepath.Base(lock), "keeper-"), ".lock")
		for _, path := range cmdlines {
			line, _ := os.ReadFile(path)
			if strings.HasSuffix(string(line), "\x00"+id+"\x00") {
				pids = append(pids, filepath.Base(filepath.Dir(path)))
			}
		}
	}
	if len(pids) == 0 {
		t.Fatalf("no keeper for %v", locks)
	}
	return pids
}

// The record must be readable by whoever comes after an upgrade.
func TestTheRecordOfAKeeper(t *testing.T) {
	inBothModes(t, func(t *testing.T, mode keeper.Mode) {
		b := open(t, mode)
		b.start(keeper.Run{Token: "r"}, "exec sleep 1000")
		pid := b.next(keeper.Started, "r").Pid
		locks, _ := filepath.Glob(filepath.Join(b.dir, "keeper-*.lock"))
		text, err := os.ReadFile(locks[0])
		if err != nil {
			t.Fatal(err)
		}
		var record struct {
			Boot, Namespace, Cgroup string
			Session                 int
		}
		if err := json.Unmarshal(text, &record); err != nil {
			t.Fatal(err)
		}
		if record.Boot == "" || record.Namespace == "" {
			t.Errorf("got %s", text)
		}
		if mode == keeper.ByCgroup && record.Cgroup == "" || mode == keeper.ByReaper && record.Session != pid {
			t.Errorf("got %s for %d", text, pid)
		}
	})
}
