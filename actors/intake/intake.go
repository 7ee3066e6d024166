package intake

import (
	"fmt"
	"log/slog"
	"slices"
	"time"

	"github.com/asynkron/protoactor-go/actor"

	"github.com/attune-automation/attune"
	"github.com/attune-automation/attune/actors"
	"github.com/attune-automation/attune/messages"
)

// Offer hands a message to the node. It runs on a lent turn, so that it may
// check and read, and must not wait for the answer. answer is called with nil
// when what the message asks for is stored, or was before; it must be called at
// most once.
type Offer func(e *messages.Envelope, answer func(error))

// Intake is the actor. One that was restarted begins with new subscriptions:
// what the one before held comes again.
type Intake struct {
	tree         *actors.Tree
	inbox        messages.Inbox // nil: nobody outside can reach the broker
	offer        Offer
	joining      *actors.Joining // the subscriptions, which stand when joined
	joined       bool
	pending      map[*entry]bool             // everything that is not settled
	queues       map[messages.Queue][]*entry // the same by queue, in order, with settled ones among them
	count        [states]int                 // of pending
	closing      []*Close
	leaving      bool // the subscriptions end in a moment
	closed       bool
	stored, dead int64
	returned     int64
	last         string // the reason of the last one that was set aside
}

const (
	// Prefetch is how many messages of a queue are under way at a time. Two
	// queues of it are below the node's admission window, so that the API gets
	// its share.
	Prefetch = 200
	// lastDelivery is the delivery from which on a message that fails is set
	// aside.
	lastDelivery = 5
	// maxPaused is how many messages wait at a time before they are given back;
	// more are given back at once, so that they never fill the prefetch.
	maxPaused = Prefetch / 2

	// subscribeRetry is how long after a failed subscription the next is tried,
	// buryRetry after a failed publishing.
	subscribeRetry = time.Second
	buryRetry      = 2 * time.Second
	buryWait       = 10 * time.Second
	// firstHold is how long a message is held before it is offered again; it
	// doubles up to maxHold.
	firstHold = 100 * time.Millisecond
	maxHold   = 5 * time.Second
	// pause, times the number of the delivery, is how long a message that failed
	// waits before it is given back.
	pause = 500 * time.Millisecond
	// closeWait is how long the subscriptions stand after the last message is
	// settled. An acknowledgement has no answer, and a server that has some on
	// their way forgets them with the subscription (measured: 11 of 100 with quorum
	// queues); what they were for would come again.
	closeWait = 300 * time.Millisecond
	// answerWait is how long an answer may take before the message is taken for
	// what keeps it away.
	answerWait = 30 * time.Second
)

// Close ends the consuming: nothing more is offered, and Reply is called when
// all that was is settled. It may be asked again.
type Close struct{ Reply func() }

// state is where a message stands.
type state uint8

const (
	offered state = iota
	held
	paused
	buried
	settled
	states
)

// entry is one delivery under way.
type entry struct {
	*messages.Delivery
	of    *Intake // the actor's life that it was delivered to
	queue messages.Queue
	state state
	// try counts the offers: what is said of an earlier one does not count.
	try  int
	late attune.Timer
}

type (
	connect   struct{ by *Intake }
	leave     struct{ by *Intake }
	delivered struct{ *entry }
	answered  struct {
		*entry
		try int
		err error
	}
	again    struct{ *entry }
	giveBack struct{ *entry }
	silent   struct {
		*entry
		try int
	}
	interred struct {
		*entry
		reason string
		err    error
	}
)

// New is a node's intake. Without an inbox it takes nothing.
func New(tree *actors.Tree, inbox messages.Inbox, offer Offer) *Intake {
	return &Intake{tree: tree, inbox: inbox, offer: offer, pending: map[*entry]bool{}, queues: map[messages.Queue][]*entry{}}
}

// Kind implements actors.Actor.
func (i *Intake) Kind() string { return "intake" }

// State implements actors.Actor.
func (i *Intake) State() string {
	switch {
	case i.inbox == nil:
		return "absent"
	case i.tree.Draining():
		return "draining"
	case !i.joined:
		return "connecting"
	case i.count[held] > 0:
		return "holding"
	}
	return "open"
}

// Detail implements actors.Actor.
func (i *Intake) Detail() any {
	return map[string]any{"offered": i.count[offered], "held": i.count[held], "paused": i.count[paused], "setting_aside": i.count[buried],
		"stored": i.stored, "returned": i.returned, "dead": i.dead, "last_dead": i.last}
}

// Receive implements actor.Actor.
func (i *Intake) Receive(ctx actor.Context) {
	switch m := ctx.Message().(type) {
	case *actor.Started:
		i.tree.Meters.MessagesHeld.Store(0)
		i.subscribe()
	case *connect:
		if m.by == i && i.joining == nil {
			i.subscribe()
		}
	case *actors.Joined:
		i.join(m)
	case *actor.Stopping, *actor.Restarting:
		i.unsubscribe()
	case *delivered:
		i.delivered(m)
	case *answered:
		i.answered(m)
	case *silent:
		i.silent(m)
	case *again:
		if m.of == i && m.state == held && len(i.closing) == 0 {
			i.offerIt(m.entry)
		}
	case *giveBack:
		if m.of == i && m.state == paused {
			i.giveBack(m.entry)
		}
	case *interred:
		i.interred(m)
	case *Close:
		i.close(m)
	case *leave:
		i.leave(m)
	}
}

func (i *Intake) subscribe() {
	if i.inbox == nil || i.tree.Draining() {
		return
	}
	i.joining = i.tree.Join(i.tree.Intake, i.consume(messages.EventQueue), i.consume(messages.RequestQueue))
}

func (i *Intake) consume(queue messages.Queue) func() (messages.Subscription, error) {
	tree, inbox := i.tree, i.inbox
	return func() (messages.Subscription, error) {
		s, err := inbox.Consume(queue, Prefetch, func(d *messages.Delivery) {
			tree.Tell(tree.Intake, &delivered{&entry{Delivery: d, of: i, queue: queue}})
		})
		if err != nil {
			return nil, fmt.Errorf("consume %s: %w", queue, err)
		}
		return s, nil
	}
}

func (i *Intake) join(m *actors.Joined) {
	if m.Joining != i.joining {
		return
	}
	if i.joined = m.Err == nil; i.joined {
		return
	}
	i.unsubscribe()
	i.tree.Log.Error("messages from outside cannot be consumed, trying again", slog.String("error", m.Err.Error()))
	i.tree.Clock.AfterFunc(subscribeRetry, func() { i.tree.Tell(i.tree.Intake, &connect{i}) })
}

// unsubscribe drops what is under way, which comes again.
func (i *Intake) unsubscribe() {
	if i.joining != nil {
		i.joining.Stop()
	}
	i.joining, i.joined = nil, false
	for e := range i.pending {
		e.stopTimer()
		e.state = settled
	}
	clear(i.pending)
	clear(i.queues)
	i.count = [states]int{}
	i.tree.Meters.MessagesHeld.Store(0)
}

// delivered takes a message in. One that comes while the node drains waits for
// the end of the subscription, which hands it to another node: given back it
// would only come again.
func (i *Intake) delivered(m *delivered) {
	if m.of != i || i.closed {
		return
	}
	i.forget(m.queue)
	i.queues[m.queue] = append(i.queues[m.queue], m.entry)
	i.pending[m.entry] = true
	m.state = held
	i.count[held]++
	if len(i.closing) == 0 {
		i.offerIt(m.entry)
	}
}

// forget makes room for one more of a queue. The broker's server never has more
// unsettled than the prefetch: what is beyond is of a connection that was lost,
// and comes again. Without it an outage of the store in which the broker comes and
// goes would fill the memory.
func (i *Intake) forget(queue messages.Queue) {
	all := slices.DeleteFunc(i.queues[queue], func(e *entry) bool { return e.state == settled })
	for len(all) >= Prefetch {
		i.move(all[0], settled)
		all = all[1:]
	}
	i.queues[queue] = all
}

// move changes where a message stands.
func (i *Intake) move(e *entry, to state) {
	e.stopTimer()
	i.count[e.state]--
	e.state = to
	if to == settled {
		delete(i.pending, e)
	} else {
		i.count[to]++
	}
	i.tree.Meters.MessagesHeld.Store(int64(i.count[held]))
}

func (e *entry) stopTimer() {
	if e.late != nil {
		e.late.Stop()
		e.late = nil
	}
}

func (i *Intake) close(m *Close) {
	i.closing = append(i.closing, m)
	i.closeWhenSettled()
}

// closeWhenSettled ends the subscriptions when nothing is under way that could
// still be acknowledged.
func (i *Intake) closeWhenSettled() {
	switch {
	case len(i.closing) == 0 || i.leaving || i.count[offered]+i.count[buried] > 0:
	case !i.joined:
		i.leave(&leave{i})
	default:
		i.leaving = true
		tree := i.tree
		tree.Clock.AfterFunc(closeWait, func() { tree.Tell(tree.Intake, &leave{i}) })
	}
}

// leave ends the subscriptions. What they still hold goes to other nodes.
func (i *Intake) leave(m *leave) {
	if m.by != i {
		return
	}
	i.closed, i.leaving = true, false
	i.unsubscribe()
	for _, m := range i.closing {
		m.Reply()
	}
	i.closing = i.closing[:0]
}
