package sqlite

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/attune-automation/attune"
	"github.com/attune-automation/attune/persistence"
)

// Lists of a chain use its index, all others walk back from the newest row, and
// nothing is sorted.
func TestPlans(t *testing.T) {
	s, err := Open(t.Context(), Config{Dir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	plan := func(query string, args ...any) (all string) {
		err := s.read(context.Background(), "explain", "EXPLAIN QUERY PLAN "+query, args, func(scan func(...any) error) error {
			var id, parent, unused int
			var detail string
			err := scan(&id, &parent, &unused, &detail)
			all += detail + "\n"
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
		return all
	}
	for name, c := range map[string]struct {
		q    persistence.Query
		want string
	}{
		"event":        {persistence.Query{Event: 7}, "INDEX execution_event"},
		"a page of it": {persistence.Query{Event: 7, Before: 9, Since: attune.Epoch.Add(time.Hour)}, "INDEX execution_event"},
		"enforcement":  {persistence.Query{Enforcement: 7}, "INDEX execution_event"},
		"parent":       {persistence.Query{Parent: 7, Status: attune.Failed}, "INDEX execution_parent"},
		"rule":         {persistence.Query{Rule: "r"}, "INTEGER PRIMARY KEY"},
		"status":       {persistence.Query{Status: attune.Failed}, "INTEGER PRIMARY KEY"},
		"all":          {persistence.Query{}, "INTEGER PRIMARY KEY"},
	} {
		n := narrowExecutions(c.q)
		where := n.where(10)
		if got := plan(executionColumns+where, n.args...); !strings.Contains(got, c.want) || strings.Contains(got, "TEMP B-TREE") {
			t.Errorf("%s: %s", name, got)
		}
	}
	for query, want := range map[string]string{
		"SELECT max(finish_number) FROM execution WHERE (id >> 12) & 1023 = 3 AND finish_number > 0": "SEARCH execution USING COVERING INDEX execution_end",
		partitionRows:                  "SEARCH execution USING COVERING INDEX execution_end (<expr>=? AND finish_number>?)",
		finishHigh:                     "SEARCH execution USING COVERING INDEX execution_end (<expr>=? AND finish_number>?)",
		belowEvents:                    "SEARCH x USING COVERING INDEX execution_parent (parent=?)",
		printedBy:                      "SEARCH output USING COVERING INDEX sqlite_autoindex_output_1 (execution>? AND execution<?)",
		liveColumns + liveExecutions:   "SEARCH execution USING INDEX execution_live",
		executionColumns + unannounced: "SEARCH execution USING INDEX execution_end",
		enforcementColumns + "WHERE id < 9 AND event = 7 ORDER BY id DESC LIMIT 10": "USING INDEX enforcement_pair",
	} {
		if got := plan(query, make([]any, strings.Count(query, "?"))...); !strings.Contains(got, want) || strings.Contains(query, "live") && strings.Contains(got, "TEMP B-TREE") {
			t.Errorf("%s:\n%s", query, got)
		}
	}
}
