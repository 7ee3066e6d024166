package keeper

import (
	"encoding/binary"
	"errors"
	"fmt"
	"time"
)

// verb is what a message between worker and keeper says.
type verb byte

const (
	sayStart   verb = 'S' // worker: token, args, env, text=dir; numbers: grace, timeout, memory, processes, thousandths of a processor; files
	sayStop    verb = 'T' // worker: token; numbers: grace
	sayLease   verb = 'L' // worker: numbers: end on CLOCK_BOOTTIME
	sayClose   verb = 'C' // worker: kill all, then end
	sayHello   verb = 'H' // keeper, first: token=mode (empty if there is none), text=why not the other, args=the limits that hold
	sayStarted verb = 's' // keeper: token; numbers: at, pid
	sayEnded   verb = 'e' // keeper: token, text=cause; numbers: at, exit, signal, user, system, rss, memory kills, refused forks
	sayRefused verb = 'r' // keeper: token, text=reason, args[0]=refusal; numbers: at
)

// message is one frame. Both ends are the same program, so one form with room
// for everything is enough; JSON would not carry the bytes of argv unchanged.
type message struct {
	verb    verb
	token   string
	text    string
	args    []string
	env     []string
	numbers []int64
	files   []int // descriptors that travel along; the receiver must close them
}

var errMalformed = errors.New("malformed message")

// appendTo appends the encoded message, without its files.
func (m *message) appendTo(b []byte) []byte {
	b = append(b, byte(m.verb))
	b = appendString(b, m.token)
	b = appendString(b, m.text)
	for _, list := range [][]string{m.args, m.env} {
		b = binary.AppendUvarint(b, uint64(len(list)))
		for _, s := range list {
			b = appendString(b, s)
		}
	}
	b = binary.AppendUvarint(b, uint64(len(m.numbers)))
	for _, n := range m.numbers {
		b = binary.AppendVarint(b, n)
	}
	return b
}

func appendString(b []byte, s string) []byte {
	return append(binary.AppendUvarint(b, uint64(len(s))), s...)
}

// parseMessage is the reverse of appendTo; the message shares nothing with b.
func parseMessage(b []byte) (*message, error) {
	if len(b) == 0 {
		return nil, errMalformed
	}
	p := parser{rest: b[1:]}
	m := &message{verb: verb(b[0])}
	m.token, m.text = p.string(), p.string()
	m.args, m.env = p.strings(), p.strings()
	n := p.length()
	for range n {
		v, size := binary.Varint(p.rest)
		p.skip(size)
		m.numbers = append(m.numbers, v)
	}
	if p.bad || len(p.rest) != 0 {
		return nil, errMalformed
	}
	if want := numbersOf(m.verb); len(m.numbers) != want {
		return nil, fmt.Errorf("%w: %c with %d numbers, not %d", errMalformed, m.verb, len(m.numbers), want)
	}
	return m, nil
}

// numbersOf is how many numbers a verb carries; -1 for an unknown verb.
func numbersOf(v verb) int {
	switch v {
	case sayClose, sayHello:
		return 0
	case sayStop, sayLease, sayRefused:
		return 1
	case sayStarted:
		return 2
	case sayStart:
		return 5
	case sayEnded:
		return 8
	}
	return -1
}

// parser reads parts of a frame; after a fault it yields zeros and bad is set.
type parser struct {
	rest []byte
	bad  bool
}

func (p *parser) skip(n int) {
	if n <= 0 || n > len(p.rest) {
		p.bad, p.rest = true, nil
		return
	}
	p.rest = p.rest[n:]
}

// length reads a count; nothing has more parts than the frame has bytes.
func (p *parser) length() int {
	n, size := binary.Uvarint(p.rest)
	p.skip(size)
	if n > uint64(len(p.rest)) {
		p.bad, p.rest = true, nil
		return 0
	}
	return int(n)
}

func (p *parser) string() string {
	n := p.length()
	s := string(p.rest[:n])
	p.rest = p.rest[n:]
	return s
}

func (p *parser) strings() []string {
	var list []string
	for range p.length() {
		list = append(list, p.string())
	}
	return list
}

// toEvent turns a keeper's message into what the worker is told. A greeting is
// an event without a kind.
func toEvent(m *message) (Event, error) {
	n := m.numbers
	switch m.verb {
	case sayHello:
		return Event{}, nil
	case sayStarted:
		return Event{Kind: Started, Token: m.token, At: n[0], Pid: int(n[1])}, nil
	case sayEnded:
		return Event{
			Kind: Ended, Token: m.token, At: n[0], ExitCode: int(n[1]), Signal: int(n[2]), Cause: Cause(m.text),
			UserTime: time.Duration(n[3]), SystemTime: time.Duration(n[4]), MaxRSS: n[5],
			MemoryKills: int(n[6]), RefusedForks: int(n[7]),
		}, nil
	case sayRefused:
		if len(m.args) == 1 {
			return Event{Kind: Refused, Token: m.token, At: n[0], Refusal: Refusal(m.args[0]), Reason: m.text}, nil
		}
	}
	return Event{}, fmt.Errorf("%w: %c is not for the worker", errMalformed, m.verb)
}
