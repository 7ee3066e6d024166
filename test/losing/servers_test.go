package losing_test

import (
	"context"
	"slices"
	"syscall"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/attune-automation/attune/test/ledger"
	"github.com/attune-automation/attune/test/losing/check"
)

func offerOf(action string) check.Offer { return check.Offer{Action: action} }

// lines is how long the ledger is.
func (r *rig) lines() int {
	lines, err := ledger.Read(r.home)
	must(r.t, err)
	return len(lines)
}

// worksAgain waits for the first attempt to begin behind a line of the ledger, and
// notes how long after a moment that was.
func (r *rig) worksAgain(what string, behind int, since time.Time, limit time.Duration) {
	r.t.Helper()
	var first time.Time
	await(r.t, "an attempt to begin", func() bool {
		lines, err := ledger.Read(r.home)
		must(r.t, err)
		i := slices.IndexFunc(lines[behind:], func(l ledger.Line) bool { return l.What == ledger.Start && l.At > since.UnixNano() })
		if i >= 0 {
			first = time.Unix(0, lines[behind+i].At)
		}
		return i >= 0
	})
	r.recovered(r.t, what, first.Sub(since), limit)
}

// acknowledgesAgain waits for the first acknowledgement after a moment.
func (r *rig) acknowledgesAgain(what string, since time.Time, limit time.Duration) {
	r.t.Helper()
	var all []answer
	await(r.t, "an acknowledgement", func() bool { all = r.load.between(since, time.Now()); return len(all) > 0 })
	r.recovered(r.t, what, all[0].at.Sub(since), limit)
}

// The broker is killed and comes back, cold, 30 s later: nothing is killed, nothing
// is lost, the API keeps accepting, and work resumes within 10 s of its return.
func (r *rig) loseBroker() {
	const away = 30 * time.Second
	var long []*offer
	for range slots {
		o := &offer{Offer: offerOf("lose.work"), ms: 40_000}
		r.load.offer(o)
		long = append(long, o)
	}
	await(r.t, "long actions to run", func() bool { return r.begun(long) == len(long) })
	at := time.Now()
	must(r.t, r.mq.Kill())
	r.count("brokers killed")
	pass(away)
	answers := r.load.between(at.Add(time.Second), time.Now())
	if want := int(away.Seconds()) * pace * 8 / 10; len(answers) < want {
		r.t.Errorf("while the broker was away %d requests were acknowledged, less than %d", len(answers), want)
	}
	slices.SortFunc(answers, func(a, b answer) int { return int(a.took - b.took) })
	if n := len(answers); n > 0 {
		r.t.Logf("while the broker was away: %d acknowledged, p50 %s, p99 %s", n, answers[n/2].took.Round(time.Millisecond), answers[n*99/100].took.Round(time.Millisecond))
	}
	must(r.t, r.mq.Start(r.t.Context()))
	back, behind := time.Now(), r.lines()
	r.worksAgain("work begins after the return of the broker", behind, back, 10*time.Second)
	for _, o := range long {
		var ended bool
		await(r.t, "a long action to end", func() bool {
			x, err := r.client.Execution(r.t.Context(), r.load.idOf(o))
			ended = err == nil && x.Terminal
			if ended && (x.Status != "completed" || x.Attempt != 1) {
				r.t.Errorf("%s ran when the broker died, and is %s after %d attempts", x.ID, x.Status, x.Attempt)
			}
			return ended
		})
	}
}

// begun counts the offers whose work has begun.
func (r *rig) begun(of []*offer) (n int) {
	lines, err := ledger.Read(r.home)
	must(r.t, err)
	for _, o := range of {
		if slices.ContainsFunc(lines, func(l ledger.Line) bool { return l.Key == o.Key && l.What == ledger.Start }) {
			n++
		}
	}
	return n
}

// PostgreSQL is stopped and started, loses one backend, all of them, and its
// postmaster: nothing is acknowledged that is not stored, and requests are
// acknowledged within 5 s of its return.
func (r *rig) loseDatabase() {
	restart := func(end func() error) func() {
		return func() {
			must(r.t, end())
			pass(time.Duration(r.random.IntN(2000)) * time.Millisecond)
			must(r.t, r.pg.Start(r.t.Context()))
		}
	}
	for _, loss := range []struct {
		name string
		lose func()
	}{
		{"PostgreSQL restarted", restart(r.pg.Stop)},
		{"PostgreSQL's backend killed", r.killBackend},
		{"PostgreSQL's backends terminated", r.terminateBackends},
		{"PostgreSQL's postmaster killed", restart(r.pg.Kill)},
	} {
		for range 2 {
			pass(time.Second + time.Duration(r.random.IntN(2000))*time.Millisecond)
			loss.lose()
			back := time.Now()
			r.count(loss.name)
			r.acknowledgesAgain("requests acknowledged after: "+loss.name, back, 5*time.Second)
		}
	}
	r.worksAgain("work begins after the database's last return", r.lines(), time.Now(), 5*time.Second)
}

func (r *rig) query(text string, args ...any) (numbers []int) {
	r.t.Helper()
	ctx, cancel := context.WithTimeout(r.t.Context(), patience)
	defer cancel()
	c, err := pgx.Connect(ctx, r.database)
	must(r.t, err)
	defer c.Close(ctx)
	rows, err := c.Query(ctx, text, args...)
	must(r.t, err)
	numbers, err = pgx.CollectRows(rows, pgx.RowTo[int])
	must(r.t, err)
	return numbers
}

const backends = "FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"

// killBackend kills one backend of the node, as a lack of memory does: PostgreSQL
// ends all others, and is back when it takes connections.
func (r *rig) killBackend() {
	pids := r.query("SELECT pid " + backends)
	if len(pids) == 0 {
		r.t.Fatal("the node has no connection to PostgreSQL")
	}
	must(r.t, syscall.Kill(pids[r.random.IntN(len(pids))], syscall.SIGKILL))
	await(r.t, "PostgreSQL to take connections", func() bool {
		c, err := pgx.Connect(r.t.Context(), r.database)
		if err != nil {
			return false
		}
		defer c.Close(r.t.Context())
		return c.Ping(r.t.Context()) == nil
	})
}

func (r *rig) terminateBackends() {
	r.query("SELECT 1 FROM (SELECT pg_terminate_backend(pid) " + backends + ") t")
}

// Every queue is purged, and every queue deleted: that costs time only. Whoever
// does that takes away what others published and nobody took, so the others are
// silent.
func (r *rig) loseQueues() {
	r.load.inside.Store(true)
	defer r.load.inside.Store(false)
	pass(time.Second) // what was being published is
	await(r.t, "messages of others to be taken", func() bool { return r.untaken() == 0 })
	for _, loss := range []struct {
		name string
		lose func(queues []string)
	}{
		{"queues purged", func([]string) { must(r.t, r.mq.PurgeAll(r.t.Context(), r.broker)) }},
		{"queues deleted", func(queues []string) {
			for _, q := range queues {
				must(r.t, r.mq.DeleteQueue(r.t.Context(), r.broker, q))
			}
		}},
	} {
		for range 3 {
			pass(time.Second + time.Duration(r.random.IntN(1000))*time.Millisecond)
			queues, err := r.mq.Queues(r.t.Context(), r.broker)
			must(r.t, err)
			loss.lose(queues)
			r.counts[loss.name] += len(queues)
			r.worksAgain("work begins after: all "+loss.name, r.lines(), time.Now(), 0)
			// That of dead letters is made again when there is one.
			await(r.t, "a message that can only be set aside to be confirmed", func() bool { return r.load.outside.nonsense(r.t.Context()) == nil })
			var none []string
			if !eventually(patience, func() bool {
				now, err := r.mq.Queues(r.t.Context(), r.broker)
				must(r.t, err)
				none = missing(queues, now)
				return len(none) == 0
			}) {
				r.t.Fatalf("the queues %v are not there again", none)
			}
		}
	}
}

// missing are the queues that should be there and are not.
func missing(want, got []string) []string {
	return slices.DeleteFunc(slices.Clone(want), func(q string) bool { return slices.Contains(got, q) })
}
