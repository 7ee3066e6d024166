package postgres

import (
	"context"
	"strconv"
	"strings"

	"github.com/attune-automation/attune"
	"github.com/attune-automation/attune/persistence"
)

// AppendAudit implements [persistence.Audit].
func (s *Store) AppendAudit(ctx context.Context, e persistence.AuditEntry) error {
	if reason := persistence.CheckAudit(e); reason != "" {
		return persistence.Unstorable(reason)
	}
	var n int64
	err := s.write(ctx, "append to the audit", func(b *batch) {
		b.count("INSERT INTO audit (at, principal, kind, address, action, target, status, code) VALUES ($1, $2, $3, $4, $5, $6, $7, $8)", &n,
			number(persistence.Millis(e.At)), text(e.Principal), text(string(e.Kind)), text(e.From), text(e.Action), text(e.Target), integer(int32(e.Status)), text(e.Code))
	})
	s.wrote(n, int64(len(e.Principal)+len(e.Target)))
	return err
}

// AuditEntries implements [persistence.Audit]. Like the other lists it walks
// back from the newest.
func (s *Store) AuditEntries(ctx context.Context, q persistence.AuditQuery) (page []persistence.AuditEntry, err error) {
	if err := q.Check(); err != nil {
		return nil, err
	}
	n := &narrowed{}
	n.by("number > ?", number(0), true)
	n.by("number < ?", number(q.Before), q.Before > 0)
	n.by("principal = ?", text(q.Principal), q.Principal != "")
	n.by("action = ?", text(q.Action), q.Action != "")
	n.by("at >= ?", number(persistence.Millis(q.Since)), !q.Since.IsZero())
	query := "SELECT number, at, principal, kind, address, action, target, status, code FROM audit WHERE " +
		strings.Join(n.terms, " AND ") + " ORDER BY number DESC LIMIT " + strconv.Itoa(q.Limit)
	err = s.read(ctx, "read the audit", query, func(r row) error {
		page = append(page, persistence.AuditEntry{Number: r.number(0), At: persistence.FromMillis(r.number(1)), Principal: r.text(2), Kind: attune.Role(r.text(3)),
			From: r.text(4), Action: r.text(5), Target: r.text(6), Status: int(r.number(7)), Code: r.text(8)})
		return nil
	}, n.args...)
	return page, err
}
