package keeper

import (
	"errors"
	"fmt"
	"os"
	"runtime"
	"slices"
	"syscall"

	"golang.org/x/sys/unix"
)

// birth is what became of a fork.
type birth struct {
	pid     int   // 0 if nothing was started
	at      int64 // when, on CLOCK_BOOTTIME
	pidfd   int   // refers to the process; the loop closes it
	refusal Refusal
	reason  string
}

// fork makes the forks, one at a time, on a thread that lives as long as the
// keeper: the kernel takes a process's parent to be the thread that forked it,
// and kills the process when that thread ends.
func (l *loop) fork() {
	runtime.LockOSThread() // never unlocked; the thread ends with the goroutine
	for k := range l.forks {
		b := l.start(k)
		closeAll(k.files)
		l.births <- b
	}
}

// start forks one process, if it still may.
func (l *loop) start(k *kept) birth {
	pidfd := -1
	attr := &syscall.ProcAttr{
		Dir: k.dir, Env: k.env,
		Sys: &syscall.SysProcAttr{Setsid: true, Pdeathsig: unix.SIGKILL, PidFD: &pidfd},
	}
	for _, fd := range k.files {
		attr.Files = append(attr.Files, uintptr(fd))
	}
	err := k.tree.prepare(attr.Sys, k.limits)
	if err != nil {
		k.tree.prepared(0)
		return birth{refusal: RefusedResource, reason: fmt.Sprintf("prepare a place for the process: %v", err)}
	}
	if b, no := l.forbidden(k); no { // asked as late as possible
		k.tree.prepared(0)
		return b
	}
	program, argv := k.argv[0], k.argv
	if k.limits.Memory > 0 && !slices.Contains(l.box.holds(), memoryController) {
		if err := unix.Access(program, unix.X_OK); err != nil { // else only the exec behind the next would see it
			k.tree.prepared(0)
			return unborn(k, err)
		}
		program, argv = "/proc/self/exe", boundTo(k.limits.Memory, argv)
	}
	pid, err := syscall.ForkExec(program, argv, attr)
	if err != nil {
		k.tree.prepared(0)
		return unborn(k, err)
	}
	k.tree.prepared(pid)
	return birth{pid: pid, pidfd: pidfd, at: BoottimeNow()}
}

func (l *loop) forbidden(k *kept) (birth, bool) {
	end := l.lease.Load()
	switch {
	case end == 0:
		return birth{refusal: RefusedLease, reason: "no lease was given"}, true
	case BoottimeNow() >= end:
		return birth{refusal: RefusedLease, reason: "the lease has ended"}, true
	case k.stopped.Load():
		return birth{refusal: RefusedStopped, reason: "it was stopped before it started"}, true
	}
	return birth{}, false
}

// unborn explains an error of fork, chdir or exec.
func unborn(k *kept, err error) birth {
	for _, passing := range []error{unix.EAGAIN, unix.ENOMEM, unix.EMFILE, unix.ENFILE, unix.ETXTBSY} {
		if errors.Is(err, passing) {
			return birth{refusal: RefusedResource, reason: fmt.Sprintf("start %s: %v", k.argv[0], err)}
		}
	}
	// The kernel's error does not say which of the two it is about.
	if dir, statErr := os.Stat(k.dir); statErr != nil {
		return birth{refusal: RefusedExec, reason: fmt.Sprintf("enter the working directory: %v", statErr)}
	} else if !dir.IsDir() {
		return birth{refusal: RefusedExec, reason: fmt.Sprintf("enter the working directory %s: %v", k.dir, err)}
	}
	return birth{refusal: RefusedExec, reason: fmt.Sprintf("execute %s: %v", k.argv[0], err)}
}
