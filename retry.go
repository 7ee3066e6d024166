package attune

import (
	"fmt"
	"slices"
	"time"
)

// RetryPolicy says after which ends of an attempt an execution is tried again, how
// often and how far apart. The zero value is never.
type RetryPolicy struct {
	// MaxAttempts is how many attempts there may be, the first included. One
	// that was returned unstarted does not count. 0 and 1 are no retry.
	MaxAttempts int `json:"max_attempts"`
	// On are the ends that are tried again: [Failed], [TimedOut], [Abandoned],
	// in this order.
	On []Status `json:"on"`
	// Delay is the pause before the second attempt, Backoff how it grows.
	Delay   Span    `json:"delay"`
	Backoff Backoff `json:"backoff"`
	// MaxDelay bounds the grown pause, before jitter.
	MaxDelay Span `json:"max_delay"`
	// Jitter is the share of the pause, 0 to 1, that may be added to it, so
	// that what failed together does not come back together.
	Jitter float64 `json:"jitter,omitempty"`
}

// Backoff is how pauses grow. The numbers are stored: never reorder.
type Backoff uint8

// The ways of growing.
const (
	// Constant: every pause is the delay.
	Constant Backoff = iota
	// Linear: one delay, two, three.
	Linear
	// Exponential: one delay, two, four.
	Exponential
)

var backoffNames = [...]string{"constant", "linear", "exponential"}

func (b Backoff) String() string { return word("backoff", backoffNames[:], b) }

// MarshalText writes the name.
func (b Backoff) MarshalText() ([]byte, error) { return []byte(b.String()), nil }

// UnmarshalText reads a name.
func (b *Backoff) UnmarshalText(text []byte) error {
	i := slices.Index(backoffNames[:], string(text))
	if i < 0 {
		return NewError(Invalid, "invalid_backoff", fmt.Sprintf("%q is not a backoff", text))
	}
	*b = Backoff(i)
	return nil
}

// Pause is how long to wait after that many tries of an execution. The jitter
// comes from the token, so that it is the same wherever and however often it is
// computed.
func (r RetryPolicy) Pause(token Token, tries int) time.Duration {
	d, most := time.Duration(r.Delay), time.Duration(r.MaxDelay)
	switch r.Backoff {
	case Linear:
		d *= time.Duration(min(tries, MaxTries))
	case Exponential:
		for i := 1; i < tries && d < most; i++ {
			d *= 2
		}
	}
	d = min(d, most)
	return d + time.Duration(r.Jitter*token.spread()*float64(d))
}

// spread is a number from 0 to 1 that looks random and belongs to the token: a
// step of splitmix64.
func (t Token) spread() float64 {
	z := uint64(t.Execution) + uint64(t.Attempt)*0x9e3779b97f4a7c15
	z = (z ^ z>>30) * 0xbf58476d1ce4e5b9
	z = (z ^ z>>27) * 0x94d049bb133111eb
	return float64((z^z>>31)>>11) / (1 << 53)
}

// Again decides whether a signal that would end the newest attempt is to be
// [Retry] instead, and until when the execution is then delayed. It is never
// after a cancel or a panic, and never where the next attempt could not begin
// before the deadline. why says so in words: of a retry, or of an end that only
// the deadline made one.
func (x *Execution) Again(in Input) (until time.Time, why string, again bool) {
	r := x.Limits.Retry
	to, _, _, err := Next(x.Status, x.Cause, in.Signal)
	if err != nil || r.MaxAttempts < 2 || !slices.Contains(r.On, to) || !x.retryable(in.Signal) {
		return time.Time{}, "", false
	}
	tries := x.Tries()
	if tries >= r.MaxAttempts {
		return time.Time{}, "", false
	}
	until = in.At.Add(r.Pause(x.Token(), tries)).Truncate(time.Millisecond)
	if until.Before(in.At) { // the store keeps whole milliseconds
		until = until.Add(time.Millisecond)
	}
	what := fmt.Sprintf("attempt %d of %d %s%s", tries, r.MaxAttempts, ended[to], in.Failure.brief())
	if d := x.Limits.Deadline; !d.IsZero() && !until.Before(d) {
		return time.Time{}, what + ": another would come after the deadline", false
	}
	return until, what + ": trying again at " + until.UTC().Format(time.RFC3339), true
}

// ended are the words for an attempt that came to an end.
var ended = map[Status]string{Failed: "failed", TimedOut: "timed out", Abandoned: "was lost with its worker"}

// retryable tells the signals that a retry may stand for.
func (x *Execution) retryable(on Signal) bool {
	if x.Status == Stopping {
		return x.Cause == CauseTimeout && on != Finish
	}
	return on == Fail || on == TimeOut || on == Lose
}

// Tries counts the attempts so far that were not returned unstarted.
func (x *Execution) Tries() int {
	steps, err := x.History.Steps()
	if err != nil {
		return x.Attempt
	}
	tries := 0
	for _, s := range steps {
		switch {
		case s.Refused:
		case s.Signal == Assign:
			tries++
		case s.Signal == Return:
			tries--
		}
	}
	return tries
}

// Overdue reports that the deadline has passed.
func (x *Execution) Overdue(now time.Time) bool {
	return !x.Limits.Deadline.IsZero() && !now.Before(x.Limits.Deadline)
}

// ExpiredByDeadline reports that the newest stop by timeout was for the
// deadline, not for the limit of an attempt.
func (x *Execution) ExpiredByDeadline() bool {
	steps, err := x.History.Steps()
	if err != nil || x.Limits.Deadline.IsZero() {
		return false
	}
	for _, s := range slices.Backward(steps) {
		if s.Signal == Expire && !s.Refused {
			return !s.At.Before(x.Limits.Deadline.Truncate(time.Millisecond))
		}
	}
	return false
}

// brief is the code in parentheses, where it is a plain word.
func (f *Failure) brief() string {
	if f == nil || f.Code == "" || len(f.Code) > 64 {
		return ""
	}
	for _, c := range f.Code {
		if (c < 'a' || c > 'z') && (c < '0' || c > '9') && c != '_' {
			return ""
		}
	}
	return " (" + f.Code + ")"
}
