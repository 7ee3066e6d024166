package scheduler

import (
	"testing"

	"github.com/attune-automation/attune"
	"github.com/attune-automation/attune/messages"
)

// Behind a run that nobody can take, naively what is withdrawn stays for ever.
func TestWithdrawnRunsBehindOneThatStaysAreForgotten(t *testing.T) {
	q := &queue{}
	add := func(i int) *run {
		r := &run{place: &messages.Place{ID: attune.ExecutionID(i)}}
		q.push(r)
		return r
	}
	want := []*run{add(0)}
	for i := range 100_000 {
		r := add(i + 1)
		if i%1000 == 0 {
			want = append(want, r)
			continue
		}
		if q.withdraw(r); len(q.runs)-q.head > 3000 {
			t.Fatalf("after %d the queue holds %d runs", i, len(q.runs)-q.head)
		}
	}
	for i, r := range want {
		if got := q.first(); got != r {
			t.Fatalf("run %d is not the one that comes then", i)
		}
		q.pop()
	}
	if !q.empty() || q.gone != 0 {
		t.Errorf("it is not empty, or still counts %d withdrawn", q.gone)
	}
}
