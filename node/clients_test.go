package node_test

import (
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/attune-automation/attune"
	"github.com/attune-automation/attune/api"
)

// order is one thing that a client asks for until it is acknowledged, always
// with the same dedupe key: every other one an event.
type order struct {
	number int
	// event or execution is the acknowledged id; both are zero before.
	event     attune.EventID
	execution attune.ExecutionID
}

func (o *order) acknowledged() bool { return o.event != 0 || o.execution != 0 }

func orders(n int) []*order {
	all := make([]*order, n)
	for i := range all {
		all[i] = &order{number: i}
	}
	return all
}

// drive has clients ask for all orders until they are acknowledged or the node
// fails, each repeating what was refused for a reason that may pass. It returns
// when all clients are done.
func (r *rig) drive(all []*order) {
	const clients = 6
	var group sync.WaitGroup
	for c := range clients {
		group.Go(func() {
			for i := c; i < len(all); i += clients {
				for !all[i].acknowledged() {
					err := r.place(all[i])
					select {
					case <-r.Failed():
						return
					default:
					}
					if err == nil {
						break
					}
					if !attune.KindOf(err).Retryable() {
						r.Errorf("order %d: %v", i, err)
						return
					}
					time.Sleep(50 * time.Millisecond)
				}
			}
		})
	}
	group.Wait()
}

func (r *rig) place(o *order) error {
	ms, key := 10+37*(o.number%11), fmt.Sprintf("order %d", o.number)
	if o.number%2 == 0 {
		receipt, err := r.OfferEvent(r.Context(), api.EventOffer{Trigger: one, Payload: fmt.Appendf(nil, `{"ms":%d}`, ms), Dedupe: key})
		if err == nil {
			o.event = receipt.ID
			_, err = r.rows.Event(r.Context(), o.event) // acknowledged is stored
		}
		return err
	}
	id, err := r.requestOf("t.run", settings{MS: ms, Print: 2}, api.ExecutionRequest{Dedupe: key})
	if err == nil {
		o.execution = id
		_, err = r.rows.Execution(r.Context(), id)
	}
	return err
}

// fulfilled waits for the end of everything, and checks that every order became
// exactly one execution that ran once to the end and was announced as that.
// Those that may have another end are handed to spare, which says so.
func (r *rig) fulfilled(all []*order, spare func(*attune.Execution) bool) {
	r.Helper()
	r.until("all orders have ended", 3*time.Minute, func() bool {
		for _, x := range r.rows.Rows().Executions {
			if !x.Status.Terminal() {
				return false
			}
		}
		return r.running() == 0
	})
	// What was announced is proven within seconds, so that it is not announced
	// again for ever.
	r.until("all ends are proven announced", 20*time.Second, func() bool {
		for _, p := range r.rows.Rows().Partitions {
			if p.AnnouncedTo != p.FinishNumber {
				return false
			}
		}
		return true
	})
	rows := r.rows.Rows()
	of := map[attune.EventID]int{}
	for _, x := range rows.Executions {
		of[x.Event]++
		fault := r.once(x)
		if fault == "" && x.Status != attune.Completed {
			fault = fmt.Sprintf("%s ended as %s: %v", x.ID, x.Status, x.Failure)
		}
		if fault != "" && (spare == nil || !spare(x)) {
			r.Errorf("%s", fault)
		}
		r.steps(x)
	}
	for _, o := range all {
		switch {
		case !o.acknowledged():
			r.Errorf("order %d was never acknowledged", o.number)
		case o.event != 0 && of[o.event] != 1:
			r.Errorf("%s has %d executions", o.event, of[o.event])
		}
	}
	if len(rows.Executions) != len(all) {
		r.Errorf("%d orders became %d executions", len(all), len(rows.Executions))
	}
	r.until("no request takes a place in the window", time.Minute, func() bool {
		d, err := r.Node.Actor(r.Context(), "node")
		return err == nil && strings.Contains(string(d.Detail), `"admissions":0`)
	})
	for _, w := range r.workers {
		r.until("all slots are free again", 20*time.Second, func() bool {
			d, err := r.Node.Actor(r.Context(), "node/scheduler")
			return err == nil && free(d.Detail, w.machine.name) == w.slots
		})
	}
}
