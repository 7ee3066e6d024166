package memory

import (
	"context"

	"github.com/attune-automation/attune/persistence"
)

// AppendAudit implements [persistence.Audit].
func (s *Store) AppendAudit(ctx context.Context, e persistence.AuditEntry) error {
	if reason := persistence.CheckAudit(e); reason != "" {
		return persistence.Unstorable(reason)
	}
	if err := s.begin(ctx, "append to the audit"); err != nil {
		return err
	}
	defer s.mu.Unlock()
	s.audited++
	e.Number, e.At = s.audited, stored(e.At)
	s.audit = append(s.audit, e)
	s.wrote(1, len(e.Principal)+len(e.Target))
	return nil
}

// AuditEntries implements [persistence.Audit].
func (s *Store) AuditEntries(ctx context.Context, q persistence.AuditQuery) (page []persistence.AuditEntry, err error) {
	if err := q.Check(); err != nil {
		return nil, err
	}
	if err := s.begin(ctx, "read the audit"); err != nil {
		return nil, err
	}
	defer s.mu.Unlock()
	for i := len(s.audit) - 1; i >= 0 && len(page) < q.Limit; i-- {
		e := s.audit[i]
		if (q.Before == 0 || e.Number < q.Before) && is(q.Principal, e.Principal) && is(q.Action, e.Action) &&
			persistence.Millis(e.At) >= persistence.Millis(q.Since) {
			page = append(page, e)
		}
	}
	return page, nil
}
