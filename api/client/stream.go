package client

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/attune-automation/attune"
	"github.com/attune-automation/attune/api"
)

const (
	// silence is how long a stream may say nothing at all, three heartbeats,
	// before its connection counts as dead.
	silence = 45 * time.Second
	// maxLine bounds one line of a stream: a piece of output, escaped.
	maxLine = 4 << 20
)

// Message is one event of a stream.
type Message struct {
	// ID is where to go on from, Event what it is, Data a JSON document.
	ID, Event string
	Data      []byte
}

// Into decodes the data.
func (m Message) Into(v any) error {
	if err := json.Unmarshal(m.Data, v); err != nil {
		return fmt.Errorf("event %s of the stream: %w", m.Event, err)
	}
	return nil
}

// Stream is an answer that comes in events. It is for one goroutine, and must be
// closed.
type Stream struct {
	ctx    context.Context // ends the request; a stream lives no longer
	client *Client
	body   io.ReadCloser
	lines  *bufio.Reader
	last   string
}

// Changes opens the stream of all changes, or of those that the query wants,
// behind the event last; empty begins now.
func (c *Client) Changes(ctx context.Context, query url.Values, last string) (*Stream, error) {
	return c.stream(ctx, "/stream", query, last)
}

// Logs opens what an execution prints: from that attempt on (0 is the newest),
// behind the event last. With follow it goes on until the execution has ended.
// Its pieces hold the exact bytes.
func (c *Client) Logs(ctx context.Context, id string, attempt int, follow bool, last string) (*Stream, error) {
	q := url.Values{"raw": {"true"}, "attempt": {strconv.Itoa(attempt)}, "follow": {strconv.FormatBool(follow)}}
	return c.stream(ctx, "/executions/"+url.PathEscape(id)+"/logs", q, last)
}

func (c *Client) stream(ctx context.Context, path string, query url.Values, last string) (*Stream, error) {
	header := http.Header{"Accept": {"text/event-stream"}}
	if last != "" {
		header.Set("Last-Event-ID", last)
	}
	r, err := c.send(ctx, http.MethodGet, path, query, nil, header) //nolint:bodyclose // the stream closes it
	if err != nil {
		return nil, err
	}
	return &Stream{ctx: ctx, client: c, body: r.Body, lines: bufio.NewReaderSize(r.Body, 64<<10), last: last}, nil
}

// Close ends the stream.
func (s *Stream) Close() error { return s.body.Close() }

// Last is the id to go on from on another connection.
func (s *Stream) Last() string { return s.last }

// Next waits for the next event. An end of the connection, orderly or not, is
// an error of kind Unavailable: whoever wants more opens another behind Last.
func (s *Stream) Next() (Message, error) {
	var m Message
	for {
		line, err := s.line()
		if err != nil {
			return Message{}, s.broken(err)
		}
		name, value, _ := strings.Cut(line, ":")
		value = strings.TrimPrefix(value, " ")
		switch {
		case line == "":
			if m.ID != "" {
				s.last = m.ID
			}
			if m.Data != nil {
				return m, nil
			}
			m = Message{} // a heartbeat, or the hint about retrying
		case name == "id":
			m.ID = value
		case name == "event":
			m.Event = value
		case name == "data":
			m.Data = []byte(value) // ours are on one line
		}
	}
}

// line reads a line, and gives the connection up when none comes.
func (s *Stream) line() (string, error) {
	if s.lines.Buffered() == 0 {
		quiet, cancel := context.WithTimeout(context.Background(), silence)
		defer cancel()
		defer context.AfterFunc(quiet, func() { _ = s.body.Close() })()
	}
	var whole []byte
	for {
		part, err := s.lines.ReadSlice('\n')
		whole = append(whole, part...)
		switch {
		case err == nil:
			return strings.TrimSuffix(string(whole), "\n"), nil
		case !errors.Is(err, bufio.ErrBufferFull):
			return "", err
		case len(whole) > maxLine:
			return "", errors.New("a line of the stream is too long")
		}
	}
}

func (s *Stream) broken(err error) error {
	if s.ctx.Err() != nil {
		return context.Cause(s.ctx)
	}
	return &attune.Error{Kind: attune.Unavailable, Code: CodeUnreachable, Message: "the stream broke off", Where: s.client.server, Cause: err}
}

// Ended is the error that an end event of a stream tells of, for whoever opens
// the stream again; nil where it is no error.
func Ended(m Message) error {
	var word api.StreamWord
	if err := m.Into(&word); err != nil || word.Code == "" {
		return err
	}
	return &attune.Error{Kind: attune.Unavailable, Code: word.Code, Message: "the stream ended: " + word.Message}
}
