package keeper_test

import (
	"errors"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/attune-automation/attune"
	"github.com/attune-automation/attune/worker/keeper"
)

// openLimited opens a keeper under which that limit holds for whole trees.
func openLimited(t *testing.T, limit string) *bench {
	t.Helper()
	need(t, keeper.ByCgroup, "cgroup2")
	b := open(t, keeper.ByCgroup)
	if !slices.Contains(b.Limits(), limit) {
		leaveOut(t, "limits", errors.New("no control group here limits "+limit))
	}
	return b
}

// hoard takes 60 MB of memory, in a child of its own, while the first process
// waits.
const hoard = `dd if=/dev/zero of=/dev/null bs=60M count=1; echo "went on after $?"`

func TestATreeThatTakesTooMuchMemoryIsKilledAsAWhole(t *testing.T) {
	b := openLimited(t, "memory")
	out := b.start(keeper.Run{Token: "r", Limits: attune.Resources{Memory: 20 << 20}}, hoard)
	e := b.ended("r")
	if e.MemoryKills == 0 || e.Signal != int(unix.SIGKILL) || e.Cause != keeper.CauseNone {
		t.Errorf("got %+v", e)
	}
	if got := out.rest(); got != "" {
		t.Errorf("it said %q", got)
	}
	b.start(keeper.Run{Token: "next", Limits: attune.Resources{Memory: 200 << 20}}, hoard)
	if e := b.ended("next"); e.MemoryKills != 0 || e.Signal != 0 || e.ExitCode != 0 {
		t.Errorf("with enough: %+v", e)
	}
}

func TestATreeThatForksTooMuchIsRefusedIt(t *testing.T) {
	b := openLimited(t, "processes")
	out := b.start(keeper.Run{Token: "r", Limits: attune.Resources{Processes: 5}},
		`for i in 1 2 3 4 5 6 7 8 9; do sleep 1000 & echo x; done 2>/dev/null; exit 3`)
	if e := b.ended("r"); e.RefusedForks == 0 || e.ExitCode == 0 {
		t.Errorf("got %+v", e)
	}
	if got := strings.Count(out.rest(), "x"); got > 5 {
		t.Errorf("%d processes were started", got)
	}
	b.start(keeper.Run{Token: "next", Limits: attune.Resources{Processes: 50}}, `for i in 1 2 3 4 5 6 7 8 9; do sleep 1000 & done`)
	if e := b.ended("next"); e.RefusedForks != 0 || e.ExitCode != 0 {
		t.Errorf("with enough: %+v", e)
	}
}

func TestATreeGetsItsShareOfTheProcessors(t *testing.T) {
	b := openLimited(t, "cpu")
	const whole = 2 * time.Second
	began := keeper.BoottimeNow()
	b.start(keeper.Run{Token: "r", Timeout: whole, Limits: attune.Resources{CPU: 0.2}}, `while :; do :; done & while :; do :; done`)
	e := b.ended("r")
	used, passed := e.UserTime+e.SystemTime, time.Duration(keeper.BoottimeNow()-began)
	if used > passed/3 { // without the limit it is all there is
		t.Errorf("it used %v of %v", used, passed)
	}
}

// Without the controller each process is bounded by itself: it is refused the
// memory and may go on, its siblings too.
func TestWithoutAControllerEachProcessIsRefusedMemory(t *testing.T) {
	inBothModes(t, func(t *testing.T, mode keeper.Mode) {
		b := open(t, mode)
		if slices.Contains(b.Limits(), "memory") {
			t.Skip("the whole tree is limited here")
		}
		out := b.start(keeper.Run{Token: "r", Limits: attune.Resources{Memory: 20 << 20}}, `exec 2>/dev/null; `+hoard+`; ulimit -n; echo "$0"`)
		if e := b.ended("r"); e.ExitCode != 0 {
			t.Errorf("got %+v", e)
		}
		got := out.rest()
		if !strings.HasPrefix(got, "went on after 1\n") || !strings.HasSuffix(got, "/bin/sh\n") {
			t.Errorf("it said %q", got)
		}
		out = b.start(keeper.Run{Token: "free"}, "ulimit -n")
		b.ended("free")
		if free := out.rest(); !strings.Contains(got, "\n"+free) {
			t.Errorf("bounding memory changed the number of files: %q, free %q", got, free)
		}
		for n, argv := range [][]string{{"/none"}, {"/etc/passwd"}} {
			token := strconv.Itoa(n)
			if err := b.Start(keeper.Run{Token: token, Argv: argv, Limits: attune.Resources{Memory: 20 << 20}}); err != nil {
				t.Fatal(err)
			}
			if e := b.next(keeper.Refused, token); e.Refusal != keeper.RefusedExec {
				t.Errorf("%s: %+v", argv, e)
			}
		}
	})
}

func TestALimitedTreeStillEndsAsAWhole(t *testing.T) {
	inBothModes(t, func(t *testing.T, mode keeper.Mode) {
		b := open(t, mode)
		out := b.start(keeper.Run{Token: "r", Limits: attune.Resources{Memory: 256 << 20, Processes: 100, CPU: 2}}, hostile)
		b.next(keeper.Started, "r")
		out.await(5 * len("x\n"))
		b.Stop("r", 20*time.Millisecond)
		if e := b.next(keeper.Ended, "r"); e.Cause != keeper.CauseStop || e.MemoryKills != 0 || e.RefusedForks != 0 {
			t.Errorf("got %+v", e)
		}
		if left := withMarker(b.marker); len(left) > 0 {
			t.Errorf("told ended, left: %v", left)
		}
		out.rest()
	})
}
