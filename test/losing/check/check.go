package check

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/attune-automation/attune/test/sim/check"
)

// Kind is which promise a finding breaks.
type Kind string

// The kinds of findings.
const (
	// Lost: what was acknowledged, or follows from it, is not there.
	Lost Kind = "lost"
	// Doubled: it is there twice, began twice, or runs twice at a time.
	Doubled Kind = "doubled"
	// Stuck: it is not at its end although everything is quiet.
	Stuck Kind = "stuck"
	// History: it has a gap, or does not lead to what the row says.
	History Kind = "history"
	// Wrong: it ended as nothing that happened can explain.
	Wrong Kind = "wrong"
	// Thin: too little happened to prove anything.
	Thin Kind = "thin"
)

// Finding is one thing that is wrong.
type Finding struct {
	Kind Kind
	Text string
}

func (f Finding) String() string { return string(f.Kind) + ": " + f.Text }

// Check returns what is wrong, nothing when every promise was kept.
func Check(in *Input) []Finding {
	c := &checker{in: in, executions: map[string]*Execution{}}
	for i := range in.Executions {
		c.executions[in.Executions[i].ID] = &in.Executions[i]
	}
	c.thin()
	c.offers()
	c.enforcements()
	c.ends()
	c.starts()
	return c.findings
}

// Count is how many findings are of a kind.
func Count(all []Finding, k Kind) (n int) {
	for _, f := range all {
		if f.Kind == k {
			n++
		}
	}
	return n
}

type checker struct {
	in         *Input
	executions map[string]*Execution
	findings   []Finding
}

func (c *checker) find(k Kind, format string, args ...any) {
	c.findings = append(c.findings, Finding{k, fmt.Sprintf(format, args...)})
}

func (c *checker) thin() {
	acknowledged := 0
	for _, o := range c.in.Offers {
		if len(o.IDs) > 0 || o.Taken {
			acknowledged++
		}
	}
	if c.in.Plan.Offers == 0 || acknowledged < c.in.Plan.Offers {
		c.find(Thin, "%d offers were acknowledged, %d were planned", acknowledged, c.in.Plan.Offers)
	}
	for _, word := range slices.Sorted(maps.Keys(c.in.Plan.Counts)) {
		if got, want := c.in.Counts[word], c.in.Plan.Counts[word]; got < want {
			c.find(Thin, "%d of %s happened, %d were planned", got, word, want)
		}
	}
	if len(c.in.Ledger) == 0 || len(c.in.Executions) == 0 {
		c.find(Thin, "nothing ran")
	}
}

// offers proves that what was acknowledged is there, once, under the id that was
// answered, and that nothing else is.
func (c *checker) offers() {
	events, requests := map[string][]string{}, map[string][]string{}
	for _, e := range c.in.Events {
		events[e.Key] = append(events[e.Key], e.ID)
		if !e.Evaluated {
			c.find(Stuck, "the event %s (%s) was never evaluated", e.ID, e.Key)
		}
	}
	for _, x := range c.in.Executions {
		if x.Event == "" {
			requests[x.Key] = append(requests[x.Key], x.ID)
		}
	}
	for _, o := range c.in.Offers {
		rows := requests
		if o.Kind != "" {
			rows = events
		}
		ids := rows[o.Key]
		delete(rows, o.Key)
		switch answers := slices.Compact(slices.Sorted(slices.Values(o.IDs))); {
		case len(ids) > 1:
			c.find(Doubled, "%s is there %d times, as %v", o.Key, len(ids), ids)
		case len(answers) > 1:
			c.find(Doubled, "%s was answered with %v", o.Key, answers)
		case len(answers) == 1 && !slices.Equal(ids, answers):
			c.find(Lost, "%s was acknowledged as %s, there is %v", o.Key, answers[0], ids)
		case o.Taken && len(ids) == 0:
			c.find(Lost, "%s was confirmed by the broker and is not there", o.Key)
		}
	}
	for key, ids := range events {
		c.find(Doubled, "nobody sent the events %v (%q)", ids, key)
	}
	for key, ids := range requests {
		c.find(Doubled, "nobody asked for the executions %v (%q)", ids, key)
	}
}

// enforcements proves one enforcement for each rule and event, with one execution
// for each that did not fail, and none besides.
func (c *checker) enforcements() {
	kinds := map[string]string{} // by key
	for _, o := range c.in.Offers {
		kinds[o.Key] = o.Kind
	}
	started := map[string][]string{} // executions by enforcement
	for _, x := range c.in.Executions {
		if x.Event != "" {
			started[x.Enforcement] = append(started[x.Enforcement], x.ID)
		}
	}
	of := map[[2]string][]Enforcement{} // by event and rule
	for _, en := range c.in.Enforcements {
		of[[2]string{en.Event, en.Rule}] = append(of[[2]string{en.Event, en.Rule}], en)
	}
	for _, e := range c.in.Events {
		for _, rule := range c.in.Rules[kinds[e.Key]] {
			pair := [2]string{e.ID, rule.Ref}
			c.enforcement(e, rule, of[pair], started)
			delete(of, pair)
		}
	}
	for pair := range of {
		c.find(Doubled, "the event %s has an enforcement by %s, which does not match it or is of no event", pair[0], pair[1])
	}
	for id, xs := range started {
		c.find(Doubled, "the executions %v are of the enforcement %s, which is not there", xs, id)
	}
}

func (c *checker) enforcement(e Event, rule Rule, all []Enforcement, started map[string][]string) {
	if len(all) == 0 {
		c.find(Lost, "the event %s (%s) has no enforcement by %s", e.ID, e.Key, rule.Ref)
		return
	}
	if len(all) > 1 {
		c.find(Doubled, "the event %s (%s) has %d enforcements by %s", e.ID, e.Key, len(all), rule.Ref)
	}
	for _, en := range all {
		xs := started[en.ID]
		delete(started, en.ID)
		switch {
		case rule.Fails != (en.Status == "failed"):
			c.find(Wrong, "the enforcement %s by %s is %s", en.ID, rule.Ref, en.Status)
		case !rule.Fails && len(xs) == 0:
			c.find(Lost, "the enforcement %s by %s has no execution", en.ID, rule.Ref)
		case len(xs) > 1 || rule.Fails && len(xs) > 0:
			c.find(Doubled, "the enforcement %s by %s has the executions %v", en.ID, rule.Ref, xs)
		}
		for _, id := range xs {
			if x := c.executions[id]; x.Event != e.ID || x.Rule != rule.Ref || x.Key != e.Key {
				c.find(Wrong, "%s says it is of %s by %s for %s, its enforcement of %s by %s for %s", id, x.Event, x.Rule, x.Key, e.ID, rule.Ref, e.Key)
			}
		}
	}
}

// ends proves that every history chains, leads to what the row says, and ends in a
// way that its action and what was done to the workers explain.
func (c *checker) ends() {
	for _, x := range c.in.Executions {
		status, attempt, wrong := check.Walk(x.History)
		switch {
		case wrong != "":
			c.find(History, "%s: %s", x.ID, wrong)
		case status != x.Status || attempt != x.Attempt:
			c.find(History, "%s: its history ends as %s attempt %d, its row says %s attempt %d", x.ID, status, attempt, x.Status, x.Attempt)
		}
		action, known := c.in.Actions[x.Action]
		tries, lost := spent(x.History)
		switch {
		case !known:
			c.find(Wrong, "%s is of %s, which nobody asked for", x.ID, x.Action)
		case !check.Ends(x.Status):
			c.find(Stuck, "%s (%s) is %s, attempt %d: %s", x.ID, x.Key, x.Status, x.Attempt, x.Reason)
		case tries > action.Tries:
			c.find(Doubled, "%s had %d tries, %s has %d", x.ID, tries, x.Action, action.Tries)
		case x.Status == "completed":
		case x.Status == "abandoned" && tries == action.Tries:
		default:
			c.find(Wrong, "%s (%s) ended %s after %d of %d tries: %s", x.ID, x.Key, x.Status, tries, action.Tries, x.Reason)
		}
		for _, s := range lost {
			if !slices.ContainsFunc(c.in.Harm, func(w Window) bool { return !s.At.Before(w.From) && !s.At.After(w.To) }) {
				c.find(Wrong, "%s attempt %d was given up at %s (%s), and no worker was harmed then", x.ID, s.Attempt, s.At.Format("15:04:05.000"), s.Note)
			}
		}
	}
}

// spent counts the attempts that were not returned, and finds the steps that say
// that one was lost.
func spent(history []check.Step) (tries int, lost []check.Step) {
	for _, s := range history {
		switch {
		case s.Refused:
		case s.Signal == "assign":
			tries++
		case s.Signal == "return":
			tries--
		case s.Signal == "lose", s.Signal == "retry" && strings.Contains(s.Note, "lost with its worker"): // only the words tell it from a failure
			lost = append(lost, s)
		}
	}
	return tries, lost
}
