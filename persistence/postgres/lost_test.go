package postgres_test

import (
	"context"
	"errors"
	"net/url"
	"testing"
	"time"

	"github.com/attune-automation/attune/internal/servers/pgtest"
	"github.com/attune-automation/attune/internal/servers/proxy"
	"github.com/attune-automation/attune/persistence"
)

// A flush whose answer is lost may be stored. To call that an ordinary failure
// would have it flushed again, be found to be there already, and be taken for a
// duplicate of another request: nobody would ever run what it admitted.
func TestAFlushWhoseAnswerIsLostIsUnknown(t *testing.T) {
	where, err := url.Parse(pgtest.URL(t))
	if err != nil {
		t.Fatal(err)
	}
	p := proxy.Before(t, where.Host)
	direct := open(t, where.String())
	where.Host = p.Addr()
	s := open(t, where.String())
	if _, err := s.Acquire(t.Context(), "node-1", "node", time.Hour); err != nil {
		t.Fatal(err)
	}
	stored := 0
	for i := range 20 {
		if _, err := s.Flush(t.Context(), "node-1", []persistence.Op{admission(2 * i)}); err != nil { // it is connected
			t.Fatal(err)
		}
		op := admission(2*i + 1)
		p.CutAfter(proxy.ToClient, int64(20*i))
		_, err := s.Flush(t.Context(), "node-1", []persistence.Op{op})
		p.Disarm()
		if err == nil {
			continue // the answer is shorter than that
		}
		if _, there := direct.Event(context.Background(), op.Event.ID); there == nil {
			stored++
		}
		if !errors.Is(err, persistence.ErrUnknown) {
			t.Fatalf("cut after %d bytes of the answer: %v", 20*i, err)
		}
		answers, err := s.Resolve(t.Context(), "node-1", []persistence.Op{op})
		if err != nil {
			t.Fatal(err)
		}
		if _, there := direct.Event(context.Background(), op.Event.ID); (there == nil) != (answers[0].Outcome == persistence.Committed) {
			t.Fatalf("cut after %d bytes of the answer, resolved as %v: %v", 20*i, answers[0], there)
		}
	}
	if stored == 0 {
		t.Error("thin: no flush was stored whose answer was lost")
	}
}
