package main

import (
	"bytes"
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"go.uber.org/goleak"

	"github.com/attune-automation/attune"
	"github.com/attune-automation/attune/api"
	"github.com/attune-automation/attune/api/apitest"
	"github.com/attune-automation/attune/messages"
	"github.com/attune-automation/attune/packs"
	"github.com/attune-automation/attune/persistence"
)

var update = flag.Bool("update", false, "rewrite the expected output in testdata/cli")

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// TestScenarios runs the commands of each file in testdata/cli against a world
// of its own. A line "$ attune …" is a command; below it stand its standard
// output (|), standard error (!) and exit code (=). Words may be quoted with '.
func TestScenarios(t *testing.T) {
	files, err := filepath.Glob("testdata/cli/*.txt")
	if err != nil || len(files) == 0 {
		t.Fatal("no scenarios", err)
	}
	for _, file := range files {
		t.Run(filepath.Base(file), func(t *testing.T) {
			want, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			w := scene(t)
			var got strings.Builder
			for line := range strings.Lines(string(want)) {
				line = strings.TrimSuffix(line, "\n")
				switch {
				case strings.HasPrefix(line, "$ attune"):
					got.WriteString(line + "\n")
					got.WriteString(play(t, w, words(strings.TrimPrefix(line, "$ attune"))))
				case line == "" || strings.HasPrefix(line, "#"):
					got.WriteString(line + "\n")
				}
			}
			if *update {
				if err := os.WriteFile(file, []byte(got.String()), 0o644); err != nil {
					t.Fatal(err)
				}
			} else if got.String() != string(want) {
				t.Errorf("go test -update rewrites the file. It is now:\n%s", got.String())
			}
		})
	}
}

// secrets of tokens differ each time.
var secrets = regexp.MustCompile(`(attune_[a-z]+_)[a-z2-7]{32}`)

// play runs one command and writes down what it did. The word ADMIN is the
// secret of an admin's token; the operator's is used without it.
func play(t *testing.T, w *apitest.World, args []string) string {
	var out, talk bytes.Buffer
	for i := range args {
		args[i] = strings.ReplaceAll(args[i], "ADMIN", w.Admin)
	}
	env := map[string]string{"ATTUNE_SERVER": w.URL, "ATTUNE_TOKEN": w.Operator, "HOME": "nowhere"}
	code := execute(t.Context(), args, streams{in: strings.NewReader(`{"message": "from stdin"}`), out: &out, talk: &talk, env: func(name string) string { return env[name] }})
	var b strings.Builder
	for _, s := range []struct {
		mark string
		text string
	}{{"| ", out.String()}, {"! ", talk.String()}} {
		for line := range strings.Lines(s.text) {
			line = strings.ReplaceAll(strings.TrimSuffix(line, "\n"), w.URL, "SERVER")
			line = secrets.ReplaceAllString(line, "${1}SECRET")
			b.WriteString(strings.TrimRight(s.mark+line, " ") + "\n")
		}
	}
	fmt.Fprintf(&b, "= %d\n", code)
	return b.String()
}

// words splits a command line at spaces outside of ' '.
func words(s string) []string {
	var out []string
	word, quoted, begun := "", false, false
	for _, r := range s + " " {
		switch {
		case r == '\'':
			quoted, begun = !quoted, true
		case r == ' ' && !quoted:
			if begun {
				out = append(out, word)
			}
			word, begun = "", false
		default:
			word, begun = word+string(r), true
		}
	}
	return out
}

// scene is the world of the scenarios: an event that started an execution, and
// an execution for every outcome, named by the message it was asked with.
func scene(t *testing.T) *apitest.World {
	w := apitest.New(t)
	timedOut := attune.Input{Signal: attune.TimeOut, Failure: &attune.Failure{Code: "timeout", Message: "the attempt ran into its time limit"}}
	lives := map[string][]attune.Input{
		"hello": {apitest.Admitted, apitest.Assigned, apitest.Started, apitest.Finished},
		"quiet": {apitest.Admitted, apitest.Assigned, apitest.Finished},
		"fail":  {apitest.Admitted, apitest.Assigned, apitest.Started, apitest.Failed},
		"slow":  {apitest.Admitted, apitest.Assigned, apitest.Started, timedOut},
		"stuck": {apitest.Admitted},
	}
	ids := map[string]attune.ExecutionID{}
	for n, message := range []string{"hello", "quiet", "fail", "slow", "stuck"} {
		x := apitest.Execution(t, 10+n, lives[message]...)
		ids[message] = x.ID
		w.Store.Put(x)
		if x.Attempt > 0 && message != "quiet" {
			w.Store.Print(x.Token(), persistence.Stdout, message+"\n")
			w.Store.Print(x.Token(), persistence.Stderr, "a word on stderr\n")
		}
	}
	event := &attune.Event{ID: attune.EventID(apitest.ID(1)), Accepted: apitest.ID(1).Time(), Trigger: "demo.alert", Payload: []byte(`{"item":{"status":"firing"}}`),
		Chain: attune.Chain{Principal: "am"}, Evaluated: apitest.Noon}
	resolved := &attune.Event{ID: attune.EventID(apitest.ID(4)), Accepted: apitest.ID(4).Time(), Trigger: "demo.alert", Payload: []byte(`{"item":{"status":"resolved","seen":12345678901234567}}`),
		Chain: attune.Chain{Principal: "am"}, Evaluated: apitest.Noon, RulesRevision: w.Engine.Snapshot.Revision()}
	w.Store.Put(resolved)
	x := apitest.Execution(t, 3, lives["hello"]...)
	x.Event, x.Enforcement, x.Rule, x.Trigger = event.ID, attune.EnforcementID(apitest.ID(2)), "demo.on_alert", event.Trigger
	w.Store.Print(x.Token(), persistence.Stdout, "hello from a rule\n")
	w.Store.Put(event, x, &attune.Enforcement{ID: x.Enforcement, Event: event.ID, Rule: x.Rule,
		RuleHash: w.Engine.Snapshot.Rules().Rule(x.Rule).Definition.Hash, Evaluation: []byte(`{"rule":"demo.on_alert","event":"","matched":true,"criteria":[{"path":"trigger.item.status","type":"equals","passed":true,"left":"firing","right":"firing"}]}`), Action: x.Action, Status: attune.EnforcementCreated, Execution: x.ID, Created: apitest.ID(1).Time()})
	w.Engine.Judged = []attune.Evaluation{{Rule: "demo.other", Event: event.ID, Criteria: []attune.CriterionResult{
		{Path: "trigger.item.status", Type: "equals", Left: "firing", Right: "resolved"}}}}
	again := apitest.Execution(t, 15, lives["quiet"]...)
	again.RerunOf = ids["quiet"]
	w.Store.Put(again)
	keepRules(w)
	keepLetters(w)
	failed := attune.EnforcementID(apitest.ID(7))
	w.Store.Put(&attune.Enforcement{ID: failed, Event: resolved.ID, Rule: "demo.gone", Action: "demo.greet", Status: attune.EnforcementFailed,
		Failure: &attune.Failure{Code: "rendering_failed", Message: "there is no x"}, Created: apitest.Noon})
	w.Engine.Again = func(id attune.ID, dedupe string, _ attune.Chain) (api.ExecutionReceipt, error) {
		if id == attune.ID(ids["stuck"]) {
			return api.ExecutionReceipt{}, &attune.Error{Kind: attune.Conflict, Code: "not_ended", Message: "it is still scheduling"}
		}
		return api.ExecutionReceipt{ID: ids["quiet"], Duplicate: dedupe != ""}, nil
	}
	w.Engine.Request = func(r api.ExecutionRequest) (api.ExecutionReceipt, error) {
		id, ok := ids[fmt.Sprint(r.Parameters["message"])]
		if !ok {
			b, _ := json.Marshal(r.Parameters)
			return api.ExecutionReceipt{}, attune.NewError(attune.Conflict, "test", "asked with "+string(b))
		}
		return api.ExecutionReceipt{ID: id, Duplicate: r.Dedupe != ""}, nil
	}
	w.Engine.Offer = func(o api.EventOffer) (api.EventReceipt, error) {
		if _, err := w.Engine.Snapshot.Trigger(o.Trigger); err != nil {
			return api.EventReceipt{}, err
		}
		return api.EventReceipt{ID: event.ID, Duplicate: o.Dedupe != ""}, nil
	}
	w.Engine.Stop = func(id attune.ExecutionID, _, _ string) (*attune.Execution, error) {
		return w.Store.Execution(context.Background(), id)
	}
	w.Ruler.Pass = func(r api.PruneRequest) (api.PruneReport, error) {
		report := api.PruneReport{Began: apitest.Noon, Ended: apitest.Noon, Tables: []api.PrunedTable{{Table: "event"}, {Table: "execution"}}}
		if r.OlderThan != nil {
			report.Rows, report.Tables[1].Rows = 7, 7
		}
		return report, nil
	}
	w.Engine.Reload = func(refs []string) ([]packs.Change, error) {
		return []packs.Change{{Ref: "demo", Change: packs.Changed, Details: []string{"added action demo.greet"}}}[:min(1, len(refs))], nil
	}
	w.Engine.Drain = func(name string, on bool) (api.WorkerView, error) {
		v := &w.Engine.Machines[0]
		if name != v.Name {
			return api.WorkerView{}, &attune.Error{Kind: attune.NotFound, Code: "unknown_worker", Message: "there is no worker " + name, Try: "attune worker list"}
		}
		if v.Drained, v.State = on, attune.WorkerAlive; on {
			v.State, v.Running = attune.WorkerDraining, 0
		}
		return *v, nil
	}
	w.Engine.Forget = func(name string) (api.WorkerView, error) {
		return api.WorkerView{}, &attune.Error{Kind: attune.Conflict, Code: "worker_alive", Message: "the worker " + name + " is alive", Where: "w1-1", Try: "end its process first"}
	}
	w.Engine.Machines = []api.WorkerView{{Worker: attune.Worker{Name: "w1", State: attune.WorkerAlive, Runners: []string{"echo"}, Slots: 4, Registered: apitest.Noon}, Running: 1, LastHeard: apitest.Noon}}
	w.Engine.Tree = []messages.ActorView{{Path: "node", Kind: "node", State: "open", Children: 2}, {Path: "node/partitions", Parent: "node", Kind: "partitions", State: "settled", Children: 9}}
	for n := range 9 {
		w.Engine.Tree = append(w.Engine.Tree, messages.ActorView{Path: fmt.Sprintf("node/partitions/p-%03d", n), Parent: "node/partitions", Kind: "partition", State: "open"})
	}
	w.Engine.Tree = append(w.Engine.Tree, messages.ActorView{Path: "node/writer", Parent: "node", Kind: "writer", State: "flushing", Mailbox: 3})
	return w
}

// keepLetters sets three messages aside.
func keepLetters(w *apitest.World) {
	for n, body := range []string{`{"message_type":"event.created","version":1,"payload":{"trigger":"demo.alarm"}}`, "what is this?", "\xff\xfe"} {
		w.Engine.Letters = append(w.Engine.Letters, messages.DeadLetter{ID: fmt.Sprintf("dl-%016x", n+1), Exchange: messages.Events, Key: "event.created",
			Reason: "there is no trigger", Code: "unknown_trigger", Deliveries: 5, Node: "n-1", At: apitest.Noon,
			Message: messages.Outside{ID: fmt.Sprint("m", n), ContentType: messages.JSONType, Headers: map[string]string{"team": "billing"}, Body: []byte(body)}})
	}
	w.Engine.Letter = func(verb, id string) (messages.DeadLetter, error) {
		for i, l := range w.Engine.Letters {
			if l.ID == id {
				if verb != "get" {
					w.Engine.Letters = append(w.Engine.Letters[:i:i], w.Engine.Letters[i+1:]...)
				}
				return l, nil
			}
		}
		return messages.DeadLetter{}, &attune.Error{Kind: attune.NotFound, Code: "unknown_dead_letter", Message: "there is no dead letter " + id, Try: "attune deadletter list"}
	}
}
