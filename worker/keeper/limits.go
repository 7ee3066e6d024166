package keeper

import (
	"errors"
	"fmt"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/attune-automation/attune"
)

// controllers are those that limits need, in the order in which they are told.
var controllers = []controller{memoryController, pidsController, cpuController}

// words are the limits that controllers hold.
func words(held []controller) []string {
	var all []string
	for _, c := range held {
		if c == pidsController {
			c = "processes"
		}
		all = append(all, string(c))
	}
	return all
}

// limit sets the limits of a group, as far as its controllers hold them.
func limit(dir string, held []controller, limits attune.Resources) error {
	set := func(file, value string) error {
		if err := writeControl(filepath.Join(dir, file), value); err != nil {
			return fmt.Errorf("set %s to %s: %w", file, value, err)
		}
		return nil
	}
	var errs []error
	if limits.Memory > 0 && slices.Contains(held, memoryController) {
		// Without swap, which would only make it slow, and all of it at once: a run
		// of which the kernel has killed a part is none.
		errs = append(errs, set("memory.max", strconv.FormatInt(limits.Memory, 10)), set("memory.oom.group", "1"))
		if err := set("memory.swap.max", "0"); !errors.Is(err, fs.ErrNotExist) { // a kernel that counts no swap
			errs = append(errs, err)
		}
	}
	if limits.Processes > 0 && slices.Contains(held, pidsController) {
		errs = append(errs, set("pids.max", strconv.Itoa(limits.Processes)))
	}
	if limits.CPU > 0 && slices.Contains(held, cpuController) {
		const period = 100_000 // microseconds
		errs = append(errs, set("cpu.max", fmt.Sprintf("%d %d", int(math.Ceil(limits.CPU*period)), period)))
	}
	return errors.Join(errs...)
}

func writeControl(path, value string) error {
	fd, err := unix.Open(path, unix.O_WRONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	_, err = unix.Write(fd, []byte(value))
	return err
}

// delegate hands controllers down from a group to the one below it and to the
// runs there, and says which of them the runs have. Only the root may do so
// while processes are in it: elsewhere it would fail, or, worse, make groups in
// which nothing can be started.
func delegate(above, dir string) []controller {
	if !isRoot(above) && len(processesIn(above)) > 0 {
		return nil
	}
	var held []controller
	for _, c := range controllers {
		if writeControl(filepath.Join(above, "cgroup.subtree_control"), "+"+string(c)) == nil &&
			writeControl(filepath.Join(dir, "cgroup.subtree_control"), "+"+string(c)) == nil {
			held = append(held, c)
		}
	}
	return held
}

// isRoot reports whether a group is the root of the machine, which alone has no
// cgroup.events.
func isRoot(dir string) bool {
	_, err := os.Stat(filepath.Join(dir, "cgroup.events"))
	return errors.Is(err, fs.ErrNotExist)
}

// workerGroup is where a worker lives that has its group to itself: a group
// that hands controllers down may hold no process of its own.
const workerGroup = "attune-worker"

// quarters is the group in which a keeper makes its own: the one it was started
// in, or the one above, where the worker has moved, or was put, into a group for
// itself. It moves the worker only where nobody else is in the group, and where
// there is something to be won.
func quarters(own string) string {
	if filepath.Base(own) == workerGroup {
		if above := filepath.Dir(own); unix.Access(above, unix.W_OK) == nil {
			return above
		}
		return own
	}
	worker, self := os.Getppid(), os.Getpid()
	if isRoot(own) || !hasController(own) || slices.ContainsFunc(processesIn(own), func(pid int) bool { return pid != worker && pid != self }) {
		return own
	}
	inner := filepath.Join(own, workerGroup)
	if err := os.Mkdir(inner, 0o755); err != nil && !errors.Is(err, fs.ErrExist) {
		return own
	}
	for _, pid := range []int{worker, self} {
		if writeControl(filepath.Join(inner, "cgroup.procs"), strconv.Itoa(pid)) != nil {
			return own // there are no limits, but there are runs
		}
	}
	return own
}

func hasController(dir string) bool {
	text, _ := os.ReadFile(filepath.Join(dir, "cgroup.controllers"))
	return slices.ContainsFunc(strings.Fields(string(text)), func(name string) bool { return slices.Contains(controllers, controller(name)) })
}

// bound is the other way to limit memory: this process bounds the private memory
// that it may have, and becomes the program. Each process that descends from it
// has the same bound for itself.
//
// RLIMIT_AS would count what runtimes reserve and never touch, gigabytes of it.
// There is no such way for processes: RLIMIT_NPROC counts all that a user has on
// the machine, and root's not at all. A limit on processor seconds would be no
// share of the processors.
func bound(memory string, argv []string) error {
	n, err := strconv.ParseUint(memory, 10, 63)
	if err != nil {
		return err
	}
	room := 1 << 20 // what the exec asks for is there before the bound is
	for _, text := range slices.Concat(argv, os.Environ()) {
		room += 2 * len(text)
	}
	runtime.KeepAlive(make([]byte, room))
	runtime.GC()
	if err := unix.Setrlimit(unix.RLIMIT_DATA, &unix.Rlimit{Cur: n, Max: n}); err != nil {
		return fmt.Errorf("bound its memory: %w", err)
	}
	return fmt.Errorf("execute %s: %w", argv[0], syscall.Exec(argv[0], argv, os.Environ())) // only an exec that failed returns
}

// boundTo is the command line of bound.
func boundTo(memory int64, argv []string) []string {
	words := os.Args[:len(os.Args)-2] // what leads this program to Main
	return slices.Concat(words, []string{boundWord, strconv.FormatInt(memory, 10)}, argv)
}
