package packs

import (
	"strings"
	"time"

	"github.com/attune-automation/attune"
)

// span is a key that holds a duration above zero; zero where it is not there.
func (o *object) span(name string) attune.Span {
	v := o.get(name)
	if v == nil {
		return 0
	}
	d, err := attune.ParseSpan(v.plain())
	if err != nil || d <= 0 || d > attune.MaxWait {
		o.s.fault(v.at, "90s, 10m, 1h30m, or a number of seconds", "%s must be a duration above zero and of at most a year, not %s", name, v.describe())
		return 0
	}
	return attune.Span(d.Truncate(time.Millisecond))
}

// retry is the key of that name, or nil. A fault stands where it was written.
func (o *object) retry() *attune.RetryPolicy {
	v := o.get("retry")
	if v == nil {
		return nil
	}
	policy, faults := attune.ParseRetry(v.plain())
	for _, f := range faults {
		at := v.at
		for _, one := range v.fields {
			if "retry."+one.name == f.Where {
				at = one.at
			}
		}
		o.s.fault(at, f.Try, "%s: %s", strings.TrimPrefix(f.Where, "retry."), f.Message)
	}
	return &policy
}
