package keeper

import (
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/attune-automation/attune"
)

// Mode names how a keeper holds the processes of a run together.
type Mode string

// The modes. Auto takes ByCgroup where the machine allows it.
const (
	Auto     Mode = ""
	ByCgroup Mode = "cgroup"
	ByReaper Mode = "reaper"
)

// controller is a part of the kernel that limits a control group as a whole.
type controller string

const (
	memoryController controller = "memory"
	pidsController   controller = "pids"
	cpuController    controller = "cpu"
)

// usage is what a tree has used, and where it met its limits.
type usage struct {
	user, system              time.Duration
	memoryKills, refusedForks int64
}

// containment makes trees. The keeper's loop calls it.
type containment interface {
	mode() Mode
	// holds are the controllers by which a tree as a whole can be limited.
	holds() []controller
	// newTree makes an empty tree for the run of that number, at no cost yet. It
	// errs when the containment can hold no further one.
	newTree(number uint64) (tree, error)
	// remove takes away what the containment itself needed, after its last tree.
	remove()
}

// tree is a run's first process and all that descends from it. Only prepare and
// prepared are called on the forking thread; all else is the loop's, and may
// come in between.
type tree interface {
	// prepare lets the process forked with attr be born inside the tree, under
	// those limits that the containment holds.
	prepare(attr *syscall.SysProcAttr, limits attune.Resources) error
	// prepared frees what prepare took, after the fork. The pid is 0 if it failed.
	prepared(pid int)
	// terminate sends SIGTERM to every process, as far as they can be seen.
	terminate()
	// kill sends SIGKILL. It is repeated until empty says so, since a process may
	// have been born behind its back.
	kill()
	// empty reports whether no process is left. It is asked only after the first
	// process was reaped.
	empty() bool
	// reaped counts a process that the keeper waited for.
	reaped(usage *unix.Rusage)
	// usage is what all have used, ended ones included.
	usage() usage
	// remove takes away an empty tree.
	remove()
}
