package check

import (
	"bytes"
	"fmt"
	"strings"
)

// lives is the life of an execution, a line per status: signal>next. Next is
// "cause" where the stored cause of the stop decides.
var lives = parseLives(`
requested:  admit>scheduling hold>delayed expire>timeout cancel>cancelled refuse>failed panic>failed
delayed:    admit>scheduling hold>delayed expire>timeout cancel>cancelled refuse>failed panic>failed
scheduling: hold>delayed assign>scheduled expire>timeout cancel>cancelled refuse>failed panic>failed
scheduled:  return>scheduling start>running finish>completed fail>failed time_out>timeout retry>delayed lose>abandoned expire>stopping cancel>stopping refuse>failed panic>stopping
running:    finish>completed fail>failed time_out>timeout retry>delayed lose>abandoned expire>stopping pause>paused cancel>stopping panic>stopping
paused:     finish>completed fail>failed time_out>timeout retry>delayed expire>stopping resume>running cancel>stopping panic>stopping
stopping:   return>cause finish>completed fail>cause time_out>cause retry>delayed lose>cause cancel>stopping confirm>cause refuse>cause panic>stopping
`)

func parseLives(text string) map[string]map[string]string {
	all := map[string]map[string]string{}
	for line := range strings.SplitSeq(strings.TrimSpace(text), "\n") {
		from, cells, _ := strings.Cut(line, ":")
		all[from] = map[string]string{}
		for cell := range strings.FieldsSeq(cells) {
			signal, to, _ := strings.Cut(cell, ">")
			all[from][strings.ReplaceAll(signal, "_", " ")] = to
		}
	}
	return all
}

// ends are the terminal statuses, causes what a stop ends in.
var (
	ends   = map[string]bool{"completed": true, "failed": true, "timeout": true, "cancelled": true, "abandoned": true}
	causes = map[string]string{"cancelled": "cancelled", "timeout": "timeout", "panic": "failed"}
)

// life walks a history and returns where it stands: status, cause and attempt.
// The second result is the first thing wrong.
func life(steps []step) (status, cause string, attempt int, wrong string) {
	status = "requested"
	var last step
	for i, s := range steps {
		fault := func(format string, args ...any) string {
			return fmt.Sprintf("step %d (%s) after %s: ", i, s, status) + fmt.Sprintf(format, args...)
		}
		if i > 0 && s.at.Before(last.at) {
			return status, cause, attempt, fault("goes back in time, from %s", last.at.Format("15:04:05.000"))
		}
		last = s
		if s.refused {
			if s.to != status || s.attempt > attempt {
				return status, cause, attempt, fault("evidence changes something")
			}
			continue
		}
		to, legal := lives[status][s.signal]
		switch {
		case !legal:
			return status, cause, attempt, fault("is not legal")
		case s.signal == "retry" && status == "stopping" && cause != "timeout":
			return status, cause, attempt, fault("retries a stop by %s", cause)
		case to == "cause":
			to = causes[cause]
		}
		if to != s.to {
			return status, cause, attempt, fault("must lead to %s", to)
		}
		if s.signal == "assign" {
			attempt++
			if s.worker == "" || s.incarnation == "" {
				return status, cause, attempt, fault("names no worker")
			}
		}
		if s.attempt != attempt {
			return status, cause, attempt, fault("speaks of attempt %d of %d", s.attempt, attempt)
		}
		cause = nextCause(to, cause, s.signal)
		status = to
	}
	return status, cause, attempt, ""
}

func nextCause(to, cause, signal string) string {
	switch {
	case to != "stopping":
		return ""
	case signal == "cancel":
		return "cancelled"
	case signal == "expire":
		return "timeout"
	case cause == "cancelled":
		return cause
	}
	return "panic"
}

// histories proves G3 on the rows and on every state that was ever stored.
func (c *checker) histories() {
	type seen struct {
		version int64
		status  string
		history []byte
	}
	before := map[int64]seen{}
	for _, v := range c.in.Versions {
		b := before[v.ID]
		switch {
		case v.Version != b.version+1:
			c.fault("G3", "%s: version %d was stored after %d: one is missing", c.name(v.ID), v.Version, b.version)
		case ends[b.status] && v.Status != b.status:
			c.fault("G3", "%s: left the terminal status %s for %s", c.name(v.ID), b.status, v.Status)
		case !bytes.HasPrefix(v.History, b.history):
			c.fault("G3", "%s: version %d does not go on from the history of version %d", c.name(v.ID), v.Version, b.version)
		}
		c.history(&v.Execution)
		before[v.ID] = seen{v.Version, v.Status, v.History}
	}
	rows := map[int64]bool{}
	for i := range c.in.Executions {
		x := &c.in.Executions[i]
		rows[x.ID] = true
		b := before[x.ID]
		if b.version != x.Version || b.status != x.Status || !bytes.Equal(b.history, x.History) {
			c.fault("G3", "%s: the row is not what was stored last (version %d and %d)", c.name(x.ID), x.Version, b.version)
		}
	}
	for _, v := range c.in.Versions {
		if !rows[v.ID] {
			c.fault("G3", "%s: was stored and is gone", c.name(v.ID))
		}
	}
}

// history proves that one stored state is what its history leads to.
func (c *checker) history(x *Execution) {
	steps, err := decode(x.History)
	if err != nil {
		c.fault("G3", "%s: %v", c.name(x.ID), err)
		return
	}
	status, cause, attempt, wrong := life(steps)
	switch {
	case wrong != "":
		c.fault("G3", "%s: %s", c.name(x.ID), wrong)
	case status != x.Status || attempt != x.Attempt || cause != x.Cause:
		c.fault("G3", "%s: the history ends as %s (%s) attempt %d, the row says %s (%s) attempt %d", c.name(x.ID), status, cause, attempt, x.Status, x.Cause, x.Attempt)
	case ends[x.Status] && (x.Finished.IsZero() || x.FinishNumber == 0):
		c.fault("G3", "%s: is %s without its moment or number", c.name(x.ID), x.Status)
	}
}
