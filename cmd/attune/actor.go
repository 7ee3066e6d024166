package main

import (
	"fmt"
	"net/url"
	"path"
	"strings"

	"github.com/spf13/cobra"

	"github.com/attune-automation/attune/api"
	"github.com/attune-automation/attune/api/client"
)

func (p *program) actorCommand() *cobra.Command {
	list := listCommand(p, "/actors", "actors", []column[api.ActorView]{
		{"PATH", func(a api.ActorView) any { return a.Path }},
		{"KIND", func(a api.ActorView) any { return a.Kind }},
		{"STATE", func(a api.ActorView) any { return a.State }},
		{"MAILBOX", func(a api.ActorView) any { return a.Mailbox }},
		{"OLDEST", func(a api.ActorView) any { return a.OldestAge }},
		{"HANDLED", func(a api.ActorView) any { return a.Handled }},
		{"RESTARTS", func(a api.ActorView) any { return a.Restarts }},
		{"ERROR", func(a api.ActorView) any { return a.LastError }},
	}, "kind", "parent")
	get := &cobra.Command{
		Use: "get PATH", Short: "Show an actor with its state and its last messages", Args: exactArgs("PATH"),
		RunE: func(c *cobra.Command, args []string) error {
			cl, err := p.connect()
			if err != nil {
				return err
			}
			defer cl.Close()
			parts := strings.Split(strings.Trim(args[0], "/"), "/")
			for i := range parts {
				parts[i] = escaped(parts[i])
			}
			a, err := client.Fetch[api.ActorDetail](c.Context(), cl, "/actors/"+strings.Join(parts, "/"), nil)
			if err != nil {
				return err
			}
			return p.showDocument(a, a.Path)
		},
	}
	return noun("actor", "Look inside a running node", p.treeCommand(), list, get)
}

func (p *program) treeCommand() *cobra.Command {
	var kind string
	var everything bool
	c := &cobra.Command{
		Use: "tree [PATH]", Short: "Draw the actors of the node", Args: cobra.MaximumNArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			cl, err := p.connect()
			if err != nil {
				return err
			}
			defer cl.Close()
			q := url.Values{}
			if kind != "" {
				q.Set("kind", kind)
			}
			all, err := client.All[api.ActorView](c.Context(), cl, "/actors", q)
			if err != nil {
				return err
			}
			if len(args) == 1 {
				all = below(all, strings.Trim(args[0], "/"))
			}
			if p.format != "table" {
				return showList(p, api.List[api.ActorView]{Items: all}, []column[api.ActorView]{{"PATH", func(a api.ActorView) any { return a.Path }}})
			}
			for _, root := range actorTree(all, everything) {
				root.draw(p.out)
			}
			return nil
		},
	}
	c.Flags().BoolVar(&everything, "all", false, "also each of many siblings at rest")
	c.Flags().StringVar(&kind, "kind", "", "only actors of this kind")
	return c
}

// below keeps an actor and all its descendants.
func below(all []api.ActorView, top string) []api.ActorView {
	kept := []api.ActorView{}
	for _, a := range all {
		if a.Path == top || strings.HasPrefix(a.Path, top+"/") {
			kept = append(kept, a)
		}
	}
	return kept
}

// manySiblings is how many siblings at rest share one line in a tree.
const manySiblings = 8

// actorTree hangs each actor below its parent; one whose parent is not in the
// list is a root. Unless everything is wanted, many siblings of one kind and
// state, with nothing waiting and nothing below, become one line.
func actorTree(all []api.ActorView, everything bool) []*branch {
	here := make(map[string]bool, len(all))
	for _, a := range all {
		here[a.Path] = true
	}
	below := map[string][]api.ActorView{}
	for _, a := range all {
		parent := a.Parent
		if !here[parent] || parent == a.Path {
			parent = ""
		}
		below[parent] = append(below[parent], a)
	}
	var hang func(parent string) []*branch
	hang = func(parent string) []*branch {
		var out []*branch
		siblings := below[parent]
		for i := 0; i < len(siblings); {
			a := siblings[i]
			same := i + 1
			for same < len(siblings) && atRest(a, siblings[same]) {
				same++
			}
			name := a.Path
			if parent != "" {
				name = path.Base(name)
			}
			if n := same - i; n >= manySiblings && !everything {
				out = append(out, &branch{text: line(fmt.Sprintf("%s … %s  %d × %s %s", name, path.Base(siblings[same-1].Path), n, a.Kind, a.State))})
				i = same
				continue
			}
			out = append(out, &branch{text: line(name + notes(a)), below: hang(a.Path)})
			i++
		}
		return out
	}
	return hang("")
}

// atRest says that two actors are alike and there is nothing to tell of either.
func atRest(a, b api.ActorView) bool {
	quiet := func(a api.ActorView) bool {
		return a.Children == 0 && a.Mailbox == 0 && a.Restarts == 0 && a.LastError == ""
	}
	return a.Kind == b.Kind && a.State == b.State && quiet(a) && quiet(b)
}

// notes says what is worth knowing of an actor in a tree.
func notes(a api.ActorView) string {
	text := fmt.Sprintf("  %s %s", a.Kind, a.State)
	if a.Mailbox > 0 {
		text += fmt.Sprintf(", %d waiting", a.Mailbox)
		if a.OldestAge != "" {
			text += " since " + a.OldestAge
		}
	}
	if a.Restarts > 0 {
		text += fmt.Sprintf(", %d restarts", a.Restarts)
	}
	if a.LastError != "" {
		text += ": " + a.LastError
	}
	return text
}
