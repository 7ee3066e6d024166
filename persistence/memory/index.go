package memory

import (
	"cmp"
	"slices"

	"github.com/attune-automation/attune"
)

func (s *Store) partition(id interface{ Partition() int }) *partition {
	return &s.partitions[id.Partition()]
}

// put stores an execution and keeps the indexes of its partition.
func (f *flush) put(x *attune.Execution) {
	p := f.s.partition(x.ID)
	if old := f.s.executions.rows[x.ID]; old != nil && old.row.FinishNumber != x.FinishNumber {
		p.ends = slices.DeleteFunc(p.ends, func(e end) bool { return e.execution == x.ID })
	}
	f.s.executions.put(x.ID, &execution{x, f.writer})
	if x.Status.Terminal() {
		p.live = remove(p.live, x.ID)
	} else {
		p.live = add(p.live, x.ID)
	}
	if x.FinishNumber > 0 {
		e := end{x.FinishNumber, x.ID}
		if i, found := slices.BinarySearchFunc(p.ends, e, compareEnds); !found {
			p.ends = slices.Insert(p.ends, i, e)
		}
		p.row.FinishNumber = max(p.row.FinishNumber, x.FinishNumber)
	}
}

func compareEnds(a, b end) int {
	return cmp.Or(cmp.Compare(a.number, b.number), cmp.Compare(a.execution, b.execution))
}
