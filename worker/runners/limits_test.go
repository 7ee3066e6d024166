package runners_test

import (
	"context"
	"errors"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/attune-automation/attune"
	"github.com/attune-automation/attune/messages"
	"github.com/attune-automation/attune/worker/keeper"
	"github.com/attune-automation/attune/worker/runners"
)

// leaveOut skips what the machine lacks.
func leaveOut(t *testing.T, word string, err error) {
	t.Helper()
	t.Skipf("left out: %s: %v", word, err)
}

// openBounded is open with limits of the worker's own.
func openBounded(t *testing.T, mode keeper.Mode, limits attune.Resources) *runners.Processes {
	t.Helper()
	p := runners.NewProcesses(runners.ProcessConfig{Dir: t.TempDir(), Args: []string{"keeper"}, Mode: mode, Env: []string{"PATH=" + os.Getenv("PATH")}, Limits: limits})
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		if err := p.Close(ctx); err != nil {
			t.Error(err)
		}
	})
	if len(p.Labels()) > 0 {
		t.Errorf("before it began: %v", p.Labels())
	}
	if err := p.Begin("i"); err != nil {
		if mode == keeper.ByCgroup {
			leaveOut(t, "cgroup2", err)
		}
		t.Fatal(err)
	}
	p.Extend(time.Duration(keeper.BoottimeNow()) + time.Minute)
	return p
}

// The smaller of the action's limit and the worker's counts, and an attempt that
// is killed at it says so.
func TestAnAttemptAtItsLimitOfMemorySaysSo(t *testing.T) {
	const hoard = "dd if=/dev/zero of=/dev/null bs=60M count=1"
	for name, c := range map[string]struct{ action, worker attune.Resources }{
		"the action's": {attune.Resources{Memory: 20 << 20}, attune.Resources{}},
		"the worker's": {attune.Resources{Memory: 300 << 20}, attune.Resources{Memory: 20 << 20}},
	} {
		t.Run(name, func(t *testing.T) {
			p := openBounded(t, keeper.ByCgroup, c.worker)
			if !strings.Contains(p.Labels()["limits"], "memory, ") {
				leaveOut(t, "limits", errors.New("no control group here limits memory"))
			}
			d := dispatch(1, object{"cmd": hoard})
			d.Limits = c.action
			e := start(t, p.Shell(), d).ended()
			if e.End != messages.FailedRun || e.Failure.Code != "out_of_memory" || !strings.Contains(e.Failure.Message, "20971520") {
				t.Errorf("%s %v %s", e.End, e.Failure, e.Result)
			}
		})
	}
}

func TestAWorkerSaysWhichLimitsHold(t *testing.T) {
	p := openBounded(t, keeper.ByReaper, attune.Resources{Memory: 20 << 20})
	labels := runners.Kept{requests(t), p}.Labels()
	if len(labels) != 2 || labels["containment"] != "reaper" || labels["limits"] != "memory of each process" {
		t.Errorf("it says %v", labels)
	}
	// What it says is what happens: the one that asks for more is refused it, its
	// shell goes on.
	e := start(t, p.Shell(), dispatch(1, object{"cmd": "dd if=/dev/zero of=/dev/null bs=60M count=1; echo went on"})).ended()
	if e.End != messages.Finished || !strings.Contains(string(e.Result), "went on") || !strings.Contains(string(e.Result), "memory") {
		t.Errorf("%s %v %s", e.End, e.Failure, e.Result)
	}
}
