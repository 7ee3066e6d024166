package pattern

import (
	"fmt"
	"time"
)

// maxPatience limits what the searches of one [Patience] may take that backtrack,
// and all those of [Regex.MatchWithin].
const maxPatience = 300 * time.Millisecond

// errPatience is an [ErrTooLong].
var errPatience = fmt.Errorf("%w, and all together more than %s", ErrTooLong, maxPatience)

// Patience is what the searches of several regular expressions may take
// together: a thousand of them, each within its own limit, would still take for
// ever. The zero patience is whole. It serves one goroutine.
type Patience struct{ took time.Duration }

// With is the regular expression with searches that share the patience where they
// backtrack. Others have a patience each.
func (r *Regex) With(p *Patience) *Regex {
	own := *r
	own.patience = p
	return &own
}

// MatchWithin is [Regex.Match] of a caller that counts no work: the linear engine
// takes of the patience too.
func (r *Regex) MatchWithin(text string, p *Patience) (found bool, err error) {
	if !r.Linear(text) {
		return r.With(p).Match(text)
	}
	err = p.search(func(func() bool) (err error) {
		found, err = r.Match(text)
		return err
	})
	return found, err
}

// search runs a search; over tells it that the time of one is over.
func (p *Patience) search(run func(over func() bool) error) error {
	if p == nil {
		p = &Patience{}
	}
	if p.took > maxPatience {
		return errPatience
	}
	began := time.Now()                                        //nolint:forbidigo // the engine itself is stopped by a clock, and by no other
	since := func() time.Duration { return time.Since(began) } //nolint:forbidigo // the same
	defer func() { p.took += since() }()
	return run(func() bool { return since() > matchTimeout })
}
