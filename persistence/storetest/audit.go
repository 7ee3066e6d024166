package storetest

import (
	"fmt"

	"github.com/attune-automation/attune"
	"github.com/attune-automation/attune/persistence"
)

// entry is the nth, at the nth time.
func entry(n int, principal, action string) persistence.AuditEntry {
	return persistence.AuditEntry{At: at(n), Principal: principal, Kind: attune.RoleOperator, From: "127.0.0.1", Action: action,
		Target: fmt.Sprintf("ex-%d", n), Status: 200 + n, Code: "c"}
}

func (f *fixture) audit(q persistence.AuditQuery, want ...int) {
	f.Helper()
	entries, err := f.s.AuditEntries(f.ctx, q)
	f.ok(err)
	got := []int{}
	for _, e := range entries {
		got = append(got, e.Status-200)
	}
	same(f, fmt.Sprintf("the entries of %+v", q), got, append([]int{}, want...))
}

var auditCases = map[string]func(f *fixture){
	"an entry is read as it was written, with a number": func(f *fixture) {
		e := entry(1, "ann", "cancel-execution")
		f.ok(f.s.AppendAudit(f.ctx, e))
		got, err := f.s.AuditEntries(f.ctx, persistence.AuditQuery{Limit: 10})
		f.ok(err)
		e.Number = 1
		same(f, "entries", got, []persistence.AuditEntry{e})
	},
	"the newest come first, narrowed and in pages": func(f *fixture) {
		for n := 1; n <= 6; n++ {
			f.ok(f.s.AppendAudit(f.ctx, entry(n, []string{"ann", "bob"}[n%2], []string{"x", "y", "z"}[n%3])))
		}
		f.audit(persistence.AuditQuery{Limit: 3}, 6, 5, 4)
		f.audit(persistence.AuditQuery{Limit: 3, Before: 4}, 3, 2, 1)
		f.audit(persistence.AuditQuery{Limit: 10, Principal: "bob"}, 5, 3, 1)
		f.audit(persistence.AuditQuery{Limit: 10, Action: "x"}, 6, 3)
		f.audit(persistence.AuditQuery{Limit: 10, Action: "x", Principal: "bob"}, 3)
		f.audit(persistence.AuditQuery{Limit: 10, Since: at(5)}, 6, 5)
		f.audit(persistence.AuditQuery{Limit: 10, Principal: "nobody"})
		for _, limit := range []int{0, persistence.MaxPage + 1} {
			_, err := f.s.AuditEntries(f.ctx, persistence.AuditQuery{Limit: limit})
			f.kind(err, attune.Invalid)
		}
	},
	"the oldest are pruned, in slices, and no number comes again": func(f *fixture) {
		for n := 1; n <= 5; n++ {
			f.ok(f.s.AppendAudit(f.ctx, entry(n, "ann", "x")))
		}
		for _, c := range []struct {
			before, rows, pruned int
			try                  bool
		}{{1, 10, 0, false}, {4, 2, 3, true}, {4, 2, 3, false}, {4, 2, 0, false}, {9, 10, 2, false}} {
			p, pruned := persistence.Prune{Shelf: persistence.OldAudit, Before: at(c.before), Rows: c.rows, Try: c.try}, int64(0)
			for more := true; more; more = p.After != "" {
				out, err := f.s.Prune(f.ctx, f.lead, p)
				f.ok(err)
				if out.Rows[persistence.AuditTable] > int64(c.rows) {
					f.Errorf("a slice has %d rows", out.Rows[persistence.AuditTable])
				}
				pruned += out.Rows[persistence.AuditTable]
				p.After = out.Next
			}
			same(f, fmt.Sprintf("pruned of %+v", c), pruned, int64(c.pruned))
		}
		f.audit(persistence.AuditQuery{Limit: 10})
		f.ok(f.s.AppendAudit(f.ctx, entry(6, "ann", "x")))
		f.audit(persistence.AuditQuery{Limit: 10, Before: 7}, 6)
		f.audit(persistence.AuditQuery{Limit: 10, Before: 6})
	},
	"what no store can hold is invalid, and the audit is not fenced": func(f *fixture) {
		f.kind(f.s.AppendAudit(f.ctx, entry(1, "\x00", "x")), attune.Invalid)
		f.take("node-1", "node-2", true)
		f.ok(f.s.AppendAudit(f.ctx, entry(1, "ann", "x")))
	},
}
