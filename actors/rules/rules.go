// Package rules is the actor that judges events: it lends the work out, hands
// the proposals to a partition, and remembers which rules did not match and
// why.
package rules

import (
	"log/slog"
	"time"

	"github.com/asynkron/protoactor-go/actor"

	"github.com/attune-automation/attune"
	"github.com/attune-automation/attune/actors"
	"github.com/attune-automation/attune/messages"
)

// Judge judges an event by all rules of its trigger, at one revision. It is
// pure and safe for concurrent use.
type Judge func(event *attune.Event) (proposals []messages.Proposal, missed []attune.Evaluation)

// Changed brings the rules at a new revision.
type Changed struct {
	Revision int64
	Judge    Judge
}

// Ask asks how the rules judged an event, as far as the last misses tell; Reply
// must not block.
type Ask struct {
	Event attune.EventID
	Reply func([]attune.Evaluation)
}

// Rules is the actor. A slow template delays only its own event: each is judged
// on a lent turn of its own.
type Rules struct {
	tree *actors.Tree
	// current is shared with the actor's successors: the rules outlive a
	// restart.
	current *Changed
	// past is the judge of an earlier revision; it blocks.
	past func(revision int64) (Judge, error)
	// pick chooses the partition of new work, among those the node owns; below
	// zero it owns none.
	pick   func() int
	misses map[string]*misses
	judged int64
}

// misses are the last non-matches of one rule, a ring, and how many there were.
type misses struct {
	last  []attune.Evaluation
	next  int
	count int64
}

// keep is how many non-matches of a rule are kept in full.
const keep = 50

// New is a node's rules actor.
func New(tree *actors.Tree, current *Changed, past func(revision int64) (Judge, error), pick func() int) *Rules {
	return &Rules{tree: tree, current: current, past: past, pick: pick, misses: map[string]*misses{}}
}

// Kind implements actors.Actor.
func (r *Rules) Kind() string { return "rules" }

// State implements actors.Actor.
func (r *Rules) State() string {
	if r.current.Judge == nil {
		return "loading"
	}
	return "open"
}

// Detail implements actors.Actor.
func (r *Rules) Detail() any {
	missed := map[string]int64{}
	for rule, m := range r.misses {
		missed[rule] = m.count
	}
	return map[string]any{"revision": r.current.Revision, "judged": r.judged, "missed": missed}
}

// Receive implements actor.Actor.
func (r *Rules) Receive(ctx actor.Context) {
	switch m := ctx.Message().(type) {
	case *actor.Started:
		r.tree.Tell(r.tree.Partitions, &actors.RulesStarted{})
	case *Changed:
		*r.current = *m
	case *messages.OfferEvent:
		r.offer(m)
	case *messages.JudgeAgain:
		r.again(m)
	case *messages.EventJudged:
		r.remember(m)
	case *Ask:
		m.Reply(r.recall(m.Event))
	}
}

func (r *Rules) offer(m *messages.OfferEvent) {
	partition := r.pick()
	if r.current.Judge == nil || partition < 0 {
		m.Reply(messages.Admitted{Err: &attune.Error{Kind: attune.Unavailable, Code: "starting", Message: "the node owns no partition yet", Try: "again in a moment"}})
		return
	}
	r.judged++
	m.Event.RulesRevision, m.Event.Accepted = r.current.Revision, r.tree.Clock.Now()
	tree, judge := r.tree, r.current.Judge
	tree.Lend(func() {
		proposals, missed := judge(m.Event)
		tree.Meters.Evaluations.Matched.Add(int64(len(proposals)))
		tree.Meters.Evaluations.Missed.Add(int64(len(missed)))
		tree.Tell(tree.Partition(partition), &messages.Admit{Event: m.Event, DedupeKind: "event", DedupeSource: m.Event.Trigger,
			DedupeKey: m.Event.Dedupe, Proposals: proposals, Missed: missed, Reply: m.Reply})
	})
}

// againRetry is how long after a failed read of an earlier revision the next is
// tried.
const againRetry = 500 * time.Millisecond

// again judges an event that was admitted and not judged to the end, by the
// rules it was admitted under. Enforcements that exist already are left out by
// the store.
func (r *Rules) again(m *messages.JudgeAgain) {
	if r.current.Judge == nil {
		return // partitions are opened after the rules are loaded
	}
	tree, judge, past := r.tree, r.current.Judge, r.past
	if m.Event.RulesRevision != r.current.Revision {
		judge = nil
	}
	tree.Lend(func() {
		if judge == nil {
			var err error
			if judge, err = past(m.Event.RulesRevision); err != nil {
				tree.Log.Error("the rules of an event cannot be read, trying again", slog.String("event", m.Event.ID.String()), slog.String("error", err.Error()))
				tree.Clock.AfterFunc(againRetry, func() { tree.Tell(tree.Rules, m) })
				return
			}
		}
		proposals, _ := judge(m.Event)
		tree.Tell(tree.Partition(m.Event.ID.Partition()), &messages.Admit{Event: m.Event, Proposals: proposals, Resumed: true})
	})
}

func (r *Rules) remember(m *messages.EventJudged) {
	for _, e := range m.Missed {
		e.Event = m.Event
		s := r.misses[e.Rule]
		if s == nil {
			s = &misses{}
			r.misses[e.Rule] = s
		}
		s.count++
		if len(s.last) < keep {
			s.last = append(s.last, e)
			continue
		}
		s.last[s.next] = e
		s.next = (s.next + 1) % keep
	}
}

func (r *Rules) recall(event attune.EventID) []attune.Evaluation {
	var found []attune.Evaluation
	for _, s := range r.misses {
		for _, e := range s.last {
			if e.Event == event {
				found = append(found, e)
			}
		}
	}
	return found
}
