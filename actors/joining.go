package actors

import (
	"sync/atomic"

	"github.com/asynkron/protoactor-go/actor"

	"github.com/attune-automation/attune/messages"
)

// Joining is subscriptions of an actor. To begin one may wait for the broker's
// server, so that is lent. Naively an actor that ends meanwhile leaves them
// behind: here whichever comes second, the last beginning or [Joining.Stop], ends
// them.
type Joining struct {
	first atomic.Bool // one of both has come
	all   []messages.Subscription
}

// Joined tells the actor that all its subscriptions stand, or with an error that
// none does. One that an actor before a restart asked for is another.
type Joined struct {
	*Joining
	Err error
}

// Join begins subscriptions, in order, and tells the actor.
func (t *Tree) Join(to *actor.PID, begin ...func() (messages.Subscription, error)) *Joining {
	j := &Joining{}
	t.Lend(func() {
		var err error
		for _, b := range begin {
			var s messages.Subscription
			if s, err = b(); err != nil {
				j.end()
				break
			}
			j.all = append(j.all, s)
		}
		if j.first.Swap(true) {
			j.end()
			return
		}
		t.Tell(to, &Joined{j, err})
	})
	return j
}

// Stop ends the subscriptions, also those to come. It does not wait.
func (j *Joining) Stop() {
	if j.first.Swap(true) {
		j.end()
	}
}

func (j *Joining) end() {
	for _, s := range j.all {
		s.Stop()
	}
	j.all = nil
}
