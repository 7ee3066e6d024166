package check

import (
	"encoding/json"
	"sort"
)

type attempt struct {
	execution int64
	number    int
}

// starts proves G6 on the ledger: an attempt starts once, after its assignment
// was stored, on the incarnation it was assigned to; the next one, and the end
// of the execution, come after the end of the one before.
func (c *checker) starts() {
	assigned, over := c.assignments()
	runs := map[attempt]*Run{}
	by := map[int64][]*Run{}
	for i := range c.in.Runs {
		r := &c.in.Runs[i]
		key := attempt{r.Execution, r.Attempt}
		if runs[key] != nil {
			c.fault("G6", "%s attempt %d was started twice, at %s on %s and at %s on %s", c.name(r.Execution), r.Attempt, runs[key].Start, runs[key].Incarnation, r.Start, r.Incarnation)
		}
		runs[key] = r
		if a, ok := assigned[key]; !ok || a.seq > r.StartSeq || a.worker != r.Worker || a.incarnation != r.Incarnation {
			c.fault("G6", "%s attempt %d was started at %d on %s/%s; it was assigned at %d to %s/%s", c.name(r.Execution), r.Attempt, r.StartSeq, r.Worker, r.Incarnation, a.seq, a.worker, a.incarnation)
		}
		if !r.Pure {
			by[r.Execution] = append(by[r.Execution], r)
		}
	}
	for id, all := range by {
		sort.Slice(all, func(i, j int) bool { return all[i].Attempt < all[j].Attempt })
		for i, r := range all {
			if r.EndSeq == 0 {
				c.fault("G6", "%s attempt %d never ended", c.name(id), r.Attempt)
				continue
			}
			if i+1 < len(all) && all[i+1].StartSeq < r.EndSeq {
				c.fault("G6", "%s attempts %d and %d overlap, %s to %s and from %s", c.name(id), r.Attempt, all[i+1].Attempt, r.Start, r.End, all[i+1].Start)
			}
			if next, ok := assigned[attempt{id, r.Attempt + 1}]; ok && next.seq < r.EndSeq {
				c.fault("G6", "%s attempt %d was assigned while attempt %d ran", c.name(id), r.Attempt+1, r.Attempt)
			}
			if at := over[id]; at != 0 && at < r.EndSeq {
				c.fault("G6", "%s ended while its attempt %d ran", c.name(id), r.Attempt)
			}
		}
	}
}

type assignment struct {
	seq                 int64
	worker, incarnation string
}

// assignments reads from the stored states when each attempt was assigned, and
// when each execution ended.
func (c *checker) assignments() (map[attempt]assignment, map[int64]int64) {
	assigned, over := map[attempt]assignment{}, map[int64]int64{}
	for _, v := range c.in.Versions {
		key := attempt{v.ID, v.Attempt}
		if _, known := assigned[key]; !known && v.Attempt > 0 {
			assigned[key] = assignment{v.Seq, v.Worker, v.Incarnation}
		}
		if over[v.ID] == 0 && ends[v.Status] {
			over[v.ID] = v.Seq
		}
	}
	return assigned, over
}

// result is what the simulation's runners return.
type result struct {
	Execution string `json:"execution"`
	Attempt   int    `json:"attempt"`
}

// reports proves G7: an end is that of the newest attempt, and agrees with what
// the ledger says of it. That evidence changes nothing is part of every
// history.
func (c *checker) reports() {
	runs := map[attempt]*Run{}
	for i := range c.in.Runs {
		r := &c.in.Runs[i]
		runs[attempt{r.Execution, r.Attempt}] = r
	}
	for i := range c.in.Executions {
		x := &c.in.Executions[i]
		run := runs[attempt{x.ID, x.Attempt}]
		unstorable := x.Status == "failed" && x.Failure == "unstorable"
		switch {
		case x.Status == "completed" || unstorable:
			if run == nil || run.Outcome != "finished" {
				c.fault("G7", "%s is %s, and its attempt %d did not finish", c.name(x.ID), x.Status, x.Attempt)
			}
		case x.Status == "timeout" && run == nil && x.Failure != "deadline":
			c.fault("G7", "%s is timeout, and its attempt %d never ran", c.name(x.ID), x.Attempt)
		}
		var got result
		if x.Status != "completed" {
			continue
		}
		if err := json.Unmarshal([]byte(x.Result), &got); err != nil || got.Execution != c.name(x.ID) || got.Attempt != x.Attempt {
			c.fault("G7", "%s attempt %d has the result %s", c.name(x.ID), x.Attempt, x.Result)
		}
	}
	for _, cancel := range c.in.Cancels {
		x := c.executions[cancel.Execution]
		switch {
		case x == nil:
			c.fault("G7", "%s was cancelled and is not there", c.name(cancel.Execution))
		case ends[cancel.Status] && x.Status != cancel.Status, cancel.Status == "stopping" && x.Status != "cancelled" && x.Status != "completed":
			c.fault("G7", "%s was cancelled with the answer %s and is %s", c.name(x.ID), cancel.Status, x.Status)
		}
	}
}
