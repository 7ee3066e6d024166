package main

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/attune-automation/attune/api"
)

// board is what a watch shows: executions, each as it stands. It is told of rows
// and changes in any order, also twice, and keeps the newest of each.
type board struct {
	rows map[string]api.ChangeView
	// ids are the executions that are watched; none are all.
	ids []string
	// status and worker leave out what stands otherwise; empty ones do not.
	status, worker string
	// limit is how many rows are kept: those that have ended go first, the
	// oldest before the others. Watched ids are always kept.
	limit int
}

func newBoard(ids []string, status, worker string, limit int) *board {
	return &board{rows: map[string]api.ChangeView{}, ids: ids, status: status, worker: worker, limit: limit}
}

// rowOf is an execution in the shape of its changes.
func rowOf(x api.ExecutionView) api.ChangeView {
	v := api.ChangeView{Kind: api.ChangeOfExecution, ID: x.ID, Status: x.Status, At: cmp.Or(x.Finished, x.Started, x.Requested), Terminal: x.Terminal,
		Version: x.Version, Attempt: x.Attempt, Worker: x.Worker, Incarnation: x.Incarnation, Trigger: x.Trigger, Rule: x.Rule, Action: x.Action,
		Event: x.Event, Parent: x.Parent, Reason: x.Reason, Requested: x.Requested, Started: x.Started, Finished: x.Finished}
	if x.Error != nil {
		v.Code, v.Reason = x.Error.Code, x.Error.Message
	}
	return v
}

// put takes a row as it stands, and says whether that is news that is wanted.
func (b *board) put(v api.ChangeView) bool {
	known, there := b.rows[v.ID]
	if there && known.Version >= v.Version {
		return false
	}
	if b.status != "" && b.status != v.Status || b.worker != "" && b.worker != v.Worker {
		delete(b.rows, v.ID)
		return false
	}
	b.rows[v.ID] = v
	if len(b.ids) == 0 && len(b.rows) > b.limit {
		sorted := b.sorted()
		delete(b.rows, sorted[len(sorted)-1].ID)
	}
	return true
}

// sorted is what lives before what has ended, the newest of each first.
func (b *board) sorted() []api.ChangeView {
	rows := make([]api.ChangeView, 0, len(b.rows))
	for _, v := range b.rows {
		rows = append(rows, v)
	}
	slices.SortFunc(rows, func(x, y api.ChangeView) int {
		if x.Terminal != y.Terminal {
			if x.Terminal {
				return 1
			}
			return -1
		}
		return strings.Compare(y.ID, x.ID)
	})
	return rows
}

// ended says that every watched execution has.
func (b *board) ended() bool {
	for _, id := range b.ids {
		if !b.rows[id].Terminal {
			return false
		}
	}
	return len(b.ids) > 0
}

var boardTitles = []string{"ID", "ACTION", "STATUS", "ATTEMPT", "WORKER", "TIME", "WHY"}

// draw is the board as lines that fit a screen: a head, titles, and as many rows
// as there is room for.
func (b *board) draw(width, height int, now time.Time) []string {
	rows := b.sorted()
	live := 0
	cells := [][]string{boardTitles}
	for _, v := range rows {
		if !v.Terminal {
			live++
		}
		cells = append(cells, []string{v.ID, v.Action, v.Status, attemptText(v.Attempt), v.Worker, ageOf(v, now), v.Reason})
	}
	widths := make([]int, len(boardTitles))
	room := max(height-1, 2)
	for i, row := range cells[:min(len(cells), room)] {
		for j, cell := range row {
			cells[i][j] = line(cell)
			widths[j] = max(widths[j], utf8.RuneCountInString(cells[i][j]))
		}
	}
	head := fmt.Sprintf("%s  %d live, %d ended", now.Format(time.TimeOnly), live, len(rows)-live)
	if hidden := len(cells) - room; hidden > 0 {
		head += fmt.Sprintf(", %d more than fit", hidden)
	}
	lines := []string{cut(head, width)}
	for _, row := range cells[:min(len(cells), room)] {
		var text strings.Builder
		for j, cell := range row {
			text.WriteString(cell)
			if j < len(row)-1 {
				text.WriteString(strings.Repeat(" ", widths[j]-utf8.RuneCountInString(cell)+2))
			}
		}
		lines = append(lines, cut(strings.TrimRight(text.String(), " "), width))
	}
	return lines
}

// cut is as much of a line as is so wide.
func cut(s string, width int) string {
	if utf8.RuneCountInString(s) <= width {
		return s
	}
	return string([]rune(s)[:max(width-1, 0)]) + "…"
}

func attemptText(n int) string {
	if n == 0 {
		return ""
	}
	return fmt.Sprint(n)
}

// ageOf is how long ago it was requested; when it has ended, how long it took
// from then.
func ageOf(v api.ChangeView, now time.Time) string {
	from, err := time.Parse(time.RFC3339, v.Requested)
	if err != nil {
		return ""
	}
	if end, err := time.Parse(time.RFC3339, v.Finished); err == nil {
		return end.Sub(from).Round(time.Millisecond).String()
	}
	return max(now.Sub(from).Round(time.Second), 0).String()
}

// newsLine is a change in a line, for what is no terminal.
func newsLine(v api.ChangeView) string {
	text := fmt.Sprintf("%s %s %s %s", v.At, v.ID, v.Action, v.Status)
	if v.Attempt > 0 {
		text += fmt.Sprintf(" attempt %d", v.Attempt)
	}
	if v.Worker != "" {
		text += " on " + v.Worker
	}
	if v.Reason != "" {
		text += ": " + v.Reason
	}
	return line(text)
}
