package keeper

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/attune-automation/attune"
)

// cgroups is the containment by cgroup v2: a group for the keeper, below it a
// group per run.
type cgroups struct {
	dir  string
	held []controller
}

func (c *cgroups) mode() Mode { return ByCgroup }

func (c *cgroups) holds() []controller { return c.held }

func (c *cgroups) newTree(number uint64) (tree, error) {
	return &cgroupTree{dir: filepath.Join(c.dir, "run-"+strconv.FormatUint(number, 10)), held: c.held, fd: -1}, nil
}

func (c *cgroups) remove() { removeCgroup(c.dir) }

// cgroupTree is the control group of one run.
type cgroupTree struct {
	dir  string
	held []controller
	fd   int // the open group while a fork is under way; the forking thread's
}

func (t *cgroupTree) prepare(attr *syscall.SysProcAttr, limits attune.Resources) error {
	if err := os.Mkdir(t.dir, 0o755); err != nil {
		return err
	}
	if err := limit(t.dir, t.held, limits); err != nil {
		return err
	}
	fd, err := unix.Open(t.dir, unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return fmt.Errorf("open %s: %w", t.dir, err)
	}
	t.fd, attr.UseCgroupFD, attr.CgroupFD = fd, true, fd
	return nil
}

func (t *cgroupTree) prepared(int) {
	if t.fd >= 0 {
		unix.Close(t.fd)
		t.fd = -1
	}
}

// terminate signals through descriptors of processes: one that is listed in the
// group before and after its descriptor was opened is the one it refers to.
func (t *cgroupTree) terminate() {
	open := make(map[int]int)
	for _, pid := range cgroupProcesses(t.dir) {
		if fd, err := unix.PidfdOpen(pid, 0); err == nil {
			open[pid] = fd
		}
	}
	for _, pid := range cgroupProcesses(t.dir) {
		if fd, ok := open[pid]; ok {
			terminateProcess(fd)
		}
	}
	for _, fd := range open {
		unix.Close(fd)
	}
}

func (t *cgroupTree) kill() { _ = killCgroup(t.dir) } // whether it worked, empty tells

func (t *cgroupTree) empty() bool { return cgroupEmpty(t.dir) }

func (t *cgroupTree) reaped(*unix.Rusage) {}

func (t *cgroupTree) usage() usage {
	cpu := numbersIn(filepath.Join(t.dir, "cpu.stat"))
	return usage{
		user: time.Duration(cpu["user_usec"]) * time.Microsecond, system: time.Duration(cpu["system_usec"]) * time.Microsecond,
		memoryKills: numbersIn(filepath.Join(t.dir, "memory.events"))["oom_kill"], refusedForks: numbersIn(filepath.Join(t.dir, "pids.events"))["max"],
	}
}

// numbersIn reads a file of names and numbers; one that is not there is empty.
func numbersIn(path string) map[string]int64 {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil
	}
	numbers := make(map[string]int64)
	for line := range strings.Lines(string(text)) {
		name, value, _ := strings.Cut(strings.TrimSpace(line), " ")
		numbers[name], _ = strconv.ParseInt(value, 10, 64)
	}
	return numbers
}

func (t *cgroupTree) remove() { removeCgroup(t.dir) }

// killCgroup kills all processes in and below a group, those included that are
// being forked in this moment. A group that does not exist has none.
func killCgroup(dir string) error {
	fd, err := unix.Open(filepath.Join(dir, "cgroup.kill"), unix.O_WRONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		return err // os.WriteFile would try to create the file
	}
	defer unix.Close(fd)
	_, err = unix.Write(fd, []byte("1"))
	return err
}

// cgroupEmpty reports whether no process lives in or below a group. Zombies do
// not count. A group that cannot be read, but exists, counts as not empty.
func cgroupEmpty(dir string) bool {
	events, err := os.ReadFile(filepath.Join(dir, "cgroup.events"))
	if err != nil {
		return errors.Is(err, fs.ErrNotExist) || errors.Is(err, unix.ENODEV)
	}
	return bytes.Contains(events, []byte("populated 0"))
}

// cgroupProcesses lists the processes in and below a group.
func cgroupProcesses(dir string) []int {
	pids := processesIn(dir)
	for _, sub := range subgroups(dir) {
		pids = append(pids, cgroupProcesses(sub)...)
	}
	return pids
}

// processesIn lists the processes in a group itself. One that cannot be seen from
// here has the number 0.
func processesIn(dir string) []int {
	var pids []int
	if list, err := os.ReadFile(filepath.Join(dir, "cgroup.procs")); err == nil {
		for _, field := range bytes.Fields(list) {
			if pid, err := strconv.Atoi(string(field)); err == nil {
				pids = append(pids, pid)
			}
		}
	}
	return pids
}

// removeCgroup removes a group and those below it, which a run may have made.
// What still has processes stays.
func removeCgroup(dir string) {
	if err := unix.Rmdir(dir); !errors.Is(err, unix.EBUSY) {
		return
	}
	for _, sub := range subgroups(dir) {
		removeCgroup(sub)
	}
	_ = unix.Rmdir(dir)
}

func subgroups(dir string) []string {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil
	}
	var subs []string
	for _, entry := range entries {
		if entry.IsDir() {
			subs = append(subs, filepath.Join(dir, entry.Name()))
		}
	}
	return subs
}

// endCgroup kills a group from outside, waits until it is empty, and removes it.
func endCgroup(ctx context.Context, dir string) error {
	err := poll(ctx, func() bool {
		_ = killCgroup(dir) // the answer is whether it is empty
		return cgroupEmpty(dir)
	})
	if err != nil {
		return fmt.Errorf("end the processes of %s: %w", dir, err)
	}
	removeCgroup(dir)
	return nil
}

// newCgroups makes the keeper's group below its own, and proves all of what a
// run will need with a process that does nothing: argv must start one that runs
// until its standard input ends. The name is told before the group is made.
func newCgroups(id string, argv []string, tell func(dir string) error) (*cgroups, error) {
	own, err := ownCgroup()
	if err != nil {
		return nil, err
	}
	above := quarters(own)
	c := &cgroups{dir: filepath.Join(above, "attune-keeper-"+id)}
	if err := tell(c.dir); err != nil {
		return nil, err
	}
	if err := os.Mkdir(c.dir, 0o755); err != nil {
		return nil, err
	}
	if err := c.prove(argv); err != nil {
		c.remove()
		return nil, fmt.Errorf("try out %s: %w", c.dir, err)
	}
	c.held = delegate(above, c.dir)
	return c, nil
}

func (c *cgroups) prove(argv []string) error {
	var stdin [2]int
	if err := unix.Pipe2(stdin[:], unix.O_CLOEXEC); err != nil {
		return err
	}
	defer closeAll(stdin[:])
	probe, err := c.newTree(0)
	if err != nil {
		return err
	}
	defer probe.remove()
	attr := &syscall.ProcAttr{Dir: "/", Files: []uintptr{uintptr(stdin[0])}, Sys: &syscall.SysProcAttr{Setsid: true}}
	if err := probe.prepare(attr.Sys, attune.Resources{}); err != nil {
		return err
	}
	pid, err := syscall.ForkExec("/proc/self/exe", argv, attr)
	probe.prepared(pid)
	if err != nil {
		return fmt.Errorf("start a process: %w", err)
	}
	born := !probe.empty()
	err = killCgroup(probe.(*cgroupTree).dir)
	if err != nil || !born {
		_ = unix.Kill(pid, unix.SIGKILL) // our child, not yet waited for
	}
	var status unix.WaitStatus
	for {
		if _, waitErr := unix.Wait4(pid, &status, 0, nil); !errors.Is(waitErr, unix.EINTR) {
			break
		}
	}
	if err != nil {
		return fmt.Errorf("kill a group: %w", err)
	}
	if !born {
		return errors.New("a process was not born in its group")
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	if poll(ctx, probe.empty) != nil {
		return errors.New("a killed group does not become empty")
	}
	return nil
}

// ownCgroup is the folder of this process's group in the cgroup v2 hierarchy.
func ownCgroup() (string, error) {
	membership, err := os.ReadFile("/proc/self/cgroup")
	if err != nil {
		return "", err
	}
	mounts, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil {
		return "", err
	}
	return cgroupFolder(string(membership), string(mounts))
}

// cgroupFolder finds the folder from the texts of /proc/self/cgroup and
// /proc/self/mountinfo.
func cgroupFolder(membership, mounts string) (string, error) {
	var path string
	for line := range strings.Lines(membership) {
		if rest, ok := strings.CutPrefix(line, "0::"); ok {
			path = strings.TrimSuffix(rest, "\n")
		}
	}
	if path == "" || strings.HasPrefix(path, "/..") { // the latter is how the kernel shows what it hides
		return "", errors.New("this process is in no cgroup v2 that it can see")
	}
	for line := range strings.Lines(mounts) {
		before, after, ok := strings.Cut(line, " - ")
		fields := strings.Fields(before)
		if !ok || !strings.HasPrefix(after, "cgroup2 ") || len(fields) < 5 {
			continue
		}
		// The mount shows the hierarchy from its root on (a container sees a part).
		root, point := unescape(fields[3]), unescape(fields[4])
		if rel, err := filepath.Rel(root, path); err == nil && rel != ".." && !strings.HasPrefix(rel, "../") {
			return filepath.Join(point, rel), nil
		}
	}
	return "", errors.New("cgroup v2 is not mounted, or not the part this process is in")
}

// unescape undoes the octal escapes of mountinfo.
var unescape = strings.NewReplacer(`\040`, " ", `\011`, "\t", `\012`, "\n", `\134`, `\`).Replace
