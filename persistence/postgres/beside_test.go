package postgres_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/attune-automation/attune/internal/servers/pgtest"
	"github.com/attune-automation/attune/persistence"
	"github.com/attune-automation/attune/persistence/postgres"
)

// A key whose first is pruned between the statement that met it and the one that
// asks for it is free: nobody is told of a first without an id.
func TestAFirstThatGoesInBetweenIsNone(t *testing.T) {
	s := with(t, postgres.Config{URL: pgtest.URL(t), Statement: 5 * time.Second})
	const meets = "CREATE SEQUENCE met; CREATE FUNCTION meet() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN IF nextval('met') <= %d THEN RETURN NULL; END IF; RETURN NEW; END $$; " +
		"CREATE TRIGGER meet BEFORE INSERT ON dedupe FOR EACH ROW EXECUTE FUNCTION meet();"
	script(t, s, fmt.Sprintf(meets, 1))
	flush(t, s, "node-1", admission(0), admission(1))
	script(t, s, "DROP TRIGGER meet ON dedupe; DROP FUNCTION meet; DROP SEQUENCE met;", fmt.Sprintf(meets, 100))
	ops := admissions(2, 1)
	if answers, err := s.Flush(t.Context(), "node-1", ops); !errors.Is(err, persistence.ErrUnknown) {
		t.Fatal(answers, err)
	}
	script(t, s, "DROP TRIGGER meet ON dedupe;")
	settle(t, s, ops)
}

// A slice that waits for a row holds no mark of a partition meanwhile.
func TestPruningLetsMarksBeRaised(t *testing.T) {
	where := pgtest.URL(t)
	s, pruning := with(t, postgres.Config{URL: where, Statement: 5 * time.Second, Lock: 100 * time.Millisecond}), with(t, postgres.Config{URL: where, Statement: time.Minute, Lock: time.Minute})
	ended := admission(0)
	x := ended.Executions[0]
	flush(t, s, "node-1", ended)
	script(t, s, fmt.Sprintf("UPDATE execution SET finished = 1, finish_number = 7, status = 5 WHERE id = %d;", x.ID), fmt.Sprintf("UPDATE event SET evaluated = 1 WHERE id = %d;", ended.Event.ID), "UPDATE partition SET announced_to = 7;")
	other, err := pgx.Connect(t.Context(), where)
	if err != nil {
		t.Fatal(err)
	}
	defer other.Close(context.Background())
	if _, err := other.Exec(t.Context(), fmt.Sprintf("BEGIN; SELECT 1 FROM execution WHERE id = %d FOR UPDATE", x.ID)); err != nil {
		t.Fatal(err)
	}
	var out persistence.Pruned
	var pruned sync.WaitGroup
	pruned.Go(func() {
		out, err = pruning.Prune(context.Background(), "node-1", persistence.Prune{Shelf: persistence.Events, Before: time.Now().AddDate(1, 0, 0), Rows: 100})
	})
	defer pruned.Wait()
	defer func() { _, _ = other.Exec(context.Background(), "COMMIT") }()
	patiently(t, "the pruning waits", func() error {
		waits := 0
		if err := other.QueryRow(t.Context(), "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()").Scan(&waits); err != nil {
			return err
		}
		if waits == 0 {
			return persistence.Away("nobody waits", nil)
		}
		return nil
	})
	partition := int(x.ID>>12) & 1023
	answers, fault := s.Flush(t.Context(), "node-1", []persistence.Op{&persistence.RaiseIDHigh{Partition: partition, High: 5}})
	if fault != nil || answers[0].Outcome != persistence.Committed {
		t.Fatal(answers, fault)
	}
	if _, err := other.Exec(t.Context(), "COMMIT"); err != nil {
		t.Fatal(err)
	}
	pruned.Wait()
	rows, fault := s.PartitionRows(t.Context())
	if err != nil || fault != nil || rows[partition].FinishNumber != 7 {
		t.Fatalf("%+v, %+v, %v, %v", out, rows[partition], err, fault)
	}
}
