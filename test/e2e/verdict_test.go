package e2e_test

import (
	"database/sql"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/attune-automation/attune/test/ledger"
)

// row is an execution as the store holds it.
type row struct {
	status                        int
	finished                      bool
	key, rule, event, enforcement string
}

// judge holds the store of a stopped node and the actions' ledger against what
// was acknowledged.
func judge(t *testing.T, l *load) {
	var db *sql.DB
	if l.servers != nil {
		db = l.openDatabase()
	} else {
		db = openStore(t, filepath.Join(l.data, "attune.db"), "?mode=ro")
	}
	defer db.Close()
	executions := readExecutions(t, db)
	judgeEvents(t, l, db, executions)
	judgeRequests(t, l, executions)
	judgeLedger(t, l, executions)
	count := map[int]int{}
	for id, x := range executions {
		count[x.status]++
		if !x.finished || x.status != statusCompleted && x.status != statusAbandoned {
			t.Errorf("%s of %s ended in status %d", id, x.key, x.status)
		}
	}
	t.Logf("%d executions: %d completed, %d abandoned", len(executions), count[statusCompleted], count[statusAbandoned])
	if count[statusCompleted] < len(executions)/2 {
		t.Error("less than half of the work was done")
	}
}

func readExecutions(t *testing.T, db *sql.DB) map[string]row {
	t.Helper()
	rows, err := db.Query("SELECT id, status, finished IS NOT NULL, event, enforcement, rule, " + keyIn("parameters") + " FROM execution")
	must(t, err)
	defer rows.Close()
	all := map[string]row{}
	for rows.Next() {
		var id string
		var x row
		must(t, rows.Scan(&id, &x.status, &x.finished, &x.event, &x.enforcement, &x.rule, &x.key))
		x.event, x.enforcement = shown("ev", x.event), shown("en", x.enforcement)
		all[shown("ex", id)] = x
	}
	must(t, rows.Err())
	return all
}

// Every acknowledged event has exactly its enforcements, each at most one
// execution; and no event is there that nobody sent, or twice.
func judgeEvents(t *testing.T, l *load, db *sql.DB, executions map[string]row) {
	sent := map[string]*operation{}
	for _, o := range l.operations {
		if o.kind != "request" {
			sent[o.id] = o
		}
	}
	for id, evaluated := range query(t, db, "SELECT id, CASE WHEN evaluated > 0 THEN 1 ELSE 0 END FROM event") {
		if id = shown("ev", id); sent[id] == nil {
			t.Errorf("nobody was told of the event %s", id)
		}
		if evaluated == 0 {
			t.Errorf("the event %s was never evaluated", id)
		}
	}
	for id := range query(t, db, "SELECT "+keyIn("payload")+" k, count(*) FROM event GROUP BY k HAVING count(*) > 1") {
		t.Errorf("%s became several events", id)
	}
	of := map[string][]string{} // by enforcement
	for id, x := range executions {
		if x.rule != "" {
			of[x.enforcement] = append(of[x.enforcement], id)
		}
	}
	enforced := map[string][]string{} // by event
	rows, err := db.Query("SELECT id, event, rule, status FROM enforcement")
	must(t, err)
	defer rows.Close()
	for rows.Next() {
		var id, event, rule string
		var status int
		must(t, rows.Scan(&id, &event, &rule, &status))
		id, event = shown("en", id), shown("ev", event)
		enforced[event] = append(enforced[event], rule)
		if failed := rule == "load.odd"; failed != (status == enforcementFailed) || failed != (len(of[id]) == 0) || len(of[id]) > 1 {
			t.Errorf("the enforcement %s of %s by %s has status %d and the executions %v", id, event, rule, status, of[id])
		}
		for _, x := range of[id] {
			if executions[x].event != event || executions[x].rule != rule {
				t.Errorf("%s says it is of %s by %s, its enforcement says of %s by %s", x, executions[x].event, executions[x].rule, event, rule)
			}
		}
		delete(of, id)
	}
	must(t, rows.Err())
	for id, xs := range of {
		t.Errorf("the executions %v are of the enforcement %s, which is not there", xs, id)
	}
	for id, o := range sent {
		want := []string{"load." + o.kind, "load.every"}
		slices.Sort(want)
		slices.Sort(enforced[id])
		if !slices.Equal(enforced[id], want) {
			t.Errorf("the event %s (%s) has enforcements of %v, not %v", id, o.key, enforced[id], want)
		}
	}
}

// Every acknowledged request is one execution.
func judgeRequests(t *testing.T, l *load, executions map[string]row) {
	by := map[string][]string{}
	for id, x := range executions {
		if x.rule == "" {
			by[x.key] = append(by[x.key], id)
		}
	}
	for _, o := range l.operations {
		if o.kind != "request" {
			continue
		}
		if ids := by[o.key]; len(ids) != 1 || ids[0] != o.id {
			t.Errorf("the request %s was acknowledged as %s, and is %v", o.key, o.id, ids)
		}
		delete(by, o.key)
	}
	if len(by) > 0 {
		t.Errorf("nobody was told of the requests %v", by)
	}
}

// No attempt is started twice; attempts of one execution never overlap; what is
// completed was done, once.
func judgeLedger(t *testing.T, l *load, executions map[string]row) {
	type attempt struct{ start, end int64 }
	attempts := map[string]map[int]*attempt{}
	again := 0
	for _, line := range readLedger(t, l.home) {
		if executions[line.Execution].key != line.Key {
			t.Errorf("%s did the work of %s", line.Execution, line.Key)
		}
		if attempts[line.Execution] == nil {
			attempts[line.Execution] = map[int]*attempt{}
		}
		a := attempts[line.Execution][line.Attempt]
		if a == nil {
			a = &attempt{}
			attempts[line.Execution][line.Attempt] = a
		}
		if line.What == ledger.Overlap {
			t.Errorf("attempt %d of %s began while another one lived", line.Attempt, line.Execution)
			continue
		}
		at := &a.start
		if line.What == ledger.End {
			at = &a.end
		}
		if *at != 0 {
			t.Errorf("attempt %d of %s: %s is in the ledger twice", line.Attempt, line.Execution, line.What)
		}
		*at = line.At
		if line.Attempt > 1 && line.What == ledger.Start {
			again++
		}
	}
	for id, x := range executions {
		done := 0
		before := attempt{}
		for n := 1; len(attempts[id]) > 0; n++ {
			a := attempts[id][n]
			if a == nil {
				continue // returned without a start
			}
			delete(attempts[id], n)
			if a.start == 0 || before.start != 0 && (before.end == 0 || before.end > a.start) {
				t.Errorf("%s: attempt %d began %d, the one before ran from %d to %d", id, n, a.start, before.start, before.end)
			}
			if a.end != 0 {
				done++
			}
			before = *a
		}
		if done > 1 || x.status == statusCompleted && done != 1 {
			t.Errorf("%s has status %d and was done %d times", id, x.status, done)
		}
		delete(attempts, id)
	}
	if len(attempts) > 0 {
		t.Errorf("nobody knows of the executions %s", strings.Join(slices.Sorted(maps.Keys(attempts)), ", "))
	}
	t.Logf("%d attempts were not the first", again)
}
