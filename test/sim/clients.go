package sim

import (
	"fmt"
	"time"

	"github.com/attune-automation/attune"
	"github.com/attune-automation/attune/messages"
	"github.com/attune-automation/attune/test/sim/check"
)

// offer is a client that wants one thing admitted and does not rest before it
// knows.
type offer struct {
	check.Offer
	world   *world
	ref     string // of the trigger or action
	fields  string // of the payload, after n and try
	tries   int64
	putOff  time.Duration // of a request: how long it is not to start
	settled bool
	asking  int // tries under way
}

const answerWait = 5 * time.Second

// ask offers once more.
func (o *offer) ask() {
	w := o.world
	s := w.current
	if s == nil || s.ending {
		w.after(w.outside, w.between(200*time.Millisecond, time.Second), o.ask)
		return
	}
	o.tries++
	o.asking++
	i := len(o.Tries)
	o.Tries = append(o.Tries, check.Try{Try: o.tries, Outcome: check.Unheard})
	over := false
	answer := func(a messages.Admitted) {
		if over {
			return
		}
		over = true
		o.asking--
		o.answered(i, a)
	}
	w.trace("offer %d try %d to %s", o.N, o.tries, s.process.name)
	w.after(w.outside, answerWait, func() {
		if !over {
			over = true
			o.asking--
			o.unheard()
		}
	})
	document := fmt.Appendf(nil, `{"n":%d,"try":%d%s}`, o.N, o.tries, o.fields)
	if o.Event {
		s.node.Offer(&attune.Event{Trigger: o.ref, Payload: document, Dedupe: o.Key, Chain: attune.Chain{Principal: "client"}}, answer)
		return
	}
	s.node.Propose(o.proposal(document, s.process.Now()), o.Key, answer)
}

// proposal is a direct request, as the node makes one of an API call.
func (o *offer) proposal(parameters []byte, now time.Time) messages.Proposal {
	a, err := catalog().Action(o.ref)
	if err != nil {
		panic(err) // the pack is ours
	}
	x := &attune.Execution{Action: a.Ref, ActionHash: a.Hash, Runner: a.Runner, Parameters: parameters, Status: attune.Requested,
		Limits: attune.Limits{Timeout: a.Timeout, Grace: time.Second}, Chain: attune.Chain{Principal: "client"}}
	if a.Retry != nil {
		x.Limits.Retry = *a.Retry
	}
	p := messages.Proposal{Execution: x, Within: time.Duration(a.Deadline)}
	if o.Within > 0 {
		p.Within = o.Within
	}
	if o.putOff > 0 {
		p.NotBefore = now.Add(o.putOff)
	}
	return p
}

func (o *offer) answered(try int, a messages.Admitted) {
	w, t := o.world, &o.Tries[try]
	if !w.calm && w.chance(12) {
		w.count("answer lost", true)
		o.unheard()
		return
	}
	t.Seq = w.next()
	w.trace("offer %d try %d answered %v %v", o.N, t.Try, a.ID, a.Err)
	if a.Err != nil {
		t.Outcome = check.Refused
		w.after(w.outside, w.between(100*time.Millisecond, time.Second), o.again)
		return
	}
	t.Outcome, t.ID, t.Duplicate = check.Acknowledged, int64(a.ID), a.Duplicate
	o.settled = true
	if o.Key != "" && !w.calm && w.chance(6) { // somebody sends it once more
		w.after(w.outside, w.between(0, 10*time.Second), o.ask)
	}
}

// unheard goes on where no answer came: only a key makes it safe to send again.
func (o *offer) unheard() {
	if o.Key == "" {
		o.settled = true
		return
	}
	o.again()
}

func (o *offer) again() {
	if !o.settled {
		o.ask()
	}
}

// load schedules the clients of the plan.
func (w *world) load() {
	add := func(o *offer) {
		o.world, o.N = w, int64(len(w.offers)+1)
		if w.random.IntN(10) < 7 {
			o.Key = fmt.Sprintf("key-%d", o.N)
		}
		w.offers = append(w.offers, o)
		at := w.between(time.Second, w.plan.loadUntil)
		w.after(w.outside, at, o.ask)
		if o.Key != "" && w.chance(5) { // two at a time
			w.after(w.outside, at+w.between(0, 20*time.Millisecond), o.ask)
		}
	}
	for range w.plan.events {
		add(&offer{Offer: check.Offer{Event: true}, ref: w.trigger(), fields: w.fields()})
	}
	for range w.plan.requests {
		o := &offer{ref: []string{"sim.effect", "sim.limited", "sim.rare", "sim.pure", "sim.third", "sim.hopeless", "sim.tired", "sim.hurried"}[w.random.IntN(8)]}
		if w.chance(4) {
			o.Within = w.between(50*time.Millisecond, 20*time.Second).Truncate(time.Millisecond)
		}
		if w.chance(4) {
			o.putOff = w.between(time.Millisecond, 15*time.Second)
		}
		add(o)
	}
	for range w.plan.cancels {
		w.after(w.outside, w.between(2*time.Second, w.plan.loadUntil+5*time.Second), w.cancel)
	}
}

func (w *world) trigger() string {
	switch {
	case w.plan.flood && len(w.offers) == 0:
		return flood
	case w.chance(8):
		return other
	}
	return alarm
}

func (w *world) fields() string {
	text := fmt.Sprintf(`,"level":%q,"tags":%s`, []string{"critical", "warning", "info"}[w.random.IntN(3)],
		[]string{`[]`, `["db"]`, `["web"]`, `["db","web"]`}[w.random.IntN(4)])
	if w.chance(2) {
		text += fmt.Sprintf(`,"host":%d`, w.random.IntN(100))
	}
	return text
}

// cancel asks for the end of some execution, of a young one as a rule.
func (w *world) cancel() {
	all := w.store.versions
	if len(all) == 0 || w.current == nil {
		w.after(w.outside, time.Second, w.cancel)
		return
	}
	id := attune.ExecutionID(all[len(all)-1-w.random.IntN(min(len(all), 12))].ID)
	w.count("cancel", true)
	w.trace("cancel %s", id)
	tree := w.current.node.Tree()
	tree.Tell(tree.Partition(id.Partition()), &messages.Cancel{ID: id, Reason: "the client asked for it", Reply: func(x *attune.Execution, err error) {
		if err == nil {
			w.count("cancel answered", true)
			w.cancels = append(w.cancels, check.Cancel{Execution: int64(x.ID), Status: x.Status.String(), Version: x.Version})
		}
	}})
}
