package check

import "github.com/attune-automation/attune/test/ledger"

// token is one attempt of an execution.
type token struct {
	execution string
	attempt   int
}

// starts proves on the ledger that no attempt began twice, that none began while
// another of its execution was alive, that each had been assigned, and that what is
// completed was done by the attempt that says so.
func (c *checker) starts() {
	begun, ended := map[token]int64{}, map[token]int64{}
	last := map[string]token{} // the newest that began, by execution
	for _, l := range c.in.Ledger {
		k := token{l.Execution, l.Attempt}
		x := c.executions[l.Execution]
		switch {
		case x == nil:
			c.find(Lost, "%s attempt %d ran for %s and is not there", l.Execution, l.Attempt, l.Key)
			continue
		case x.Key != l.Key:
			c.find(Wrong, "%s did the work of %s, it was to do that of %s", l.Execution, l.Key, x.Key)
		}
		switch l.What {
		case ledger.Overlap:
			c.find(Doubled, "%s attempt %d began while attempt %d was alive", l.Execution, l.Attempt, last[l.Execution].attempt)
		case ledger.Start:
			if begun[k] != 0 {
				c.find(Doubled, "%s attempt %d began twice", l.Execution, l.Attempt)
			}
			if l.Attempt > x.Attempt {
				c.find(Doubled, "%s attempt %d began, its row knows of %d", l.Execution, l.Attempt, x.Attempt)
			}
			if before := last[l.Execution]; before.attempt > l.Attempt {
				c.find(Doubled, "%s attempt %d began after attempt %d", l.Execution, l.Attempt, before.attempt)
			}
			begun[k], last[l.Execution] = l.At, k
		case ledger.End:
			if begun[k] == 0 || ended[k] != 0 {
				c.find(Doubled, "%s attempt %d ended twice, or without a begin", l.Execution, l.Attempt)
			}
			if before := last[l.Execution]; before != k {
				c.find(Doubled, "%s attempt %d ended when attempt %d had begun", l.Execution, l.Attempt, before.attempt)
			}
			ended[k] = l.At
		}
	}
	for _, x := range c.in.Executions {
		if x.Status == "completed" && !c.in.Actions[x.Action].Pure && ended[token{x.ID, x.Attempt}] == 0 {
			c.find(Lost, "%s is completed, and its attempt %d did not do its work", x.ID, x.Attempt)
		}
	}
}
