package main

import (
	"encoding/json"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/attune-automation/attune"
	"github.com/attune-automation/attune/api"
	"github.com/attune-automation/attune/packs"
)

func (p *program) ruleCommand() *cobra.Command {
	list := listCommand(p, "/rules", "rules", []column[api.RuleView]{
		{"REF", func(r api.RuleView) any { return r.Ref }},
		{"STATE", ruleState},
		{"FROM", ruleFrom},
		{"TRIGGER", func(r api.RuleView) any { return attune.TriggerKey(r.Trigger, r.TriggerParameters) }},
		{"ACTION", func(r api.RuleView) any { return r.Action }},
	}, "pack")
	get := getCommand(p, "/rules/", "REF", func(r api.RuleView) string { return r.Ref })
	return noun("rule", "Look at rules, change them, ask why they matched or not, try them out", list, get, p.explainCommand(), p.testCommand(),
		p.applyCommand(), p.deleteRuleCommand(),
		p.switchCommand("enable", "Enable a rule, whatever its file says", true), p.switchCommand("disable", "Disable a rule, whatever its file says", false))
}

// ruleState says whether a rule can match, and who wants it so.
func ruleState(r api.RuleView) any {
	state := "disabled"
	switch {
	case r.Enabled && len(r.Faults) > 0:
		return "faulty"
	case r.Enabled:
		state = "enabled"
	}
	if r.Switched != nil {
		state += " by " + r.Switched.By
	}
	return state
}

// ruleFrom says where a rule lies.
func ruleFrom(r api.RuleView) any {
	if r.Applied != nil {
		return "applied by " + r.Applied.By
	}
	return "pack " + r.Pack
}

func (p *program) explainCommand() *cobra.Command {
	return &cobra.Command{
		Use: "explain EVENT", Short: "Show what every rule of an event's trigger says to it, and why", Args: exactArgs("EVENT"),
		RunE: func(c *cobra.Command, args []string) error {
			cl, err := p.connect()
			if err != nil {
				return err
			}
			defer cl.Close()
			e, err := cl.Explain(c.Context(), args[0])
			if err != nil {
				return err
			}
			if p.format != "table" {
				return p.show(e, e.Event.ID, nil)
			}
			root := &branch{text: line(fmt.Sprintf("%s event %s at %s by %s", e.Event.ID, e.Event.Trigger, e.Event.Accepted, e.Event.Principal))}
			for _, v := range e.Items {
				root.verdict("rule "+v.Rule, v, explainRemark(v, e.SameRules))
			}
			root.draw(p.out)
			if len(e.Items) == 0 {
				fmt.Fprintln(p.talk, line("no rule waits for "+e.Event.Trigger+": attune rule list"))
			}
			return nil
		},
	}
}

// explainRemark says how far a verdict is that of the time of the event.
func explainRemark(v api.Verdict, sameRules bool) string {
	switch {
	case v.Later:
		return " now; it came after the event"
	case v.Source == api.SourcePresent && !sameRules:
		return " (judged by the rules of today: those of then are not kept)"
	case v.Removed:
		return " (there is no such rule any more)"
	case v.Changed:
		return " (the rule has changed since)"
	}
	return ""
}

func (p *program) testCommand() *cobra.Command {
	var event, document string
	var last int
	c := &cobra.Command{
		Use: "test FILE (--event ID | --json DOC | --last N)", Args: exactArgs("FILE"),
		Short: "Try the rule in a file, saved in a pack or not; exit code 1 when it does not match",
		Long: "Judges by the rule in a file, with the actions and triggers of the server. Nothing is stored or started.\n" +
			"Exit code 0: it matched, 1: it did not, 64: the file is wrong. With --last always 0 for a good file.",
		Example: "  attune rule test my_rule.yaml --event ev-06yk1nr080401\n  attune rule test my_rule.yaml --json @payload.json\n  attune rule test my_rule.yaml --last 20",
		RunE: func(c *cobra.Command, args []string) error {
			request := api.RuleTestRequest{Event: event, Last: last}
			if err := p.whatToTest(c, &request, document); err != nil {
				return err
			}
			rule, faults := packs.ReadRule(args[0])
			if len(faults) > 0 {
				return &attune.Error{Kind: attune.Invalid, Code: "invalid_rule", Message: "the rule file is wrong", Faults: faults}
			}
			request.Rule = api.NewRuleDocument(rule)
			cl, err := p.connect()
			if err != nil {
				return err
			}
			defer cl.Close()
			t, err := cl.TestRule(c.Context(), request)
			if err != nil {
				return err
			}
			return p.showTest(t, last > 0)
		},
	}
	c.Flags().StringVar(&event, "event", "", "judge this past event")
	c.Flags().StringVar(&document, "json", "", "judge this payload, JSON or @FILE (@- is standard input)")
	c.Flags().IntVar(&last, "last", 0, "judge the newest events of the rule's trigger, up to 100")
	return c
}

// whatToTest completes the request with a payload; exactly one of the three
// flags must be there.
func (p *program) whatToTest(c *cobra.Command, request *api.RuleTestRequest, document string) (err error) {
	given := 0
	for _, name := range []string{"event", "json", "last"} {
		if c.Flags().Changed(name) {
			given++
		}
	}
	if given != 1 || c.Flags().Changed("event") && request.Event == "" {
		return usage("a test needs exactly one of --event, --json and --last", c.CommandPath()+" --help")
	}
	if c.Flags().Changed("last") && (request.Last < 1 || request.Last > 100) {
		return usage(fmt.Sprintf("--last %d is not between 1 and 100", request.Last), "--last 20")
	}
	if c.Flags().Changed("json") {
		request.Payload, err = p.document(document)
	}
	return err
}

// showTest writes the verdicts; many of them are a survey without exit code.
func (p *program) showTest(t api.RuleTest, many bool) error {
	matched := 0
	for _, v := range t.Items {
		if v.Matched {
			matched++
		}
	}
	if p.format != "table" {
		if err := p.show(t, t.Rule, nil); err != nil {
			return err
		}
	} else {
		for _, v := range t.Items {
			root := &branch{}
			what := "the payload"
			if v.Event != "" {
				what = strings.TrimSuffix("event "+v.Event+" at "+v.Accepted, " at ")
			}
			root.verdict("rule "+t.Rule, v, ": "+what)
			root.below[0].draw(p.out)
		}
	}
	if t.Disabled {
		fmt.Fprintln(p.talk, "the rule is disabled: it is tested as if it were not")
	}
	switch {
	case many:
		fmt.Fprintln(p.talk, line(fmt.Sprintf("matched: %d of the last %d events of %s", matched, len(t.Items), t.Trigger)))
	case matched == 0:
		return exitError{exitFailed}
	}
	return nil
}

// verdict adds a verdict with everything that led to it.
func (b *branch) verdict(rule string, v api.Verdict, remark string) {
	text := " did not match"
	switch {
	case v.Later && v.Disabled:
		text = " is disabled"
	case v.Disabled && v.Switched != nil:
		text = " was disabled (" + v.Switched.String() + ")"
	case v.Disabled:
		text = " was disabled"
	case v.Later && v.Matched:
		text = " matches"
	case v.Later:
		text = " does not match"
	case v.Matched:
		text = " matched"
	}
	one := b.add("%s%s%s", rule, text, remark)
	said := false
	for _, c := range v.Criteria {
		mark := "failed"
		if c.Passed {
			mark = "passed"
		}
		text := fmt.Sprintf("%s: %s %s", mark, c.Path, c.Type)
		if len(c.Right) > 0 {
			text += " " + short(c.Right)
		}
		text += ", found " + short(c.Left)
		if c.Error != "" {
			text += ": " + c.Error
			said = true
		}
		one.add("%s", text)
	}
	if v.Error != "" && !said {
		one.add("error: %s", v.Error)
	}
	switch {
	case v.Failure != nil && v.Execution != "":
		one.add("%s started: %s, run again after %s: %s", v.Action, v.Execution, v.Failure.Code, v.Failure.Message)
	case v.Failure != nil:
		one.add("%s cannot start: %s: %s", v.Action, v.Failure.Code, v.Failure.Message)
	case v.Execution != "":
		one.add("%s started: %s", v.Action, v.Execution)
	case v.Matched && len(v.Parameters) > 0:
		one.add("%s would start with %s", v.Action, v.Parameters)
	}
}

// short is JSON with no more of it than a line has room for.
func short(doc json.RawMessage) string {
	const most = 200
	if len(doc) <= most {
		return string(doc)
	}
	return strings.ToValidUTF8(string(doc[:most]), "") + "…"
}
