package keeper

import (
	"errors"
	"fmt"
	"os"
	"os/signal"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"
)

const (
	// maxOut bounds what waits to be told to a worker that does not listen. When
	// it is reached, the worker is not listened to either, leases included.
	maxOut = 4096
	// lastTelling bounds the telling of the last events when the keeper ends.
	lastTelling = 2 * time.Second
	// A kill is repeated after firstRetry, then ever later up to lastRetry.
	firstRetry = time.Millisecond
	lastRetry  = 100 * time.Millisecond
	// The garbage of so many starts is collected at once, see tame.
	startsPerCollection = 64
)

// loop is the keeper: one goroutine owns all state, the others only wait for
// something on its behalf. Nothing in it blocks but short calls of the kernel;
// forks, which may take long, are made by the forking thread.
type loop struct {
	worker *wire
	box    containment
	alarm  *alarm
	kill   *os.File // KillEarlier writes here

	lease      atomic.Int64 // end on CLOCK_BOOTTIME, 0 before the first; the forking thread reads it
	leaseEnded bool         // for ever; all runs were told to end
	gone       bool         // the worker is gone: nobody is told
	leaving    bool         // nothing more is started; the end comes with the last run
	number     uint64       // of the latest run
	collected  uint64       // number at the latest garbage collection

	runs    map[string]*kept
	waiting []*kept        // for the forking thread
	forking *kept          // on the forking thread
	early   map[int]reaped // who was waited for while the fork of forking was under way
	out     []*message     // not yet taken by the writer

	inbox  chan *message  // closed when the worker is gone
	outbox chan *message  // to the writer
	forks  chan *kept     // to the forking thread
	births chan birth     // from it
	asked  chan struct{}  // KillEarlier asks for the end
	ended  chan os.Signal // SIGCHLD
	quit   chan struct{}  // closed when the loop ends
	others sync.WaitGroup // the other goroutines
}

// reaped is what wait4 said of a process.
type reaped struct {
	status unix.WaitStatus
	usage  unix.Rusage
}

func newLoop(worker *wire, box containment, kill *os.File) (*loop, error) {
	a, err := newAlarm()
	if err != nil {
		return nil, err
	}
	return &loop{
		worker: worker, box: box, alarm: a, kill: kill,
		runs: make(map[string]*kept), early: make(map[int]reaped),
		inbox: make(chan *message), outbox: make(chan *message),
		forks: make(chan *kept), births: make(chan birth, 1),
		asked: make(chan struct{}, 1), ended: make(chan os.Signal, 1), quit: make(chan struct{}),
	}, nil
}

// run serves until the keeper may end.
func (l *loop) run() {
	signal.Notify(l.ended, unix.SIGCHLD)
	for _, f := range []func(){l.listen, l.write, l.fork, l.alarm.listen, l.awaitKill} {
		l.others.Go(f)
	}
	for {
		l.advanceAll()
		if l.leaving && len(l.runs) == 0 {
			break
		}
		l.step()
		if l.forking == nil && l.number >= l.collected+startsPerCollection {
			l.collected = l.number
			runtime.GC()
		}
	}
	l.end()
}

// step waits for one thing to happen.
func (l *loop) step() {
	inbox := l.inbox
	if len(l.out) >= maxOut || l.gone {
		inbox = nil
	}
	var outbox chan *message
	var next *message
	if len(l.out) > 0 {
		outbox, next = l.outbox, l.out[0]
	}
	var forks chan *kept
	var parent *kept
	if l.forking == nil && len(l.waiting) > 0 {
		forks, parent = l.forks, l.waiting[0]
	}
	select {
	case m, ok := <-inbox:
		if !ok {
			l.workerGone()
			return
		}
		l.obey(m)
	case outbox <- next:
		l.out = l.out[1:]
	case forks <- parent:
		l.waiting, l.forking = l.waiting[1:], parent
	case b := <-l.births:
		l.born(b)
	case <-l.ended:
		l.reap()
	case <-l.alarm.C:
	case <-l.asked:
		l.leaving = true
		l.killAll(CauseOrphan)
	}
}

// end tells what is still to be told, and waits for all goroutines.
func (l *loop) end() {
	if err := l.worker.file.SetWriteDeadline(time.Now().Add(lastTelling)); err != nil {
		l.out = nil
	}
	for _, m := range l.out {
		l.outbox <- m // the writer always takes; it fails by its deadline
	}
	close(l.outbox)
	close(l.forks)
	close(l.quit)
	signal.Stop(l.ended)
	l.alarm.close()
	l.kill.Close()
	l.others.Wait()
}

// listen receives from the worker.
func (l *loop) listen() {
	defer l.worker.drop()
	defer close(l.inbox)
	for {
		m, err := l.worker.receive()
		if err != nil {
			return // the end, or nonsense: either way no worker to obey
		}
		select {
		case l.inbox <- m:
		case <-l.quit:
			closeAll(m.files)
			return
		}
	}
}

// write tells the worker. What cannot be told any more is dropped: then the
// worker is gone, which the listener notices. It closes the connection at the
// end, which wakes the listener.
func (l *loop) write() {
	defer l.worker.close()
	broken := false
	for m := range l.outbox {
		broken = broken || l.worker.send(m, noLimit) != nil
	}
}

// awaitKill waits for KillEarlier.
func (l *loop) awaitKill() {
	var b [1]byte
	for {
		if _, err := l.kill.Read(b[:]); err != nil {
			return
		}
		select {
		case l.asked <- struct{}{}:
		default:
		}
	}
}

// post queues a message for the worker.
func (l *loop) post(m *message) {
	if !l.gone {
		l.out = append(l.out, m)
	}
}

// workerGone lets what runs go on until the lease ends; nothing else is started.
func (l *loop) workerGone() {
	l.gone, l.leaving, l.out = true, true, nil
	for _, k := range l.runs {
		k.stopped.Store(true) // matters only if it is not forked yet
	}
}

// obey does what a message of the worker says.
func (l *loop) obey(m *message) {
	switch m.verb {
	case sayStart:
		l.accept(m)
	case sayStop:
		if k, ok := l.runs[m.token]; ok { // else it has ended, and that was told
			k.stop(CauseStop, time.Duration(m.numbers[0]))
		}
	case sayLease:
		// Only a lease that has not ended can be extended, and never shortened.
		old := l.lease.Load()
		if end := m.numbers[0]; end > old && (old == 0 || BoottimeNow() < old) {
			l.lease.Store(end)
		}
	case sayClose:
		l.leaving = true
		l.killAll(CauseClose)
	default:
		closeAll(m.files)
	}
}

// accept takes up a run and queues it for the forking thread.
func (l *loop) accept(m *message) {
	if len(m.files) < 3 || len(m.args) == 0 || l.runs[m.token] != nil {
		closeAll(m.files)
		l.refuse(m.token, RefusedExec, fmt.Sprintf("malformed start: %d files, %d arguments", len(m.files), len(m.args)))
		return
	}
	if l.leaving {
		closeAll(m.files)
		l.refuse(m.token, RefusedClosed, "the keeper is ending")
		return
	}
	l.number++
	t, err := l.box.newTree(l.number)
	if err != nil {
		closeAll(m.files)
		l.refuse(m.token, RefusedResource, err.Error())
		return
	}
	k := newKept(m, t)
	l.runs[k.token] = k
	l.waiting = append(l.waiting, k)
}

func (l *loop) refuse(token string, why Refusal, reason string) {
	l.post(&message{verb: sayRefused, token: token, text: reason, args: []string{string(why)}, numbers: []int64{BoottimeNow()}})
}

// born takes the result of a fork. A process that ended meanwhile may have been
// waited for already. Its number alone does not prove that it was that one, which
// may have been given twice; but of its descriptor the kernel then says so.
func (l *loop) born(b birth) {
	k := l.forking
	l.forking = nil
	early, waited := l.early[b.pid]
	clear(l.early)
	if b.pid == 0 {
		delete(l.runs, k.token)
		k.tree.remove()
		l.refuse(k.token, b.refusal, b.reason)
		return
	}
	k.started(b.pid, b.at)
	l.post(&message{verb: sayStarted, token: k.token, numbers: []int64{b.at, int64(b.pid)}})
	if waited && errors.Is(unix.PidfdSendSignal(b.pidfd, 0, nil, 0), unix.ESRCH) {
		k.firstEnded(early)
	}
	unix.Close(b.pidfd)
}

// reap waits for all children that have ended: first processes, and orphans.
func (l *loop) reap() {
	for {
		var r reaped
		pid, err := unix.Wait4(-1, &r.status, unix.WNOHANG|unix.WALL, &r.usage)
		if err == unix.EINTR {
			continue
		}
		if err != nil || pid <= 0 {
			return
		}
		found := false
		for _, k := range l.runs {
			k.tree.reaped(&r.usage)
			if k.pid == pid && !k.over {
				k.firstEnded(r)
				found = true
			}
		}
		if !found && l.forking != nil {
			l.early[pid] = r
		}
	}
}

// killAll ends every run without grace.
func (l *loop) killAll(cause Cause) {
	for _, k := range l.runs {
		k.stop(cause, NoGrace)
	}
}

// advanceAll does what is due, and arms the alarm for what is next.
func (l *loop) advanceAll() {
	now := BoottimeNow()
	next := never
	if end := l.lease.Load(); end != 0 && !l.leaseEnded {
		if next = end; now >= end {
			l.leaseEnded, next = true, never
			l.killAll(CauseLease)
		}
	}
	for _, k := range l.runs {
		if k.advance(now) {
			delete(l.runs, k.token)
			used := k.tree.usage()
			k.tree.remove()
			l.post(k.farewell(used))
			continue
		}
		next = min(next, k.next())
	}
	if err := l.alarm.set(next); err != nil {
		panic(fmt.Sprintf("keeper: %v", err)) // a keeper that cannot keep time must not live: its runs die with it
	}
}
