package actors

import (
	"fmt"
	"log/slog"
	"reflect"
	"runtime/debug"
	"strings"
	"sync"
	"time"

	"github.com/asynkron/protoactor-go/actor"
)

// mailbox is the mailbox of every actor. It is unbounded: work is bounded with
// credits at the edges (admission window, slots, unfinished writes), because a
// bounded mailbox blocks its sender. It is small when empty, knows the age of
// what waits, keeps the last signals for the inspection, and turns a panic into
// a logged, counted failure that the parent's strategy decides.
type mailbox struct {
	system  *System
	invoker actor.MessageInvoker
	turn    func()
	path    string

	mu        sync.Mutex
	user      []letter // from head on
	head      int
	control   []any
	open      bool // a control message was posted: Started is the first
	running   bool
	suspended bool

	kind      string
	state     string
	current   int64 // when the message being handled was posted; 0 when idle
	handled   int64
	restarts  int
	lastError string
	signals   []signal // a ring once it holds maxSignals
	oldest    int      // the ring's first
}

type letter struct {
	message any
	posted  int64 // unix nanoseconds of the node's clock
}

type signal struct {
	at    int64
	name  reflect.Type
	about fmt.Stringer
}

const maxSignals = 50

// Signal is implemented by messages that say more of themselves in the
// inspection than their type. The text holds no secrets.
type Signal interface{ Signal() fmt.Stringer }

// PostUserMessage implements actor.Mailbox.
func (m *mailbox) PostUserMessage(message any) {
	now := m.system.Clock.Now().UnixNano()
	m.mu.Lock()
	if m.head > 1024 && m.head > len(m.user)/2 { // it never ran empty
		n := copy(m.user, m.user[m.head:])
		clear(m.user[n:])
		m.user, m.head = m.user[:n], 0
	}
	m.user = append(m.user, letter{message, now})
	m.schedule(m.open && !m.suspended)
}

// PostSystemMessage implements actor.Mailbox.
func (m *mailbox) PostSystemMessage(message any) {
	m.mu.Lock()
	m.control = append(m.control, message)
	m.open = true
	m.schedule(true)
}

// schedule starts a turn if one is due and none is under way, and unlocks.
func (m *mailbox) schedule(due bool) {
	start := due && !m.running && m.turn != nil
	if start {
		m.running = true
	}
	m.mu.Unlock()
	if start {
		m.system.Dispatcher.Schedule(m.turn)
	}
}

// RegisterHandlers implements actor.Mailbox. Mail may have come before: the
// address is older than the actor.
func (m *mailbox) RegisterHandlers(invoker actor.MessageInvoker, _ actor.Dispatcher) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.invoker = invoker
	m.turn = m.run
	m.path = invoker.(actor.Context).Self().Id
	m.kind = m.self().Kind()
	m.state = "starting"
}

// Start implements actor.Mailbox.
func (m *mailbox) Start() { m.system.census.add(m.path, m) }

// UserMessageCount implements actor.Mailbox.
func (m *mailbox) UserMessageCount() int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return len(m.user) - m.head
}

func (m *mailbox) self() Actor { return m.invoker.(actor.Context).Actor().(Actor) }

func (m *mailbox) run() {
	throughput := m.system.Dispatcher.Throughput()
	for n := 0; ; n++ {
		m.mu.Lock()
		control, message, ok := m.take(n >= throughput)
		if !ok {
			again := m.running
			m.mu.Unlock()
			if again {
				m.system.Dispatcher.Schedule(m.turn)
			}
			return
		}
		m.mu.Unlock()
		if control {
			m.invokeControl(message)
		} else {
			m.invokeUser(message)
		}
	}
}

// take is the next message: control before user. It leaves running set when the
// turn is over though more waits.
func (m *mailbox) take(over bool) (control bool, message any, ok bool) {
	m.current = 0
	user := !m.suspended && m.head < len(m.user)
	if len(m.control) == 0 && !user {
		m.running = false
		return false, nil, false
	}
	if over {
		return false, nil, false
	}
	if len(m.control) > 0 {
		message = m.control[0]
		m.control = m.control[1:]
		if len(m.control) == 0 {
			m.control = nil
		}
		return true, message, true
	}
	l := m.user[m.head]
	m.user[m.head] = letter{}
	m.head++
	if m.head == len(m.user) {
		m.head = 0
		if m.user = m.user[:0]; cap(m.user) > 64 {
			m.user = nil
		}
	}
	m.current = l.posted
	if _, look := l.message.(*describe); !look {
		m.record(l)
	}
	return false, l.message, true
}

func (m *mailbox) record(l letter) {
	m.handled++
	s := signal{at: l.posted, name: reflect.TypeOf(l.message)}
	if about, ok := l.message.(Signal); ok {
		s.about = about.Signal()
	}
	if len(m.signals) < maxSignals {
		m.signals = append(m.signals, s)
		return
	}
	m.signals[m.oldest] = s
	m.oldest = (m.oldest + 1) % maxSignals
}

func (m *mailbox) invokeUser(message any) {
	defer m.rescue(message)
	if d, ok := message.(*describe); ok {
		d.reply(m.self().Detail())
		return
	}
	if m.system.Observe != nil {
		m.system.Observe(m.path, m.kind, message)
	}
	m.invoker.InvokeUserMessage(message)
	m.note()
}

func (m *mailbox) invokeControl(message any) {
	defer m.rescue(message)
	switch message := message.(type) {
	case *actor.SuspendMailbox:
		m.suspend(true)
		return
	case *actor.ResumeMailbox:
		m.suspend(false)
		return
	case *actor.Restart:
		m.mu.Lock()
		m.restarts++
		m.mu.Unlock()
	case *actor.Terminated:
		if _, lives := m.system.inner.ProcessRegistry.GetLocal(message.Who.Id); !lives {
			m.system.census.remove(message.Who.Id)
		}
	}
	m.invoker.InvokeSystemMessage(message)
	m.note()
	if strings.Contains(m.path, "/") {
		return
	}
	if _, lives := m.system.inner.ProcessRegistry.GetLocal(m.path); !lives { // nobody is told of the root's end
		m.system.census.remove(m.path)
	}
}

func (m *mailbox) suspend(on bool) {
	m.mu.Lock()
	m.suspended = on
	m.mu.Unlock()
}

// note keeps the actor's word for its state, for the inspection.
func (m *mailbox) note() {
	state := m.self().State()
	m.mu.Lock()
	m.state = state
	m.mu.Unlock()
}

// rescue turns a panic into a failure. protoactor would lose the stack, and
// drops the failing message; whoever sent it sends again.
func (m *mailbox) rescue(message any) {
	r := recover()
	if r == nil {
		return
	}
	m.system.panics.Add(1)
	stack := debug.Stack()
	m.mu.Lock()
	m.lastError = fmt.Sprint(r)
	m.mu.Unlock()
	m.system.Log.Error("actor panicked", slog.String("actor", m.path), slog.String("message", typeName(reflect.TypeOf(message))),
		slog.String("panic", fmt.Sprint(r)), slog.String("stack", string(stack)))
	if !strings.Contains(m.path, "/") {
		m.system.Fatal(fmt.Sprintf("the root actor panicked: %v", r))
		return
	}
	m.invoker.EscalateFailure(r, message)
}

func typeName(t reflect.Type) string {
	if t == nil {
		return "nil"
	}
	if t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	return t.Name()
}

// describe asks an actor for its detail.
type describe struct{ reply func(any) }

func nanos(n int64) time.Time { return time.Unix(0, n).UTC() }
