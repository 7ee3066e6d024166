package node_test

import (
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/attune-automation/attune"
)

// kindOutcome is what is expected of a kind of actor that fails once, and that
// keeps failing. The names of single actors are left out of it.
type kindOutcome struct{ kind, once, often string }

const restarted = "restarted; all work completes"

func endsNode(path string) string {
	return "the node ends: " + path + " failed 5 times within 60 s: sabotage"
}

var failures = []kindOutcome{
	{"node", "the node ends: the root actor panicked: sabotage", "the same"},
	{"lease", "the node ends: node/lease failed: sabotage", "the same"},
	{"writer", "the node ends: node/writer failed: sabotage", "the same"},
	{"inspector", restarted, endsNode("node/inspector")},
	{"broker", restarted, endsNode("node/broker")},
	{"output", restarted, endsNode("node/output")},
	{"workers", restarted, endsNode("node/workers")},
	{"worker", restarted, endsNode("node/workers/NAME")},
	{"scheduler", restarted, endsNode("node/scheduler")},
	{"rules", restarted, endsNode("node/rules")},
	{"partitions", restarted, endsNode("node/partitions")},
	{"partition", restarted, endsNode("node/partitions/p-NNN")},
	{"execution", restarted, "the execution ends at its 3rd failure within 60 s: failed, code panic; the others complete"},
}

// TestFailures lets every kind of actor fail under load, once and again and
// again, and keeps the table of the page for operators true.
//
//	go test ./node -run TestFailures -update
func TestFailures(t *testing.T) {
	table := "| actor | it fails once | it keeps failing |\n|---|---|---|\n"
	for _, want := range failures {
		t.Run(want.kind, func(t *testing.T) {
			got := kindOutcome{kind: want.kind, once: outcome(t, want.kind, 1), often: outcome(t, want.kind, 100)}
			if got.often == got.once {
				got.often = "the same"
			}
			if got != want {
				t.Errorf("got  %+v\nwant %+v", got, want)
			}
		})
		table += fmt.Sprintf("| %s | %s | %s |\n", want.kind, want.once, want.often)
	}
	const page, begin, end = "../docs/failures.md", "<!-- generated: outcomes -->\n", "<!-- generated: end of outcomes -->\n"
	was, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	head, rest, ok := strings.Cut(string(was), begin)
	_, tail, ok2 := strings.Cut(rest, end)
	if !ok || !ok2 {
		t.Fatalf("%s has not the markers %q and %q", page, begin, end)
	}
	is := head + begin + table + end + tail
	if is == string(was) {
		return
	}
	if !*update {
		t.Fatalf("%s differs from what happens; rewrite it with: go test ./node -run TestFailures -update", page)
	}
	if err := os.WriteFile(page, []byte(is), 0o644); err != nil {
		t.Fatal(err)
	}
}

// outcome says what comes of up to that many failures in a row of one actor of
// the kind, under load.
func outcome(t *testing.T, kind string, times int) (told string) {
	inBubble(t, func(r *rig) {
		s := &sabotage{}
		r.observe = s.observe
		r.work("a", 3)
		r.work("b", 2)
		all := orders(30)
		victim := ""
		hangs := attune.ExecutionID(0)
		if kind == "execution" { // one that is surely there for a while
			hangs = r.must(settings{MS: -1})
			victim = "node/partitions/p-" + fmt.Sprintf("%03d", hangs.Partition()) + "/" + hangs.String()
		}
		s.mu.Lock()
		s.strikes = func(path, k, message string) bool {
			if k != kind || s.struck == times || path != cmpOr(victim, path) || strings.HasSuffix(message, ".Panicked") {
				return false
			}
			victim = path
			return true
		}
		s.mu.Unlock()
		go r.Actors() // the inspector has something to do
		r.drive(all)
		r.nudge(kind, s, times)
		select {
		case <-r.Failed():
			told = "the node ends: " + anonymous(r.Reason())
			s.strikes = nil
			r.restart()
			r.drive(all)
		default:
			told = restarted
		}
		if hangs != 0 {
			s.mu.Lock()
			if s.struck < times {
				told = "" // said below
			}
			s.mu.Unlock()
			if told == "" {
				x := r.reaches(hangs, attune.Failed, time.Minute)
				told = fmt.Sprintf("the execution ends at its %s failure within 60 s: %s, code %s; the others complete", ordinal(s.count()), x.Status, x.Failure.Code)
			} else {
				r.mustCancel(hangs)
			}
			all = append(all, &order{execution: hangs})
		}
		r.fulfilled(all, func(x *attune.Execution) bool { return x.ID == hangs })
	})
	return told
}

// nudge gives the victim messages until it has failed as often as it shall, or
// the node has ended.
func (r *rig) nudge(kind string, s *sabotage, times int) {
	for range 200 {
		select {
		case <-r.Failed():
			return
		default:
		}
		if s.count() >= times || kind == "execution" && s.count() == 3 {
			break
		}
		switch kind {
		case "inspector":
			r.Actors()
		case "rules":
			_, _ = r.Evaluations(shortly(r.Context()), 1)
		case "node":
			r.Tree().Tell(r.Tree().Node, "hello")
		case "output":
			r.must(settings{MS: 1, Print: 1})
		}
		time.Sleep(50 * time.Millisecond)
	}
	time.Sleep(time.Second)
}
