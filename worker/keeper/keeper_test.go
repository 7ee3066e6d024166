package keeper_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/attune-automation/attune/worker/keeper"
)

func TestHowARunEnds(t *testing.T) {
	t.Parallel()
	inBothModes(t, func(t *testing.T, mode keeper.Mode) {
		t.Parallel()
		b := open(t, mode)
		if got, why := b.Mode(); got != mode || why == "" {
			t.Errorf("mode %q, because %q", got, why)
		}
		const setUp = time.Second // enough for a shell to get to its trap
		type want struct {
			script string
			run    keeper.Run
			output string
			exit   int
			signal unix.Signal
			cause  keeper.Cause
			out    *output
		}
		cases := map[string]*want{
			"success":                               {script: "echo hello", output: "hello\n", cause: keeper.CauseNone},
			"an exit code":                          {script: "exit 77", exit: 77, cause: keeper.CauseNone},
			"its own signal":                        {script: "kill -SEGV $$", exit: -1, signal: unix.SIGSEGV, cause: keeper.CauseNone},
			"a timeout that is obeyed":              {script: "exec sleep 1000", run: keeper.Run{Timeout: time.Millisecond}, exit: -1, signal: unix.SIGTERM, cause: keeper.CauseTimeout},
			"a timeout that is answered":            {script: "trap 'echo bye; exit 3' TERM; echo up; sleep 1000", run: keeper.Run{Timeout: setUp}, output: "up\nbye\n", exit: 3, cause: keeper.CauseTimeout},
			"a timeout that is ignored":             {script: "trap '' TERM; sleep 1000", run: keeper.Run{Timeout: setUp, Grace: 50 * time.Millisecond}, exit: -1, signal: unix.SIGKILL, cause: keeper.CauseTimeout},
			"a timeout without grace":               {script: "sleep 1000", run: keeper.Run{Timeout: time.Millisecond, Grace: keeper.NoGrace}, exit: -1, signal: unix.SIGKILL, cause: keeper.CauseTimeout},
			"what runs in the background is killed": {script: "trap '' TERM HUP; sleep 1000 & setsid sleep 1000 & ( ( sleep 1000 ) & ); exit 4", exit: 4, cause: keeper.CauseNone},
			"a stopped process is woken to end":     {script: "trap 'exit 5' TERM; kill -STOP $$", run: keeper.Run{Timeout: setUp}, exit: 5, cause: keeper.CauseTimeout},
		}
		for name, c := range cases {
			c.run.Token = name
			c.out = b.start(c.run, c.script)
		}
		for ended := 0; ended < len(cases); {
			e := b.any()
			if e.Kind == keeper.Started {
				continue
			}
			ended++
			c := cases[e.Token]
			if e.Kind != keeper.Ended || e.ExitCode != c.exit || e.Signal != int(c.signal) || e.Cause != c.cause {
				t.Errorf("%s: got %+v", e.Token, e)
			}
			if e.TimedOut() != (c.cause == keeper.CauseTimeout) {
				t.Errorf("%s: TimedOut is wrong", e.Token)
			}
			if got := c.out.rest(); got != c.output {
				t.Errorf("%s: output %q", e.Token, got)
			}
		}
		if left := withMarker(b.marker); len(left) > 0 {
			t.Errorf("processes left: %v", left)
		}
	})
}

func TestUsageCountsTheWholeTree(t *testing.T) {
	inBothModes(t, func(t *testing.T, mode keeper.Mode) {
		b := open(t, mode)
		// An orphan burns, and the first process waits for it on a pipe.
		burn := `i=0; while [ $i -lt 100000 ]; do i=$((i+1)); done`
		b.start(keeper.Run{Token: "r"}, `( ( `+burn+`; echo done ) & ) | cat`)
		e := b.ended("r")
		if e.UserTime+e.SystemTime < 10*time.Millisecond || e.UserTime > patience {
			t.Errorf("user %v, system %v", e.UserTime, e.SystemTime)
		}
		if e.MaxRSS < 100<<10 || e.MaxRSS > 1<<40 {
			t.Errorf("resident %d bytes", e.MaxRSS)
		}
	})
}

func TestStopLeavesNobodyBehind(t *testing.T) {
	inBothModes(t, func(t *testing.T, mode keeper.Mode) {
		b := open(t, mode)
		out := b.start(keeper.Run{Token: "r"}, hostile)
		b.next(keeper.Started, "r")
		out.await(5 * len("x\n"))
		// A process in the midst of its exec has no environment to read.
		n := 0
		for end := time.Now().Add(patience); n < 5 && time.Now().Before(end); n = len(withMarker(b.marker)) {
			runtime.Gosched()
		}
		if n < 5 {
			t.Fatalf("%d processes, the action is not hostile enough", n)
		}
		b.Stop("r", time.Hour) // nobody listens
		b.Stop("r", 20*time.Millisecond)
		b.Stop("r", time.Hour) // a longer grace changes nothing
		e := b.next(keeper.Ended, "r")
		if left := withMarker(b.marker); len(left) > 0 {
			t.Errorf("told ended, left: %v", left)
		}
		out.rest()
		if e.Cause != keeper.CauseStop || e.Signal != int(unix.SIGKILL) {
			t.Errorf("got %+v", e)
		}
		b.Stop("r", 0) // has ended
		b.Stop("never", 0)
	})
}

func TestATreeThatForksAllTheTimeIsKilled(t *testing.T) {
	inBothModes(t, func(t *testing.T, mode keeper.Mode) {
		b := open(t, mode)
		hop := `trap "" TERM; echo x; echo 'setsid sh "$0" & exit' > hop; exec setsid sh hop`
		out := b.start(keeper.Run{Token: "r", Dir: t.TempDir()}, hop+` & sleep 1000`)
		b.next(keeper.Started, "r")
		out.await(len("x\n"))
		b.Stop("r", keeper.NoGrace)
		b.next(keeper.Ended, "r")
		out.rest()
	})
}

func TestTermReachesTheWholeTree(t *testing.T) {
	inBothModes(t, func(t *testing.T, mode keeper.Mode) {
		b := open(t, mode)
		polite := `trap "echo bye; exit" TERM; echo x; while :; do sleep 1000 & wait; done`
		out := b.start(keeper.Run{Token: "r"}, `setsid sh -c '`+polite+`' & ( ( sh -c '`+polite+`' ) & ) ; trap : TERM; echo x; while :; do sleep 1000 & wait; done`)
		b.next(keeper.Started, "r")
		out.await(3 * len("x\n"))
		b.Stop("r", time.Hour)
		if got := out.await(2 * len("bye\n")); got != "bye\nbye\n" {
			t.Errorf("got %q", got)
		}
		b.Stop("r", keeper.NoGrace)
		b.next(keeper.Ended, "r")
	})
}

func TestWhatARunIsGiven(t *testing.T) {
	inBothModes(t, func(t *testing.T, mode keeper.Mode) {
		b := open(t, mode)
		dir := t.TempDir()
		stdin, feed, _ := os.Pipe()
		result, write, _ := os.Pipe()
		defer result.Close()
		large := strings.Repeat("x", 100<<10)
		out := b.start(keeper.Run{
			Token: "r", Dir: dir, Stdin: stdin, Stderr: write, Result: write,
			Env: []string{"RAW=\xff\xfe", "A=" + large, "B=" + large, "C=" + large},
		}, `read line; echo "$line"; pwd; echo result >&3; echo ${#A} ${#B} ${#C}; printf %s "$RAW"; ls /proc/self/fd >&2`)
		stdin.Close()
		write.Close()
		fmt.Fprintln(feed, "fed")
		feed.Close()
		if e := b.ended("r"); e.ExitCode != 0 {
			t.Errorf("got %+v", e)
		}
		if got, want := out.rest(), fmt.Sprintf("fed\n%s\n102400 102400 102400\n\xff\xfe", dir); got != want {
			t.Errorf("output %q, want %q", got, want)
		}
		// 0, 1, 2, 3 and the one that ls lists with.
		if got := (&output{t, result}).rest(); got != "result\n0\n1\n2\n3\n4\n" {
			t.Errorf("descriptors %q", got)
		}

		out = b.start(keeper.Run{Token: "bare"}, `ls /proc/self/fd; cat`)
		b.ended("bare")
		if got := out.rest(); got != "0\n1\n2\n3\n" {
			t.Errorf("descriptors %q", got)
		}
	})
}

func TestRefusals(t *testing.T) {
	inBothModes(t, func(t *testing.T, mode keeper.Mode) {
		b := open(t, mode)
		script := filepath.Join(t.TempDir(), "script")
		os.WriteFile(script, []byte("#!/none\n"), 0o755)
		plain := filepath.Join(t.TempDir(), "plain")
		os.WriteFile(plain, nil, 0o644)
		for name, c := range map[string]struct {
			run    keeper.Run
			reason string
		}{
			"no such program":     {keeper.Run{Argv: []string{"/none"}}, "execute /none: no such file"},
			"no such interpreter": {keeper.Run{Argv: []string{script}}, "no such file"},
			"not executable":      {keeper.Run{Argv: []string{plain}}, "permission denied"},
			"no such directory":   {keeper.Run{Argv: []string{"/bin/true"}, Dir: "/none"}, "working directory: stat /none"},
			"not a directory":     {keeper.Run{Argv: []string{"/bin/true"}, Dir: plain}, "working directory"},
		} {
			t.Run(name, func(t *testing.T) {
				c.run.Token = name
				if err := b.Start(c.run); err != nil {
					t.Fatal(err)
				}
				e := b.next(keeper.Refused, name)
				if e.Refusal != keeper.RefusedExec || !strings.Contains(e.Reason, c.reason) {
					t.Errorf("got %+v", e)
				}
			})
		}
		b.start(keeper.Run{Token: "twice"}, "sleep 1000")
		for _, r := range []keeper.Run{{}, {Token: "a"}, {Token: "twice", Argv: []string{"/bin/true"}}} {
			if err := b.Start(r); !errors.Is(err, keeper.ErrInvalid) {
				t.Errorf("start %+v: %v", r, err)
			}
		}
		b.next(keeper.Started, "twice")
		b.Stop("twice", 0)
		b.next(keeper.Ended, "twice")
		b.start(keeper.Run{Token: "twice"}, "exit 0") // it has ended, so it is not twice
		b.ended("twice")
	})
}

func TestAtTheEndOfTheLeaseAllIsKilledAndRefused(t *testing.T) {
	t.Parallel()
	inBothModes(t, func(t *testing.T, mode keeper.Mode) {
		t.Parallel()
		b := openUnleased(t, mode)
		b.extend(time.Second)
		out := b.start(keeper.Run{Token: "r", Grace: time.Hour}, hostile)
		b.next(keeper.Started, "r")
		b.extend(time.Second)
		out.await(5 * len("x\n"))
		end := keeper.BoottimeNow() + int64(time.Second)
		if err := b.Extend(end); err != nil {
			t.Fatal(err)
		}
		b.extend(time.Millisecond) // never shorter
		e := b.next(keeper.Ended, "r")
		if e.Cause != keeper.CauseLease || e.Signal != int(unix.SIGKILL) || e.At < end {
			t.Errorf("lease until %d, got %+v", end, e)
		}
		out.rest()
		if err := b.Start(keeper.Run{Token: "late", Argv: []string{"/bin/true"}}); !errors.Is(err, keeper.ErrLeaseEnded) {
			t.Error(err)
		}
		if err := b.Extend(keeper.BoottimeNow() + int64(time.Hour)); !errors.Is(err, keeper.ErrLeaseEnded) {
			t.Error(err)
		}
	})
}

// An exec that hangs, here because its file is leased and opening it waits for
// the holder, must not keep the keeper from killing at the end of the lease.
func TestAnExecThatHangsHoldsUpNoKill(t *testing.T) {
	inBothModes(t, func(t *testing.T, mode keeper.Mode) {
		b := openUnleased(t, mode)
		program := filepath.Join(t.TempDir(), "program")
		if err := os.WriteFile(program, []byte("#!/bin/sh\n"), 0o755); err != nil {
			t.Fatal(err)
		}
		file, err := os.OpenFile(program, os.O_RDWR, 0)
		if err != nil {
			t.Fatal(err)
		}
		defer file.Close()
		if _, err := unix.FcntlInt(file.Fd(), unix.F_SETLEASE, unix.F_WRLCK); err != nil {
			leaveOut(t, "filelease", err)
		}
		b.extend(3 * time.Second)
		if mode == keeper.ByCgroup { // else the other run has a keeper of its own
			b.start(keeper.Run{Token: "other"}, "sleep 1000")
			b.next(keeper.Started, "other")
		}
		b.extend(3 * time.Second)
		if err := b.Start(keeper.Run{Token: "hung", Argv: []string{program}}); err != nil {
			t.Fatal(err)
		}
		ends := map[string]bool{"hung": true}
		if mode == keeper.ByCgroup {
			ends["other"] = true
			for i := range 4 { // garbage that a collection would be due for
				token := strconv.Itoa(i)
				b.start(keeper.Run{Token: token, Env: slices.Repeat([]string{"X=" + strings.Repeat("x", 100<<10)}, 60)}, "exit")
				ends[token] = true
			}
		}
		for len(ends) > 0 {
			e := b.any()
			if e.Kind == keeper.Started {
				continue
			}
			if e.Kind == keeper.Ended && e.Cause != keeper.CauseLease {
				t.Errorf("got %+v", e)
			}
			delete(ends, e.Token)
		}
	})
}

func TestCloseEndsAllRuns(t *testing.T) {
	inBothModes(t, func(t *testing.T, mode keeper.Mode) {
		b := open(t, mode)
		out := b.start(keeper.Run{Token: "r"}, hostile)
		b.next(keeper.Started, "r")
		out.await(5 * len("x\n"))
		if err := b.Close(t.Context()); err != nil {
			t.Fatal(err)
		}
		if e := b.next(keeper.Ended, "r"); e.Cause != keeper.CauseClose {
			t.Errorf("got %+v", e)
		}
		out.rest()
		if err := b.Start(keeper.Run{Token: "x", Argv: []string{"/bin/true"}}); !errors.Is(err, keeper.ErrClosed) {
			t.Error(err)
		}
		if err := b.Extend(1); !errors.Is(err, keeper.ErrClosed) {
			t.Error(err)
		}
	})
}

func TestManyRunsAtOnce(t *testing.T) {
	inBothModes(t, func(t *testing.T, mode keeper.Mode) {
		const many = 200
		outside := descriptors(t, "self")
		b := open(t, mode)
		for range 2 {
			gate, opener, err := os.Pipe()
			if err != nil {
				t.Fatal(err)
			}
			for i := range many {
				err := b.Start(keeper.Run{
					Token: strconv.Itoa(i), Stdin: gate, Env: []string{b.marker},
					Argv: []string{"/bin/sh", "-c", "read x; exit " + strconv.Itoa(i)},
				})
				if err != nil {
					t.Fatal(err)
				}
			}
			gate.Close()
			for started, ended := 0, 0; ended < many; {
				switch e := b.any(); e.Kind {
				case keeper.Started:
					if started++; started == many { // all at once
						opener.Close()
					}
				default:
					ended++
					if e.Kind != keeper.Ended || strconv.Itoa(e.ExitCode) != e.Token {
						t.Errorf("got %+v", e)
					}
				}
			}
		}
		if err := b.Close(t.Context()); err != nil {
			t.Fatal(err)
		}
		if left := descriptors(t, "self"); left > outside {
			t.Errorf("the worker had %d descriptors before, %d after", outside, left)
		}
	})
}

func TestAKeeperServesManyRunsWithoutALeak(t *testing.T) {
	inBothModes(t, func(t *testing.T, mode keeper.Mode) {
		b := open(t, mode)
		serve := func() (string, int) {
			for range 20 {
				b.start(keeper.Run{Token: "r"}, "sleep 1000 & exit 0")
				b.ended("r")
				if err := b.Start(keeper.Run{Token: "r", Argv: []string{"/none"}}); err != nil {
					t.Fatal(err)
				}
				b.next(keeper.Refused, "r")
			}
			processes := keeperProcesses(t, b.dir)
			if len(processes) != 1 {
				t.Fatalf("keepers %v for one run at a time", processes)
			}
			return processes[0], descriptors(t, processes[0])
		}
		first, before := serve() // what is opened once is open now
		if same, after := serve(); same != first || after != before {
			t.Errorf("keeper %s had %d descriptors before, %s has %d", first, before, same, after)
		}
	})
}

// BenchmarkTrue measures one run of nothing from Start to Ended, and what of it
// is processor time of worker and keeper.
func BenchmarkTrue(b *testing.B) {
	for _, mode := range []keeper.Mode{keeper.ByCgroup, keeper.ByReaper} {
		b.Run(string(mode), func(b *testing.B) {
			k := open(b, mode)
			processes := append(keeperProcesses(b, k.dir), "self")
			before := ticks(b, processes)
			for b.Loop() {
				if err := k.Start(keeper.Run{Token: "r", Argv: []string{"/bin/true"}}); err != nil {
					b.Fatal(err)
				}
				k.ended("r")
			}
			const tick = 10_000 // microseconds
			b.ReportMetric(float64(ticks(b, processes)-before)*tick/float64(b.N), "cpu-µs/op")
		})
	}
}

// ticks is the processor time of processes, without that of their children.
func ticks(t testing.TB, processes []string) (sum int) {
	t.Helper()
	for _, pid := range processes {
		stat, err := os.ReadFile("/proc/" + pid + "/stat")
		if err != nil {
			t.Fatal(err)
		}
		fields := strings.Fields(string(stat[strings.LastIndex(string(stat), ")"):]))
		for _, field := range fields[12:14] {
			n, _ := strconv.Atoi(field)
			sum += n
		}
	}
	return sum
}

func descriptors(t *testing.T, pid string) int {
	t.Helper()
	entries, err := os.ReadDir("/proc/" + pid + "/fd")
	if err != nil {
		t.Fatal(err)
	}
	return len(entries)
}
