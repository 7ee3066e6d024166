package sqlite

import (
	"context"
	"strings"

	"github.com/attune-automation/attune/persistence"
)

// AppendAudit implements [persistence.Audit].
func (s *Store) AppendAudit(ctx context.Context, e persistence.AuditEntry) error {
	if reason := persistence.CheckAudit(e); reason != "" {
		return persistence.Unstorable(reason)
	}
	return s.write(ctx, "append to the audit", func(t *tx) error {
		t.int(persistence.Millis(e.At))
		for _, text := range []string{e.Principal, string(e.Kind), e.From, e.Action, e.Target} {
			t.text(text)
		}
		t.int(int64(e.Status))
		t.text(e.Code)
		n, err := t.exec("INSERT INTO audit (at, principal, kind, address, action, target, status, code) VALUES (?, ?, ?, ?, ?, ?, ?, ?)")
		t.rows += n
		t.bytes += int64(len(e.Principal) + len(e.Target))
		return err
	})
}

// AuditEntries implements [persistence.Audit]. Like the other lists it walks
// back from the newest.
func (s *Store) AuditEntries(ctx context.Context, q persistence.AuditQuery) (page []persistence.AuditEntry, err error) {
	if err := q.Check(); err != nil {
		return nil, err
	}
	n := &narrowed{}
	n.by("number > ?", 0, true)
	n.by("number < ?", q.Before, q.Before > 0)
	n.by("principal = ?", q.Principal, q.Principal != "")
	n.by("action = ?", q.Action, q.Action != "")
	n.by("at >= ?", persistence.Millis(q.Since), !q.Since.IsZero())
	query := "SELECT number, at, principal, kind, address, action, target, status, code FROM audit WHERE " +
		strings.Join(n.terms, " AND ") + " ORDER BY number DESC LIMIT ?"
	err = s.read(ctx, "read the audit", query, append(n.args, q.Limit), func(scan func(...any) error) error {
		var e persistence.AuditEntry
		var at int64
		if err := scan(&e.Number, &at, &e.Principal, &e.Kind, &e.From, &e.Action, &e.Target, &e.Status, &e.Code); err != nil {
			return err
		}
		e.At = persistence.FromMillis(at)
		page = append(page, e)
		return nil
	})
	return page, err
}
