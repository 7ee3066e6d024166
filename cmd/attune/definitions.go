package main

import (
	"strings"

	"github.com/spf13/cobra"

	"github.com/attune-automation/attune"
	"github.com/attune-automation/attune/api"
)

// firstLine is as much of a description as a list has room for.
func firstLine(s string) string {
	first, _, _ := strings.Cut(strings.TrimSpace(s), "\n")
	if r := []rune(first); len(r) > 60 {
		return string(r[:59]) + "…"
	}
	return first
}

func (p *program) actionCommand() *cobra.Command {
	list := listCommand(p, "/actions", "actions", []column[api.ActionView]{
		{"REF", func(a api.ActionView) any { return a.Ref }},
		{"RUNNER", func(a api.ActionView) any { return a.Runner }},
		{"STATE", actionState},
		{"DESCRIPTION", func(a api.ActionView) any { return firstLine(a.Description) }},
	}, "pack")
	get := getCommand(p, "/actions/", "REF", func(a api.ActionView) string { return a.Ref })
	return noun("action", "Look at actions", list, get)
}

// actionState says whether an action can run, and if not why.
func actionState(a api.ActionView) any {
	switch {
	case a.Refusal != "":
		return a.Refusal
	case !a.Enabled:
		return "disabled"
	}
	return "enabled"
}

func (p *program) triggerCommand() *cobra.Command {
	list := listCommand(p, "/triggers", "triggers", []column[attune.Trigger]{
		{"REF", func(t attune.Trigger) any { return t.Ref }},
		{"WEBHOOK", func(t attune.Trigger) any {
			if t.Webhook == nil {
				return ""
			}
			return "/api/v1/webhooks/" + t.Webhook.URL
		}},
		{"DESCRIPTION", func(t attune.Trigger) any { return firstLine(t.Description) }},
	}, "pack")
	get := getCommand(p, "/triggers/", "REF", func(t attune.Trigger) string { return t.Ref })
	return noun("trigger", "Look at triggers", list, get)
}
