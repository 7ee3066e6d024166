package keeper

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"runtime"
	"runtime/debug"
	"slices"
	"strings"

	"golang.org/x/sys/unix"
)

// The descriptors a keeper inherits, and the words that make it something else.
const (
	wireFD = 3 // the socket to the worker
	lockFD = 4 // the locked record, see record
	killFD = 5 // the named pipe through which KillEarlier asks for the end

	probeWord = "probe"
	boundWord = "bound" // makes it a process that bounds itself and becomes another
	autoWord  = "auto"  // for Auto, which is empty
)

// Main is the keeper process. The program calls it before anything else when its
// hidden sub-command for keepers is given, with the arguments behind that
// sub-command, and exits with the code it returns. It returns when no run is left
// and the worker is gone or asked for the end.
func Main(args []string) int {
	if err := run(args); err != nil {
		fmt.Fprintf(os.Stderr, "keeper: %v\n", err)
		return 1
	}
	return 0
}

func run(args []string) error {
	if len(args) == 1 && args[0] == probeWord {
		var b [1]byte
		_, _ = os.Stdin.Read(b[:]) // until the one who probes kills us, or has died
		return nil
	}
	if len(args) >= 3 && args[0] == boundWord {
		return bound(args[1], args[2:])
	}
	if len(args) != 2 {
		return errors.New("this command is for the worker, which starts it with arguments: MODE ID")
	}
	for _, fd := range []int{wireFD, lockFD, killFD} {
		if _, err := unix.FcntlInt(uintptr(fd), unix.F_GETFD, 0); err != nil {
			return fmt.Errorf("this command is for the worker, which gives it descriptor %d: %w", fd, err)
		}
	}
	tame()
	// Nothing but what a run is given may reach it, whatever our parents leaked.
	if err := unix.CloseRange(wireFD, ^uint(0), unix.CLOSE_RANGE_CLOEXEC); err != nil {
		for _, fd := range []int{wireFD, lockFD, killFD} {
			unix.CloseOnExec(fd)
		}
	}
	// Caught, not ignored: what is ignored stays ignored in the actions.
	caught := make(chan os.Signal, 1)
	signal.Notify(caught, unix.SIGINT, unix.SIGTERM, unix.SIGHUP, unix.SIGPIPE)
	if err := unix.Prctl(unix.PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0); err != nil {
		return fmt.Errorf("become a sub-reaper: %w", err)
	}
	if err := provePidfd(); err != nil {
		return fmt.Errorf("descriptors of processes do not work here (Linux 5.4 has them): %w", err)
	}
	for _, fd := range []int{wireFD, killFD} {
		if err := unix.SetNonblock(fd, true); err != nil {
			return err
		}
	}
	worker, err := newWire(wireFD, "worker")
	if err != nil {
		return err
	}
	kept := record{file: os.NewFile(lockFD, "lock")}
	defer kept.file.Close() // the last thing to go: it says that nothing remains
	box, why := contain(Mode(args[0]), args[1], &kept)
	if box == nil {
		_ = worker.send(&message{verb: sayHello, text: why}, lastTelling)
		return errors.New(why)
	}
	l, err := newLoop(worker, box, os.NewFile(killFD, "kill"))
	if err != nil {
		return err
	}
	l.post(&message{verb: sayHello, token: string(box.mode()), text: why, args: words(box.holds())})
	l.run()
	box.remove()
	return nil
}

// provePidfd fails early where a system call filter knows no pidfd.
func provePidfd() error {
	fd, err := unix.PidfdOpen(os.Getpid(), 0)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	return unix.PidfdSendSignal(fd, 0, nil, 0)
}

// tame sets the Go runtime so that a fork that hangs (its exec reads from a dead
// file system) stops nothing else. Such a fork occupies one of the runtime's
// processors, so there must be another one, and it would never come to the halt
// that a garbage collection asks of all; so the loop collects when no fork is
// under way. The limit is only for messages of unusual size.
func tame() {
	runtime.GOMAXPROCS(2)
	debug.SetGCPercent(-1)
	debug.SetMemoryLimit(256 << 20)
}

// contain chooses the containment, and says why the other was not taken.
func contain(mode Mode, id string, kept *record) (containment, string) {
	why := "a sub-reaper was asked for"
	switch mode {
	case autoWord, ByCgroup:
		prefix := os.Args[:len(os.Args)-2]
		probe := slices.Concat(prefix, []string{probeWord})
		box, err := newCgroups(id, probe, func(dir string) error {
			kept.Cgroup = dir
			return kept.store()
		})
		if err == nil {
			return box, "cgroup v2 is preferred to a sub-reaper"
		}
		if why = fmt.Sprintf("no cgroup v2 for the runs: %v", err); mode == ByCgroup {
			return nil, why
		}
	case ByReaper:
	default:
		return nil, fmt.Sprintf("unknown mode %q", mode)
	}
	kept.Cgroup = ""
	return newReaper(func(session int) {
		kept.Session = session
		if err := kept.store(); err != nil {
			fmt.Fprintf(os.Stderr, "keeper: %v\n", err) // it matters only if we are killed
		}
	}), why
}

// record is what a lock file says: where the processes are that may remain
// when the keeper that holds the lock is killed.
type record struct {
	file *os.File

	// Boot and Namespace tell whether Session still means the same.
	Boot      string `json:"boot"`
	Namespace string `json:"namespace"`
	// Cgroup is the folder of the keeper's control group, if it has one.
	Cgroup string `json:"cgroup,omitempty"`
	// Session is the session of the one run, if it is known by that.
	Session int `json:"session,omitempty"`
}

// store writes the record over what the file said. It is padded, so that a crash
// never leaves the end of a longer one behind.
func (r *record) store() error {
	if r.Boot == "" {
		r.Boot, r.Namespace = bootAndNamespace()
	}
	text, err := json.Marshal(r)
	if err != nil {
		return fmt.Errorf("store the record: %w", err)
	}
	padding := strings.Repeat(" ", max(0, 1024-len(text)))
	if _, err := r.file.WriteAt(append(text, padding...), 0); err != nil {
		return fmt.Errorf("store the record: %w", err)
	}
	return nil
}

// bootAndNamespace names this start of the machine and this process namespace.
func bootAndNamespace() (boot, namespace string) {
	id, _ := os.ReadFile("/proc/sys/kernel/random/boot_id")
	namespace, _ = os.Readlink("/proc/self/ns/pid")
	return strings.TrimSpace(string(id)), namespace
}
