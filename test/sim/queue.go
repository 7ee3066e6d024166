package sim

import (
	"container/heap"
	"math/rand/v2"
	"time"

	"github.com/attune-automation/attune"
)

// queue is the heart of a world: every runnable step, every timer, the virtual
// clock and the random source that chooses.
type queue struct {
	random   *rand.Rand
	now      time.Duration // since the begin
	runnable []step
	timers   timers
	order    int64 // numbers everything that is noted
	steps    int
	calm     bool // no faults any more
}

// begin is when every simulation begins, in database time.
var begin = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

type step struct {
	of   *process
	f    func()
	lent bool
}

// next numbers what is noted.
func (q *queue) next() int64 {
	q.order++
	return q.order
}

// chance is true once in n times.
func (q *queue) chance(n int) bool { return q.random.IntN(n) == 0 }

// between is a random duration.
func (q *queue) between(from, to time.Duration) time.Duration {
	return from + time.Duration(q.random.Int64N(int64(to-from)+1))
}

// run makes one step, or lets time pass to the next timer when there is none.
// It reports false when nothing will ever happen again.
func (q *queue) run() bool {
	q.fire()
	if len(q.runnable) == 0 || !q.calm && q.chance(3000) {
		if len(q.timers) == 0 {
			return len(q.runnable) > 0
		}
		q.now = max(q.now, q.timers[0].at)
		q.fire()
		return true
	}
	i := q.random.IntN(len(q.runnable))
	s := q.runnable[i]
	last := len(q.runnable) - 1
	q.runnable[i] = q.runnable[last]
	q.runnable[last] = step{}
	q.runnable = q.runnable[:last]
	q.steps++
	q.now += time.Duration(1+q.random.IntN(20)) * time.Microsecond
	s.of.take(s)
	return true
}

// fire makes the timers runnable that are due.
func (q *queue) fire() {
	for len(q.timers) > 0 && q.timers[0].at <= q.now {
		t := heap.Pop(&q.timers).(*timer)
		if !t.stopped {
			t.fired = true
			q.runnable = append(q.runnable, step{of: t.of, f: t.f})
		}
	}
}

type timer struct {
	of             *process
	at             time.Duration
	number         int64
	f              func()
	stopped, fired bool
}

// Stop implements attune.Timer.
func (t *timer) Stop() bool {
	was := t.stopped || t.fired
	t.stopped = true
	return !was
}

type timers []*timer

// Len implements heap.Interface.
func (t timers) Len() int { return len(t) }

// Less implements heap.Interface.
func (t timers) Less(i, j int) bool {
	return t[i].at < t[j].at || t[i].at == t[j].at && t[i].number < t[j].number
}

// Swap implements heap.Interface.
func (t timers) Swap(i, j int) { t[i], t[j] = t[j], t[i] }

// Push implements heap.Interface.
func (t *timers) Push(x any) { *t = append(*t, x.(*timer)) }

// Pop implements heap.Interface.
func (t *timers) Pop() any {
	old := *t
	last := old[len(old)-1]
	old[len(old)-1] = nil
	*t = old[:len(old)-1]
	return last
}

// process is what dies together. It is the clock, the dispatcher and the lender
// of the part of the product that lives in it.
type process struct {
	queue        *queue
	name         string
	dead, frozen bool
	held         []step // while frozen
	// remote means that lent calls reach a server of their own, which may
	// carry them out although the caller has died.
	remote bool
}

func (q *queue) process(name string) *process { return &process{queue: q, name: name} }

// take runs a step, or not.
func (p *process) take(s step) {
	switch {
	case p.dead:
		if s.lent && p.remote && p.queue.chance(2) {
			s.f()
		}
	case p.frozen:
		p.held = append(p.held, s)
	default:
		s.f()
	}
}

func (p *process) kill() {
	p.dead = true
	p.thaw()
}

func (p *process) thaw() {
	p.frozen = false
	p.queue.runnable = append(p.queue.runnable, p.held...)
	p.held = nil
}

// Schedule implements actor.Dispatcher.
func (p *process) Schedule(f func()) {
	if !p.dead {
		p.queue.runnable = append(p.queue.runnable, step{of: p, f: f})
	}
}

// Throughput implements actor.Dispatcher: one message per turn.
func (p *process) Throughput() int { return 1 }

// lend is attune.Lend. A lent call is now and then slow.
func (p *process) lend(f func()) {
	if p.dead {
		return
	}
	s := step{of: p, f: f, lent: true}
	if q := p.queue; !q.calm && q.chance(40) {
		delay := q.between(time.Millisecond, 200*time.Millisecond)
		if q.chance(10) {
			delay = q.between(200*time.Millisecond, 3*time.Second)
		}
		q.after(q.system(), delay, func() { q.runnable = append(q.runnable, s) })
		return
	}
	p.queue.runnable = append(p.queue.runnable, s)
}

// system is a process that never dies, for what is outside of all.
func (q *queue) system() *process { return &process{queue: q, name: "system"} }

func (q *queue) after(of *process, d time.Duration, f func()) *timer {
	q.order++
	t := &timer{of: of, at: q.now + max(d, 0), number: q.order, f: f}
	heap.Push(&q.timers, t)
	return t
}

// Now implements attune.Clock.
func (p *process) Now() time.Time { return begin.Add(p.queue.now) }

// AfterFunc implements attune.Clock. Now and then it is late.
func (p *process) AfterFunc(d time.Duration, f func()) attune.Timer {
	if p.dead {
		return &timer{stopped: true}
	}
	if q := p.queue; !q.calm && q.chance(50) {
		d = max(d, 0) + q.between(0, 400*time.Millisecond)
	}
	return p.queue.after(p, d, f)
}
