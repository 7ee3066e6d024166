package pattern

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// MaxMatches is the most matches that FindAll and Replace go through.
const MaxMatches = 100_000

var errStop = errors.New("the regular expression matches too often")

// groups are the texts of a match: the whole, then each group; missing tells
// those that took no part from empty ones.
type groups struct {
	start, end int // of the whole, in bytes
	texts      []string
}

// each visits the matches from left to right until visit returns false.
func (r *Regex) each(text string, visit func(groups) bool) error {
	if r.consumes && r.Linear(text) {
		all := r.linear.FindAllStringSubmatchIndex(text, MaxMatches+1)
		for i, at := range all {
			if i == MaxMatches {
				return errStop
			}
			g := groups{start: at[0], end: at[1]}
			for j := 0; j < len(at); j += 2 {
				part := ""
				if at[j] >= 0 {
					part = text[at[j]:at[j+1]]
				}
				g.texts = append(g.texts, part)
			}
			if !visit(g) {
				return nil
			}
		}
		return nil
	}
	if r.backtracking == nil {
		return errors.New("the regular expression may match nothing, which only the other engine counts as Python does, and that one refuses it")
	}
	return r.backtrack(text, func() error { return r.eachBacktracking(text, visit) })
}

func (r *Regex) eachBacktracking(text string, visit func(groups) bool) error {
	m, err := r.backtracking.FindStringMatch(text)
	offsets := offsetsOf(text) // the library counts in characters
	for n := 0; m != nil && err == nil; n++ {
		if n == MaxMatches {
			return errStop
		}
		g := groups{start: offsets[m.Index], end: offsets[m.Index+m.Length]}
		for _, group := range m.Groups() {
			g.texts = append(g.texts, group.String())
		}
		if !visit(g) {
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
	err := r.each(text, func(g groups) bool {
		if len(g.texts) > 1 {
			g.texts = g.texts[1:]
		}
		found = append(found, g.texts)
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
	err = r.each(text, func(g groups) bool {
		b.WriteString(text[last:g.start])
		last = g.end
		for _, p := range parts {
			if p.group < 0 {
				b.WriteString(p.text)
			} else {
				b.WriteString(g.texts[p.group])
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
