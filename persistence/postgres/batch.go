package postgres

import (
	"context"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
)

// batch is statements that go to the server together, in one round trip. They
// are one transaction without BEGIN and COMMIT: the server commits at the end of
// the batch, or nothing. Nothing is set for the session, so a pooler may give each
// batch another connection.
type batch struct {
	pgconn.Batch
	each    []func(r row) error
	changed []*int64
	// prepared is the name of a statement that the server knows, or ""; nil: it
	// knows none. See prepare.go.
	prepared func(query string, oids []uint32) string
}

var binaryFormat = []int16{1}

// add appends a statement. each is called for each row of its result; it may be
// nil.
func (b *batch) add(query string, each func(r row) error, args ...value) {
	values, oids := make([][]byte, len(args)), make([]uint32, len(args))
	for i, a := range args {
		values[i], oids[i] = a.bytes, a.oid
	}
	name := ""
	if b.prepared != nil {
		name = b.prepared(query, oids)
	}
	if name == "" {
		b.ExecParams(query, values, oids, binaryFormat, binaryFormat)
	} else {
		b.ExecPrepared(name, values, binaryFormat, binaryFormat)
	}
	b.each, b.changed = append(b.each, each), append(b.changed, nil)
}

// count appends a statement, of which n becomes the number of rows it changed.
func (b *batch) count(query string, n *int64, args ...value) {
	b.add(query, nil, args...)
	b.changed[len(b.changed)-1] = n
}

// failed is the error of a statement, by its place in the batch. Where the place
// is that of none, the error came with the commit.
type failed struct {
	at int
	error
}

func (f failed) Unwrap() error { return f.error }

// run sends the batch and reads all answers. The error is of the first statement
// that failed.
func (b *batch) run(ctx context.Context, c *pgconn.PgConn) error {
	results := c.ExecBatch(ctx, &b.Batch)
	return b.results(results)
}

func (b *batch) results(results *pgconn.MultiResultReader) error {
	at := 0
	var own error
	for results.NextResult() {
		r := results.ResultReader()
		for r.NextRow() {
			if each := b.each[at]; each != nil && own == nil {
				own = each(r.Values())
			}
		}
		tag, err := r.Close()
		if err != nil {
			_ = results.Close()
			return failed{at, err}
		}
		if n := b.changed[at]; n != nil {
			*n = tag.RowsAffected()
		}
		at++
	}
	if err := results.Close(); err != nil {
		return failed{at, err}
	}
	return own
}

// statement is one under construction; its parameters are numbered as they come.
type statement struct {
	parts []string // of a WITH
	args  []value
}

// arg is the place of a parameter.
func (s *statement) arg(v value) string {
	s.args = append(s.args, v)
	return "$" + strconv.Itoa(len(s.args))
}

// unnest is the rows as a table.
func (s *statement) unnest(alias string, r *rows) string {
	places := make([]string, len(r.columns))
	for i := range r.columns {
		places[i] = s.arg(r.columns[i].value())
	}
	return "unnest(" + strings.Join(places, ", ") + ") AS " + alias + " (" + r.names + ")"
}

// with adds a part that later parts may read.
func (s *statement) with(name, query string) { s.parts = append(s.parts, name+" AS ("+query+")") }

// text is the whole statement.
func (s *statement) text(last string) string {
	if len(s.parts) == 0 {
		return last
	}
	return "WITH " + strings.Join(s.parts, ", ") + " " + last
}

// limits are how long a transaction may take, and wait for a lock. They are set
// for the transaction alone, by a statement of it.
type limits struct {
	statement, lock time.Duration
}

// idle ends a transaction whose client has gone silent between two batches. In
// the middle of a batch nothing does: see takeover.go.
const idle = 2 * time.Second

const setLimits = "set_config('statement_timeout', $1, true), set_config('lock_timeout', $2, true), set_config('idle_in_transaction_session_timeout', $3, true)"

// setPlanned is of flushes: every row is found by an index, whatever the
// statistics of a new table say, and a statement that the server knows is not
// planned anew.
const setPlanned = setLimits + ", set_config('enable_seqscan', 'off', true), set_config('jit', 'off', true), set_config('plan_cache_mode', 'force_generic_plan', true)"

func (l limits) args() []value { return []value{millis(l.statement), millis(l.lock), millis(idle)} }

// set appends the statement that sets them.
func (b *batch) set(l limits) { b.add("SELECT "+setLimits, nil, l.args()...) }

func millis(d time.Duration) value { return text(strconv.FormatInt(d.Milliseconds(), 10)) }
