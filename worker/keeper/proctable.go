package keeper

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"strconv"
	"time"

	"golang.org/x/sys/unix"
)

// processStat is what the process table says of one process.
type processStat struct {
	pid, parent, group, session int
	state                       byte
}

func (s processStat) dead() bool { return s.state == 'Z' || s.state == 'X' }

// readStat reads /proc/PID/stat; false when there is no such process.
func readStat(pid int) (processStat, bool) {
	text, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
	if err != nil {
		return processStat{}, false
	}
	return parseStat(pid, text)
}

// parseStat reads "PID (NAME) STATE PARENT GROUP SESSION …"; a process chooses
// its NAME, which may hold spaces and brackets.
func parseStat(pid int, text []byte) (processStat, bool) {
	end := bytes.LastIndexByte(text, ')')
	fields := bytes.Fields(text[end+1:])
	if end < 0 || len(fields) < 4 {
		return processStat{}, false
	}
	s := processStat{pid: pid, state: fields[0][0]}
	for i, field := range []*int{&s.parent, &s.group, &s.session} {
		n, err := strconv.Atoi(string(fields[i+1]))
		if err != nil {
			return processStat{}, false
		}
		*field = n
	}
	return s, true
}

// processIDs lists all processes that can be seen.
func processIDs() []int {
	dir, err := os.Open("/proc")
	if err != nil {
		return nil
	}
	defer dir.Close()
	names, _ := dir.Readdirnames(-1)
	var pids []int
	for _, name := range names {
		if pid, err := strconv.Atoi(name); err == nil {
			pids = append(pids, pid)
		}
	}
	return pids
}

// childrenFromTable answers who the children of a process are from one reading
// of the whole table. It costs the same however small the tree is.
func childrenFromTable() func(pid int) []int {
	children := make(map[int][]int)
	for _, pid := range processIDs() {
		if s, ok := readStat(pid); ok {
			children[s.parent] = append(children[s.parent], pid)
		}
	}
	return func(pid int) []int { return children[pid] }
}

// childrenListed asks the kernel for the children of a process, where it keeps
// such lists (CONFIG_PROC_CHILDREN). It may miss some while others end.
func childrenListed(pid int) []int {
	var children []int
	tasks := "/proc/" + strconv.Itoa(pid) + "/task/"
	dir, err := os.Open(tasks)
	if err != nil {
		return nil
	}
	defer dir.Close()
	threads, _ := dir.Readdirnames(-1)
	for _, thread := range threads {
		list, _ := os.ReadFile(tasks + thread + "/children")
		for _, field := range bytes.Fields(list) {
			if child, err := strconv.Atoi(string(field)); err == nil {
				children = append(children, child)
			}
		}
	}
	return children
}

// descend visits the processes below this one, parents first, and hands each to
// visit with a descriptor that is closed afterwards. A process that moves (to a
// new parent) meanwhile may be missed, so a walk is repeated by whoever wants
// all. A process that only took the number of a listed one is not visited: its
// parent is not in the tree.
func descend(children func(pid int) []int, visit func(s processStat, pidfd int)) {
	self := os.Getpid()
	members := map[int]bool{self: true}
	for queue := []int{self}; len(queue) > 0; queue = queue[1:] {
		for _, pid := range children(queue[0]) {
			if members[pid] {
				continue
			}
			fd, err := unix.PidfdOpen(pid, 0)
			if err != nil {
				continue
			}
			if s, ok := readStat(pid); ok && members[s.parent] {
				members[pid] = true
				queue = append(queue, pid)
				visit(s, fd)
			}
			unix.Close(fd)
		}
	}
}

// terminateProcess asks a process to end, and wakes it if it was stopped.
func terminateProcess(pidfd int) {
	_ = unix.PidfdSendSignal(pidfd, unix.SIGTERM, nil, 0)
	_ = unix.PidfdSendSignal(pidfd, unix.SIGCONT, nil, 0)
}

// endSession kills all processes of a session whose keeper is dead, and waits
// until none is left. The number of a session is not given to a new process
// while one of the session lives.
func endSession(ctx context.Context, session int) error {
	err := poll(ctx, func() bool {
		left := false
		for _, pid := range processIDs() {
			fd, err := unix.PidfdOpen(pid, 0)
			if err != nil {
				continue
			}
			if s, ok := readStat(pid); ok && s.session == session && !s.dead() {
				left = true
				_ = unix.PidfdSendSignal(fd, unix.SIGKILL, nil, 0)
			}
			unix.Close(fd)
		}
		return !left
	})
	if err != nil {
		return fmt.Errorf("end the processes of session %d: %w", session, err)
	}
	return nil
}

// poll asks until the answer is yes, first often, then every 50 ms. It is for
// ends that the kernel does not tell a process that is not the parent.
func poll(ctx context.Context, done func() bool) error {
	for pause := time.Millisecond; !done(); pause = min(2*pause, 50*time.Millisecond) {
		timer := time.NewTimer(pause)
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
			return context.Cause(ctx)
		}
	}
	return nil
}
