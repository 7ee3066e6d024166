package losing_test

import (
	"context"
	"net/url"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/attune-automation/attune/api"
	"github.com/attune-automation/attune/api/client"
	"github.com/attune-automation/attune/test/ledger"
	"github.com/attune-automation/attune/test/losing/check"
	sim "github.com/attune-automation/attune/test/sim/check"
)

// rules and actions are the checker's own knowledge of the pack lose.
var (
	rules = map[string][]check.Rule{
		"even":  {{Ref: "lose.every"}, {Ref: "lose.even"}},
		"odd":   {{Ref: "lose.every"}, {Ref: "lose.odd", Fails: true}},
		"other": {{Ref: "lose.every"}},
	}
	actions = map[string]check.Action{
		"lose.work":  {Tries: 1},
		"lose.again": {Tries: 6},
		"core.echo":  {Tries: 1, Pure: true},
	}
)

// rows reads everything into the input of the checker: the rows from the database
// itself, without the product's help; histories, which are not stored to be read,
// from the API, which must know the same executions.
func (r *rig) rows() *check.Input {
	r.t.Helper()
	in := &check.Input{Rules: rules, Actions: actions, Offers: r.load.acknowledged(r.t)}
	c, err := pgx.Connect(r.t.Context(), r.database)
	must(r.t, err)
	defer c.Close(context.Background())
	in.Events = read(r.t, c, "SELECT id, evaluated IS NOT NULL, payload->>'key' FROM event", func(row pgx.CollectableRow) (e check.Event, err error) {
		var id int64
		err = row.Scan(&id, &e.Evaluated, &e.Key)
		e.ID = sim.Name("ev", id)
		return e, err
	})
	in.Enforcements = read(r.t, c, "SELECT id, event, rule, CASE status WHEN 2 THEN 'failed' ELSE 'created' END FROM enforcement", func(row pgx.CollectableRow) (en check.Enforcement, err error) {
		var id, event int64
		err = row.Scan(&id, &event, &en.Rule, &en.Status)
		en.ID, en.Event = sim.Name("en", id), sim.Name("ev", event)
		return en, err
	})
	const executions = "SELECT id, event, enforcement, action, rule, status, coalesce(parameters->>'key', parameters->>'message') FROM execution"
	in.Executions = read(r.t, c, executions, func(row pgx.CollectableRow) (x check.Execution, err error) {
		var id, event, enforcement int64
		var status int
		err = row.Scan(&id, &event, &enforcement, &x.Action, &x.Rule, &status, &x.Key)
		x.ID, x.Status = sim.Name("ex", id), sim.Status(status)
		if event != 0 {
			x.Event, x.Enforcement = sim.Name("ev", event), sim.Name("en", enforcement)
		}
		return x, err
	})
	r.histories(in.Executions)
	in.Ledger, err = ledger.Read(r.home)
	must(r.t, err)
	return in
}

func read[T any](t *testing.T, c *pgx.Conn, text string, scan pgx.RowToFunc[T]) []T {
	t.Helper()
	rows, err := c.Query(t.Context(), text)
	must(t, err)
	all, err := pgx.CollectRows(rows, scan)
	must(t, err)
	return all
}

// histories puts the histories into the rows.
func (r *rig) histories(rows []check.Execution) {
	r.t.Helper()
	views, err := client.All[api.ExecutionView](r.t.Context(), r.client, "/executions", url.Values{"payload": {"true"}})
	must(r.t, err)
	by := map[string]*api.ExecutionView{}
	for i := range views {
		by[views[i].ID] = &views[i]
	}
	if len(views) != len(rows) {
		r.t.Errorf("the database has %d executions, the API shows %d", len(rows), len(views))
	}
	for i := range rows {
		x, v := &rows[i], by[rows[i].ID]
		if v == nil {
			r.t.Errorf("the API does not show %s", x.ID)
			continue
		}
		if v.Status != x.Status {
			r.t.Errorf("%s is %s in the database, and the API shows it as %s", x.ID, x.Status, v.Status)
		}
		x.Attempt, x.Reason = v.Attempt, v.Reason
		if v.Error != nil {
			x.Reason = v.Error.Message
		}
		for _, s := range v.History {
			at, err := time.Parse(time.RFC3339, s.At)
			must(r.t, err)
			x.History = append(x.History, sim.Step{At: at, Signal: s.Signal, To: s.Status, Attempt: s.Attempt, Worker: s.Worker, Incarnation: s.Incarnation, Note: s.Note, Refused: s.Refused})
		}
	}
}
