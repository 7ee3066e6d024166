package keeper

import (
	"errors"
	"io"
	"os"
	"os/exec"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// inside_test.go tests pure parts and decisions of the keeper's loop that no
// caller can bring about at will.

func TestAMessageArrivesAsItWasSent(t *testing.T) {
	a, theirs, err := newWirePair()
	if err != nil {
		t.Fatal(err)
	}
	fd, err := unix.FcntlInt(theirs.Fd(), unix.F_DUPFD_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	theirs.Close()
	if err := unix.SetNonblock(fd, true); err != nil { // Fd made it blocking
		t.Fatal(err)
	}
	b, err := newWire(fd, "theirs")
	if err != nil {
		t.Fatal(err)
	}
	// Larger than any buffer of a socket, so that it comes in parts.
	large := &message{verb: sayStart, token: "1", text: "/", args: []string{strings.Repeat("a", 1<<20), ""}, env: []string{"\xff\x00"}, numbers: []int64{-1, 1 << 62, 3, 4, 5}}
	messages := []*message{
		{verb: sayClose},
		large,
		{verb: sayStop, token: "ä", numbers: []int64{0}},
		{verb: sayEnded, token: "x", text: "none", numbers: []int64{1, 2, 3, 4, 5, 6, 7, 8}},
	}
	sent := make(chan error, 1)
	go func() {
		defer a.close()
		for _, m := range messages {
			with := *m
			with.files = []int{0, 1, 2}[:len(m.args)]
			if err := a.send(&with, time.Minute); err != nil {
				sent <- err
				return
			}
		}
		sent <- nil
	}()
	for _, want := range messages {
		got, err := b.receive()
		if err != nil {
			t.Fatal(err)
		}
		if len(got.files) != len(want.args) {
			t.Errorf("%d files arrived", len(got.files))
		}
		closeAll(got.files)
		got.files = nil
		if !reflect.DeepEqual(got, want) {
			t.Errorf("got %.100v, want %.100v", got, want)
		}
	}
	if err := <-sent; err != nil {
		t.Fatal(err)
	}
	if _, err := b.receive(); !errors.Is(err, io.EOF) {
		t.Errorf("at the end: %v", err)
	}
	b.close()
}

func TestAMalformedMessageIsRefused(t *testing.T) {
	whole := (&message{verb: sayStart, token: "t", args: []string{"a", "b"}, numbers: []int64{1, 2, 3, 4, 5}}).appendTo(nil)
	if _, err := parseMessage(whole); err != nil {
		t.Fatal(err)
	}
	for n := range whole {
		if _, err := parseMessage(whole[:n]); !errors.Is(err, errMalformed) {
			t.Errorf("cut at %d: %v", n, err)
		}
	}
	for name, b := range map[string][]byte{
		"more than a message": append(slices.Clone(whole), 0),
		"unknown verb":        append([]byte{'?'}, whole[1:]...),
		"a huge count":        {byte(sayStart), 0, 0, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1},
		"too few numbers":     (&message{verb: sayEnded, numbers: []int64{1}}).appendTo(nil),
	} {
		if _, err := parseMessage(b); !errors.Is(err, errMalformed) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestWhatMayNotBeForked(t *testing.T) {
	var l loop
	lease := func(end int64) { l.obey(&message{verb: sayLease, numbers: []int64{end}}) }
	var k kept
	expect := func(want Refusal) {
		t.Helper()
		if b, no := l.forbidden(&k); no != (want != "") || b.refusal != want {
			t.Errorf("got %q, want %q", b.refusal, want)
		}
	}
	expect(RefusedLease) // none yet
	lease(BoottimeNow() + int64(time.Hour))
	expect("")
	k.stopped.Store(true)
	expect(RefusedStopped)
	k.stopped.Store(false)
	lease(1)
	expect("") // never shorter
	l.lease.Store(BoottimeNow())
	expect(RefusedLease)
	lease(BoottimeNow() + int64(time.Hour))
	expect(RefusedLease) // it has ended, for ever
}

// The end of a process may be known before its birth is, and the number of one
// that was waited for may be given to the next.
func TestAnEndBeforeTheBirthIsNotLost(t *testing.T) {
	cmd := exec.Command("/bin/sh", "-c", "read x")
	stdin, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	pid := cmd.Process.Pid
	var pidfds [3]int
	for i := range pidfds {
		if pidfds[i], err = unix.PidfdOpen(pid, 0); err != nil {
			t.Fatal(err)
		}
	}
	bear := func(pidfd int, early map[int]reaped) bool {
		k := &kept{token: "t", cause: CauseNone}
		l := loop{forking: k, runs: map[string]*kept{"t": k}, early: early}
		l.born(birth{pid: pid, pidfd: pidfd})
		return k.over
	}
	early := func() map[int]reaped { return map[int]reaped{pid: {}} }
	if bear(pidfds[0], early()) {
		t.Error("the end of another process of that number ended one that lives")
	}
	stdin.Close()
	_ = cmd.Wait() // it is waited for now
	if !bear(pidfds[1], early()) {
		t.Error("the end was lost")
	}
	if bear(pidfds[2], nil) {
		t.Error("an end from nowhere")
	}
}

func TestAfterDoesNotOverflow(t *testing.T) {
	if got := after(BoottimeNow(), 1<<63-1); got != never {
		t.Error(got)
	}
}

func TestWhereTheOwnGroupIs(t *testing.T) {
	const hybrid = "31 23 0:28 / /sys/fs/cgroup rw - tmpfs tmpfs rw\n32 31 0:29 / /sys/fs/cgroup/cpu rw,relatime - cgroup cgroup rw,cpu\n41 31 0:38 / /sys/fs/cgroup/unified rw,relatime - cgroup2 cgroup2 rw\n"
	for name, c := range map[string]struct{ membership, mounts, want string }{
		"the root of a hybrid system":   {"8:pids:/x\n0::/\n", hybrid, "/sys/fs/cgroup/unified"},
		"a service":                     {"0::/system.slice/attune.service\n", "41 31 0:38 / /sys/fs/cgroup rw - cgroup2 cgroup2 rw\n", "/sys/fs/cgroup/system.slice/attune.service"},
		"a container that sees a part":  {"0::/docker/1/sub\n", "41 31 0:38 /docker/1 /sys/fs/cgroup rw shared:1 - cgroup2 cgroup rw\n", "/sys/fs/cgroup/sub"},
		"a part that it is not in":      {"0::/docker/1\n", "41 31 0:38 /docker/12 /sys/fs/cgroup rw - cgroup2 cgroup rw\n", ""},
		"outside of the own name space": {"0::/../other\n", "41 31 0:38 / /sys/fs/cgroup rw - cgroup2 cgroup rw\n", ""},
		"a mount point with a space":    {"0::/a\n", "41 31 0:38 / /my\\040cgroups rw - cgroup2 cgroup rw\n", "/my cgroups/a"},
		"no cgroup v2 mounted":          {"0::/\n", "32 31 0:29 / /sys/fs/cgroup/cpu rw - cgroup cgroup rw,cpu\n", ""},
		"only version 1":                {"8:pids:/x\n", hybrid, ""},
	} {
		got, err := cgroupFolder(c.membership, c.mounts)
		if got != c.want || (err == nil) != (c.want != "") {
			t.Errorf("%s: got %q, %v", name, got, err)
		}
	}
}

func TestAProcessCannotHideBehindItsName(t *testing.T) {
	for text, want := range map[string]processStat{
		"7 (sh) S 1 2 3 0 -1":          {pid: 7, state: 'S', parent: 1, group: 2, session: 3},
		"7 (a) Z 9 9 9 (b) R 1 2 3 -1": {pid: 7, state: 'R', parent: 1, group: 2, session: 3},
		"7 (\n) 1) T 4 5 6":            {pid: 7, state: 'T', parent: 4, group: 5, session: 6},
	} {
		if got, ok := parseStat(7, []byte(text)); !ok || got != want {
			t.Errorf("%q: got %+v", text, got)
		}
	}
	for _, text := range []string{"", "7 (sh", "7 (sh) S 1 2", "7 (sh) S x 2 3"} {
		if got, ok := parseStat(7, []byte(text)); ok {
			t.Errorf("%q: got %+v", text, got)
		}
	}
}

func TestBothWaysToFindChildrenAgree(t *testing.T) {
	cmd := exec.Command("/bin/sh", "-c", "read x")
	stdin, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	defer cmd.Wait()
	defer stdin.Close()
	if got := childrenFromTable()(os.Getpid()); !slices.Contains(got, cmd.Process.Pid) {
		t.Errorf("the table says %v, not %d", got, cmd.Process.Pid)
	}
	ways := map[string]func(int) []int{"the table": childrenFromTable()}
	if r := newReaper(nil); reflect.ValueOf(r.children).Pointer() != reflect.ValueOf(childrenFromTable).Pointer() {
		ways["the list"] = childrenListed
	}
	for name, children := range ways {
		found := false
		descend(children, func(s processStat, _ int) {
			found = found || s.pid == cmd.Process.Pid && s.parent == os.Getpid() && !s.dead()
		})
		if !found {
			t.Errorf("a walk with %s does not find %d", name, cmd.Process.Pid)
		}
	}
}
