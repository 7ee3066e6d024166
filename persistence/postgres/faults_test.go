package postgres_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/attune-automation/attune"
	"github.com/attune-automation/attune/internal/servers/pgtest"
	"github.com/attune-automation/attune/internal/servers/proxy"
	"github.com/attune-automation/attune/persistence"
	"github.com/attune-automation/attune/persistence/postgres"
)

// with opens a store with limits that tests can wait for.
func with(t testing.TB, cfg postgres.Config) *postgres.Store {
	t.Helper()
	cfg.Migrate = true
	if cfg.Statement == 0 {
		cfg.Statement = 400 * time.Millisecond
	}
	if cfg.Lock == 0 {
		cfg.Lock = 200 * time.Millisecond
	}
	s, err := postgres.Open(context.Background(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	s.Impatient()
	if _, err := s.Acquire(context.Background(), "node-1", "node", time.Hour); err != nil {
		t.Fatal(err)
	}
	return s
}

// behind is a proxy before the server of a URL, and the URL through it.
func behind(t testing.TB, where string) (*proxy.Proxy, string) {
	t.Helper()
	u, err := url.Parse(where)
	if err != nil {
		t.Fatal(err)
	}
	p := proxy.Before(t, u.Host)
	u.Host = p.Addr()
	return p, u.String()
}

func script(t testing.TB, s *postgres.Store, statements ...string) {
	t.Helper()
	if err := s.Script(context.Background(), statements...); err != nil {
		t.Fatal(err)
	}
}

func admissions(from, n int) (ops []persistence.Op) {
	for i := range n {
		ops = append(ops, admission(from+i))
	}
	return ops
}

// stored is how many of the admissions are, and wants each of them whole.
func stored(t testing.TB, s *postgres.Store, ops []persistence.Op) (n int) {
	t.Helper()
	for _, op := range ops {
		a := op.(*persistence.Admit)
		_, err := s.Event(context.Background(), a.Event.ID)
		_, ex := s.Execution(context.Background(), a.Executions[0].ID)
		if (err == nil) != (ex == nil) {
			t.Fatalf("half a group: %v, %v", err, ex)
		}
		switch {
		case err == nil:
			n++
		case attune.KindOf(err) != attune.NotFound:
			t.Fatal(err)
		}
	}
	return n
}

// settle resolves until there is an answer, and flushes what was not written.
func settle(t testing.TB, s *postgres.Store, ops []persistence.Op) (written int) {
	t.Helper()
	var answers []persistence.Answer
	patiently(t, "resolve", func() (err error) { answers, err = s.Resolve(context.Background(), "node-1", ops); return err })
	for i, a := range answers {
		switch a.Outcome {
		case persistence.Committed:
			written++
		case persistence.NotWritten:
			if again, err := s.Flush(context.Background(), "node-1", ops[i:i+1]); err != nil || again[0].Outcome != persistence.Committed {
				t.Fatal(again, err)
			}
		default:
			t.Fatal(a)
		}
	}
	return written
}

// patiently tries until it succeeds, at most 20 s.
func patiently(t testing.TB, what string, try func() error) {
	t.Helper()
	end := time.After(20 * time.Second)
	for {
		err := try()
		if err == nil {
			return
		}
		if attune.KindOf(err) != attune.Unavailable {
			t.Fatalf("%s: %v", what, err)
		}
		select {
		case <-end:
			t.Fatalf("%s, still: %v", what, err)
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// Wherever the connection breaks, on the way there or back: either nothing was
// written, or nobody knows, and Resolve finds out.
func TestWhereverAFlushIsCutItsOutcomeIsFound(t *testing.T) {
	p, where := behind(t, pgtest.URL(t))
	s := with(t, postgres.Config{URL: where})
	written := 0
	for i, c := range []struct {
		way proxy.Way
		n   int64
	}{{proxy.ToServer, 0}, {proxy.ToServer, 1}, {proxy.ToServer, 200}, {proxy.ToServer, 1500}, {proxy.ToServer, 4000}, {proxy.ToClient, 0}, {proxy.ToClient, 30}, {proxy.ToClient, 300}} {
		flush(t, s, "node-1", admission(1000+i)) // it is connected, and knows its statements
		ops := admissions(10+i*10, 5)
		hit := p.CutAfter(c.way, c.n)
		answers, err := s.Flush(t.Context(), "node-1", ops)
		p.Disarm()
		if err == nil {
			t.Fatalf("%s after %d bytes: %v, and the trap %v", c.way, c.n, answers, len(hit))
		}
		if !errors.Is(err, persistence.ErrUnknown) {
			if n := stored(t, s, ops); n > 0 || attune.KindOf(err) != attune.Unavailable {
				t.Fatalf("%s after %d bytes: %v, and %d are written", c.way, c.n, err, n)
			}
			continue
		}
		written += settle(t, s, ops)
		if n := stored(t, s, ops); n != len(ops) {
			t.Fatalf("%s after %d bytes: %d are written", c.way, c.n, n)
		}
	}
	if written == 0 {
		t.Fatal("no flush was written whose answer was lost")
	}
}

// A flush that stands in a buffer when its outcome is asked for writes nothing
// when it arrives.
func TestWhatIsStillOnItsWayIsFenced(t *testing.T) {
	direct := pgtest.URL(t)
	p, where := behind(t, direct)
	s, other := with(t, postgres.Config{URL: where, Statement: 50 * time.Millisecond}), open(t, direct)
	flush(t, s, "node-1", admission(0))
	ops := admissions(1, 3)
	p.Freeze(proxy.ToServer)
	if _, err := s.Flush(t.Context(), "node-1", ops); !errors.Is(err, persistence.ErrUnknown) {
		t.Fatal(err)
	}
	answers, err := other.Resolve(t.Context(), "node-1", ops)
	if err != nil || answers[0].Outcome != persistence.NotWritten {
		t.Fatal(answers, err)
	}
	p.Thaw()
	patiently(t, "the frozen session ends", func() error {
		if n := p.Connections(); n > 3 { // the pools of s
			return persistence.Away(fmt.Sprint(n, " connections"), nil)
		}
		return nil
	})
	if n := stored(t, other, ops); n != 0 {
		t.Fatalf("%d of a flush that was resolved as not written", n)
	}
	settle(t, s, ops)
}

// A client that froze in the middle of what it sent holds its lease; no timeout
// ends it, whoever takes over does.
func TestAFrozenClientIsTakenOver(t *testing.T) {
	where := pgtest.URL(t)
	s := with(t, postgres.Config{URL: where, Statement: 5 * time.Second})
	if err := s.TakeOver(t.Context(), "", "node-1", []int{3}); err != nil {
		t.Fatal(err)
	}
	frozen, err := pgx.Connect(t.Context(), where)
	if err != nil {
		t.Fatal(err)
	}
	defer frozen.Close(context.Background())
	if _, err := frozen.Exec(t.Context(), "BEGIN; SELECT 1 FROM lease WHERE incarnation = 'node-1' FOR KEY SHARE"); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Renew(t.Context(), "node-1", time.Hour); err != nil {
		t.Fatal("a flush under way holds a renewal back:", err)
	}
	if _, err := s.Acquire(t.Context(), "node-2", "node", time.Hour); err != nil {
		t.Fatal(err)
	}
	if err := s.Resign(t.Context(), "node-1"); err != nil {
		t.Fatal(err)
	}
	if err := s.TakeOver(t.Context(), "node-1", "node-2", []int{3}); err != nil {
		t.Fatal(err)
	}
	if _, err := frozen.Exec(context.Background(), "COMMIT"); err == nil {
		t.Fatal("the session that held the lease goes on")
	}
	if rows, err := s.PartitionRows(t.Context()); err != nil || rows[3].Owner != "node-2" || rows[3].Epoch != 2 {
		t.Fatal(rows[3], err)
	}
}

func TestSessionsThatAreEndedCostNothingThatWasAnswered(t *testing.T) {
	where := pgtest.URL(t)
	s := with(t, postgres.Config{URL: where})
	u, _ := url.Parse(where)
	for i := range 5 {
		ops := admissions(i*10, 3)
		flush(t, s, "node-1", admission(i*10+5))
		if err := pgtest.Shared(t).KillBackends(t.Context(), strings.TrimPrefix(u.Path, "/")); err != nil {
			t.Fatal(err)
		}
		if _, err := s.Event(t.Context(), admission(i*10+5).Event.ID); err != nil {
			t.Fatal("a reader is not connected anew:", err)
		}
		if _, err := s.Flush(t.Context(), "node-1", ops); errors.Is(err, persistence.ErrUnknown) {
			settle(t, s, ops)
		} else if err != nil {
			patiently(t, "flush", func() error { _, err := s.Flush(t.Context(), "node-1", ops); return err })
		}
		if n := stored(t, s, ops); n != 3 {
			t.Fatalf("%d of 3", n)
		}
	}
}

// Whatever a flush answered is there after the postmaster was killed, and it goes
// on in a few seconds.
func TestTheServerIsKilledInTheMiddle(t *testing.T) {
	server := pgtest.Private(t)
	s := with(t, postgres.Config{URL: server.URL()})
	var done []persistence.Op
	var down sync.WaitGroup
	for i := 0; len(done) < 300; i++ {
		if i == 20 || i == 60 {
			down.Wait() // one death at a time
			down.Go(func() {
				if err := errors.Join(server.Kill(), server.Start(context.Background())); err != nil {
					t.Error(err)
				}
			})
		}
		ops := admissions(i*10, 3)
		switch answers, err := s.Flush(t.Context(), "node-1", ops); {
		case errors.Is(err, persistence.ErrUnknown):
			settle(t, s, ops)
		case err != nil:
			patiently(t, "flush", func() error {
				_, err := s.Flush(t.Context(), "node-1", ops)
				if errors.Is(err, persistence.ErrUnknown) {
					settle(t, s, ops)
					return nil
				}
				return err
			})
		case answers[2].Outcome != persistence.Committed:
			t.Fatal(answers)
		}
		done = append(done, ops...)
	}
	down.Wait()
	if n := stored(t, s, done); n != len(done) {
		t.Fatalf("%d of %d", n, len(done))
	}
}

func TestNoConnectionIsToBeHad(t *testing.T) {
	server, err := pgtest.Start(t.Context(), pgtest.Config{Settings: map[string]string{"max_connections": "12", "superuser_reserved_connections": "0", "max_wal_senders": "0"}})
	if errors.Is(err, pgtest.ErrNone) {
		t.Skip("left out: postgres: ", err)
	} else if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { server.Close() })
	s := with(t, postgres.Config{URL: server.URL()})
	flush(t, s, "node-1", admission(0))
	script(t, s, "CREATE TABLE other ();")
	var taken []*pgx.Conn
	for {
		c, err := pgx.Connect(t.Context(), server.URL())
		if err != nil {
			break
		}
		taken = append(taken, c)
	}
	flush(t, s, "node-1", admission(1)) // it has its connection
	fresh, err := postgres.Open(t.Context(), postgres.Config{URL: server.URL()})
	if err == nil {
		fresh.Close()
	}
	if attune.KindOf(err) != attune.Unavailable {
		t.Fatal(err)
	}
	for _, c := range taken {
		c.Close(context.Background())
	}
	patiently(t, "open", func() error {
		fresh, err := postgres.Open(t.Context(), postgres.Config{URL: server.URL()})
		if err == nil {
			fresh.Close()
		}
		return err
	})
}

// slow, full and picky are servers that are so.
const (
	onEvent = "CREATE FUNCTION fault() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN %s; RETURN NEW; END $$; CREATE TRIGGER fault BEFORE INSERT ON event_rest FOR EACH ROW EXECUTE FUNCTION fault();"
	healed  = "DROP TRIGGER fault ON event_rest; DROP FUNCTION fault();"
)

// inRest is an admission of long ago, that finds no range.
func inRest(i int) *persistence.Admit {
	a := admission(i)
	a.Event.ID -= attune.EventID(attune.MakeID(1000*24*3600*1000/4, 0, 0))
	a.Enforcements[0].Event, a.Executions[0].Event = a.Event.ID, a.Event.ID
	return a
}

func TestAStatementThatTakesTooLongWritesNothing(t *testing.T) {
	s := with(t, postgres.Config{URL: pgtest.URL(t)})
	script(t, s, fmt.Sprintf(onEvent, "PERFORM pg_sleep(10)"))
	ops := []persistence.Op{inRest(0)}
	if _, err := s.Flush(t.Context(), "node-1", ops); attune.KindOf(err) != attune.Unavailable || errors.Is(err, persistence.ErrUnknown) {
		t.Fatal(err)
	}
	if n := stored(t, s, ops); n != 0 {
		t.Fatal("it is written")
	}
	script(t, s, healed)
	flush(t, s, "node-1", inRest(0))
}

// What is too much for one statement gets through in parts.
func TestAFlushThatTakesTooLongIsHalved(t *testing.T) {
	s := with(t, postgres.Config{URL: pgtest.URL(t), Statement: time.Second})
	script(t, s, fmt.Sprintf(onEvent, "PERFORM pg_sleep(0.35)"))
	flush(t, s, "node-1", inRest(0), inRest(1), inRest(2), inRest(3))
}

func TestAFullDiskIsSaidOnceAndHealsByItself(t *testing.T) {
	var said bytes.Buffer
	now := time.Now()
	s := with(t, postgres.Config{URL: pgtest.URL(t), Now: func() time.Time { return now }, Log: slog.New(slog.NewTextHandler(&said, nil))})
	flush(t, s, "node-1", inRest(0))
	script(t, s, fmt.Sprintf(onEvent, "RAISE 'could not extend file: No space left on device' USING ERRCODE = '53100'"))
	for range 3 {
		_, err := s.Flush(t.Context(), "node-1", []persistence.Op{inRest(1)})
		var e *attune.Error
		if !errors.As(err, &e) || e.Kind != attune.Unavailable || e.Code != "store_full" || e.Try == "" || errors.Is(err, persistence.ErrUnknown) {
			t.Fatal(err)
		}
	}
	if _, err := s.Event(t.Context(), inRest(0).Event.ID); err != nil || !s.Full() {
		t.Fatal("nothing can be read while the disk is full, or it is not said that it is:", err)
	}
	script(t, s, healed)
	if _, err := s.Flush(t.Context(), "node-1", []persistence.Op{inRest(1)}); err == nil {
		t.Fatal("it is tried again at once")
	}
	now = now.Add(time.Second)
	flush(t, s, "node-1", inRest(1))
	flush(t, s, "node-1", inRest(2))
	if n := strings.Count(said.String(), "store_full"); n != 1 || s.Full() || strings.Count(said.String(), "has room again") != 1 {
		t.Fatal(said.String())
	}
}

func TestARowThatTheServerRefusesIsRejectedAlone(t *testing.T) {
	s := with(t, postgres.Config{URL: pgtest.URL(t)})
	script(t, s, fmt.Sprintf(onEvent, "IF NEW.trigger = 'picky' THEN RAISE 'not this one' USING ERRCODE = '22000'; END IF"))
	ops := []persistence.Op{inRest(0), inRest(1), inRest(2), inRest(3), inRest(4)}
	ops[3].(*persistence.Admit).Event.Trigger = "picky"
	answers, err := s.Flush(t.Context(), "node-1", ops)
	if err != nil {
		t.Fatal(err)
	}
	for i, a := range answers {
		if want := i == 3; (a.Outcome == persistence.Rejected) != want || want && !strings.Contains(a.Reason, "not this one") {
			t.Fatalf("%d: %+v", i, a)
		}
	}
	if n := stored(t, s, ops); n != 4 {
		t.Fatalf("%d are written", n)
	}
}

// Another node's transaction has a key and does not end: only the operation that
// waits for it is held up.
func TestOnlyWhatWaitsForALockIsHeldUp(t *testing.T) {
	where := pgtest.URL(t)
	s := with(t, postgres.Config{URL: where, Lock: 50 * time.Millisecond})
	other, err := pgx.Connect(t.Context(), where)
	if err != nil {
		t.Fatal(err)
	}
	defer other.Close(context.Background())
	ops := admissions(0, 4)
	hash := ops[2].(*persistence.Admit).Dedupe.Hash()
	if _, err := other.Exec(t.Context(), fmt.Sprintf("BEGIN; INSERT INTO dedupe VALUES ('%x', 5)", hash)); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Flush(t.Context(), "node-1", ops); !errors.Is(err, persistence.ErrUnknown) {
		t.Fatal(err)
	}
	answers, err := s.Resolve(t.Context(), "node-1", ops)
	if err != nil || answers[0].Outcome != persistence.Committed || answers[1].Outcome != persistence.Committed || answers[2].Outcome != persistence.NotWritten {
		t.Fatal(answers, err)
	}
	if _, err := other.Exec(t.Context(), "COMMIT"); err != nil {
		t.Fatal(err)
	}
	answers, err = s.Flush(t.Context(), "node-1", ops[2:3])
	if err != nil || answers[0].Outcome != persistence.Duplicate || answers[0].First != 5 {
		t.Fatal(answers, err)
	}
}

// Two nodes are asked for the same at once, in another order: each key has one
// first, and nobody waits for the other for ever.
func TestTwoNodesAreAskedForTheSame(t *testing.T) {
	where := pgtest.URL(t)
	stores := []*postgres.Store{open(t, where), open(t, where)}
	var mu sync.Mutex
	firsts, others := map[int]attune.ID{}, map[int]attune.ID{}
	var all sync.WaitGroup
	for n, s := range stores {
		name := fmt.Sprint("node-", n)
		if _, err := s.Acquire(t.Context(), name, name, time.Hour); err != nil {
			t.Fatal(err)
		}
		all.Go(func() {
			for round := range 20 {
				var ops []persistence.Op
				for i := range 20 {
					key := round*20 + i
					if n == 1 {
						key = round*20 + 19 - i
					}
					a := admission(key + n*100_000)
					a.Dedupe.Key = fmt.Sprint(key)
					ops = append(ops, a)
				}
				answers, err := s.Flush(t.Context(), name, ops)
				if err != nil {
					t.Error(err)
					return
				}
				mu.Lock()
				for i, a := range answers {
					key := round*20 + i
					if n == 1 {
						key = round*20 + 19 - i
					}
					switch {
					case a.Outcome == persistence.Duplicate:
						others[key] = a.First
					case firsts[key] != 0:
						t.Errorf("key %d has two firsts", key)
					default:
						firsts[key] = ops[i].(*persistence.Admit).ID()
					}
				}
				mu.Unlock()
			}
		})
	}
	all.Wait()
	for key := range 400 {
		if firsts[key] == 0 || firsts[key] != others[key] {
			t.Fatalf("key %d: first %d, the duplicate says %d", key, firsts[key], others[key])
		}
	}
}

// What a pooler in transaction mode does to a client: its statements are not
// there, and nothing that it set may be.
func TestNothingDependsOnTheConnection(t *testing.T) {
	s := with(t, postgres.Config{URL: pgtest.URL(t)})
	flush(t, s, "node-1", admission(0))
	if s.Unnamed() {
		t.Fatal("no statement is prepared")
	}
	for _, name := range []string{"statement_timeout", "lock_timeout", "idle_in_transaction_session_timeout"} {
		if set, err := s.Session(t.Context(), name); err != nil || set != "0" {
			t.Fatal(name, set, err)
		}
	}
	if err := s.Deallocate(t.Context()); err != nil {
		t.Fatal(err)
	}
	flush(t, s, "node-1", admission(1))
	if !s.Unnamed() {
		t.Fatal("statements are still prepared")
	}
	flush(t, s, "node-1", admission(2))
}

func flush(t testing.TB, s *postgres.Store, incarnation string, admissions ...*persistence.Admit) {
	t.Helper()
	ops := make([]persistence.Op, len(admissions))
	for i, a := range admissions {
		ops[i] = a
	}
	answers, err := s.Flush(context.Background(), incarnation, ops)
	if err != nil {
		t.Fatal(err)
	}
	for _, a := range answers {
		if a.Outcome != persistence.Committed {
			t.Fatal(a)
		}
	}
}
