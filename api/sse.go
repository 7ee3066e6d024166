package api

import (
	"context"
	"encoding/json"
	"net/http"
	"time"
)

const (
	// stall is how long a reader may leave what was sent unread before it is
	// disconnected. It may come back and go on where it was.
	stall = 30 * time.Second
	// comeBack is what clients are told to wait before they do.
	comeBack = time.Second
)

// The words of a stream that are not about rows.
const (
	// StreamOpen begins a stream that has no gap: list, then follow.
	StreamOpen = "open"
	// StreamReset says that changes are missing before this place: list anew.
	StreamReset = "reset"
	// StreamEnd is the last word.
	StreamEnd = "end"
	// StreamOutput is a piece of what an attempt printed.
	StreamOutput = "output"
)

// sse writes an answer as text/event-stream. It buffers up to flush, so that a
// busy stream costs few packets.
type sse struct {
	w     http.ResponseWriter
	conn  *http.ResponseController
	buf   []byte
	pulse context.Context // ends when a heartbeat is due
	stop  context.CancelFunc
	every time.Duration
}

// maxUnsent is how much is buffered at most before it is sent.
const maxUnsent = 64 << 10

func (s *server) beginSSE(w http.ResponseWriter) *sse {
	h := w.Header()
	h.Set("Content-Type", "text/event-stream")
	h.Set("Cache-Control", "no-store")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("X-Accel-Buffering", "no") // some proxies hold an answer back until it is whole
	w.WriteHeader(http.StatusOK)
	e := &sse{w: w, conn: http.NewResponseController(w), every: s.Heartbeat}
	e.buf = append(e.buf, "retry: "...)
	e.buf = append(e.buf, jsonOf(comeBack.Milliseconds())...)
	e.buf = append(e.buf, "\n\n"...)
	e.nextPulse()
	return e
}

func (e *sse) nextPulse() {
	e.pulse, e.stop = context.WithTimeout(context.Background(), e.every)
}

// end lifts the deadline: the connection may serve another request.
func (e *sse) end() {
	e.stop()
	_ = e.conn.SetWriteDeadline(noDeadline)
}

// send adds one event.
func (e *sse) send(id, event string, v any) error {
	e.buf = append(e.buf, "id: "...)
	e.buf = append(e.buf, id...)
	e.buf = append(e.buf, "\nevent: "...)
	e.buf = append(e.buf, event...)
	e.buf = append(e.buf, "\ndata: "...)
	e.buf = append(e.buf, jsonOf(v)...) // on one line
	e.buf = append(e.buf, "\n\n"...)
	if len(e.buf) < maxUnsent {
		return nil
	}
	return e.flush()
}

// heartbeat says, when it is due, that the stream is alive, and where it stands:
// a stream that shows little keeps its place all the same.
func (e *sse) heartbeat(id string) {
	if e.pulse.Err() == nil {
		return
	}
	e.stop()
	e.nextPulse()
	e.buf = append(e.buf, ": still here\nid: "...)
	e.buf = append(e.buf, id...)
	e.buf = append(e.buf, "\n\n"...)
}

// flush sends what is buffered. A reader that stalls is an error.
func (e *sse) flush() error {
	if len(e.buf) == 0 {
		return nil
	}
	limit, cancel := context.WithTimeout(context.Background(), stall)
	defer cancel()
	deadline, _ := limit.Deadline()
	_ = e.conn.SetWriteDeadline(deadline) // a writer without deadlines is one of a test
	_, err := e.w.Write(e.buf)
	e.buf = e.buf[:0]
	if err != nil {
		return err
	}
	return e.conn.Flush()
}

func jsonOf(v any) []byte {
	b, _ := json.Marshal(v) // of our own views
	return b
}
