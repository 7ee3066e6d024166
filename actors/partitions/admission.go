package partitions

import (
	"log/slog"
	"time"

	"github.com/asynkron/protoactor-go/actor"

	"github.com/attune-automation/attune"
	"github.com/attune-automation/attune/actors"
	"github.com/attune-automation/attune/messages"
	"github.com/attune-automation/attune/persistence"
)

// admission is one group on its way to the store: an event with what its rules
// yield, or a direct request.
type admission struct {
	request   *messages.Admit
	op        persistence.Op
	entries   []*entry
	waiting   int // executions that are not prepared
	submitted bool
	// rest are the proposals that go in later slices.
	rest []messages.Proposal
}

// slice is the most proposals of one flush of an event. An event with more is
// committed and acknowledged first; the rest follows in slices, which a later
// owner would resume.
const slice = 200

// sliceRetry is how long after a slice that was not stored its event is judged
// again.
const sliceRetry = 5 * time.Second

// fullRetry is when a request is to come again that found the node full.
const fullRetry = 5 * time.Second

// admit begins an admission: ids, then an actor per execution, each of which
// asks for a slot.
func (p *partition) admit(ctx actor.Context, m *messages.Admit) {
	now := p.tree.Clock.Now()
	if !p.loaded {
		p.postpone(m)
		return
	}
	if ahead := p.ids.Ahead(now); ahead > maxAhead {
		p.refuseAhead(m, ahead)
		return
	}
	if n := executionsIn(m.Proposals); !m.Resumed && n > 0 && !p.owned.Room(p.row.ID, p.count()+n) {
		p.refuseFull(m)
		return
	}
	if p.ids.Low(now) {
		p.raise(false)
	}
	a := &admission{request: m}
	proposals := m.Proposals
	if len(proposals) > slice {
		if m.Resumed {
			proposals, a.rest = proposals[:slice], proposals[slice:]
		} else {
			proposals, a.rest = nil, proposals
		}
	}
	if !p.name(m, proposals) {
		p.raise(false)
		p.postpone(m)
		return
	}
	p.compose(a, proposals)
	for _, pr := range proposals {
		if pr.Execution == nil {
			continue
		}
		e := p.spawn(ctx, pr.Execution.ID)
		e.admission = a
		a.entries = append(a.entries, e)
		a.waiting++
		p.tree.Tell(e.pid, &messages.Begin{Execution: pr.Execution, NotBefore: pr.NotBefore})
	}
	p.submit(a)
}

// name gives ids to everything new, or reports that the mark leaves too few.
func (p *partition) name(m *messages.Admit, proposals []messages.Proposal) bool {
	now := p.tree.Clock.Now()
	next := func() attune.ID { return p.ids.Next(now) }
	event := m.Event
	if event != nil && !m.Resumed {
		if event.ID = attune.EventID(next()); event.ID == 0 {
			return false
		}
		if event.Chain.Correlation == "" {
			event.Chain.Correlation = event.ID.String()
		}
	}
	cause := event
	if m.Of != nil {
		cause = m.Of
	}
	for _, pr := range proposals {
		if en := pr.Enforcement; en != nil {
			if en.ID = attune.EnforcementID(next()); en.ID == 0 {
				return false
			}
			en.Event, en.Created = cause.ID, now
			if event != nil { // else its chain says who added it
				en.Chain = event.Chain
			}
		}
		x := pr.Execution
		if x == nil {
			continue
		}
		if x.ID = attune.ExecutionID(next()); x.ID == 0 {
			return false
		}
		if x.Parent == 0 {
			x.Root = x.ID
		}
		x.Status, x.Requested = attune.Requested, now
		if pr.Within > 0 {
			x.Limits.Deadline = now.Add(pr.Within)
		}
		if en := pr.Enforcement; en != nil {
			en.Execution, x.Enforcement, x.Event, x.Trigger, x.Chain = x.ID, en.ID, cause.ID, cause.Trigger, en.Chain
		} else if x.Chain.Correlation == "" {
			x.Chain.Correlation = x.ID.String()
		}
	}
	return true
}

// compose makes the operation.
func (p *partition) compose(a *admission, proposals []messages.Proposal) {
	m := a.request
	var ens []*attune.Enforcement
	var xs []*attune.Execution
	for _, pr := range proposals {
		if pr.Enforcement != nil {
			ens = append(ens, pr.Enforcement)
		}
		if pr.Execution != nil {
			xs = append(xs, pr.Execution)
		}
	}
	if m.Event != nil {
		m.Event.Evaluated = time.Time{} // a try before this one may have set it
		if a.rest == nil {
			m.Event.Evaluated = p.tree.Clock.Now()
		}
	}
	if m.Rerun != nil {
		changed := *m.Rerun
		changed.Execution = xs[0].ID
		a.op = &persistence.Rerun{Enforcement: &changed, Execution: xs[0]}
		return
	}
	if m.Resumed {
		a.op = &persistence.Extend{Event: m.Event, Enforcements: ens, Executions: xs}
		return
	}
	op := &persistence.Admit{Event: m.Event, Enforcements: ens, Executions: xs}
	if m.DedupeKey != "" {
		op.Dedupe = &persistence.Dedupe{Kind: m.DedupeKind, Source: m.DedupeSource, Key: m.DedupeKey}
	}
	a.op = op
}

// refuseAhead answers a request that no id can be made for: the ids of this
// partition are ahead of database time, as after a clock that was set back.
func (p *partition) refuseAhead(m *messages.Admit, ahead time.Duration) {
	if m.Resumed {
		p.judgeLater(m.Event)
		return
	}
	reply(m, messages.Admitted{Err: &attune.Error{Kind: attune.Unavailable, Code: "ids_ahead", RetryAfter: ahead - maxAhead,
		Message: "the ids of this partition are " + ahead.Round(time.Second).String() + " ahead of the database's clock", Try: "was the clock set back? it mends itself when time has caught up"}})
}

// refuseFull answers a request when the node has all the live executions it may
// have. Nothing of it is stored, an event neither: it was not acknowledged.
func (p *partition) refuseFull(m *messages.Admit) {
	reply(m, messages.Admitted{Err: &attune.Error{Kind: attune.TooMuch, Code: "too_many_live", RetryAfter: fullRetry,
		Message: "the node has as many live executions as it may have", Try: "again after the time in Retry-After; attune execution list shows what waits"}})
}

func executionsIn(proposals []messages.Proposal) (n int) {
	for _, pr := range proposals {
		if pr.Execution != nil {
			n++
		}
	}
	return n
}

// postpone keeps an admission until the partition can make ids for it.
func (p *partition) postpone(m *messages.Admit) {
	if len(p.backlog) >= maxBacklog && m.Resumed {
		p.judgeLater(m.Event)
		return
	}
	if len(p.backlog) >= maxBacklog {
		reply(m, messages.Admitted{Err: &attune.Error{Kind: attune.TooMuch, Code: "busy", Message: "too much waits to be admitted", Try: "again in a moment"}})
		return
	}
	p.backlog = append(p.backlog, m)
}

// open admits what was postponed.
func (p *partition) open() {
	backlog := p.backlog
	p.backlog = nil
	for _, m := range backlog {
		p.tree.Tell(p.self, m)
	}
}

// prepared counts an execution that has its first state.
func (p *partition) prepared(m *messages.Prepared) {
	e := p.live[m.Execution.ID]
	if e == nil || e.admission == nil || e.admission.submitted {
		return
	}
	e.admission.waiting--
	p.submit(e.admission)
}

func (p *partition) submit(a *admission) {
	if a.waiting == 0 && !a.submitted {
		a.submitted = true
		p.tree.Tell(p.tree.Writer, &actors.Submit{Op: a.op, ReplyTo: p.self, Ref: a})
	}
}

// failAdmission gives an admission up before it was handed to the writer.
// Nothing of it is stored, so whoever offered it may offer it again.
// The failed actor cannot be told: what it had reserved is found by the workers'
// audit.
func (p *partition) failAdmission(a *admission, failed *actor.PID, reason string) {
	for _, e := range a.entries {
		p.drop(e)
		if e.pid.Equal(failed) {
			p.tree.Stop(e.pid)
			continue
		}
		p.tree.Tell(e.pid, &messages.Discard{})
		p.tree.Tell(e.pid, &actor.PoisonPill{})
	}
	if a.request.Resumed {
		p.tree.Tell(p.tree.Rules, &messages.JudgeAgain{Event: a.request.Event})
		return
	}
	reply(a.request, messages.Admitted{Err: &attune.Error{Kind: attune.Unavailable, Code: "admission_failed",
		Message: "the request could not be admitted", Where: reason, Try: "again; with a dedupe key it stays one"}})
}

func (p *partition) written(ctx actor.Context, m *actors.Written) {
	switch op := m.Op.(type) {
	case *persistence.RaiseIDHigh:
		p.raised(op.High, m.Answer.Outcome == persistence.Committed)
	case *persistence.Admit, *persistence.Extend, *persistence.Rerun:
		p.decided(ctx, m.Ref.(*admission), m.Answer)
	case *persistence.Announced:
		through := op.Through
		if m.Answer.Outcome != persistence.Committed {
			through = 0
		}
		p.finishes.stored(through)
	}
}

// raised makes ids below a mark available once it is stored.
func (p *partition) raised(high int64, stored bool) {
	p.raising = false
	if !stored {
		p.raise(true)
		return
	}
	p.row.IDHigh = max(p.row.IDHigh, high)
	p.ids.Raise(p.row.IDHigh)
	if p.loaded {
		p.open()
	}
}

// decided tells everybody what became of the admission. A partition that was
// restarted meanwhile does not know its executions any more, and adopts them.
func (p *partition) decided(ctx actor.Context, a *admission, answer persistence.Answer) {
	committed := answer.Outcome == persistence.Committed
	skipped := map[string]bool{}
	for _, rule := range answer.Skipped {
		skipped[rule] = true
	}
	for _, x := range executionsOf(a.op) {
		e := p.live[x.ID]
		keep := committed && !skipped[x.Rule]
		switch {
		case keep && (e == nil || e.restarted || e.admission != a):
			p.adopt(ctx, x)
		case keep:
			e.admission = nil
			p.tree.Tell(e.pid, &messages.Stored{})
		case e != nil:
			p.drop(e)
			p.tree.Tell(e.pid, &messages.Discard{})
			p.tree.Tell(e.pid, &actor.PoisonPill{})
		}
	}
	if committed {
		p.meter(a.op, skipped)
	}
	p.follow(a, committed)
	reply(a.request, admitted(a, answer))
}

// meter counts the enforcements that an operation stored.
func (p *partition) meter(op persistence.Op, skipped map[string]bool) {
	var all []*attune.Enforcement
	switch op := op.(type) {
	case *persistence.Admit:
		all = op.Enforcements
	case *persistence.Extend:
		all = op.Enforcements
	case *persistence.Rerun:
		all = []*attune.Enforcement{op.Enforcement}
	}
	for _, en := range all {
		switch {
		case skipped[en.Rule]:
		case en.Status == attune.EnforcementFailed:
			p.tree.Meters.Enforcements.Failed.Add(1)
		default:
			p.tree.Meters.Enforcements.Created.Add(1)
		}
	}
}

// adopt gives a stored execution to an actor that does not have its state.
func (p *partition) adopt(ctx actor.Context, x *attune.Execution) {
	e := p.live[x.ID]
	if _, waits := p.waiting[x.ID]; waits || e != nil && e.away() {
		return // it was loaded
	}
	if e == nil {
		e = p.spawn(ctx, x.ID)
	}
	e.admission, e.restarted = nil, false
	p.tree.Tell(e.pid, &messages.Load{Execution: x.Clone(), Life: e.life})
}

// follow continues an event whose proposals go in slices, and tells the rules
// which id the event's misses belong to.
func (p *partition) follow(a *admission, committed bool) {
	m := a.request
	if m.Event == nil || !committed {
		if m.Resumed { // acknowledged: it must go on
			p.judgeLater(m.Event)
		}
		return
	}
	if a.rest != nil {
		p.tree.Tell(p.self, &messages.Admit{Event: m.Event, Proposals: a.rest, Resumed: true})
	}
	if len(m.Missed) > 0 {
		p.tree.Tell(p.tree.Rules, &messages.EventJudged{Event: m.Event.ID, Missed: m.Missed})
	}
}

// judgeLater has an event judged again whose slice was not stored.
func (p *partition) judgeLater(event *attune.Event) {
	tree := p.tree
	tree.Log.Error("a part of an event was not stored, trying again", slog.String("event", event.ID.String()))
	tree.Clock.AfterFunc(sliceRetry, func() { tree.Tell(tree.Rules, &messages.JudgeAgain{Event: event}) })
}

func executionsOf(op persistence.Op) []*attune.Execution {
	switch op := op.(type) {
	case *persistence.Admit:
		return op.Executions
	case *persistence.Extend:
		return op.Executions
	case *persistence.Rerun:
		return []*attune.Execution{op.Execution}
	}
	return nil
}

func admitted(a *admission, answer persistence.Answer) messages.Admitted {
	switch answer.Outcome {
	case persistence.Committed:
		switch op := a.op.(type) {
		case *persistence.Admit:
			if a.request.Of != nil && len(answer.Skipped) > 0 { // the event had that enforcement before
				return messages.Admitted{Duplicate: true}
			}
			return messages.Admitted{ID: op.ID()}
		case *persistence.Rerun:
			return messages.Admitted{ID: attune.ID(op.Execution.ID)}
		}
		return messages.Admitted{ID: attune.ID(a.request.Event.ID)}
	case persistence.Duplicate:
		return messages.Admitted{ID: answer.First, Duplicate: true}
	case persistence.Rejected:
		return messages.Admitted{Err: &attune.Error{Kind: attune.Invalid, Code: "unstorable", Message: "the request cannot be stored: " + answer.Reason}}
	}
	return messages.Admitted{Err: &attune.Error{Kind: attune.Unavailable, Code: "not_admitted", Message: "the request was not admitted: " + answer.Outcome.String()}}
}

func reply(m *messages.Admit, answer messages.Admitted) {
	if m.Reply != nil {
		m.Reply(answer)
	}
}
