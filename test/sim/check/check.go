package check

import (
	"fmt"
	"sort"
)

// maxFaults is how many findings are kept: beyond, they repeat each other.
const maxFaults = 20

// Check returns what is wrong, nothing when every promise was kept. Findings
// begin with the promise; "thin" means that the input proves too little.
func Check(in *Input) []string {
	c := &checker{in: in, executions: map[int64]*Execution{}, events: map[int64]*Event{}}
	for i := range in.Executions {
		c.executions[in.Executions[i].ID] = &in.Executions[i]
	}
	for i := range in.Events {
		c.events[in.Events[i].ID] = &in.Events[i]
	}
	c.thin()
	c.admissions()
	c.rules()
	c.histories()
	c.starts()
	c.times()
	c.reports()
	c.waiting()
	c.announcements()
	c.fences()
	return c.faults
}

type checker struct {
	in         *Input
	executions map[int64]*Execution
	events     map[int64]*Event
	faults     []string
}

func (c *checker) fault(promise, format string, args ...any) {
	if len(c.faults) < maxFaults {
		c.faults = append(c.faults, promise+": "+fmt.Sprintf(format, args...))
	}
}

// name is how a row is called in a finding.
func (c *checker) name(id int64) string { return Name("ex", id) }

// Name is the text form of an id.
func Name(kind string, id int64) string {
	const digits = "0123456789abcdefghjkmnpqrstvwxyz"
	var b [13]byte
	for i := len(b) - 1; i >= 0; i-- {
		b[i] = digits[id&31]
		id >>= 5
	}
	return kind + "-" + string(b[:])
}

// thin refuses input that holds less than was planned.
func (c *checker) thin() {
	events, requests := 0, 0
	for _, o := range c.in.Offers {
		if o.Event {
			events++
		} else {
			requests++
		}
	}
	if c.in.Plan.Events == 0 || c.in.Plan.Requests == 0 || len(c.in.Rules) == 0 {
		c.fault("thin", "nothing was planned")
	}
	if events < c.in.Plan.Events || requests < c.in.Plan.Requests {
		c.fault("thin", "%d events and %d requests were offered, %d and %d were planned", events, requests, c.in.Plan.Events, c.in.Plan.Requests)
	}
	words := make([]string, 0, len(c.in.Plan.Counts))
	for word := range c.in.Plan.Counts {
		words = append(words, word)
	}
	sort.Strings(words)
	for _, word := range words {
		if want := c.in.Plan.Counts[word]; c.in.Counts[word] < want {
			c.fault("thin", "%d of %s happened, %d were planned", c.in.Counts[word], word, want)
		}
	}
	if len(c.in.Runs) == 0 || len(c.in.Flushes) == 0 {
		c.fault("thin", "nothing ran, or nothing was written")
	}
}
