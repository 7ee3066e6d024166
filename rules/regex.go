package rules

import (
	"errors"
	"fmt"
	"regexp"
	"strings"
	"time"

	"github.com/dlclark/regexp2"
)

// Bounds of a regular expression.
const (
	maxPattern = 4 << 10
	// maxSubject limits the text that the backtracking engine searches.
	maxSubject = 64 << 10
	// matchTimeout limits one search of the backtracking engine.
	matchTimeout = 100 * time.Millisecond
)

// regex is a Python regular expression. Packs are written for Python's re, so
// there are two engines:
//
//   - A pattern that means the same to Go's engine runs there: linear time, no
//     clock, the same answer always. Those are nearly all.
//   - A pattern with lookaround, back-references or another thing that Go lacks
//     runs in a backtracking engine, which may need exponential time and is
//     therefore stopped after matchTimeout. That alone depends on the machine:
//     a search that hits the limit is an error, and no match. For the limit the
//     library runs a goroutine that reads a coarse clock and ends by itself
//     about a second after the last search; it is started by nothing else. A
//     test that looks for leaked goroutines, or runs in a synctest bubble, must
//     not search with such patterns.
type regex struct {
	linear *regexp.Regexp // or nil
	// ascii limits linear to texts of ASCII: \b is then the same in both.
	ascii        bool
	backtracking *regexp2.Regexp // set unless linear serves every text
}

// compileRegex compiles a pattern for searching anywhere in a text.
func compileRegex(pattern string) (*regex, error) {
	if len(pattern) > maxPattern {
		return nil, fmt.Errorf("the regular expression has %d bytes, at most %d are allowed", len(pattern), maxPattern)
	}
	t := translate(pattern)
	r := &regex{ascii: t.ascii}
	if t.plain {
		if re, err := regexp.Compile(t.goForm); err == nil {
			r.linear = re
		}
	}
	if r.linear != nil && !r.ascii {
		return r, nil
	}
	re, err := compileBacktracking(t.netForm)
	if err != nil {
		return nil, fmt.Errorf("the regular expression %q is wrong: %w", pattern, err)
	}
	re.MatchTimeout = matchTimeout
	r.backtracking = re
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

// search reports whether the pattern is found anywhere in text.
func (r *regex) search(text string) (found bool, err error) {
	if r.linear != nil && (!r.ascii || isASCII(text)) {
		return r.linear.MatchString(text), nil
	}
	if len(text) > maxSubject {
		return false, fmt.Errorf("the text has %d bytes, too many for this regular expression", len(text))
	}
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("the regular expression gave up: %v", p)
		}
	}()
	found, err = r.backtracking.MatchString(text)
	if err != nil { // the library has no other error than the time limit
		return false, errors.New("the regular expression takes too long: it needs more than " + matchTimeout.String())
	}
	return found, nil
}

// matchRegex serves patterns that are rendered anew for each event.
func matchRegex(left, right any) (bool, error) {
	pattern, ok := right.(string)
	if !ok {
		return false, fmt.Errorf("a regular expression must be a text, not %s", typeOf(right))
	}
	re, err := compileRegex(pattern)
	if err != nil {
		return false, err
	}
	return re.match(left)
}

func (r *regex) match(left any) (bool, error) {
	text, ok := left.(string)
	if !ok {
		return false, fmt.Errorf("%s cannot be searched with a regular expression", typeOf(left))
	}
	return r.search(text)
}

func isASCII(text string) bool {
	return strings.IndexFunc(text, func(r rune) bool { return r >= 0x80 }) < 0
}
