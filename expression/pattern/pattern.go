package pattern

import (
	"errors"
	"fmt"
	"regexp"
	"regexp/syntax"
	"strings"
	"time"

	"github.com/dlclark/regexp2"
)

// Bounds of a regular expression.
const (
	// MaxPattern is the longest pattern, in bytes.
	MaxPattern = 4 << 10
	// maxSubject limits the text that the backtracking engine searches, in bytes.
	maxSubject = 64 << 10
	// maxWork limits the instructions that the linear engine may have to go
	// through in one search: a second at the worst, of which real patterns need
	// a small part.
	maxWork = 12_000_000
	// matchTimeout limits one search of the backtracking engine.
	matchTimeout = 100 * time.Millisecond
)

// ErrTooLong is a search that was stopped at its time limit. Do not repeat it.
var ErrTooLong = errors.New("the regular expression takes too long: it needs more than " + matchTimeout.String())

// Options are the flags of Python's re.compile that callers need.
type Options struct {
	// IgnoreCase is re.IGNORECASE.
	IgnoreCase bool
	// DotAll is re.DOTALL: a dot is also a newline.
	DotAll bool
	// Anchored finds only what begins where the text begins: re.match.
	Anchored bool
}

// Regex is a compiled pattern. It never changes and is safe for concurrent use.
type Regex struct {
	linear *regexp.Regexp // or nil
	// ascii limits linear to texts of ASCII: \b is then the same in both.
	ascii bool
	// consumes: no match is empty, so that both engines find the same sequence.
	consumes     bool
	size         int
	backtracking *regexp2.Regexp // set unless linear serves every text
	// names are the numbers of the named groups, groups the number of all.
	names  map[string]int
	groups int
	// patience is shared with other searches, or nil.
	patience *Patience
}

// Compile compiles a pattern. The error names the pattern.
func Compile(pattern string, o Options) (*Regex, error) {
	if len(pattern) > MaxPattern {
		return nil, fmt.Errorf("the regular expression has %d bytes, at most %d are allowed", len(pattern), MaxPattern)
	}
	t := translate(pattern)
	r := &Regex{ascii: t.ascii, names: t.names, groups: t.groups}
	if t.plain {
		form := t.frame(t.goForm, o)
		if re, err := regexp.Compile(form); err == nil {
			r.linear = re
			if err := r.weigh(form); err != nil {
				return nil, fmt.Errorf("the regular expression %q is wrong: %w", pattern, err)
			}
		}
	}
	if r.linear != nil && !r.ascii && r.consumes {
		return r, nil
	}
	re, err := compileBacktracking(t.frame(t.netForm, o))
	switch {
	case err == nil:
		re.MatchTimeout = matchTimeout
		r.backtracking = re
	case r.linear == nil || r.ascii:
		return nil, fmt.Errorf("the regular expression %q is wrong: %w", pattern, err)
	}
	return r, nil
}

// compileBacktracking turns a panic of the parser, which reads what anybody
// wrote, into an error.
func compileBacktracking(pattern string) (re *regexp2.Regexp, err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("the parser gave up: %v", p)
		}
	}()
	return regexp2.Compile(pattern, regexp2.None)
}

// weigh learns from the parsed form what the compiled one does not tell.
func (r *Regex) weigh(form string) error {
	tree, err := syntax.Parse(form, syntax.Perl)
	if err != nil {
		return err
	}
	r.consumes = consumes(tree)
	program, err := syntax.Compile(tree.Simplify())
	if err != nil {
		return err
	}
	r.size = len(program.Inst)
	return nil
}

// consumes tells that every match takes at least one character.
func consumes(re *syntax.Regexp) bool {
	switch re.Op {
	case syntax.OpLiteral, syntax.OpCharClass, syntax.OpAnyChar, syntax.OpAnyCharNotNL:
		return true
	case syntax.OpCapture, syntax.OpPlus:
		return consumes(re.Sub[0])
	case syntax.OpRepeat:
		return re.Min > 0 && consumes(re.Sub[0])
	case syntax.OpConcat:
		for _, sub := range re.Sub {
			if consumes(sub) {
				return true
			}
		}
	case syntax.OpAlternate:
		for _, sub := range re.Sub {
			if !consumes(sub) {
				return false
			}
		}
		return true
	}
	return false
}

// Linear tells that [Regex.Match] needs time in proportion to the length of the
// text, and no clock.
func (r *Regex) Linear(text string) bool {
	return r.linear != nil && (!r.ascii || isASCII(text))
}

// LinearAll is Linear for [Regex.FindAll] and [Regex.Replace].
func (r *Regex) LinearAll(text string) bool { return r.consumes && r.Linear(text) }

// Size is how many instructions the linear engine may go through for each
// character, or 0 without it: {1000} in a short pattern makes many.
func (r *Regex) Size() int { return r.size }

// Match reports whether the pattern is found in text.
func (r *Regex) Match(text string) (found bool, err error) {
	if r.Linear(text) {
		if err := r.bearable(text); err != nil {
			return false, err
		}
		return r.linear.MatchString(text), nil
	}
	err = r.backtrack(text, func(func() bool) (err error) {
		found, err = r.backtracking.MatchString(text)
		return err
	})
	return found, err
}

// bearable refuses a text that is too long for the linear engine.
func (r *Regex) bearable(text string) error {
	if len(text) > maxWork/max(r.size, 1) {
		return tooLong(text)
	}
	return nil
}

func tooLong(text string) error {
	return fmt.Errorf("the text has %d bytes, too many for this regular expression", len(text))
}

// backtrack runs a search of the backtracking engine; over tells it, between two
// matches, that its time is over.
func (r *Regex) backtrack(text string, search func(over func() bool) error) (err error) {
	if len(text) > maxSubject {
		return tooLong(text)
	}
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("the regular expression gave up: %v", p)
		}
	}()
	if err := r.patience.search(search); err != nil {
		if errors.Is(err, errStop) || errors.Is(err, ErrTooLong) {
			return err
		}
		return ErrTooLong // the library has no other error than the time limit
	}
	return nil
}

func isASCII(text string) bool {
	return strings.IndexFunc(text, func(r rune) bool { return r >= 0x80 }) < 0
}
