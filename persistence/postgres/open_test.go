package postgres_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/attune-automation/attune"
	"github.com/attune-automation/attune/internal/servers/pgtest"
	"github.com/attune-automation/attune/persistence"
	"github.com/attune-automation/attune/persistence/postgres"
)

func TestAnOlderSchemaIsRefusedUnlessItMayBeBroughtUpToDate(t *testing.T) {
	where := pgtest.URL(t)
	_, err := postgres.Open(t.Context(), postgres.Config{URL: where})
	var e *attune.Error
	if !errors.As(err, &e) || e.Code != "schema_old" || e.Try != "attune admin migrate" {
		t.Fatal(err)
	}
	for _, dry := range []bool{true, true, false} {
		if steps, err := postgres.Migrate(t.Context(), where, dry); err != nil || len(steps) == 0 || steps[0] != (postgres.Step{Version: 1, Name: "0001.sql"}) {
			t.Fatal(steps, err)
		}
	}
	if steps, err := postgres.Migrate(t.Context(), where, false); err != nil || len(steps) != 0 {
		t.Fatal("there is still something to do:", steps, err)
	}
	s, err := postgres.Open(t.Context(), postgres.Config{URL: where})
	if err != nil {
		t.Fatal(err)
	}
	s.Close()
}

func TestANewerSchemaIsRefusedUnchanged(t *testing.T) {
	where := pgtest.URL(t)
	script(t, open(t, where), "INSERT INTO schema VALUES (99);")
	_, err := postgres.Open(t.Context(), postgres.Config{URL: where, Migrate: true})
	var newer *persistence.ErrNewer
	if !errors.As(err, &newer) || newer.Have != 99 {
		t.Fatal(err)
	}
	if _, err := postgres.Migrate(t.Context(), where, true); !errors.As(err, &newer) {
		t.Fatal(err)
	}
}

func TestSeveralProgramsMigrateAtOnce(t *testing.T) {
	where := pgtest.URL(t)
	var all sync.WaitGroup
	for range 4 {
		all.Go(func() {
			s, err := postgres.Open(context.Background(), postgres.Config{URL: where, Migrate: true})
			if err != nil {
				t.Error(err)
				return
			}
			s.Close()
		})
	}
	all.Wait()
}

func TestADamagedRowIsAnError(t *testing.T) {
	s := with(t, postgres.Config{URL: pgtest.URL(t), Statement: 10 * time.Second})
	flush(t, s, "node-1", admission(0), admission(1))
	script(t, s, fmt.Sprintf("UPDATE execution SET state = '\\x0102' WHERE id = %d;", admission(0).Executions[0].ID))
	var e *attune.Error
	if _, err := s.Execution(t.Context(), admission(0).Executions[0].ID); !errors.As(err, &e) || e.Kind != attune.Internal || e.Code != "damaged_row" {
		t.Fatal(err)
	}
	if _, err := s.Execution(t.Context(), admission(1).Executions[0].ID); err != nil {
		t.Fatal(err)
	}
}

// No error shows what opens the database.
func TestNoErrorNamesThePassword(t *testing.T) {
	for _, where := range []string{"postgres://me:sesame@127.0.0.1:1/db", "postgres://me:sesame@127.0.0.1:x/db", "host=127.0.0.1 password=sesame port=zero"} {
		_, err := postgres.Open(t.Context(), postgres.Config{URL: where})
		if err == nil || strings.Contains(err.Error(), "sesame") {
			t.Fatal(err)
		}
	}
}

// Ranges are made ahead, go when they are empty, and are never too many however
// long rows are kept; what finds none goes to the rest.
func TestRangesComeAndGo(t *testing.T) {
	where := pgtest.URL(t)
	moment := time.Now()
	s := with(t, postgres.Config{URL: where, Statement: 10 * time.Second, Now: func() time.Time { return moment }})
	flush(t, s, "node-1", admission(0), inRest(1))
	names := func() []string {
		t.Helper()
		all, err := s.Ranges(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		return all
	}
	first := names()
	if len(first) != 3 || first[2] != "execution_rest" {
		t.Fatal(first)
	}
	for range 3 {
		moment = moment.AddDate(0, 0, 14)
		if err := s.Maintain(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	now := names()
	if !slices.Contains(now, first[0]) || slices.Contains(now, first[1]) {
		t.Fatalf("one has a row, the other not: %v, before %v", now, first)
	}
	if n := stored(t, s, []persistence.Op{admission(0), inRest(1)}); n != 2 {
		t.Fatalf("%d of 2 are there", n)
	}
	for i := 1; len(now) < 29 && i < 60; i++ { // each has a row that stays
		flush(t, s, "node-1", at(admission(i), moment))
		moment = moment.AddDate(0, 0, 7)
		if err := s.Maintain(t.Context()); err != nil {
			t.Fatal(err)
		}
		now = names()
	}
	moment = moment.AddDate(30, 0, 0)
	if err := s.Maintain(t.Context()); err != nil {
		t.Fatal(err)
	}
	if now = names(); len(now) > 30 {
		t.Fatalf("%d parts", len(now))
	}
	flush(t, s, "node-1", at(admission(99), moment.AddDate(30, 0, 0)))
}

// at is an admission with ids of that moment.
func at(a *persistence.Admit, moment time.Time) *persistence.Admit {
	by := persistence.FirstIDAt(moment) - persistence.FirstIDAt(attune.ID(a.Event.ID).Time())
	a.Event.ID += attune.EventID(by)
	a.Enforcements[0].ID += attune.EnforcementID(by)
	x := a.Executions[0]
	x.ID += attune.ExecutionID(by)
	a.Enforcements[0].Event, a.Enforcements[0].Execution, x.Event, x.Enforcement, x.Root = a.Event.ID, x.ID, a.Event.ID, a.Enforcements[0].ID, x.ID
	a.Dedupe.Key = fmt.Sprint(a.Event.ID)
	return a
}
