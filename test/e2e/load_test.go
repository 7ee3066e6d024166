package e2e_test

import (
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/attune-automation/attune"
	"github.com/attune-automation/attune/api"
)

func newLoad(w *world, random *rand.Rand) *load {
	return &load{world: w, random: random,
		served: make(chan struct{}), under: map[string]time.Time{}, broken: map[string]time.Time{},
		counted: map[string]bool{}}
}

// serve tells all senders where to ask.
func (l *load) serve(d *dev) {
	l.mu.Lock()
	defer l.mu.Unlock()
	close(l.served)
	l.node, l.served = d, make(chan struct{})
	clear(l.broken)
}

// any is an operation of a random kind and size.
func (l *load) any() operation {
	o := operation{kind: []string{"even", "odd", "request"}[l.random.IntN(3)]}
	switch n := l.random.IntN(10); {
	case n < 6:
		o.ms = l.random.IntN(40)
	case n < 9:
		o.ms = 100 + l.random.IntN(200)
	default:
		o.ms = 400 + l.random.IntN(600)
	}
	return o
}

// operate sends an operation until it is acknowledged, without waiting for it.
func (l *load) operate(o operation) {
	o.key = fmt.Sprintf("key-%d", len(l.operations))
	l.operations = append(l.operations, &o)
	l.senders.Go(func() {
		for begun := time.Now(); ; {
			l.mu.Lock()
			served := l.served
			l.mu.Unlock()
			id, _, err := l.post(&o)
			if err == nil {
				o.id = id
				return
			}
			if attune.KindOf(err) != attune.Unavailable && attune.KindOf(err) != attune.TooMuch || time.Since(begun) > 2*patience {
				l.t.Errorf("%s: %v", o.key, err)
				return
			}
			select { // a dead node is asked once more only when another is there
			case <-served:
			case <-time.After(100 * time.Millisecond):
			}
		}
	})
}

// post sends an operation once.
func (l *load) post(o *operation) (id string, duplicate bool, err error) {
	l.mu.Lock()
	node := l.node
	l.under[o.key] = time.Now()
	l.mu.Unlock()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	parameters := fmt.Sprintf(`{"key": %q, "kind": %q, "ms": %d, "gate": %q}`, o.key, o.kind, o.ms, o.gate)
	if o.kind == "request" {
		var x api.RunAnswer
		parameters = fmt.Sprintf(`{"key": %q, "ms": %d, "gate": %q}`, o.key, o.ms, o.gate)
		x, err = node.client.Run(ctx, api.RunRequest{Action: "load.work", Parameters: json.RawMessage(parameters), Dedupe: o.key})
		id, duplicate = x.ID, x.Duplicate
	} else {
		var e api.EventAnswer
		e, err = node.client.SendEvent(ctx, api.EventRequest{Trigger: "load.work", Payload: json.RawMessage(parameters), Dedupe: o.key})
		id, duplicate = e.ID, e.Duplicate
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if _, before := l.broken[o.key]; err != nil && !before {
		l.broken[o.key] = l.under[o.key]
	}
	delete(l.under, o.key)
	return id, duplicate, err
}
