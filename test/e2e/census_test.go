package e2e_test

import (
	"database/sql"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	_ "modernc.org/sqlite" // the store's file is read without the store

	"github.com/attune-automation/attune/test/ledger"
)

// The phases in which a kill may meet a run.
const (
	admitting      = "being admitted"
	unacknowledged = "stored and unacknowledged"
	waiting        = "waiting for a slot"
	unstarted      = "scheduled and not started"
	running        = "running"
	unreported     = "finished and unreported"
)

var phases = []string{admitting, unacknowledged, waiting, unstarted, running, unreported}

// census counts for each phase the kills that met it, and the runs they met.
type census map[string]struct{ kills, runs int }

func (c census) add(met map[string]int) {
	for phase, runs := range met {
		n := c[phase]
		n.kills++
		n.runs += runs
		c[phase] = n
	}
}

func (c census) String() string {
	var parts []string
	for _, phase := range phases {
		parts = append(parts, fmt.Sprintf("%s %d/%d", phase, c[phase].kills, c[phase].runs))
	}
	return strings.Join(parts, ", ")
}

// The numbers of statuses as they are stored.
const (
	statusScheduling = 3
	statusScheduled  = 4
	statusRunning    = 5
	statusCompleted  = 8
	statusAbandoned  = 12
	// An enforcement whose parameters could not be made.
	enforcementFailed = 2
)

// look says how many runs of each phase the dead node left: by what its store
// holds, by the ledger up to that moment, and by the requests without answer.
func (l *load) look(killed time.Time) map[string]int {
	l.t.Helper()
	met := map[string]int{}
	db := l.copyStore()
	defer db.Close()
	stored := map[string]bool{} // keys of what is durable
	for key := range query(l.t, db, "SELECT "+keyIn("payload")+", 0 FROM event UNION ALL SELECT "+keyIn("parameters")+", 0 FROM execution WHERE event = 0") {
		stored[key] = true
	}
	l.mu.Lock()
	for _, requests := range []map[string]time.Time{l.under, l.broken} {
		for key, sent := range requests {
			switch {
			case !sent.Before(killed):
			case stored[key]:
				met[unacknowledged]++
			default:
				met[admitting]++
			}
		}
	}
	l.mu.Unlock()
	started, ended := map[string]bool{}, map[string]bool{}
	for _, line := range readLedger(l.t, l.home) {
		if line.At <= killed.UnixNano() {
			started[line.Execution] = started[line.Execution] || line.What == ledger.Start
			ended[line.Execution] = ended[line.Execution] || line.What == ledger.End
		}
	}
	for assigned, status := range query(l.t, db, "SELECT id || ' ' || incarnation, status FROM execution WHERE finished IS NULL") {
		id, _, _ := strings.Cut(assigned, " ")
		id = shown("ex", id)
		switch {
		case status == statusScheduling:
			met[waiting]++
		case l.counted[assigned]: // a kill before met it
		case ended[id]:
			met[unreported]++
		case started[id]:
			met[running]++
		case status == statusScheduled:
			met[unstarted]++
		}
		l.counted[assigned] = l.counted[assigned] || status != statusScheduling
	}
	return met
}

// copyStore opens a copy of a dead node's store, which nobody has opened since; on
// servers the store itself, which nobody writes to.
func (l *load) copyStore() *sql.DB {
	l.t.Helper()
	if l.servers != nil {
		return l.openDatabase()
	}
	dir := l.t.TempDir()
	for _, name := range []string{"attune.db", "attune.db-wal"} {
		content, err := os.ReadFile(filepath.Join(l.data, name))
		must(l.t, err)
		must(l.t, os.WriteFile(filepath.Join(dir, name), content, 0o600))
	}
	return openStore(l.t, filepath.Join(dir, "attune.db"), "")
}

func openStore(t *testing.T, path, options string) *sql.DB {
	t.Helper()
	db, err := sql.Open("sqlite", "file:"+path+options)
	must(t, err)
	return db
}

// query reads pairs of a text and a number.
func query(t *testing.T, db *sql.DB, text string) map[string]int {
	t.Helper()
	rows, err := db.Query(text)
	must(t, err)
	defer rows.Close()
	found := map[string]int{}
	for rows.Next() {
		var key string
		var value int
		must(t, rows.Scan(&key, &value))
		found[key] = value
	}
	must(t, rows.Err())
	return found
}

// shown is a stored id as users know it: 13 digits of Crockford's base 32.
func shown(kind, stored string) string {
	n, err := strconv.ParseUint(stored, 10, 64)
	if err != nil {
		panic(err)
	}
	digits := make([]byte, 13)
	for i := range digits {
		digits[12-i] = "0123456789abcdefghjkmnpqrstvwxyz"[n&31]
		n >>= 5
	}
	return kind + "-" + string(digits)
}

func readLedger(t *testing.T, home string) []ledger.Line {
	t.Helper()
	lines, err := ledger.Read(home)
	must(t, err)
	return lines
}
