package node_test

import (
	"fmt"
	"os"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/attune-automation/attune"
	"github.com/attune-automation/attune/actors/retention"
	"github.com/attune-automation/attune/messages"
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
	{"intake", restarted, endsNode("node/intake")},
	{"output", restarted, endsNode("node/output")},
	{"retention", restarted, endsNode("node/retention")},
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
			often := 5
			if want.kind == "execution" {
				often = 3
			}
			got := kindOutcome{kind: want.kind, once: outcome(t, want.kind, 1), often: outcome(t, want.kind, often)}
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
	t.Helper()
	inBubble(t, func(r *rig) {
		r.work("a", 3)
		r.work("b", 2)
		all := append(orders(30), &order{number: -1, execution: r.must(settings{MS: -1})}) // one lasts
		hangs := all[30].execution
		s := &sabotage{}
		victim, said := "", 0
		s.strikes = func(path, k, message string) bool {
			if k != kind || s.struck == times || victim != "" && path != victim || kind == "execution" && !strings.HasSuffix(path, hangs.String()) ||
				strings.HasSuffix(message, ".Panicked") {
				return false
			}
			victim = path
			return true
		}
		r.observe.set(s.observe)
		r.drive(all)
		for range 600 {
			if s.count() == times || r.hasFailed() {
				break
			}
			switch kind { // these have nothing to do by themselves
			case "partitions":
				r.Tree().Tell(r.Tree().Partitions, &messages.SchedulerStarted{})
			case "intake":
				said++
				r.say("", &messages.ExecutionCancelRequested{Execution: hangs + attune.ExecutionID(said<<22)})
			case "inspector":
				r.Actors()
			case "retention":
				r.Tree().Tell(r.Tree().Retention, &retention.Pass{Try: true, Reply: func(retention.Report) {}})
			case "node":
				r.Tree().Tell(r.Tree().Node, "a message to nobody")
			}
			time.Sleep(50 * time.Millisecond)
		}
		synctest.Wait()
		told = restarted
		if r.hasFailed() {
			told = "the node ends: " + anonymous(r.Reason())
			r.observe.clear()
			r.restart()
			r.drive(all)
		}
		switch n := s.count(); {
		case n == 0:
			t.Errorf("no %s failed", kind)
		case kind == "execution" && n > 1:
			x := r.reaches(hangs, attune.Failed, time.Minute)
			told = fmt.Sprintf("the execution ends at its %drd failure within 60 s: %s, code %s; the others complete", n, x.Status, x.Failure.Code)
		}
		if _, err := r.Node.Cancel(r.Context(), hangs, "", "me"); err != nil {
			t.Error(err)
		}
		r.fulfilled(all, func(x *attune.Execution) bool {
			return x.ID == hangs && (x.Status == attune.Cancelled || x.Status == attune.Failed)
		})
	})
	return told
}
