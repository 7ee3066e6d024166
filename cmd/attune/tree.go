package main

import (
	"fmt"
	"io"
)

// branch is a line with lines below it.
type branch struct {
	text  string
	below []*branch
}

func (b *branch) add(format string, args ...any) *branch {
	child := &branch{text: line(fmt.Sprintf(format, args...))}
	b.below = append(b.below, child)
	return child
}

// draw writes the branch and what is below it.
func (b *branch) draw(w io.Writer) {
	fmt.Fprintln(w, b.text)
	b.drawBelow(w, "")
}

func (b *branch) drawBelow(w io.Writer, indent string) {
	for i, child := range b.below {
		joint, deeper := "├─ ", "│  "
		if i == len(b.below)-1 {
			joint, deeper = "└─ ", "   "
		}
		fmt.Fprintln(w, indent+joint+child.text)
		child.drawBelow(w, indent+deeper)
	}
}
