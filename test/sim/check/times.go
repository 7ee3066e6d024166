package check

import (
	"encoding/json"
	"slices"
	"time"
)

// times proves what is promised of retries and deadlines: another attempt only
// while tries remain, after an end that is to be tried again, not before its
// pause is over and not at or after the deadline; and none left out that was
// due. A deadline is what was asked for, and nothing expires before it.
func (c *checker) times() {
	runs := map[attempt]*Run{}
	for i := range c.in.Runs {
		r := &c.in.Runs[i]
		runs[attempt{r.Execution, r.Attempt}] = r
	}
	for i := range c.in.Versions {
		c.moment(&c.in.Versions[i].Execution)
	}
	for i := range c.in.Executions {
		x := &c.in.Executions[i]
		steps, err := decode(x.History)
		if err != nil {
			continue // histories says so
		}
		t := &timed{checker: c, x: x, limits: c.limitsOf(x), runs: runs, status: "requested"}
		t.deadline()
		for _, s := range steps {
			if !s.refused {
				t.step(s)
			}
		}
	}
}

// moment proves that a delayed row has a moment ahead of it, and not beyond its
// deadline.
func (c *checker) moment(x *Execution) {
	steps, err := decode(x.History)
	if err != nil || x.Status != "delayed" || len(steps) == 0 {
		return
	}
	if last := steps[len(steps)-1]; x.Until.Before(last.at) {
		c.fault("times", "%s version %d is delayed until %s, before it was delayed", c.name(x.ID), x.Version, x.Until)
	}
	if !x.Deadline.IsZero() && x.Until.After(x.Deadline) {
		c.fault("times", "%s version %d is delayed until %s, beyond its deadline of %s", c.name(x.ID), x.Version, x.Until, x.Deadline)
	}
}

// limitsOf are the limits an execution must have been given.
func (c *checker) limitsOf(x *Execution) Limits {
	l := c.in.Limits[x.Action]
	for i := range c.in.Rules {
		if r := &c.in.Rules[i]; r.Name == x.Rule && r.Limits != nil {
			timeout := l.Timeout
			l = *r.Limits
			l.Timeout = timeout
		}
	}
	var o offered
	if x.Enforcement == 0 && json.Unmarshal([]byte(x.Parameters), &o) == nil {
		for i := range c.in.Offers {
			if offer := &c.in.Offers[i]; offer.N == o.N && offer.Within > 0 {
				l.Within = offer.Within
			}
		}
	}
	return l
}

// timed walks through one history.
type timed struct {
	*checker
	x      *Execution
	limits Limits
	runs   map[attempt]*Run

	status, cause string
	tries         int
	started       time.Time
	notBefore     time.Time
}

// deadline proves that the row is held to what was asked for.
func (t *timed) deadline() {
	x, want := t.x, time.Time{}
	if t.limits.Within > 0 {
		want = x.Requested.Add(t.limits.Within)
	}
	if d := x.Deadline.Sub(want); want.IsZero() != x.Deadline.IsZero() || d < -time.Millisecond || d > time.Millisecond {
		t.fault("times", "%s has the deadline %s, and must have %s", t.name(x.ID), x.Deadline, want)
	}
	if x.Failure == "deadline" && (x.Deadline.IsZero() || x.Finished.Before(x.Deadline) || x.Status != "timeout") {
		t.fault("times", "%s ended %s by its deadline of %s at %s", t.name(x.ID), x.Status, x.Deadline, x.Finished)
	}
}

// past reports that a moment is not before the deadline.
func (t *timed) past(at time.Time) bool { return !t.x.Deadline.IsZero() && !at.Before(t.x.Deadline) }

func (t *timed) step(s step) {
	x := t.x
	switch s.signal {
	case "assign":
		t.tries++
		t.started = time.Time{}
		if s.at.Before(t.notBefore) {
			t.fault("times", "%s attempt %d was assigned at %s, its pause lasts until %s", t.name(x.ID), s.attempt, s.at, t.notBefore)
		}
		if t.past(s.at) {
			t.fault("times", "%s attempt %d was assigned at %s, after its deadline of %s", t.name(x.ID), s.attempt, s.at, x.Deadline)
		}
	case "return":
		if s.to == "scheduling" {
			t.tries--
		}
	case "start":
		t.started = s.at
	case "expire":
		limit := t.limits.Timeout > 0 && !t.started.IsZero() && !s.at.Before(t.started.Add(t.limits.Timeout))
		if !t.past(s.at) && !limit {
			t.fault("times", "%s expired at %s, its deadline is %s and its attempt began at %s", t.name(x.ID), s.at, x.Deadline, t.started)
		}
	case "retry":
		t.retry(s)
	}
	if ends[s.to] {
		t.end(s)
	}
	t.cause = nextCause(s.to, t.cause, s.signal)
	t.status = s.to
}

// retry proves that another attempt was allowed.
func (t *timed) retry(s step) {
	x := t.x
	if t.tries >= t.limits.MaxAttempts {
		t.fault("times", "%s is tried again after %d of %d tries", t.name(x.ID), t.tries, t.limits.MaxAttempts)
	}
	may := []string{"abandoned"}
	if t.status == "stopping" {
		may = []string{"timeout"}
	} else if run := t.runs[attempt{x.ID, s.attempt}]; run != nil {
		switch run.Outcome {
		case "failed":
			may = append(may, "failed")
		case "stopped": // by itself, which is a failure
			may = append(may, "failed")
		case "timed out":
			may = append(may, "timeout")
		}
	}
	if !slices.ContainsFunc(may, func(end string) bool { return slices.Contains(t.limits.On, end) }) {
		t.fault("times", "%s attempt %d may have ended as %v, and is tried again on %v", t.name(x.ID), s.attempt, may, t.limits.On)
	}
	t.notBefore = s.at.Add(t.limits.pause(t.tries))
	if t.past(t.notBefore) {
		t.fault("times", "%s is to be tried again at %s, after its deadline of %s", t.name(x.ID), t.notBefore, x.Deadline)
	}
}

// end proves that no attempt was left out that was due.
func (t *timed) end(s step) {
	ended := t.status == "stopping" && t.cause == "timeout" && s.signal != "finish"
	if t.status != "stopping" {
		ended = s.signal == "fail" || s.signal == "time out" || s.signal == "lose"
	}
	if !ended || t.x.Failure == "unstorable" || t.tries >= t.limits.MaxAttempts || !slices.Contains(t.limits.On, s.to) {
		return
	}
	longest := time.Duration(float64(t.limits.pause(t.tries)) * (1 + t.limits.Jitter))
	if !t.past(s.at.Add(longest + 2*time.Millisecond)) {
		t.fault("times", "%s ended as %s after %d of %d tries", t.name(t.x.ID), s.to, t.tries, t.limits.MaxAttempts)
	}
}

// pause is the least time between two tries.
func (l Limits) pause(tries int) time.Duration {
	d := l.Delay
	for i := 1; i < tries; i++ {
		switch l.Backoff {
		case "linear":
			d += l.Delay
		case "exponential":
			d += d
		}
	}
	return min(d, l.MaxDelay)
}
