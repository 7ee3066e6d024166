package sqlite

import (
	"context"
	"database/sql/driver"
	"errors"
	"io"
	"net/url"
	"strings"

	driversqlite "modernc.org/sqlite"
	"modernc.org/sqlite/lib"

	"github.com/attune-automation/attune/persistence"
)

// session is the one connection that writes. It is used under the store's
// mutex. Values are bound first, by int, text, json and blob, and used up by
// the next statement; every statement is prepared once.
type session struct {
	conn  driver.Conn
	stmts map[string]driver.Stmt
	args  []driver.NamedValue
	enc   persistence.Encoder // of the values bound
}

func escape(path string) string {
	return strings.ReplaceAll(strings.ReplaceAll(url.PathEscape(path), "%2F", "/"), "?", "%3f")
}

func openSession(dsn string) (*session, error) {
	connector, err := driversqlite.NewConnector(dsn)
	if err != nil {
		return nil, err
	}
	conn, err := connector.Connect(context.Background())
	if err != nil {
		return nil, err
	}
	return &session{conn: conn, stmts: map[string]driver.Stmt{}}, nil
}

func (s *session) close() error {
	for _, stmt := range s.stmts {
		stmt.Close()
	}
	return s.conn.Close()
}

func (s *session) bind(v driver.Value) {
	s.args = append(s.args, driver.NamedValue{Ordinal: len(s.args) + 1, Value: v})
}

// unbind forgets the values. The driver has copied them by then.
func (s *session) unbind() {
	clear(s.args)
	s.args = s.args[:0]
	s.enc.Reset()
}

func (s *session) int(v int64)   { s.bind(v) }
func (s *session) text(v string) { s.bind(v) }
func (s *session) blob(v []byte) { s.bind(v) }

// json binds a document as text, an empty one as null.
func (s *session) json(v []byte) {
	if len(v) == 0 {
		s.bind(nil)
	} else {
		s.bind(string(v))
	}
}

func (s *session) prepared(query string) (driver.Stmt, error) {
	stmt, ok := s.stmts[query]
	if !ok {
		var err error
		if stmt, err = s.conn.Prepare(query); err != nil {
			return nil, err
		}
		s.stmts[query] = stmt
	}
	return stmt, nil
}

// exec runs a statement with the values bound and says how many rows it
// changed. No context reaches it: a statement takes at most as long as the
// disk, and a commit must not be cancelled.
func (s *session) exec(query string) (int64, error) {
	args := s.args
	defer s.unbind()
	stmt, err := s.prepared(query)
	if err != nil {
		return 0, err
	}
	result, err := stmt.(driver.StmtExecContext).ExecContext(context.Background(), args)
	if err != nil {
		return 0, err
	}
	return result.RowsAffected()
}

// query runs a statement with the values bound and calls row for each row; the
// values are valid until it returns.
func (s *session) query(query string, row func(v []driver.Value)) error {
	args := s.args
	defer s.unbind()
	stmt, err := s.prepared(query)
	if err != nil {
		return err
	}
	rows, err := stmt.(driver.StmtQueryContext).QueryContext(context.Background(), args)
	if err != nil {
		return err
	}
	defer rows.Close()
	values := make([]driver.Value, len(rows.Columns()))
	for {
		if err := rows.Next(values); errors.Is(err, io.EOF) {
			return nil
		} else if err != nil {
			return err
		}
		row(values)
	}
}

// number is the integer that a query of one column yields, and whether there
// was a row.
func (s *session) number(query string) (n int64, found bool, err error) {
	err = s.query(query, func(v []driver.Value) { n, found = v[0].(int64), true })
	return n, found, err
}

func (s *session) count(query string) (int, error) {
	n, _, err := s.number(query)
	return int(n), err
}

// script runs statements that take no values.
func (s *session) script(sql string) error {
	_, err := s.conn.(driver.ExecerContext).ExecContext(context.Background(), sql, nil)
	return err
}

// primary is SQLite's result code without its extension, or 0.
func primary(err error) int {
	var e *driversqlite.Error
	if errors.As(err, &e) {
		return e.Code() & 0xff
	}
	return 0
}

func isConstraint(err error) bool { return primary(err) == sqlite3.SQLITE_CONSTRAINT }
