package keeper

import (
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"

	"github.com/attune-automation/attune"
)

// kept is one run in the keeper's hands. The loop owns it; the forking thread
// reads what newKept sets, and stopped.
type kept struct {
	token   string
	argv    []string
	env     []string
	dir     string
	files   []int // closed by the forking thread
	grace   time.Duration
	timeout time.Duration
	limits  attune.Resources
	tree    tree

	// stopped keeps a run that waits for its fork from being started.
	stopped atomic.Bool

	pid       int   // 0 until it is started
	timeoutAt int64 // when its time is up
	killAt    int64 // when its grace is up
	cause     Cause
	killing   bool  // SIGKILL was sent once
	retryAt   int64 // when it is sent again
	retry     time.Duration

	over   bool // the first process has ended
	status unix.WaitStatus
	rss    int64
}

func newKept(m *message, t tree) *kept {
	k := &kept{
		token: m.token, argv: m.args, env: m.env, dir: m.text, files: m.files,
		grace: time.Duration(m.numbers[0]), timeout: time.Duration(m.numbers[1]),
		limits: attune.Resources{Memory: m.numbers[2], Processes: int(m.numbers[3]), CPU: float64(m.numbers[4]) / 1000},
		tree:   t, cause: CauseNone, timeoutAt: never, killAt: never, retry: firstRetry,
	}
	if k.grace == 0 {
		k.grace = DefaultGrace
	}
	return k
}

// started notes the birth of the first process. A stop that came in between is
// made good.
func (k *kept) started(pid int, at int64) {
	k.pid = pid
	if k.timeout > 0 {
		k.timeoutAt = after(at, k.timeout)
	}
	if k.cause != CauseNone {
		k.tree.terminate()
	}
}

func (k *kept) firstEnded(r reaped) {
	k.over, k.status, k.rss = true, r.status, r.usage.Maxrss*1024
}

// stop asks the whole tree to end, once, and sets how long it may take. The
// shortest grace and the first cause count.
func (k *kept) stop(cause Cause, grace time.Duration) {
	if grace == 0 {
		grace = k.grace
	}
	k.killAt = min(k.killAt, after(BoottimeNow(), max(grace, 0)))
	k.stopped.Store(true)
	if k.cause != CauseNone || k.over {
		return
	}
	k.cause = cause
	if grace > 0 && k.pid != 0 {
		k.tree.terminate()
	}
}

// advance does what is due; true when nothing of the run is left.
func (k *kept) advance(now int64) bool {
	if k.timeoutAt <= now && !k.over && k.cause == CauseNone {
		k.stop(CauseTimeout, k.grace)
	}
	if !k.over && now < k.killAt {
		return false
	}
	if k.over && k.tree.empty() {
		return true
	}
	if k.killing && now < k.retryAt {
		return false
	}
	if k.killing {
		k.retry = min(2*k.retry, lastRetry)
	}
	// Also while the fork is under way: it may hang, and the process be there.
	k.tree.kill()
	k.killing, k.retryAt = true, after(now, k.retry)
	return k.over && k.tree.empty()
}

// next is the moment advance is wanted, if nothing happens before.
func (k *kept) next() int64 {
	switch {
	case k.killing:
		return k.retryAt
	case k.cause == CauseNone:
		return min(k.killAt, k.timeoutAt)
	}
	return k.killAt
}

// farewell is the message that the run has ended.
func (k *kept) farewell(u usage) *message {
	exit, signal := int64(-1), int64(0)
	if k.status.Signaled() {
		signal = int64(k.status.Signal())
	} else {
		exit = int64(k.status.ExitStatus())
	}
	return &message{verb: sayEnded, token: k.token, text: string(k.cause), numbers: []int64{
		BoottimeNow(), exit, signal, int64(u.user), int64(u.system), k.rss, u.memoryKills, u.refusedForks,
	}}
}
