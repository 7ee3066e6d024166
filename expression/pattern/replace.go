package pattern

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// The most matches that FindAll and Replace go through: of the backtracking
// engine each may take its time limit.
const (
	maxMatches      = 100_000
	maxBacktracking = 10_000
)

var errStop = errors.New("the regular expression matches too often")

// match is the byte offsets of a match in text: begin and end of the whole, then
// of each group, -1 for one that took no part.
type match struct {
	text string
	at   []int
}

// group is the text of a group, and of the whole for 0.
func (m match) group(i int) string {
	if m.at[2*i] < 0 {
		return ""
	}
	return m.text[m.at[2*i]:m.at[2*i+1]]
}

// each visits the matches from left to right until visit returns false.
func (r *Regex) each(text string, visit func(match) bool) error {
	if r.LinearAll(text) {
		if err := r.bearable(text); err != nil {
			return err
		}
		for i, at := range r.linear.FindAllStringSubmatchIndex(text, maxMatches+1) {
			if i == maxMatches {
				return errStop
			}
			if !visit(match{text, at}) {
				return nil
			}
		}
		return nil
	}
	if r.backtracking == nil {
		return errors.New("the regular expression may match nothing, which only the other engine counts as Python does, and that one refuses it")
	}
	return r.backtrack(text, func(over func() bool) error { return r.eachBacktracking(text, over, visit) })
}

func (r *Regex) eachBacktracking(text string, over func() bool, visit func(match) bool) error {
	m, err := r.backtracking.FindStringMatch(text)
	offsets := offsetsOf(text) // the library counts in characters
	for n := 0; m != nil && err == nil; n++ {
		if n == maxBacktracking {
			return errStop
		}
		if over() {
			return ErrTooLong
		}
		var at []int
		for _, g := range m.Groups() {
			if len(g.Captures) == 0 {
				at = append(at, -1, -1)
			} else {
				at = append(at, offsets[g.Index], offsets[g.Index+g.Length])
			}
		}
		if !visit(match{text, at}) {
			return nil
		}
		m, err = r.backtracking.FindNextMatch(m)
	}
	return err
}

// offsetsOf are the byte offsets of the characters of text, and of its end.
func offsetsOf(text string) []int {
	offsets := make([]int, 0, len(text)+1)
	for i := range text {
		offsets = append(offsets, i)
	}
	return append(offsets, len(text))
}

// FindAll is re.findall: for each match the whole if the pattern has no group,
// the group if it has one (each a list of one text), else all groups. A group
// that took no part is empty.
func (r *Regex) FindAll(text string) ([][]string, error) {
	var found [][]string
	err := r.each(text, func(m match) bool {
		size := len(m.at) / 2
		texts := make([]string, 0, max(size-1, 1))
		for i := min(size-1, 1); i < size; i++ {
			texts = append(texts, m.group(i))
		}
		found = append(found, texts)
		return true
	})
	return found, err
}

// Replace is re.sub: replacement may name groups as \1, \g<1> and \g<name>.
// It stops with false once the result has more than limit bytes.
func (r *Regex) Replace(text, replacement string, limit int) (result string, ok bool, err error) {
	parts, err := r.replacement(replacement)
	if err != nil {
		return "", false, err
	}
	var b strings.Builder
	last := 0
	err = r.each(text, func(m match) bool {
		b.WriteString(text[last:m.at[0]])
		last = m.at[1]
		for _, p := range parts {
			if p.group < 0 {
				b.WriteString(p.text)
			} else {
				b.WriteString(m.group(p.group))
			}
			if b.Len() > limit {
				return false
			}
		}
		return true
	})
	if err != nil || b.Len()+len(text)-last > limit {
		return "", false, err
	}
	return b.String() + text[last:], true, nil
}

// part is a piece of a replacement: a text, or a group from 0 on.
type part struct {
	text  string
	group int
}

var escapes = map[byte]string{'n': "\n", 't': "\t", 'r': "\r", 'a': "\a", 'f': "\f", 'v': "\v", 'b': "\b", '\\': `\`}

// replacement reads Python's template of a replacement.
func (r *Regex) replacement(template string) ([]part, error) {
	var parts []part
	for template != "" {
		i := strings.IndexByte(template, '\\')
		if i < 0 || i == len(template)-1 {
			if i >= 0 {
				return nil, errors.New(`the replacement ends with a single \`)
			}
			return append(parts, part{template, -1}), nil
		}
		parts = append(parts, part{template[:i], -1})
		c, rest := template[i+1], template[i+2:]
		text, known := escapes[c]
		switch {
		case known:
			parts = append(parts, part{text, -1})
		case c == '0':
			return nil, errors.New(`the replacement has an octal escape \0: write \g<0> for the whole match`)
		case c >= '1' && c <= '9':
			digits := string(c)
			if rest != "" && rest[0] >= '0' && rest[0] <= '9' {
				digits, rest = digits+rest[:1], rest[1:]
			}
			group, err := r.group(digits)
			if err != nil {
				return nil, err
			}
			parts = append(parts, part{"", group})
		case c == 'g':
			name, after, closed := strings.Cut(strings.TrimPrefix(rest, "<"), ">")
			if !closed || !strings.HasPrefix(rest, "<") {
				return nil, errors.New(`the replacement has a \g without <name>`)
			}
			group, err := r.group(name)
			if err != nil {
				return nil, err
			}
			parts, rest = append(parts, part{"", group}), after
		case c|0x20 >= 'a' && c|0x20 <= 'z':
			return nil, fmt.Errorf(`the replacement has the unknown escape \%c`, c)
		default:
			parts = append(parts, part{template[i : i+2], -1})
		}
		template = rest
	}
	return parts, nil
}

// group is the number of a group that a replacement names.
func (r *Regex) group(name string) (int, error) {
	number, err := strconv.Atoi(name)
	known := err == nil && number >= 0 && number <= r.groups
	if err != nil {
		number, known = r.names[name]
	}
	if !known {
		return 0, fmt.Errorf("the replacement names the group %q, which the regular expression does not have", name)
	}
	return number, nil
}
