package api

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/attune-automation/attune"
)

const (
	// maxLasting is how many requests may wait or stream at a time, maxOfToken
	// how many of them with one token.
	maxLasting = 1000
	maxOfToken = 500
	// recheck is how often the tokens of open requests are looked at again:
	// with lastWrite a revoked one is out within a second.
	recheck = 500 * time.Millisecond
	// lastWrite is how long a write under way may go on after that.
	lastWrite = 250 * time.Millisecond
	// lastAnswer is how long the answer may take that a token has ended, of a
	// request that was not answered yet.
	lastAnswer = 5 * time.Second
	// recheckAtMost bounds one look. While the store cannot be asked, requests
	// stay open.
	recheckAtMost = 5 * time.Second
)

// visit is one open request.
type visit struct {
	secret, name string
	// lasts says that it takes a place among those that wait or stream.
	lasts bool
	// end ends it. It must not block.
	end func(error)
}

// visits are the requests that are open, so that each ends with its token and
// those that last are bounded. It is safe for concurrent use.
type visits struct {
	tokens *Tokens
	after  func(d time.Duration, f func()) attune.Timer

	mu      sync.Mutex
	open    map[*visit]struct{} // guarded by mu, as are all below
	lasting int
	byToken map[string]int // those that last, by the name of their token
	// looking says that a look is due or under way; without open requests
	// there is none.
	looking bool
}

func newVisits(tokens *Tokens, after func(d time.Duration, f func()) attune.Timer) *visits {
	return &visits{tokens: tokens, after: after, open: map[*visit]struct{}{}, byToken: map[string]int{}}
}

// enter begins a request, or refuses one for which there is no room.
func (v *visits) enter(one *visit) error {
	v.mu.Lock()
	defer v.mu.Unlock()
	if one.lasts {
		if v.lasting >= maxLasting || v.byToken[one.name] >= maxOfToken {
			return &attune.Error{Kind: attune.TooMuch, Code: "too_many_waiting", RetryAfter: 5 * time.Second,
				Message: fmt.Sprintf("%d requests wait or stream already, %d of them with this token; at most %d and %d may", v.lasting, v.byToken[one.name], maxLasting, maxOfToken),
				Try:     "again later, or ask without waiting"}
		}
		v.lasting++
		v.byToken[one.name]++
	}
	v.open[one] = struct{}{}
	if !v.looking {
		v.looking = true
		v.after(recheck, v.look)
	}
	return nil
}

// leave ends the watch over a request; after it, it is not ended any more. It
// may be called twice.
func (v *visits) leave(one *visit) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if _, ok := v.open[one]; !ok {
		return
	}
	delete(v.open, one)
	if !one.lasts {
		return
	}
	v.lasting--
	if v.byToken[one.name]--; v.byToken[one.name] == 0 {
		delete(v.byToken, one.name)
	}
}

// look is the look that is due, and sets the next.
func (v *visits) look() {
	v.recheck()
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.looking = len(v.open) > 0; v.looking {
		v.after(recheck, v.look)
	}
}

// recheck ends the open requests whose tokens do not work any more.
func (v *visits) recheck() {
	ctx, cancel := context.WithTimeout(context.Background(), recheckAtMost)
	defer cancel()
	denied := map[string]error{}
	for secret := range v.secrets() {
		if _, err := v.tokens.Check(ctx, secret); err != nil && attune.KindOf(err) == attune.Denied {
			denied[secret] = errTokenEnded{err}
		}
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	for one := range v.open {
		if err := denied[one.secret]; err != nil {
			one.end(err)
		}
	}
}

// secrets are those of the open requests.
func (v *visits) secrets() map[string]struct{} {
	v.mu.Lock()
	defer v.mu.Unlock()
	all := map[string]struct{}{}
	for one := range v.open {
		all[one.secret] = struct{}{}
	}
	return all
}
