package main

import (
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/attune-automation/attune/api"
)

// formats are the values of -o.
var formats = []string{"table", "json", "yaml", "name"}

func (p *program) checkFormat() error {
	if !slices.Contains(formats, p.format) {
		return usage(fmt.Sprintf("-o %s is no format", p.format), "-o "+strings.Join(formats, "|"))
	}
	return nil
}

// table is what people read.
type table struct{ *tabwriter.Writer }

// row writes one line of cells. What would break the line is made visible.
func (t *table) row(cells ...any) {
	for i, c := range cells {
		if i > 0 {
			fmt.Fprint(t, "\t")
		}
		fmt.Fprint(t, line(fmt.Sprint(c)))
	}
	fmt.Fprintln(t)
}

// line is text that stays on one line and does nothing to a terminal.
func line(s string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r == '\n' || r == '\r' || r == '\t':
			return ' '
		case r < ' ' || r >= 0x7f && r < 0xa0:
			return '�'
		}
		return r
	}, s)
}

// show writes one thing in the format asked for: v as a document, its name, or
// what tell writes.
func (p *program) show(v any, name string, tell func(*table)) error {
	switch p.format {
	case "json":
		return writeJSON(p.out, v)
	case "yaml":
		return writeYAML(p.out, v)
	case "name":
		_, err := fmt.Fprintln(p.out, name)
		return err
	}
	t := &table{tabwriter.NewWriter(p.out, 0, 4, 2, ' ', 0)}
	tell(t)
	return t.Flush()
}

func writeJSON(w io.Writer, v any) error {
	enc := json.NewEncoder(w)
	enc.SetIndent("", "  ")
	enc.SetEscapeHTML(false)
	return enc.Encode(v)
}

// column is one column of a list.
type column[T any] struct {
	title string
	cell  func(T) any
}

// showList writes a page of a list; the first column is the name.
func showList[T any](p *program, l api.List[T], columns []column[T]) error {
	if p.format == "name" {
		for _, one := range l.Items {
			fmt.Fprintln(p.out, columns[0].cell(one))
		}
	} else if err := p.show(l, "", func(t *table) {
		titles := make([]any, len(columns))
		for i, c := range columns {
			titles[i] = c.title
		}
		t.row(titles...)
		for _, one := range l.Items {
			cells := make([]any, len(columns))
			for i, c := range columns {
				cells[i] = c.cell(one)
			}
			t.row(cells...)
		}
	}); err != nil {
		return err
	}
	if l.Next != "" && p.format != "json" && p.format != "yaml" {
		fmt.Fprintf(p.talk, "there are more: --cursor %s\n", l.Next)
	}
	return nil
}

// showDocument is the table of things that have none of their own: the document.
func (p *program) showDocument(v any, name string) error {
	return p.show(v, name, func(t *table) { _ = writeYAML(t, v) })
}

// exactArgs is cobra.ExactArgs with names, for an error that says what is
// missing.
func exactArgs(names ...string) cobra.PositionalArgs {
	return func(c *cobra.Command, args []string) error {
		if len(args) == len(names) {
			return nil
		}
		return usage(fmt.Sprintf("%s takes %s", c.CommandPath(), strings.Join(names, " ")), c.CommandPath()+" --help")
	}
}

// minArgs is cobra.MinimumNArgs(1) with a name.
func minArgs(name string) cobra.PositionalArgs {
	return func(c *cobra.Command, args []string) error {
		if len(args) > 0 {
			return nil
		}
		return usage(fmt.Sprintf("%s needs %s", c.CommandPath(), name), c.CommandPath()+" --help")
	}
}
