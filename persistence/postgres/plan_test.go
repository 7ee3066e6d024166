package postgres

import (
	"strings"
	"testing"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/attune-automation/attune"
	"github.com/attune-automation/attune/internal/servers/pgtest"
	"github.com/attune-automation/attune/persistence"
)

// What must stay cheap with a million rows is found by an index, in its order.
func TestPlans(t *testing.T) {
	s, err := Open(t.Context(), Config{URL: pgtest.URL(t), Migrate: true})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	plan := func(query string, args ...value) (all string) {
		err := on(t.Context(), s.aside, func(c *pgconn.PgConn) error {
			var b batch
			b.add("SELECT set_config('enable_seqscan', 'off', true), set_config('enable_bitmapscan', 'off', true)", nil)
			b.add("EXPLAIN "+query, func(r row) error { all += r.text(0) + "\n"; return nil }, args...)
			return b.run(t.Context(), c)
		})
		if err != nil {
			t.Fatalf("%s: %v", query, err)
		}
		return all
	}
	list := func(q persistence.Query) string {
		n := narrowExecutions(q)
		return plan(executionColumns+n.where(10), n.args...)
	}
	for name, c := range map[string]struct{ got, want string }{
		"live executions":         {plan("SELECT id FROM execution "+liveExecutions, number(3), number(7), number(500)), "execution_rest_expr_id_idx"},
		"ends":                    {plan(executionColumns+unannounced, number(3), number(7), number(500)), "execution_rest_expr_finish_number_idx"},
		"marks of partitions":     {plan(partitionRows), "execution_rest_expr_finish_number_idx"},
		"executions of an event":  {list(persistence.Query{Event: 7}), "enforcement_rest_pkey"},
		"what hangs below events": {plan(belowEvents, numbers([]int64{7})), "execution_rest_parent_idx"},
		"children":                {list(persistence.Query{Parent: 7, Status: attune.Failed}), "execution_rest_parent_idx"},
		"the newest":              {list(persistence.Query{Status: attune.Failed}), "Index Scan Backward using execution_rest_pkey"},
	} {
		if !strings.Contains(c.got, c.want) || strings.Contains(c.got, "Seq Scan on execution") {
			t.Errorf("%s:\n%s", name, c.got)
		}
	}
}
