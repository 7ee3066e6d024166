package attune_test

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/attune-automation/attune"
)

// lifeTable is the life of an execution as it is promised: live statuses by
// row, signals by column, the next status in the cell, a blank is refused.
const lifeTable = `
| from \ on | admit | hold | assign | return | start | finish | fail | time out | retry | lose | expire | pause | resume | cancel | confirm | refuse | panic |
|---|---|---|---|---|---|---|---|---|---|---|---|---|---|---|---|---|---|
| requested | scheduling | delayed | | | | | | | | | timeout | | | cancelled | | failed | failed |
| delayed | scheduling | delayed | | | | | | | | | timeout | | | cancelled | | failed | failed |
| scheduling | | delayed | scheduled | | | | | | | | timeout | | | cancelled | | failed | failed |
| scheduled | | | | scheduling | running | completed | failed | timeout | delayed | abandoned | stopping | | | stopping | | failed | stopping |
| running | | | | | | completed | failed | timeout | delayed | abandoned | stopping | paused | | stopping | | | stopping |
| paused | | | | | | completed | failed | timeout | delayed | | stopping | | running | stopping | | | stopping |
| stopping | | | | by cause | | completed | by cause | by cause | delayed | by cause | | | | stopping | by cause | by cause | stopping |
`

// parseLife reads lifeTable: the text of each cell by status and signal.
func parseLife(t *testing.T) map[attune.Status]map[attune.Signal]string {
	t.Helper()
	var rows [][]string
	for line := range strings.Lines(strings.TrimSpace(lifeTable)) {
		cells := strings.Split(strings.Trim(strings.TrimSpace(line), "|"), "|")
		for i := range cells {
			cells[i] = strings.TrimSpace(cells[i])
		}
		rows = append(rows, cells)
	}
	signals := attune.Signals()
	if len(rows[0]) != len(signals)+1 {
		t.Fatalf("the table has %d signals, the code %d", len(rows[0])-1, len(signals))
	}
	for i, s := range signals {
		if rows[0][i+1] != s.String() {
			t.Fatalf("column %d is %q in the table and %q in the code", i+1, rows[0][i+1], s)
		}
	}
	life := map[attune.Status]map[attune.Signal]string{}
	for _, row := range rows[2:] {
		from, err := attune.ParseStatus(row[0])
		if err != nil {
			t.Fatal(err)
		}
		life[from] = map[attune.Signal]string{}
		for i, s := range signals {
			life[from][s] = row[i+1]
		}
	}
	return life
}

func TestTransitionsAreTheTable(t *testing.T) {
	code := map[attune.Status]map[attune.Signal]string{}
	for _, tr := range attune.Transitions() {
		if code[tr.From] == nil {
			code[tr.From] = map[attune.Signal]string{}
		}
		if code[tr.From][tr.On] != "" {
			t.Errorf("%s has two cells for %s", tr.From, tr.On)
		}
		code[tr.From][tr.On] = "by cause"
		if tr.To != attune.NoStatus {
			code[tr.From][tr.On] = tr.To.String()
		}
	}
	life := parseLife(t)
	for _, from := range attune.Statuses() {
		if _, ok := life[from]; ok != from.Live() {
			t.Errorf("%s: live is %v, but it has a row in the table: %v", from, from.Live(), ok)
		}
		for _, on := range attune.Signals() {
			if got, want := code[from][on], life[from][on]; got != want {
				t.Errorf("%s on %s: the code says %q, the table %q", from, on, got, want)
			}
		}
	}
}

func TestTransitionsAreInOrder(t *testing.T) {
	all := attune.Transitions()
	if !slices.IsSortedFunc(all, func(a, b attune.Transition) int {
		if a.From != b.From {
			return int(a.From) - int(b.From)
		}
		return int(a.On) - int(b.On)
	}) {
		t.Error("the table is not in the order of statuses, then signals")
	}
	all[0].To = attune.Abandoned
	if attune.Transitions()[0].To == attune.Abandoned {
		t.Error("whoever asks for the table can change it")
	}
}

// next is Next for all causes a status can have.
func eachNext(f func(from attune.Status, cause attune.Cause, on attune.Signal, to attune.Status, sets attune.Cause, effects []attune.Effect, err error)) {
	for _, from := range attune.Statuses() {
		causes := []attune.Cause{attune.NoCause}
		if from == attune.Stopping {
			causes = []attune.Cause{attune.CauseCancelled, attune.CauseTimeout, attune.CausePanic}
		}
		for _, cause := range causes {
			for _, on := range attune.Signals() {
				to, sets, effects, err := attune.Next(from, cause, on)
				f(from, cause, on, to, sets, effects, err)
			}
		}
	}
}

func TestNextFollowsTheTable(t *testing.T) {
	life := parseLife(t)
	eachNext(func(from attune.Status, cause attune.Cause, on attune.Signal, to attune.Status, sets attune.Cause, effects []attune.Effect, err error) {
		cell := life[from][on]
		if from == attune.Stopping && on == attune.Retry && cause != attune.CauseTimeout {
			cell = ""
		}
		var refused *attune.Refused
		if (cell == "") != errors.As(err, &refused) {
			t.Errorf("%s (%s) on %s: error is %v, the cell %q", from, cause, on, err, cell)
			return
		}
		if refused != nil {
			if *refused != (attune.Refused{Status: from, Signal: on}) || to != from || sets != cause || effects != nil {
				t.Errorf("%s (%s) on %s: the refusal %+v changes to %s (%s), effects %v", from, cause, on, *refused, to, sets, effects)
			}
			return
		}
		if cell == "by cause" {
			cell = map[attune.Cause]string{attune.CauseCancelled: "cancelled", attune.CauseTimeout: "timeout", attune.CausePanic: "failed"}[cause]
		}
		if to.String() != cell {
			t.Errorf("%s (%s) on %s: %s, want %s", from, cause, on, to, cell)
		}
		if (to == attune.Stopping) != (sets != attune.NoCause) {
			t.Errorf("%s (%s) on %s: %s with cause %q; stopping alone has a cause", from, cause, on, to, sets)
		}
	})
}

func TestTheCauseOfAStop(t *testing.T) {
	for _, c := range []struct {
		name  string
		cause attune.Cause
		on    attune.Signal
		want  attune.Cause
	}{
		{"a cancel displaces a timeout", attune.CauseTimeout, attune.Cancel, attune.CauseCancelled},
		{"a cancel displaces a panic", attune.CausePanic, attune.Cancel, attune.CauseCancelled},
		{"a cancel repeated changes nothing", attune.CauseCancelled, attune.Cancel, attune.CauseCancelled},
		{"a panic displaces a timeout", attune.CauseTimeout, attune.Panic, attune.CausePanic},
		{"a panic does not displace a cancel", attune.CauseCancelled, attune.Panic, attune.CauseCancelled},
	} {
		to, cause, effects, err := attune.Next(attune.Stopping, c.cause, c.on)
		if err != nil || to != attune.Stopping || cause != c.want || !slices.Equal(effects, []attune.Effect{attune.StopAttempt}) {
			t.Errorf("%s: %s with cause %s, effects %v, %v", c.name, to, cause, effects, err)
		}
	}
	for _, from := range []attune.Status{attune.Scheduled, attune.Running, attune.Paused} {
		for on, want := range map[attune.Signal]attune.Cause{attune.Cancel: attune.CauseCancelled, attune.Expire: attune.CauseTimeout, attune.Panic: attune.CausePanic} {
			if to, cause, _, err := attune.Next(from, attune.NoCause, on); err != nil || to != attune.Stopping || cause != want {
				t.Errorf("%s on %s: %s with cause %s, %v", from, on, to, cause, err)
			}
		}
	}
}

func TestNextRefusesWhatDoesNotExist(t *testing.T) {
	for _, c := range []struct {
		from attune.Status
		on   attune.Signal
	}{{attune.NoStatus, attune.Admit}, {attune.Requested, attune.NoSignal}, {attune.Abandoned + 1, attune.Admit}, {255, attune.Admit}, {attune.Requested, attune.Panic + 1}, {attune.Requested, 255}} {
		to, _, _, err := attune.Next(c.from, attune.NoCause, c.on)
		var refused *attune.Refused
		if !errors.As(err, &refused) || to != c.from || attune.KindOf(err) != attune.Conflict || err.Error() == "" {
			t.Errorf("%d on %d: %s, %v", c.from, c.on, to, err)
		}
	}
}

func TestEveryStatusCanBeReached(t *testing.T) {
	type state struct {
		status attune.Status
		cause  attune.Cause
	}
	reached := map[state]bool{{attune.Requested, attune.NoCause}: true}
	for grew := true; grew; {
		grew = false
		eachNext(func(from attune.Status, cause attune.Cause, _ attune.Signal, to attune.Status, sets attune.Cause, _ []attune.Effect, err error) {
			if err == nil && reached[state{from, cause}] && !reached[state{to, sets}] {
				reached[state{to, sets}], grew = true, true
			}
		})
	}
	for _, s := range attune.Statuses() {
		causes := []attune.Cause{attune.NoCause}
		if s == attune.Stopping {
			causes = []attune.Cause{attune.CauseCancelled, attune.CauseTimeout, attune.CausePanic}
		}
		for _, c := range causes {
			if !reached[state{s, c}] {
				t.Errorf("%s (%s) cannot be reached", s, c)
			}
		}
	}
	if want := len(attune.Statuses()) + 2; len(reached) != want {
		t.Errorf("%d states are reached, want %d", len(reached), want)
	}
}

func TestTheRulesOfEveryTransition(t *testing.T) {
	eachNext(func(from attune.Status, cause attune.Cause, on attune.Signal, to attune.Status, _ attune.Cause, effects []attune.Effect, err error) {
		where := from.String() + " (" + cause.String() + ") on " + on.String()
		switch {
		case from.Terminal():
			if err == nil {
				t.Errorf("%s leaves a terminal status", where)
			}
			return
		case err != nil:
			if on == attune.Cancel {
				t.Errorf("%s is refused: a live status can be cancelled", where)
			}
			return
		}
		ends := on == attune.Return || on == attune.Retry
		if from.Assigned() && !ends && to.Rank() < from.Rank() {
			t.Errorf("%s: rank %d becomes %d within an attempt", where, from.Rank(), to.Rank())
		}
		if ends && to.Assigned() {
			t.Errorf("%s ends the attempt and stays assigned", where)
		}
		if !from.Assigned() && to.Assigned() != (on == attune.Assign) {
			t.Errorf("%s: assign alone gives a slot", where)
		}
		checkEffects(t, where, from, on, to, effects)
	})
}

// checkEffects holds the effects to what each is for: a slot that is left is
// freed, a worker that reported is answered, an end is told.
func checkEffects(t *testing.T, where string, from attune.Status, on attune.Signal, to attune.Status, effects []attune.Effect) {
	t.Helper()
	has := func(e attune.Effect) bool { return slices.Contains(effects, e) }
	for effect, want := range map[attune.Effect]bool{
		attune.Place:       to == attune.Scheduling,
		attune.Dispatch:    to == attune.Scheduled,
		attune.StopAttempt: to == attune.Stopping,
		attune.FreeSlot:    from.Assigned() && !to.Assigned(),
		attune.Acknowledge: from.Assigned() && !to.Assigned(),
		attune.Announce:    to.Terminal(),
		attune.Retire:      to.Terminal(),
	} {
		if has(effect) != want {
			t.Errorf("%s: effect %q is %v, want %v", where, effect, has(effect), want)
		}
	}
	if from == attune.Scheduling && on != attune.Assign && !has(attune.Withdraw) {
		t.Errorf("%s leaves a request with the scheduler", where)
	}
	if has(attune.Withdraw) && from.Assigned() {
		t.Errorf("%s withdraws what was placed", where)
	}
	if i := slices.Index(effects, attune.Retire); i >= 0 && i != len(effects)-1 {
		t.Errorf("%s: something is to be done after the actor retired: %v", where, effects)
	}
}
