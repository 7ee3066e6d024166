package attune

import (
	"encoding/json"
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"
	"time"
)

// The bounds of a retry.
const (
	// MaxTries bounds max_attempts.
	MaxTries = 100
	// MaxPause bounds delay and max_delay.
	MaxPause = 7 * 24 * time.Hour
	// MaxWait bounds a deadline and a start that are given as a duration.
	MaxWait = 366 * 24 * time.Hour
)

// What a retry does not say.
const (
	defaultDelay    = Span(time.Second)
	defaultMaxDelay = Span(time.Hour)
)

var retryOn = []Status{Failed, TimedOut, Abandoned}

// ParseRetry reads a retry as packs and requests write it, decoded: an object,
// or a number for max_attempts alone. All its faults are named, each with its
// path below retry.
func ParseRetry(v any) (RetryPolicy, []Fault) {
	p := retryParser{given: map[string]any{"max_attempts": v}}
	if given, ok := v.(map[string]any); ok {
		p.given = given
	}
	r := RetryPolicy{On: retryOn, Delay: defaultDelay, MaxDelay: defaultMaxDelay}
	for _, key := range slices.Sorted(maps.Keys(p.given)) {
		p.key(&r, key, p.given[key])
	}
	if p.given["max_attempts"] == nil && len(p.faults) == 0 {
		p.fault("", "it does not say how often", "max_attempts: 3")
	}
	if p.given["max_delay"] == nil {
		r.MaxDelay = max(r.MaxDelay, r.Delay)
	}
	if r.MaxDelay < r.Delay && len(p.faults) == 0 {
		p.fault("max_delay", "it is below delay", "")
	}
	return r, p.faults
}

type retryParser struct {
	given  map[string]any
	faults []Fault
}

func (p *retryParser) fault(where, message, try string) {
	p.faults = append(p.faults, Fault{Where: strings.TrimSuffix("retry."+where, "."), Message: message, Try: try})
}

func (p *retryParser) key(r *RetryPolicy, key string, v any) {
	switch key {
	case "max_attempts":
		n, ok := wholeNumber(v)
		if r.MaxAttempts = n; !ok || n < 1 || n > MaxTries {
			p.fault(key, fmt.Sprintf("it is not a whole number from 1 to %d", MaxTries), "3")
		}
	case "on":
		r.On = p.on(v)
	case "delay":
		r.Delay = p.duration(key, v)
	case "max_delay":
		r.MaxDelay = p.duration(key, v)
	case "backoff":
		if r.Backoff.UnmarshalText([]byte(fmt.Sprint(v))) != nil {
			p.fault(key, fmt.Sprintf("%v is no backoff", v), "one of "+strings.Join(backoffNames[:], ", "))
		}
	case "jitter":
		f, ok := number(v)
		if r.Jitter = f; !ok || !(f >= 0 && f <= 1) {
			p.fault(key, "it is not a number from 0 to 1", "0.2 adds up to a fifth to each pause")
		}
	default:
		p.fault(key, "retry has no such key", "known are max_attempts, on, delay, backoff, max_delay, jitter")
	}
}

func (p *retryParser) on(v any) []Status {
	list, ok := v.([]any)
	var set []Status
	for _, name := range list {
		s, err := ParseStatus(fmt.Sprint(name))
		if ok = ok && err == nil && slices.Contains(retryOn, s); ok {
			set = append(set, s)
		}
	}
	slices.Sort(set)
	if !ok || len(set) == 0 {
		p.fault("on", "it is not a list of ends that can be tried again", "[failed, timeout, abandoned], or some of them")
	}
	return slices.Compact(set)
}

func (p *retryParser) duration(key string, v any) Span {
	d, err := ParseSpan(v)
	if err != nil || d > MaxPause {
		p.fault(key, "it is not a duration of at most "+MaxPause.String(), "500ms, 10s, 5m, or a number of seconds")
	}
	return Span(d)
}

// ParseSpan reads a duration of zero or more: text such as 1m30s, or a number
// of seconds.
func ParseSpan(v any) (time.Duration, error) {
	if text, ok := v.(string); ok {
		d, err := time.ParseDuration(text)
		if err != nil || d < 0 {
			return 0, NewError(Invalid, "invalid_duration", fmt.Sprintf("%q is not a duration", text))
		}
		return d, nil
	}
	f, ok := number(v)
	if !ok || !(f >= 0 && f <= MaxWait.Seconds()) {
		return 0, NewError(Invalid, "invalid_duration", fmt.Sprintf("%v is not a duration", v))
	}
	return time.Duration(f * float64(time.Second)), nil
}

// Span is a duration whose text form is that of [time.Duration].
type Span time.Duration

// MarshalText writes text such as 1m30s.
func (s Span) MarshalText() ([]byte, error) { return []byte(time.Duration(s).String()), nil }

// UnmarshalText reads what MarshalText writes.
func (s *Span) UnmarshalText(b []byte) error {
	d, err := ParseSpan(string(b))
	*s = Span(d)
	return err
}

// ParseTime reads an RFC 3339 time, into UTC. One that its zone puts before the
// year 0 or behind 9999 is none: it could be read, and never be written again.
func ParseTime(text string) (time.Time, error) {
	at, err := time.Parse(time.RFC3339, text)
	if at = at.UTC(); err != nil || at.Year() < 0 || at.Year() > 9999 {
		return time.Time{}, NewError(Invalid, "invalid_time", fmt.Sprintf("%q is not a time", text))
	}
	return at, nil
}

// ParseMoment reads a moment ahead: an RFC 3339 time, or a duration from now on
// as [ParseSpan] reads it. One of the two is set.
func ParseMoment(text string) (at time.Time, in time.Duration, err error) {
	if at, err = ParseTime(text); err == nil {
		return at, 0, nil
	}
	if in, err = ParseSpan(text); err != nil || in <= 0 || in > MaxWait {
		return time.Time{}, 0, NewError(Invalid, "invalid_moment", fmt.Sprintf("%q is neither a time nor a duration of at most a year", text))
	}
	return time.Time{}, in, nil
}

func wholeNumber(v any) (int, bool) {
	f, ok := number(v)
	return int(f), ok && f == math.Trunc(f) && math.Abs(f) < 1e9
}

func number(v any) (float64, bool) {
	switch v := v.(type) {
	case int64:
		return float64(v), true
	case int:
		return float64(v), true
	case float64:
		return v, true
	case json.Number:
		f, err := v.Float64()
		return f, err == nil
	}
	return 0, false
}

// UnmarshalJSON reads what [ParseRetry] reads.
func (r *RetryPolicy) UnmarshalJSON(b []byte) error {
	var v any
	if err := json.Unmarshal(b, &v); err != nil {
		return err
	}
	parsed, faults := ParseRetry(v)
	if len(faults) > 0 {
		return &Error{Kind: Invalid, Code: "invalid_retry", Message: "the retry is not valid", Faults: faults}
	}
	*r = parsed
	return nil
}
