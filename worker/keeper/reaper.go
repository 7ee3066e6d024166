package keeper

import (
	"errors"
	"os"
	"strconv"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/attune-automation/attune"
)

// errBusy is the answer of a containment that holds one tree at a time.
var errBusy = errors.New("this keeper has a run already")

// reaper is the containment by a child sub-reaper: the tree is everything below
// this process, so there is one at a time.
type reaper struct {
	busy bool
	// children says who the children of a process are; made anew for each walk.
	children func() func(pid int) []int
	// tell stores the session of the run where it outlives this process, or 0.
	tell func(session int)
}

func newReaper(tell func(session int)) *reaper {
	r := &reaper{children: childrenFromTable, tell: tell}
	pid := strconv.Itoa(os.Getpid())
	if _, err := os.Stat("/proc/" + pid + "/task/" + pid + "/children"); err == nil {
		r.children = func() func(int) []int { return childrenListed }
	}
	return r
}

func (r *reaper) mode() Mode { return ByReaper }

func (r *reaper) holds() []controller { return nil }

func (r *reaper) newTree(uint64) (tree, error) {
	if r.busy {
		return nil, errBusy
	}
	r.busy = true
	return &reaperTree{reaper: r}, nil
}

func (r *reaper) remove() {}

// reaperTree is all that descends from the keeper.
type reaperTree struct {
	reaper       *reaper
	user, system time.Duration
}

func (t *reaperTree) prepare(*syscall.SysProcAttr, attune.Resources) error { return nil }

func (t *reaperTree) prepared(pid int) {
	if pid > 0 {
		t.reaper.tell(pid) // the first process leads a session of its own
	}
}

// terminate walks until a walk finds nobody new, but not for ever: what is born
// faster is killed after the grace.
func (t *reaperTree) terminate() {
	told := make(map[int]bool)
	for range 5 {
		before := len(told)
		descend(t.reaper.children(), func(s processStat, pidfd int) {
			if !told[s.pid] {
				told[s.pid] = true
				terminateProcess(pidfd)
			}
		})
		if len(told) == before {
			return
		}
	}
}

// kill walks a few times, since processes fork while it walks. Killing whole
// process groups takes those that fork within their group in one step: the
// kernel finishes no fork in a group that is being killed. A process that the
// walk has killed stays visible until it is waited for, thus the bound.
func (t *reaperTree) kill() {
	own := unix.Getpgrp()
	for range 3 {
		alive := 0
		descend(t.reaper.children(), func(s processStat, pidfd int) {
			if s.dead() {
				return
			}
			alive++
			// Only sessions that the run made are below us, hence only its groups.
			if s.group > 1 && s.group != own {
				_ = unix.Kill(-s.group, unix.SIGKILL)
			}
			_ = unix.PidfdSendSignal(pidfd, unix.SIGKILL, nil, 0)
		})
		if alive == 0 {
			return
		}
	}
}

// empty asks the kernel whether this process has any child. Who loses its parent
// becomes our child before that parent can be waited for, so having none means
// that nobody is left at all.
func (t *reaperTree) empty() bool {
	for {
		err := unix.Waitid(unix.P_ALL, 0, nil, unix.WEXITED|unix.WNOHANG|unix.WNOWAIT|unix.WALL, nil)
		if !errors.Is(err, unix.EINTR) {
			return errors.Is(err, unix.ECHILD)
		}
	}
}

// reaped adds up: a process that was waited for counts in its parent's usage,
// one that lost its parent comes here itself.
func (t *reaperTree) reaped(usage *unix.Rusage) {
	t.user += time.Duration(usage.Utime.Nano())
	t.system += time.Duration(usage.Stime.Nano())
}

func (t *reaperTree) usage() usage { return usage{user: t.user, system: t.system} }

func (t *reaperTree) remove() {
	t.reaper.busy = false
	t.reaper.tell(0)
}
