package main

// maxDifference bounds the work of a difference, in pairs of lines; beyond it
// all lines are shown as changed.
const maxDifference = 1_000_000

// difference is what to take from the lines a, and what to add, to get b: each
// with its sign before it. Lines that stay are left out.
func difference(a, b []string) (lines []string) {
	for len(a) > 0 && len(b) > 0 && a[0] == b[0] {
		a, b = a[1:], b[1:]
	}
	for len(a) > 0 && len(b) > 0 && a[len(a)-1] == b[len(b)-1] {
		a, b = a[:len(a)-1], b[:len(b)-1]
	}
	stays := longest(a, b)
	for len(a) > 0 || len(b) > 0 {
		switch {
		case len(a) > 0 && len(b) > 0 && a[0] == b[0]:
			a, b = a[1:], b[1:]
		case len(b) == 0 || len(a) > 0 && stays(len(a)-1, len(b)) >= stays(len(a), len(b)-1):
			lines = append(lines, "- "+a[0])
			a = a[1:]
		default:
			lines = append(lines, "+ "+b[0])
			b = b[1:]
		}
	}
	return lines
}

// longest tells how many lines the last i of a and the last j of b have in
// common, in order.
func longest(a, b []string) func(i, j int) int {
	if len(a)*len(b) > maxDifference {
		return func(int, int) int { return 0 }
	}
	width := len(b) + 1
	most := make([]int, (len(a)+1)*width)
	for i := 1; i <= len(a); i++ {
		for j := 1; j <= len(b); j++ {
			if a[len(a)-i] == b[len(b)-j] {
				most[i*width+j] = most[(i-1)*width+j-1] + 1
			} else {
				most[i*width+j] = max(most[(i-1)*width+j], most[i*width+j-1])
			}
		}
	}
	return func(i, j int) int { return most[i*width+j] }
}
