package persistence

import (
	"context"
	"fmt"
	"time"

	"github.com/attune-automation/attune"
)

// Audit keeps who did what by request. It is not fenced: a request is kept
// also where its work was refused.
type Audit interface {
	// AppendAudit keeps one entry and gives it a number above all before it.
	AppendAudit(ctx context.Context, e AuditEntry) error
	// AuditEntries lists the newest first.
	AuditEntries(ctx context.Context, q AuditQuery) ([]AuditEntry, error)
}

// AuditEntry is one request that changed something, or was denied. It never
// holds a body, a query or a secret.
type AuditEntry struct {
	// Number is given by the store, from 1.
	Number int64
	// At is when the request was answered.
	At time.Time
	// Principal is the name of the token, empty where there was no valid one;
	// Kind is the token's.
	Principal string
	Kind      attune.Role
	// From is the address that it came from.
	From string
	// Action is the route's operation id, such as cancel-execution.
	Action string
	// Target is what it was about: an id, a name, a ref. May be empty.
	Target string
	// Status is the HTTP status, Code that of the error, if any.
	Status int
	Code   string
}

// AuditQuery narrows the list of entries. Zero fields do not narrow.
type AuditQuery struct {
	// Before is the cursor: only numbers below it.
	Before int64
	// Limit is the page size, 1 to 1000.
	Limit int
	// Principal and Action are exact.
	Principal, Action string
	// Since narrows to entries at or after it.
	Since time.Time
}

// Check refuses, as invalid, a page size out of bounds. Every store asks it.
func (q AuditQuery) Check() error {
	if q.Limit < 1 || q.Limit > MaxPage {
		return attune.NewError(attune.Invalid, "invalid_limit", fmt.Sprintf("a page has 1 to %d entries, not %d", MaxPage, q.Limit))
	}
	return nil
}

// CheckAudit says why no store can hold the entry, or "".
func CheckAudit(e AuditEntry) string {
	r := row{what: "audit entry"}
	r.key("principal", e.Principal)
	r.key("kind", string(e.Kind))
	r.key("address", e.From)
	r.key("action", e.Action)
	r.key("target", e.Target)
	r.key("code", e.Code)
	return r.end()
}
