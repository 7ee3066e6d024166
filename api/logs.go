package api

import (
	"cmp"
	"context"
	"fmt"
	"strconv"
	"strings"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"

	"github.com/attune-automation/attune"
	"github.com/attune-automation/attune/persistence"
)

type logsInput struct {
	ByID
	LastEventID string `header:"Last-Event-ID" doc:"The id of the last event that was received: go on behind it"`
	After       string `query:"after" doc:"The same, for callers that cannot set a header"`
	Attempt     int    `query:"attempt" minimum:"0" doc:"Where to begin; 0 is the newest. Those after it follow"`
	Follow      bool   `query:"follow" doc:"Go on until the execution has ended"`
	Raw         bool   `query:"raw" doc:"The exact bytes, in base64; else text in which what is not UTF-8 is replaced"`
}

// OutputPiece is a piece of what an attempt printed to one stream. It has Text,
// or Data where the exact bytes were asked for.
type OutputPiece struct {
	Attempt int    `json:"attempt"`
	Stream  string `json:"stream"`
	Text    string `json:"text,omitempty"`
	Data    []byte `json:"data,omitempty"`
}

// LogsEnd is the last word of the logs. It has a status where everything was
// sent, else a code that says why it ends.
type LogsEnd struct {
	Execution string `json:"execution"`
	Status    string `json:"status,omitempty"`
	Terminal  bool   `json:"terminal,omitempty"`
	Attempt   int    `json:"attempt,omitempty"`
	Code      string `json:"code,omitempty"`
	Message   string `json:"message,omitempty"`
}

// logs sends what the attempts print to both streams, in the order in which it
// came, and ends with the status of the execution.
func (s *server) logs(ctx context.Context, in *logsInput) (*streamOutput, error) {
	id, err := attune.ParseExecutionID(in.ID)
	if err != nil {
		return nil, err
	}
	m := &merging{server: s, id: id, follow: in.Follow, raw: in.Raw, attempt: in.Attempt}
	if after := cmp.Or(in.LastEventID, in.After); after != "" {
		if err := m.resume(after); err != nil {
			return nil, err
		}
	}
	changed, stop := s.Engine.Watch(id)
	x, err := s.Store.Execution(ctx, id)
	if err != nil {
		stop()
		return nil, err
	}
	if m.attempt == 0 {
		m.attempt = max(x.Attempt, 1)
	}
	m.changed = changed
	return &streamOutput{func(hc huma.Context) {
		defer stop()
		_, w := humago.Unwrap(hc)
		m.to = s.beginSSE(w)
		defer m.to.end()
		end := LogsEnd{Execution: id.String()}
		x, err := m.merge(ctx, x)
		switch {
		case err == nil:
			end.Status, end.Terminal, end.Attempt = x.Status.String(), x.Status.Terminal(), x.Attempt
		case ctx.Err() != nil:
			end.Code, end.Message = lastWord(ctx)
		default:
			p := newProblem(err)
			end.Code, end.Message = p.Code, p.Detail
		}
		_ = m.to.send(m.place(), StreamEnd, end)
		_ = m.to.flush() // to whoever is still there
	}}, nil
}

// merging is where a reader of both streams stands.
type merging struct {
	server  *server
	id      attune.ExecutionID
	follow  bool
	raw     bool
	to      *sse
	changed <-chan struct{}
	attempt int
	lanes   [2]lane
}

// lane is where it stands in one stream: behind offset, and with what is half a
// character yet. next is what was read and has not had its turn.
type lane struct {
	offset int64
	clean  cleaner
	next   persistence.OutputChunk
}

// sent is up to where everything was sent.
func (l *lane) sent() int64 { return l.offset - int64(len(l.clean.partial)) }

// place is the id of an event: the attempt, and what was sent of each stream.
func (m *merging) place() string {
	return fmt.Sprintf("%d:%d:%d", m.attempt, m.lanes[0].sent(), m.lanes[1].sent())
}

// resume goes on from a place that the reader was told before.
func (m *merging) resume(after string) error {
	parts := strings.Split(after, ":")
	var numbers [3]int64
	ok := len(parts) == len(numbers)
	for i := range numbers {
		if ok {
			n, err := strconv.ParseInt(parts[i], 10, 48)
			numbers[i], ok = n, err == nil && n >= 0
		}
	}
	if !ok || numbers[0] == 0 {
		return &attune.Error{Kind: attune.Invalid, Code: "invalid_place", Message: fmt.Sprintf("%q is not the id of an event of these logs", after),
			Where: "Last-Event-ID", Try: "leave it out to begin anew"}
	}
	m.attempt, m.lanes[0].offset, m.lanes[1].offset = int(numbers[0]), numbers[1], numbers[2]
	return nil
}

// over says that the attempt has ended, so that all its output is stored.
func (m *merging) over(x *attune.Execution) bool {
	return x.Status.Terminal() || x.Attempt > m.attempt || x.Attempt == m.attempt && !x.Status.Assigned()
}

// merge sends all there is, and with follow all that comes; it returns the row
// after which nothing more is to be sent.
func (m *merging) merge(ctx context.Context, x *attune.Execution) (*attune.Execution, error) {
	for {
		over := m.over(x) // judged before reading: what is stored then is all
		if err := m.drain(ctx); err != nil {
			return nil, err
		}
		if over || !m.follow {
			if err := m.rest(); err != nil {
				return nil, err
			}
		}
		switch {
		case over && x.Attempt > m.attempt:
			m.attempt, m.lanes = m.attempt+1, [2]lane{}
			continue
		case x.Status.Terminal() || !m.follow:
			return x, nil
		}
		m.to.heartbeat(m.place())
		if err := m.to.flush(); err != nil {
			return nil, err
		}
		sleep(ctx, m.changed)
		if err := context.Cause(ctx); err != nil {
			return nil, err
		}
		var err error
		if x, err = m.server.Store.Execution(ctx, m.id); err != nil {
			return nil, err
		}
	}
}

// drain sends all that is stored of the attempt: of the two streams always the
// chunk that came first.
func (m *merging) drain(ctx context.Context) error {
	for {
		for i := range m.lanes {
			l := &m.lanes[i]
			if len(l.next.Data) > 0 {
				continue
			}
			var err error
			if l.next, err = m.server.Store.NextOutput(ctx, attune.Token{Execution: m.id, Attempt: m.attempt}, persistence.Stream(i+1), l.offset, outputPiece); err != nil {
				return err
			}
		}
		a, b := &m.lanes[0], &m.lanes[1]
		var err error
		switch {
		case len(a.next.Data)+len(b.next.Data) == 0:
			return nil
		case len(b.next.Data) == 0 || len(a.next.Data) > 0 && a.next.Order < b.next.Order:
			err = m.send(persistence.Stdout)
		default:
			err = m.send(persistence.Stderr)
		}
		if err == nil {
			err = context.Cause(ctx)
		}
		if err != nil {
			return err
		}
	}
}

// send sends the next piece of a stream.
func (m *merging) send(stream persistence.Stream) error {
	l := &m.lanes[stream-1]
	data := l.next.Data
	l.offset += int64(len(data))
	l.next = persistence.OutputChunk{}
	if !m.raw {
		data = l.clean.text(data)
	}
	return m.piece(stream, data)
}

// rest sends what is left of characters that never came to their end.
func (m *merging) rest() error {
	for i := range m.lanes {
		if err := m.piece(persistence.Stream(i+1), m.lanes[i].clean.rest()); err != nil {
			return err
		}
	}
	return nil
}

func (m *merging) piece(stream persistence.Stream, data []byte) error {
	if len(data) == 0 {
		return nil
	}
	p := OutputPiece{Attempt: m.attempt, Stream: stream.String()}
	if m.raw {
		p.Data = data
	} else {
		p.Text = string(data)
	}
	return m.to.send(m.place(), StreamOutput, p)
}
