package attune_test

import (
	"flag"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/attune-automation/attune"
)

var update = flag.Bool("update", false, "rewrite the generated parts of docs/execution.md")

const lifePage = "docs/execution.md"

// TestExecutionDrawing keeps the table and the drawing of the page true.
//
//	go test . -run TestExecutionDrawing -update
func TestExecutionDrawing(t *testing.T) {
	was, err := os.ReadFile(lifePage)
	if err != nil {
		t.Fatal(err)
	}
	page := string(was)
	for name, text := range map[string]string{"table": drawTable(), "drawing": drawStates(), "effects": drawEffects()} {
		page = replaceGenerated(t, page, name, text)
	}
	if page == string(was) {
		return
	}
	if !*update {
		t.Fatalf("%s differs from the transition table; rewrite it with: go test . -run TestExecutionDrawing -update", lifePage)
	}
	if err := os.WriteFile(lifePage, []byte(page), 0o644); err != nil {
		t.Fatal(err)
	}
}

// replaceGenerated puts text between the markers of that name.
func replaceGenerated(t *testing.T, page, name, text string) string {
	t.Helper()
	begin, end := "<!-- generated: "+name+" -->\n", "<!-- generated: end of "+name+" -->\n"
	if strings.Count(page, begin) != 1 || strings.Count(page, end) != 1 {
		t.Fatalf("%s has not one pair of the markers %q and %q", lifePage, begin, end)
	}
	head, rest, _ := strings.Cut(page, begin)
	_, tail, ok := strings.Cut(rest, end)
	if !ok {
		t.Fatalf("%s: %q stands before %q", lifePage, end, begin)
	}
	return head + begin + text + end + tail
}

// drawTable is the whole table in Markdown.
func drawTable() string {
	var b strings.Builder
	signals := attune.Signals()
	b.WriteString("| from \\ on |")
	for _, on := range signals {
		fmt.Fprintf(&b, " %s |", on)
	}
	b.WriteString("\n|" + strings.Repeat("---|", len(signals)+1) + "\n")
	cells := map[[2]string]string{}
	for _, tr := range attune.Transitions() {
		to := "*by cause*"
		if tr.To != attune.NoStatus {
			to = tr.To.String()
		}
		cells[[2]string{tr.From.String(), tr.On.String()}] = to
	}
	for _, from := range attune.Statuses() {
		if from.Terminal() {
			continue
		}
		fmt.Fprintf(&b, "| **%s** |", from)
		for _, on := range signals {
			if to := cells[[2]string{from.String(), on.String()}]; to != "" {
				fmt.Fprintf(&b, " %s |", to)
			} else {
				b.WriteString(" |")
			}
		}
		b.WriteString("\n")
	}
	return b.String()
}

// drawStates is the table as a state diagram: one arrow per pair of statuses,
// labelled with all its signals. What is by cause has an arrow per cause.
func drawStates() string {
	type arrow struct{ from, to attune.Status }
	labels := map[arrow][]string{}
	var order []arrow
	eachNext(func(from attune.Status, _ attune.Cause, on attune.Signal, to attune.Status, _ attune.Cause, _ []attune.Effect, err error) {
		if err != nil {
			return
		}
		a := arrow{from, to}
		if labels[a] == nil {
			order = append(order, a)
		}
		if !slices.Contains(labels[a], on.String()) {
			labels[a] = append(labels[a], on.String())
		}
	})
	var b strings.Builder
	b.WriteString("```mermaid\nstateDiagram-v2\n    [*] --> " + attune.Requested.String() + "\n")
	for _, a := range order {
		fmt.Fprintf(&b, "    %s --> %s: %s\n", a.from, a.to, strings.Join(labels[a], ", "))
	}
	for _, s := range attune.Statuses() {
		if s.Terminal() {
			fmt.Fprintf(&b, "    %s --> [*]\n", s)
		}
	}
	b.WriteString("```\n")
	return b.String()
}

// drawEffects lists which transitions call for which effects, in order.
func drawEffects() string {
	froms := map[string][]string{} // by target and effects
	var order []string
	for _, tr := range attune.Transitions() {
		effects := make([]string, len(tr.Effects))
		for i, e := range tr.Effects {
			effects[i] = e.String()
		}
		to := tr.To.String()
		switch {
		case tr.To == attune.NoStatus:
			to = "its end, by cause"
		case tr.To.Terminal():
			to = "its end"
		}
		if len(effects) == 0 {
			effects = []string{"none"}
		}
		key := to + " | " + strings.Join(effects, ", ")
		if froms[key] == nil {
			order = append(order, key)
		}
		if !slices.Contains(froms[key], tr.From.String()) {
			froms[key] = append(froms[key], tr.From.String())
		}
	}
	var b strings.Builder
	b.WriteString("| from | to | effects, in this order |\n|---|---|---|\n")
	for _, key := range order {
		fmt.Fprintf(&b, "| %s | %s |\n", strings.Join(froms[key], ", "), key)
	}
	return b.String()
}
