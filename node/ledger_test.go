package node_test

import (
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/attune-automation/attune"
	"github.com/attune-automation/attune/messages"
)

// ledger is what really happened, written down by the runners and by a listener
// at the broker: it knows nothing of the node's own records.
type ledger struct {
	testing.TB
	mu        sync.Mutex // guards all below
	runs      []*run
	under     map[attune.Token]*run
	seen      map[attune.Token]bool
	busy      map[string]int
	slots     map[string]int
	announced map[announcement]int
}

// run is one attempt in the hands of a runner.
type run struct {
	token      attune.Token
	worker     string
	began      time.Time
	ended      time.Time // zero while it runs
	how        messages.ReportKind
	stop       func(how messages.ReportKind, told bool)
	parameters settings
}

type announcement struct {
	id      attune.ExecutionID
	version int64
	status  attune.Status
}

func newLedger(t testing.TB) *ledger {
	return &ledger{TB: t, under: map[attune.Token]*run{}, seen: map[attune.Token]bool{}, busy: map[string]int{}, slots: map[string]int{},
		announced: map[announcement]int{}}
}

// begin writes a start down, which must be the first of its token, the only one
// of its execution at the time, and on a free slot.
func (l *ledger) begin(r *run) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.seen[r.token] {
		l.Errorf("%s is started twice", r.token)
	}
	for t := range l.under {
		if t.Execution == r.token.Execution {
			l.Errorf("%s is started while %s runs", r.token, t)
		}
	}
	r.began = time.Now()
	l.seen[r.token], l.under[r.token] = true, r
	l.runs = append(l.runs, r)
	if l.busy[r.worker]++; l.busy[r.worker] > l.slots[r.worker] {
		l.Errorf("%d attempts on the %d slots of %s", l.busy[r.worker], l.slots[r.worker], r.worker)
	}
}

// end writes an end down and reports whether it was the first.
func (l *ledger) end(r *run, how messages.ReportKind) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.under[r.token] != r {
		return false
	}
	delete(l.under, r.token)
	l.busy[r.worker]--
	r.ended, r.how = time.Now(), how
	return true
}

// on lists what runs on a worker.
func (l *ledger) on(worker string) []*run {
	l.mu.Lock()
	defer l.mu.Unlock()
	var all []*run
	for _, r := range l.runs {
		if r.worker == worker && r.ended.IsZero() {
			all = append(all, r)
		}
	}
	return all
}

func (l *ledger) running() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.under)
}

// of lists the attempts of an execution, in the order of their starts.
func (l *ledger) of(id attune.ExecutionID) []*run {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.DeleteFunc(slices.Clone(l.runs), func(r *run) bool { return r.token.Execution != id })
}

func (l *ledger) hear(m any) {
	c, ok := m.(*messages.ExecutionCompleted)
	if !ok {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.announced[announcement{c.ID, c.Version, c.Status}]++
}

// announcements are the different ones of an execution, and how often the first
// came.
func (l *ledger) announcements(id attune.ExecutionID) (all []announcement, times int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for a, n := range l.announced {
		if a.id == id {
			all, times = append(all, a), n
		}
	}
	return all, times
}

// once says what is wrong with an execution that should have run once to the
// end its row tells, after attempts that did not, and been announced as that; or
// "".
func (l *ledger) once(x *attune.Execution) string {
	runs := l.of(x.ID)
	switch all, _ := l.announcements(x.ID); {
	case !x.Status.Terminal():
		return fmt.Sprintf("%s is %s attempt %d on %s: %s", x.ID, x.Status, x.Attempt, x.Incarnation, x.Reason)
	case len(all) != 1 || all[0].status != x.Status || all[0].version != x.Version:
		return fmt.Sprintf("%s is %s at version %d, announced are %v", x.ID, x.Status, x.Version, all)
	case x.Status == attune.Completed && (len(runs) == 0 || slices.IndexFunc(runs, func(r *run) bool { return r.how == messages.Finished }) != len(runs)-1):
		return fmt.Sprintf("%s is completed with %d runs", x.ID, len(runs))
	}
	return ""
}
