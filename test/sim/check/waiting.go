package check

// waits are the statuses that wait and must say for what, and until when;
// looks those whose owner must look again at some moment.
var (
	waits = map[string]bool{"delayed": true, "scheduling": true, "stopping": true}
	looks = map[string]bool{"delayed": true, "scheduling": true, "scheduled": true, "stopping": true}
)

// waiting proves G9: during the run every live row said what it waits for and
// when its owner looks again, and at the end none is left.
func (c *checker) waiting() {
	for _, v := range c.in.Versions {
		switch {
		case waits[v.Status] && v.Reason == "":
			c.fault("G9", "%s version %d is %s and does not say why", c.name(v.ID), v.Version, v.Status)
		case looks[v.Status] && v.Until.IsZero():
			c.fault("G9", "%s version %d is %s and has no next moment", c.name(v.ID), v.Version, v.Status)
		case ends[v.Status] && (v.Reason != "" || !v.Until.IsZero()):
			c.fault("G9", "%s version %d is %s and waits: %s", c.name(v.ID), v.Version, v.Status, v.Reason)
		case ends[v.Status] && v.Status != "completed" && v.Failure == "":
			c.fault("G9", "%s is %s and does not say why", c.name(v.ID), v.Status)
		}
	}
	for _, x := range c.in.Executions {
		if !ends[x.Status] {
			c.fault("G9", "%s is left %s: %s", c.name(x.ID), x.Status, x.Reason)
		}
	}
	for _, p := range c.in.Partitions {
		if p.Owner == "" || !p.Alive {
			c.fault("G9", "partition %d has no living owner (%q)", p.ID, p.Owner)
		}
	}
	if len(c.in.Partitions) == 0 {
		c.fault("thin", "there are no partitions")
	}
}

// announcements proves that every end was announced, and no other.
func (c *checker) announcements() {
	_, over := c.assignments()
	heard := map[int64]bool{}
	for _, a := range c.in.Announced {
		x := c.executions[a.Execution]
		switch {
		case x == nil:
			c.fault("announced", "%s, which is not there", c.name(a.Execution))
		case a.Status != x.Status:
			c.fault("announced", "%s as %s, and it is %s", c.name(x.ID), a.Status, x.Status)
		case over[x.ID] == 0 || over[x.ID] > a.Seq:
			c.fault("announced", "%s before it was stored", c.name(x.ID))
		}
		heard[a.Execution] = true
	}
	numbers := map[[2]int64]int64{}
	for _, x := range c.in.Executions {
		if ends[x.Status] && !heard[x.ID] {
			c.fault("announced", "%s never, and it is %s", c.name(x.ID), x.Status)
		}
		key := [2]int64{x.ID >> 12 & 1023, x.FinishNumber}
		if other := numbers[key]; x.FinishNumber != 0 && other != 0 {
			c.fault("announced", "%s and %s have one finish number", c.name(x.ID), c.name(other))
		}
		numbers[key] = x.ID
	}
	for _, p := range c.in.Partitions {
		if p.AnnouncedTo < p.FinishNumber {
			c.fault("announced", "partition %d to %d of %d", p.ID, p.AnnouncedTo, p.FinishNumber)
		}
	}
}

// fences proves that whoever lost its lease writes nothing more.
func (c *checker) fences() {
	dead := map[string]int64{}
	for _, t := range c.in.TakeOvers {
		if dead[t.From] == 0 {
			dead[t.From] = t.Seq
		}
	}
	for _, f := range c.in.Flushes {
		if at := dead[f.Writer]; at != 0 && f.Seq > at {
			c.fault("G11", "%s wrote at %d, and its lease was dead from %d", f.Writer, f.Seq, at)
		}
	}
}
