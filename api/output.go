package api

import (
	"context"
	"net/http"
	"strconv"
	"unicode/utf8"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"

	"github.com/attune-automation/attune"
	"github.com/attune-automation/attune/persistence"
)

// AttemptHeader says which attempt an output is of.
const AttemptHeader = "Attune-Attempt"

// outputPiece is how much output is read and sent at a time.
const outputPiece = 64 << 10

type outputInput struct {
	ByID
	Stream  string `query:"stream" enum:"stdout,stderr" default:"stdout"`
	Attempt int    `query:"attempt" minimum:"0" doc:"0 is the newest"`
	Offset  int64  `query:"offset" minimum:"0" doc:"Where to begin, in bytes"`
	Follow  bool   `query:"follow" doc:"Go on until the attempt has ended"`
	Raw     bool   `query:"raw" doc:"The exact bytes; else what is not UTF-8 is replaced"`
}

// output sends what one attempt printed to one stream. It ends when there is no
// more: with follow, when the attempt has ended and all of it was sent.
func (s *server) output(ctx context.Context, in *outputInput) (*streamOutput, error) {
	id, err := attune.ParseExecutionID(in.ID)
	if err != nil {
		return nil, err
	}
	f := &follower{store: s.Store, token: attune.Token{Execution: id, Attempt: in.Attempt}, stream: persistence.Stdout, offset: in.Offset}
	if in.Stream == persistence.Stderr.String() {
		f.stream = persistence.Stderr
	}
	changed, stop := s.Engine.Watch(id)
	x, err := f.begin(ctx, changed, in.Follow)
	if err != nil {
		stop()
		return nil, err
	}
	return &streamOutput{func(hc huma.Context) {
		defer stop()
		_, w := humago.Unwrap(hc)
		w.Header().Set(AttemptHeader, strconv.Itoa(f.token.Attempt))
		w.Header().Set("X-Content-Type-Options", "nosniff")
		if in.Raw {
			w.Header().Set("Content-Type", "application/octet-stream")
		} else {
			w.Header().Set("Content-Type", "text/plain; charset=utf-8")
			f.text = true
		}
		w.WriteHeader(http.StatusOK)
		if err := f.copy(ctx, w, x, changed, in.Follow); err != nil && ctx.Err() == nil {
			s.Log.Warn("output ended early", "execution", id, "stream", f.stream, "error", err)
			panic(http.ErrAbortHandler) // or a broken answer would look whole
		}
	}}, nil
}

// follower is where a reader of one stream stands.
type follower struct {
	store  Store
	token  attune.Token
	stream persistence.Stream
	offset int64
	// text replaces what is not UTF-8.
	text  bool
	clean cleaner
}

// begin waits, with follow, until the attempt is there or can never be.
func (f *follower) begin(ctx context.Context, changed <-chan struct{}, follow bool) (*attune.Execution, error) {
	for {
		x, err := f.store.Execution(ctx, f.token.Execution)
		if err != nil {
			return nil, err
		}
		if x.Attempt >= max(f.token.Attempt, 1) || x.Status.Terminal() || !follow {
			if f.token.Attempt == 0 {
				f.token.Attempt = x.Attempt
			}
			return x, nil
		}
		sleep(ctx, changed)
		if err := context.Cause(ctx); err != nil {
			return nil, err
		}
	}
}

// over says that the attempt has ended, so that all its output is stored.
func (f *follower) over(x *attune.Execution) bool {
	return x.Status.Terminal() || x.Attempt > f.token.Attempt || !x.Status.Assigned()
}

func (f *follower) copy(ctx context.Context, w http.ResponseWriter, x *attune.Execution, changed <-chan struct{}, follow bool) error {
	flush := http.NewResponseController(w)
	for {
		last := !follow || f.over(x) // judged before reading: what is stored then is all
		if err := f.drain(ctx, w); err != nil {
			return err
		}
		if last {
			_, err := w.Write(f.clean.rest())
			return err
		}
		if err := flush.Flush(); err != nil {
			return err
		}
		sleep(ctx, changed)
		if err := context.Cause(ctx); err != nil {
			return err
		}
		var err error
		if x, err = f.store.Execution(ctx, f.token.Execution); err != nil {
			return err
		}
	}
}

// drain sends all that is stored.
func (f *follower) drain(ctx context.Context, w http.ResponseWriter) error {
	for f.token.Attempt > 0 {
		piece, err := f.store.ReadOutput(ctx, f.token, f.stream, f.offset, outputPiece)
		if err != nil || len(piece) == 0 {
			return err
		}
		f.offset += int64(len(piece))
		if f.text {
			piece = f.clean.text(piece)
		}
		if _, err := w.Write(piece); err != nil {
			return err
		}
	}
	return nil
}

// cleaner makes UTF-8 of a stream that comes in pieces.
type cleaner struct {
	// partial is the beginning of a character whose end has not come yet.
	partial []byte
}

// text replaces what is not UTF-8, once each bad byte, without mistaking a
// character that is cut at the end of a piece for one.
func (c *cleaner) text(piece []byte) []byte {
	piece = append(c.partial, piece...)
	c.partial = nil
	out := make([]byte, 0, len(piece)+16)
	for len(piece) > 0 {
		r, size := utf8.DecodeRune(piece)
		if r == utf8.RuneError && size == 1 && !utf8.FullRune(piece) {
			c.partial = append([]byte(nil), piece...)
			break
		}
		out = utf8.AppendRune(out, r)
		piece = piece[size:]
	}
	return out
}

// rest is what is left of a character that never came to its end.
func (c *cleaner) rest() []byte {
	var out []byte
	for range c.partial {
		out = utf8.AppendRune(out, utf8.RuneError)
	}
	c.partial = nil
	return out
}
