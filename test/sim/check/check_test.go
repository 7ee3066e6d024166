package check_test

import (
	"encoding/binary"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/attune-automation/attune/test/sim/check"
)

// written is a step as a store holds it.
type written struct {
	signal, to, flags byte
	millis            int64
	attempt           uint64
	texts             []string
}

func history(steps ...written) []byte {
	b := []byte{1}
	for _, s := range steps {
		b = append(b, s.signal, s.to, s.flags)
		b = binary.AppendVarint(b, s.millis)
		b = binary.AppendUvarint(b, s.attempt)
		for _, text := range s.texts {
			b = append(binary.AppendUvarint(b, uint64(len(text))), text...)
		}
	}
	return b
}

// The steps of a life without trouble.
var (
	admit  = written{signal: 1, to: 3, millis: 1000}
	assign = written{signal: 3, to: 4, flags: 2, millis: 1001, attempt: 1, texts: []string{"w", "w-1"}}
	start  = written{signal: 5, to: 5, millis: 1002, attempt: 1}
	finish = written{signal: 6, to: 8, millis: 1003, attempt: 1}
)

var moment = time.Date(2025, time.January, 1, 0, 0, 2, 0, time.UTC)

// sound is a small history in which every promise is kept: one event that two
// rules match, one of them in vain, one run, and one direct request.
func sound() *check.Input {
	in := &check.Input{
		Plan:   check.Plan{Events: 1, Requests: 1, Counts: map[string]int{"node crash": 1}},
		Counts: map[string]int{"node crash": 1},
		Rules: []check.Rule{{Name: "r.run", Trigger: "t", Action: "a"}, {Name: "r.broken", Trigger: "t", Action: "a", Breaks: true},
			{Name: "r.other", Trigger: "t", Action: "a", Field: "level", Equals: "high"}},
		Events: []check.Event{{ID: 1, Trigger: "t", Payload: `{"n":1,"try":2}`, Dedupe: "k", Evaluated: moment}},
		Enforcements: []check.Enforcement{{ID: 11, Event: 1, Rule: "r.run", Action: "a", Status: "created", Execution: 21},
			{ID: 12, Event: 1, Rule: "r.broken", Action: "a", Status: "failed", Failure: "rendering_failed: no"}},
		EventSeq:   map[int64]int64{1: 10},
		Flushes:    []check.Flush{{Seq: 10, Writer: "n-1"}},
		TakeOvers:  []check.TakeOver{{Seq: 100, From: "n-1"}},
		Partitions: []check.Partition{{Owner: "n-2", Alive: true, AnnouncedTo: 2, FinishNumber: 2}},
		Offers: []check.Offer{
			{N: 1, Event: true, Key: "k", Tries: []check.Try{{Try: 1, Outcome: check.Refused}, {Try: 2, Outcome: check.Unheard}, {Try: 3, Outcome: check.Acknowledged, ID: 1, Duplicate: true, Seq: 15}}},
			{N: 2, Tries: []check.Try{{Try: 1, Outcome: check.Acknowledged, ID: 22, Seq: 13}}},
		},
	}
	for i, id := range []int64{21, 22} {
		seq := int64(10 + 2*i)
		x := check.Execution{ID: id, Action: "a", Parameters: fmt.Sprintf(`{"n":%d,"try":1}`, i+1), Version: 1, Status: "scheduled", Attempt: 1,
			Worker: "w", Incarnation: "w-1", Until: moment, History: history(admit, assign)}
		if i == 0 {
			x.Rule, x.Event, x.Enforcement = "r.run", 1, 11
		}
		in.Versions = append(in.Versions, check.Version{Execution: x, Seq: seq, Writer: "n-1"})
		x.Version, x.Status, x.Until, x.Finished, x.FinishNumber = 2, "completed", time.Time{}, moment, int64(i+1)
		x.Result = fmt.Sprintf(`{"execution":%q,"attempt":1}`, check.Name("ex", id))
		x.History = history(admit, assign, start, finish)
		in.Versions = append(in.Versions, check.Version{Execution: x, Seq: seq + 20, Writer: "n-1"})
		in.Executions = append(in.Executions, x)
		in.Runs = append(in.Runs, check.Run{Execution: id, Attempt: 1, Worker: "w", Incarnation: "w-1", Start: time.Second, End: 2 * time.Second,
			StartSeq: seq + 4, EndSeq: seq + 6, Outcome: "finished"})
		in.Announced = append(in.Announced, check.Announcement{Execution: id, Version: 2, Status: "completed", Seq: seq + 21})
	}
	return in
}

// The steps of a life with a second attempt: a pause of 2 s between them.
var (
	again   = written{signal: 9, to: 2, millis: 1003, attempt: 1}
	readmit = written{signal: 1, to: 3, millis: 3003, attempt: 1}
	second  = written{signal: 3, to: 4, flags: 2, millis: 3004, attempt: 2, texts: []string{"w", "w-1"}}
	fail    = written{signal: 7, to: 9, millis: 3005, attempt: 2}
)

func millis(n int) time.Time {
	return time.Date(2025, time.January, 1, 0, 0, 0, 0, time.UTC).Add(time.Duration(n) * time.Millisecond)
}

// retried is sound with one more direct request, whose first attempt fails, and
// the second, which is the last.
func retried() *check.Input {
	in := sound()
	in.Limits = map[string]check.Limits{"b": {Within: time.Minute, MaxAttempts: 2, On: []string{"failed"}, Delay: 2 * time.Second, Backoff: "constant", MaxDelay: time.Hour}}
	in.Offers = append(in.Offers, check.Offer{N: 3, Tries: []check.Try{{Try: 1, Outcome: check.Acknowledged, ID: 23, Seq: 51}}})
	x := check.Execution{ID: 23, Action: "b", Parameters: `{"n":3,"try":1}`, Requested: millis(1000), Deadline: millis(61_000), Worker: "w", Incarnation: "w-1"}
	store := func(seq int64, status string, attempt int, until time.Time, steps ...written) {
		x.Version++
		x.Status, x.Attempt, x.Until, x.History = status, attempt, until, history(steps...)
		if status == "delayed" {
			x.Reason = "trying again"
		} else {
			x.Reason = ""
		}
		in.Versions = append(in.Versions, check.Version{Execution: x, Seq: seq, Writer: "n-1"})
	}
	store(50, "scheduled", 1, moment, admit, assign)
	store(54, "delayed", 1, millis(3003), admit, assign, start, again)
	store(56, "scheduled", 2, moment, admit, assign, start, again, readmit, second)
	x.Finished, x.FinishNumber, x.Failure = millis(3005), 3, "exit_code"
	store(60, "failed", 2, time.Time{}, admit, assign, start, again, readmit, second, fail)
	in.Executions = append(in.Executions, x)
	for i, seq := range []int64{51, 57} {
		in.Runs = append(in.Runs, check.Run{Execution: 23, Attempt: i + 1, Worker: "w", Incarnation: "w-1", Start: time.Second, End: 2 * time.Second,
			StartSeq: seq, EndSeq: seq + 2, Outcome: "failed"})
	}
	in.Announced = append(in.Announced, check.Announcement{Execution: 23, Version: 4, Status: "failed", Seq: 61})
	in.Partitions[0].AnnouncedTo, in.Partitions[0].FinishNumber = 3, 3
	return in
}

// limits changes what the retried execution should have been held to.
func limits(in *check.Input, change func(l *check.Limits)) string {
	l := in.Limits["b"]
	change(&l)
	in.Limits["b"] = l
	return "times"
}

// ended sets the end of the retried execution.
func ended(in *check.Input, change func(x *check.Execution)) string {
	change(&in.Executions[2])
	change(&in.Versions[7].Execution)
	return "times"
}

var forgedRetries = map[string]func(in *check.Input) string{
	"no try was left":                    func(in *check.Input) string { return limits(in, func(l *check.Limits) { l.MaxAttempts = 1 }) },
	"a try was left":                     func(in *check.Input) string { return limits(in, func(l *check.Limits) { l.MaxAttempts = 3 }) },
	"that end is not to be tried again":  func(in *check.Input) string { return limits(in, func(l *check.Limits) { l.On = []string{"timeout"} }) },
	"the pause was too short":            func(in *check.Input) string { return limits(in, func(l *check.Limits) { l.Delay = 3 * time.Second }) },
	"another deadline than asked for":    func(in *check.Input) string { return limits(in, func(l *check.Limits) { l.Within = 0 }) },
	"the caller's deadline is forgotten": func(in *check.Input) string { in.Offers[2].Within = time.Hour; return "times" },
	"an attempt after the deadline": func(in *check.Input) string {
		ended(in, func(x *check.Execution) { x.Deadline = millis(3002) })
		return limits(in, func(l *check.Limits) { l.Within = 2002 * time.Millisecond })
	},
	"delayed until before it was": func(in *check.Input) string { in.Versions[5].Until = millis(900); return "times" },
	"delayed beyond the deadline": func(in *check.Input) string { in.Versions[5].Until = millis(70_000); return "times" },
	"ended early by its deadline": func(in *check.Input) string {
		return ended(in, func(x *check.Execution) { x.Failure = "deadline" })
	},
	"expired before its deadline": func(in *check.Input) string {
		return ended(in, func(x *check.Execution) {
			x.Status, x.Failure = "timeout", "deadline"
			x.History = history(admit, assign, start, again, written{signal: 11, to: 10, millis: 2000, attempt: 1})
		})
	},
	"the first attempt did not fail": func(in *check.Input) string { in.Runs[2].Outcome = "finished"; return "times" },
	"it is tried again after a cancel": func(in *check.Input) string {
		ended(in, func(x *check.Execution) {
			x.History = history(admit, assign, start, written{signal: 14, to: 7, millis: 1003, attempt: 1}, again, readmit, second, fail)
		})
		return "G3"
	},
}

func TestForgedRetriesAreFound(t *testing.T) {
	for _, fault := range check.Check(retried()) {
		t.Error(fault)
	}
	for name, forge := range forgedRetries {
		t.Run(name, func(t *testing.T) {
			in := retried()
			found(t, in, forge(in))
		})
	}
}

func TestASoundRunHasNoFaults(t *testing.T) {
	for _, fault := range check.Check(sound()) {
		t.Error(fault)
	}
}

// TestForgedRunsAreFound breaks one thing at a time: a checker that does not see
// it proves nothing.
func TestForgedRunsAreFound(t *testing.T) {
	for name, forge := range forged {
		t.Run(name, func(t *testing.T) {
			in := sound()
			found(t, in, forge(in))
		})
	}
}

func found(t *testing.T, in *check.Input, promise string) {
	t.Helper()
	faults := check.Check(in)
	if !slices.ContainsFunc(faults, func(f string) bool { return strings.HasPrefix(f, promise+": ") }) {
		t.Errorf("no fault of %s is found, but %q", promise, faults)
	}
}

// last sets the history of the first execution, in its row and its last version.
func last(in *check.Input, change func(x *check.Execution)) {
	change(&in.Executions[0])
	change(&in.Versions[1].Execution)
}

var forged = map[string]func(in *check.Input) string{
	"a single execution is missing":       func(in *check.Input) string { in.Executions = in.Executions[1:]; return "G2" },
	"a single enforcement is missing":     func(in *check.Input) string { in.Enforcements = in.Enforcements[:1]; return "G2" },
	"a single event is missing":           func(in *check.Input) string { in.Events = nil; return "G1" },
	"a single stored version is missing":  func(in *check.Input) string { in.Versions = in.Versions[1:]; return "G3" },
	"a requested execution is missing":    func(in *check.Input) string { in.Executions = in.Executions[:1]; return "G1" },
	"an announcement is missing":          func(in *check.Input) string { in.Announced = in.Announced[1:]; return "announced" },
	"it is announced before it is stored": func(in *check.Input) string { in.Announced[0].Seq = 29; return "announced" },
	"it is announced as something else":   func(in *check.Input) string { in.Announced[0].Status = "failed"; return "announced" },
	"a key has two events": func(in *check.Input) string {
		in.Events = append(in.Events, check.Event{ID: 2, Trigger: "x", Payload: `{"n":1,"try":3}`, Evaluated: moment})
		return "G1"
	},
	"a key is answered with two ids": func(in *check.Input) string {
		in.Offers[0].Tries[1] = check.Try{Try: 2, Outcome: check.Acknowledged, ID: 7}
		return "G1"
	},
	"it is acknowledged before it is stored": func(in *check.Input) string { in.Offers[1].Tries[0].Seq = 11; return "G1" },
	"what was refused is there":              func(in *check.Input) string { in.Offers[1].Tries[0].Outcome = check.Refused; return "G1" },
	"a row that nobody offered":              func(in *check.Input) string { in.Events[0].Payload = `{"n":9,"try":1}`; return "G1" },
	"an enforcement twice": func(in *check.Input) string {
		in.Enforcements = append(in.Enforcements, in.Enforcements[0])
		return "G2"
	},
	"a rule that does not match has enforced": func(in *check.Input) string { in.Enforcements[1].Rule = "r.other"; return "G2" },
	"a failed enforcement without a reason":   func(in *check.Input) string { in.Enforcements[1].Failure = ""; return "G2" },
	"an enforcement without its execution":    func(in *check.Input) string { in.Enforcements[0].Execution = 0; return "G2" },
	"the parameters of another event": func(in *check.Input) string {
		last(in, func(x *check.Execution) { x.Parameters = `{"n":5}` })
		return "G2"
	},
	"a step is missing": func(in *check.Input) string {
		last(in, func(x *check.Execution) { x.History = history(admit, start, finish) })
		return "G3"
	},
	"a step is illegal": func(in *check.Input) string {
		last(in, func(x *check.Execution) { x.History = history(admit, assign, start, start, finish) })
		return "G3"
	},
	"a terminal status is left": func(in *check.Input) string {
		last(in, func(x *check.Execution) {
			x.History, x.Status = history(admit, assign, start, finish, start), "running"
		})
		return "G3"
	},
	"the history ends elsewhere": func(in *check.Input) string { last(in, func(x *check.Execution) { x.Status = "failed" }); return "G3" },
	"the history is cut off": func(in *check.Input) string {
		last(in, func(x *check.Execution) { x.History = x.History[:len(x.History)-1] })
		return "G3"
	},
	"the row was changed by hand": func(in *check.Input) string { in.Executions[0].Version++; return "G3" },
	"evidence changes the status": func(in *check.Input) string {
		last(in, func(x *check.Execution) {
			x.History = history(admit, assign, start, finish, written{signal: 4, to: 3, flags: 1, millis: 1004, attempt: 1})
		})
		return "G3"
	},
	"an attempt is started twice": func(in *check.Input) string { in.Runs = append(in.Runs, in.Runs[0]); return "G6" },
	"an attempt nobody assigned":  func(in *check.Input) string { in.Runs[0].Attempt = 2; return "G6" },
	"a start before the store":    func(in *check.Input) string { in.Runs[0].StartSeq = 9; return "G6" },
	"a start on another worker":   func(in *check.Input) string { in.Runs[0].Incarnation = "w-2"; return "G6" },
	"an end while it runs":        func(in *check.Input) string { in.Runs[0].EndSeq = 99; return "G6" },
	"a run that never ends":       func(in *check.Input) string { in.Runs[0].EndSeq = 0; return "G6" },
	"two attempts at a time": func(in *check.Input) string {
		r := in.Runs[0]
		r.Attempt, r.StartSeq = 2, r.EndSeq-1
		in.Runs = append(in.Runs, r)
		return "G6"
	},
	"a success that failed": func(in *check.Input) string { in.Runs[0].Outcome = "failed"; return "G7" },
	"the result of another attempt": func(in *check.Input) string {
		last(in, func(x *check.Execution) { x.Result = strings.Replace(x.Result, `:1}`, `:2}`, 1) })
		return "G7"
	},
	"a cancel that was forgotten": func(in *check.Input) string {
		in.Cancels = []check.Cancel{{Execution: 21, Status: "cancelled"}}
		return "G7"
	},
	"a row is left":             func(in *check.Input) string { in.Executions[0].Status = "running"; return "G9" },
	"a row has no next moment":  func(in *check.Input) string { in.Versions[0].Until = time.Time{}; return "G9" },
	"an event is not judged":    func(in *check.Input) string { in.Events[0].Evaluated = time.Time{}; return "G9" },
	"a partition has no owner":  func(in *check.Input) string { in.Partitions[0].Alive = false; return "G9" },
	"a dead lease writes":       func(in *check.Input) string { in.TakeOvers[0].Seq = 9; return "G11" },
	"fewer events than planned": func(in *check.Input) string { in.Plan.Events = 2; return "thin" },
	"fewer faults than planned": func(in *check.Input) string { in.Counts = nil; return "thin" },
	"nothing ran":               func(in *check.Input) string { in.Runs = nil; return "thin" },
	"nothing was planned":       func(in *check.Input) string { in.Plan = check.Plan{}; return "thin" },
}
