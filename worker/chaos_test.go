package worker_test

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/attune-automation/attune"
	"github.com/attune-automation/attune/messages"
	"github.com/attune-automation/attune/messages/memory"
)

// chaos plays a node that sends everything again until it is answered, over a
// broker that loses, doubles and delays, to a worker that crashes. It returns
// all that happened, and fails where a promise is broken.
func chaos(t *testing.T, seed uint64) (trace []string) {
	random := rand.New(rand.NewPCG(seed, 0))
	r := newRig(t)
	r.broker = memory.NewFaulty(r.broker, r.world, func(messages.Exchange, string, any) memory.Fate {
		switch late := time.Duration(random.IntN(int(3 * time.Second))); random.IntN(10) {
		case 0:
			return nil
		case 1:
			return memory.Fate{0, late}
		case 2:
			return memory.Fate{late}
		}
		return memory.Passes
	})
	note := func(format string, args ...any) {
		trace = append(trace, fmt.Sprintf("%v ", r.now)+fmt.Sprintf(format, args...))
	}
	starts, said := map[attune.Token]int{}, map[attune.Token]messages.ReportKind{}
	boot := func() {
		r.restartConfig()
		r.held.check = func() {
			token := r.held.started[len(r.held.started)-1]
			note("start %s", token)
			if starts[token]++; starts[token] > 1 {
				t.Fatalf("seed %d: %s was started twice", seed, token)
			}
			if len(r.held.events) > r.config.Slots || r.mono() >= r.keeper.until || said[token] == messages.Returned {
				t.Fatalf("seed %d: %s was started with %d running, after %s", seed, token, len(r.held.events), said[token])
			}
		}
		r.start()
	}
	r.worker = nil
	boot()
	const tokens = 60
	sent := map[attune.Token]string{} // to which incarnation
	hear := func(report messages.Report) {
		before, over := said[report.Token]
		switch {
		case report.Kind == messages.Started:
			return
		case report.Kind == messages.NotMine:
			t.Fatalf("seed %d: the journal of %s was not held", seed, report.Incarnation)
		case over && report.Kind == messages.Returned:
			return // acknowledged, hence no longer in the journal of an ended incarnation
		case over && before != report.Kind:
			t.Fatalf("seed %d: %s was %s, now %s", seed, report.Token, before, report.Kind)
		case report.Kind == messages.Returned && starts[report.Token] > 0:
			t.Fatalf("seed %d: %s was returned after its start", seed, report.Token)
		}
		note("%s %s", report.Kind, report.Token)
		said[report.Token] = report.Kind
	}
	for n := 0; len(said) < tokens; n++ {
		if n > 5000 {
			t.Fatalf("seed %d: stuck with %d of %d", seed, len(said), tokens)
		}
		for k := range tokens {
			to := token(k + 1)
			if _, over := said[to]; over || r.lastSeen.Incarnation == "" {
				continue
			}
			if sent[to] == "" {
				sent[to] = r.lastSeen.Incarnation
			}
			switch random.IntN(12) {
			case 0:
				d := r.dispatch(k+1, "held")
				d.Incarnation = sent[to]
				r.send(d)
			case 1:
				r.send(r.query(k+1, sent[to]))
			}
		}
		r.advance(time.Duration(random.IntN(int(time.Second))))
		running := slices.SortedFunc(maps.Keys(r.held.events), func(a, b attune.Token) int { return int(a.Execution - b.Execution) })
		if len(running) > 0 && random.IntN(2) == 0 {
			r.held.end(running[random.IntN(len(running))], messages.Finished, "{}")
		}
		for _, report := range all[messages.Report](r) {
			hear(report)
			if report.Kind != messages.Started { // an acknowledgement is of an end
				r.send(messages.ReportAck{Worker: "w", Tokens: []attune.Token{report.Token}})
			}
		}
		switch random.IntN(60) {
		case 0:
			note("crash")
			r.journal.(interface{ Crash() }).Crash()
			r.worker.Stop()
			boot()
		case 1:
			r.deaf = !r.deaf
		}
		if n%40 == 0 {
			r.deaf = false
		}
	}
	return trace
}

func TestPromisesHoldInChaos(t *testing.T) {
	crashes := 0
	for seed := range uint64(150) {
		for _, line := range chaos(t, seed) {
			if line[len(line)-5:] == "crash" {
				crashes++
			}
		}
	}
	if crashes < 50 {
		t.Fatalf("%d crashes in all: too calm", crashes)
	}
}

func TestOneSeedIsOneTrace(t *testing.T) {
	if a, b := chaos(t, 7), chaos(t, 7); !slices.Equal(a, b) {
		t.Fatalf("%q\n%q", a, b)
	}
}

// BenchmarkNoop is the whole cost of an execution at the worker, with that of
// the broker and of a node that answers.
func BenchmarkNoop(b *testing.B) {
	r := newRig(&testing.T{})
	r.config.Slots = 500
	r.start()
	r.acks = true
	n := 0
	for b.Loop() {
		var items []any
		for range messages.MaxBundle {
			n++
			items = append(items, r.dispatch(n, "noop"))
		}
		r.send(items...)
		r.settle()
		r.heard = r.heard[:0]
		if n%20000 == 0 {
			r.advance(2 * time.Second)
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(n), "ns/execution")
}
