package check

import "encoding/json"

// offered is the part of a payload or of parameters that names its offer.
type offered struct {
	N   int64 `json:"n"`
	Try int64 `json:"try"`
}

// admissions proves G1: what was acknowledged is there, once; what was refused
// is not.
func (c *checker) admissions() {
	events, requests := map[int64][]entry{}, map[int64][]entry{}
	for _, e := range c.in.Events {
		c.file(events, e.ID, e.Payload)
	}
	for _, x := range c.in.Executions {
		if x.Enforcement == 0 {
			c.file(requests, x.ID, x.Parameters)
		}
	}
	offers := 0
	for i := range c.in.Offers {
		o := &c.in.Offers[i]
		if o.Event {
			c.admission(o, events[o.N])
			offers += len(events[o.N])
		} else {
			c.admission(o, requests[o.N])
			offers += len(requests[o.N])
		}
	}
	if rows := len(c.in.Events) + count(requests); rows != offers {
		c.fault("G1", "%d rows were admitted, %d of them were offered", rows, offers)
	}
}

// entry is an admitted row of an offer.
type entry struct{ id, try int64 }

func (c *checker) file(by map[int64][]entry, id int64, document string) {
	var o offered
	if err := json.Unmarshal([]byte(document), &o); err != nil {
		c.fault("G1", "%s: its document does not say what it was: %v", Name("row", id), err)
	}
	by[o.N] = append(by[o.N], entry{id, o.Try})
}

func count(by map[int64][]entry) (n int) {
	for _, rows := range by {
		n += len(rows)
	}
	return n
}

func (c *checker) admission(o *Offer, rows []entry) {
	there, tried := map[int64]bool{}, map[int64]Outcome{}
	for _, r := range rows {
		there[r.id] = true
	}
	unheard := 0
	for _, t := range o.Tries {
		tried[t.Try] = t.Outcome
		switch t.Outcome {
		case Acknowledged:
			if !there[t.ID] {
				c.fault("G1", "offer %d: try %d was acknowledged as %s, which is not there", o.N, t.Try, Name("row", t.ID))
			}
			if stored := c.storedAt(o, t.ID); stored == 0 || stored > t.Seq {
				c.fault("G1", "offer %d: try %d was acknowledged at %d, before it was stored at %d", o.N, t.Try, t.Seq, stored)
			}
		case Unheard:
			unheard++
		}
	}
	seen := map[int64]bool{}
	for _, r := range rows {
		outcome, known := tried[r.try]
		switch {
		case !known:
			c.fault("G1", "offer %d: %s is of try %d, which never was", o.N, Name("row", r.id), r.try)
		case outcome == Refused && o.Key == "":
			c.fault("G1", "offer %d: try %d was refused, and %s is there", o.N, r.try, Name("row", r.id))
		case seen[r.try]:
			c.fault("G1", "offer %d: try %d is there twice", o.N, r.try)
		}
		seen[r.try] = true
	}
	if o.Key != "" && len(rows) > 1 {
		c.fault("G1", "offer %d: the dedupe key %q has %d rows", o.N, o.Key, len(rows))
	}
	if o.Key != "" {
		c.firstID(o)
	}
}

// firstID proves that all answers to one key name one id, and at most one says
// that it was the first.
func (c *checker) firstID(o *Offer) {
	var id int64
	firsts := 0
	for _, t := range o.Tries {
		if t.Outcome != Acknowledged {
			continue
		}
		if id != 0 && t.ID != id {
			c.fault("G1", "offer %d: its key was answered with %s and %s", o.N, Name("row", id), Name("row", t.ID))
		}
		id = t.ID
		if !t.Duplicate {
			firsts++
		}
	}
	if firsts > 1 {
		c.fault("G1", "offer %d: %d tries of one key were answered as new", o.N, firsts)
	}
}

// storedAt is when the row was first stored.
func (c *checker) storedAt(o *Offer, id int64) int64 {
	if o.Event {
		return c.in.EventSeq[id]
	}
	for _, v := range c.in.Versions {
		if v.ID == id {
			return v.Seq
		}
	}
	return 0
}
