package storetest

import (
	"fmt"

	"github.com/attune-automation/attune"
	"github.com/attune-automation/attune/persistence"
)

var loadCases = map[string]func(f *fixture){
	"live executions come in pages by id": func(f *fixture) {
		var want []attune.ExecutionID
		for i := range 25 {
			a, other := f.direct(6, ""), f.direct(7, "")
			f.flush(a, other)
			if i%5 == 0 {
				f.flush(save(finished(a.Executions[0], int64(i+1))))
			} else {
				want = append(want, a.Executions[0].ID)
			}
		}
		var got []attune.ExecutionID
		var after attune.ExecutionID
		for {
			page, err := f.s.Live(f.ctx, 6, after, 7)
			f.ok(err)
			for _, x := range page {
				got = append(got, x.ID)
			}
			if len(page) < 7 {
				break
			}
			after = got[len(got)-1]
		}
		same(f, "live executions", got, want)
	},
	"of one that only waits is loaded what it is given a slot by, others whole": func(f *fixture) {
		a, b := f.group(6, "a"), f.direct(6, "")
		b.Executions[0].Limits = attune.Limits{}
		f.flush(a, b)
		x := assigned(a.Executions[0], "w1", "w1#1")
		f.flush(save(x))
		page, err := f.s.Live(f.ctx, 6, 0, 10)
		f.ok(err)
		y := b.Executions[0]
		same(f, "page", page, []persistence.Live{
			{ID: x.ID, Status: attune.Scheduled, Attempt: 1, Runner: x.Runner, Limits: x.Limits, Until: x.Until, Whole: x},
			{ID: y.ID, Status: y.Status, Runner: y.Runner, Until: y.Until},
		})
	},
	"unevaluated events are limited, by id": func(f *fixture) {
		var want []attune.EventID
		for range 4 {
			a := f.group(6)
			a.Event.Evaluated = persistence.FromMillis(0)
			f.flush(a, f.group(6))
			want = append(want, a.Event.ID)
		}
		f.unevaluated(6, want...)
		f.unevaluated(5)
		rows, err := f.s.UnevaluatedEvents(f.ctx, 6, 2)
		f.ok(err)
		if len(rows) != 2 || rows[1].ID != want[1] {
			f.Fatalf("%d events", len(rows))
		}
	},
	"ends come in order of their numbers": func(f *fixture) {
		a, b, c, other := f.direct(6, ""), f.direct(6, ""), f.direct(6, ""), f.direct(5, "")
		f.flush(a, b, c, other)
		x1, x2, x3 := finished(c.Executions[0], 1), finished(a.Executions[0], 2), finished(b.Executions[0], 3)
		f.flush(save(x1), save(x2), save(x3), save(finished(other.Executions[0], 1)))
		for _, c := range []struct {
			after int64
			limit int
			want  []*attune.Execution
		}{{0, 10, []*attune.Execution{x1, x2, x3}}, {0, 2, []*attune.Execution{x1, x2}}, {2, 10, []*attune.Execution{x3}}, {3, 10, nil}} {
			got, err := f.s.Unannounced(f.ctx, 6, c.after, c.limit)
			f.ok(err)
			same(f, fmt.Sprintf("after %d", c.after), got, c.want)
		}
	},
	"the executions on an incarnation are the live ones": func(f *fixture) {
		a, b, c, d := f.direct(6, ""), f.direct(2, ""), f.direct(2, ""), f.direct(2, "")
		f.flush(a, b, c, d)
		xa, xb, xc := assigned(a.Executions[0], "w1", "w1#1"), assigned(b.Executions[0], "w1", "w1#1"), assigned(c.Executions[0], "w1", "w1#2")
		f.flush(save(xa), save(xb), save(xc))
		f.flush(save(finished(xb, 1)))
		got, err := f.s.ExecutionsOn(f.ctx, "w1#1")
		f.ok(err)
		same(f, "executions", got, []*attune.Execution{xa})
		none, err := f.s.ExecutionsOn(f.ctx, "")
		f.ok(err)
		same(f, "on nobody", none, nil)
	},
}

var listCases = map[string]func(f *fixture){
	"the newest come first, in pages": func(f *fixture) {
		var ids []attune.ExecutionID
		for i := range 23 {
			a := f.group(i*5, "a")
			f.flush(a)
			ids = append([]attune.ExecutionID{a.Executions[0].ID}, ids...)
		}
		var got []attune.ExecutionID
		q := persistence.Query{Limit: 5}
		for {
			page, err := f.s.Executions(f.ctx, q)
			f.ok(err)
			if len(page) == 0 {
				break
			}
			for _, x := range page {
				got = append(got, x.ID)
			}
			q.Before = attune.ID(got[len(got)-1])
		}
		same(f, "executions", got, ids)
	},
	"a page has a size": func(f *fixture) {
		for _, limit := range []int{-1, 0, persistence.MaxPage + 1} {
			_, err := f.s.Executions(f.ctx, persistence.Query{Limit: limit})
			f.kind(err, attune.Invalid)
		}
	},
	"what a kind cannot be narrowed by is invalid": func(f *fixture) {
		_, err := f.s.Events(f.ctx, persistence.Query{Limit: 1, Worker: "w1"})
		f.kind(err, attune.Invalid)
		_, err = f.s.Enforcements(f.ctx, persistence.Query{Limit: 1, Status: attune.Failed})
		f.kind(err, attune.Invalid)
	},
	"lists are narrowed by each filter": func(f *fixture) {
		one, two, three := f.group(1, "p.a", "p.b"), f.group(2, "p.a"), f.direct(3, "")
		two.Event.Trigger, two.Executions[0].Trigger = "core.timer", "core.timer"
		two.Enforcements[0].Action, two.Executions[0].Action = "core.other", "core.other"
		child := three.Executions[0]
		child.Parent, child.Root = one.Executions[0].ID, one.Executions[0].ID
		f.flush(one, two, three)
		two.Executions[0] = finished(two.Executions[0], 1)
		f.flush(save(two.Executions[0]))
		xa, xb, xc := one.Executions[0], one.Executions[1], two.Executions[0]
		for name, c := range map[string]struct {
			q    persistence.Query
			want []*attune.Execution
		}{
			"all":         {persistence.Query{}, []*attune.Execution{child, xc, xb, xa}},
			"rule":        {persistence.Query{Rule: "p.a"}, []*attune.Execution{xc, xa}},
			"action":      {persistence.Query{Action: "core.other"}, []*attune.Execution{xc}},
			"trigger":     {persistence.Query{Trigger: "core.timer"}, []*attune.Execution{xc}},
			"worker":      {persistence.Query{Worker: "w1"}, []*attune.Execution{xc}},
			"status":      {persistence.Query{Status: attune.Completed}, []*attune.Execution{xc}},
			"event":       {persistence.Query{Event: one.Event.ID}, []*attune.Execution{xb, xa}},
			"enforcement": {persistence.Query{Enforcement: one.Enforcements[1].ID}, []*attune.Execution{xb}},
			"parent":      {persistence.Query{Parent: xa.ID}, []*attune.Execution{child}},
			"two":         {persistence.Query{Event: one.Event.ID, Rule: "p.a"}, []*attune.Execution{xa}},
			"cursor":      {persistence.Query{Event: one.Event.ID, Before: attune.ID(xb.ID)}, []*attune.Execution{xa}},
			"since":       {persistence.Query{Since: attune.ID(xc.ID).Time()}, []*attune.Execution{child, xc}},
			"none":        {persistence.Query{Rule: "p"}, nil},
		} {
			c.q.Limit = 10
			got, err := f.s.Executions(f.ctx, c.q)
			f.ok(err)
			same(f, name, got, c.want)
		}
		na, nb, nc := one.Enforcements[0], one.Enforcements[1], two.Enforcements[0]
		for name, c := range map[string]struct {
			q    persistence.Query
			want []*attune.Enforcement
		}{
			"all":    {persistence.Query{}, []*attune.Enforcement{nc, nb, na}},
			"rule":   {persistence.Query{Rule: "p.a"}, []*attune.Enforcement{nc, na}},
			"action": {persistence.Query{Action: "core.other"}, []*attune.Enforcement{nc}},
			"event":  {persistence.Query{Event: one.Event.ID}, []*attune.Enforcement{nb, na}},
			"itself": {persistence.Query{Enforcement: nb.ID}, []*attune.Enforcement{nb}},
			"since":  {persistence.Query{Since: attune.ID(nc.ID).Time()}, []*attune.Enforcement{nc}},
		} {
			c.q.Limit = 10
			got, err := f.s.Enforcements(f.ctx, c.q)
			f.ok(err)
			same(f, name, got, c.want)
		}
		for name, c := range map[string]struct {
			q    persistence.Query
			want []*attune.Event
		}{
			"all":     {persistence.Query{}, []*attune.Event{two.Event, one.Event}},
			"trigger": {persistence.Query{Trigger: "core.timer"}, []*attune.Event{two.Event}},
			"itself":  {persistence.Query{Event: one.Event.ID}, []*attune.Event{one.Event}},
			"cursor":  {persistence.Query{Before: attune.ID(two.Event.ID)}, []*attune.Event{one.Event}},
			"limit":   {persistence.Query{Limit: 1}, []*attune.Event{two.Event}},
		} {
			c.q.Limit = max(c.q.Limit, 2)
			if name == "limit" {
				c.q.Limit = 1
			}
			got, err := f.s.Events(f.ctx, c.q)
			f.ok(err)
			same(f, name, got, c.want)
		}
	},
	"what is not there is not found": func(f *fixture) {
		f.absent(f.group(1, "a"))
	},
}
