package storetest

import (
	"time"

	"github.com/attune-automation/attune"
	"github.com/attune-automation/attune/persistence"
)

var leaseCases = map[string]func(f *fixture){
	"a new lease lives as long as it says": func(f *fixture) {
		now, err := f.s.Acquire(f.ctx, "node-2", "two", time.Minute)
		f.ok(err)
		l := f.lease("node-2")
		if l.Name != "two" || l.Dead || l.Expires.Sub(now).Abs()-time.Minute > time.Millisecond {
			f.Fatalf("lease %+v, acquired at %s", l, now)
		}
	},
	"acquiring again extends, unless dead": func(f *fixture) {
		f.acquire("node-1")
		f.take("node-1", "node-2", true)
		_, err := f.s.Acquire(f.ctx, "node-1", "node", time.Hour)
		f.kind(err, attune.Fenced)
	},
	"leases are listed by incarnation": func(f *fixture) {
		f.acquire("node-3")
		f.acquire("node-2")
		rows, err := f.s.LeaseRows(f.ctx)
		f.ok(err)
		if len(rows) != 3 || rows[0].Incarnation != "node-1" || rows[1].Incarnation != "node-2" || rows[2].Incarnation != "node-3" {
			f.Fatalf("leases %+v", rows)
		}
	},
	"renewing revives an expired lease": func(f *fixture) {
		_, err := f.s.Renew(f.ctx, "node-1", -time.Second)
		f.ok(err)
		now, err := f.s.Renew(f.ctx, "node-1", time.Minute)
		f.ok(err)
		if l := f.lease("node-1"); !l.Expires.After(now) {
			f.Fatalf("lease %+v at %s", l, now)
		}
	},
	"renewing never revives a dead lease": func(f *fixture) {
		f.take("node-1", "node-2", true)
		_, err := f.s.Renew(f.ctx, "node-1", time.Hour)
		f.kind(err, attune.Fenced)
		if l := f.lease("node-1"); !l.Dead {
			f.Fatalf("lease %+v, want it dead", l)
		}
	},
	"renewing an unknown lease is fenced": func(f *fixture) {
		_, err := f.s.Renew(f.ctx, "nobody", time.Hour)
		f.kind(err, attune.Fenced)
	},
	"resigning expires at once, and may be repeated": func(f *fixture) {
		f.ok(f.s.Resign(f.ctx, "node-1"))
		f.ok(f.s.Resign(f.ctx, "node-1"))
		f.ok(f.s.Resign(f.ctx, "nobody"))
		f.acquire("node-2")
		f.ok(f.s.TakeOver(f.ctx, "node-1", "node-2", nil))
	},
	"acquiring expires all others in an exclusive store only": func(f *fixture) {
		now, err := f.s.Acquire(f.ctx, "node-2", "node", time.Hour)
		f.ok(err)
		expired := !f.lease("node-1").Expires.After(now)
		err = f.s.TakeOver(f.ctx, "node-1", "node-2", nil)
		if expired {
			f.ok(err)
		} else {
			f.kind(err, attune.Conflict)
		}
	},
	"the partitions are there, in order, without owner": func(f *fixture) {
		rows := f.partitions()
		for i, p := range rows {
			if p != (persistence.Partition{ID: i}) {
				f.Fatalf("partition %d: %+v", i, p)
			}
		}
	},
	"taking partitions without owner raises their epoch": func(f *fixture) {
		f.ok(f.s.TakeOver(f.ctx, "", "node-1", []int{3, 5}))
		rows := f.partitions()
		for _, id := range []int{3, 5} {
			if rows[id].Owner != "node-1" || rows[id].Epoch != 1 {
				f.Fatalf("partition %+v", rows[id])
			}
		}
		if rows[4].Owner != "" || rows[4].Epoch != 0 {
			f.Fatalf("partition %+v", rows[4])
		}
	},
	"taking over names a new owner, raises the epoch and kills the lease": func(f *fixture) {
		f.ok(f.s.TakeOver(f.ctx, "", "node-1", []int{3, 5}))
		f.flush(&persistence.RaiseIDHigh{Partition: 3, High: 77})
		f.take("node-1", "node-2", true, 3)
		rows := f.partitions()
		same(f, "taken", rows[3], persistence.Partition{ID: 3, Owner: "node-2", Epoch: 2, IDHigh: 77})
		same(f, "left", rows[5], persistence.Partition{ID: 5, Owner: "node-1", Epoch: 1})
		f.take("node-1", "node-2", true, 5) // from a dead one
		same(f, "taken later", f.partitions()[5], persistence.Partition{ID: 5, Owner: "node-2", Epoch: 2})
	},
	"a lease that has not expired is not taken over, and nothing changes": func(f *fixture) {
		f.ok(f.s.TakeOver(f.ctx, "", "node-1", []int{3}))
		f.take("node-1", "node-2", false, 3)
		if l := f.lease("node-1"); l.Dead {
			f.Fatalf("lease %+v", l)
		}
		same(f, "partition", f.partitions()[3], persistence.Partition{ID: 3, Owner: "node-1", Epoch: 1})
		f.lead = "node-1"
		f.flush(f.group(1, "a"))
	},
	"a partition of another owner is not taken, nor any with it": func(f *fixture) {
		f.ok(f.s.TakeOver(f.ctx, "", "node-1", []int{3}))
		f.kind(f.s.TakeOver(f.ctx, "", "node-1", []int{4, 3}), attune.Conflict)
		f.acquire("node-2")
		f.ok(f.s.Resign(f.ctx, "node-1"))
		f.kind(f.s.TakeOver(f.ctx, "node-1", "node-2", []int{3, 4}), attune.Conflict)
		same(f, "owned", f.partitions()[3], persistence.Partition{ID: 3, Owner: "node-1", Epoch: 1})
		same(f, "free", f.partitions()[4], persistence.Partition{ID: 4})
		if f.lease("node-1").Dead {
			f.Fatal("the lease is dead although nothing was taken")
		}
	},
	"a dead or unknown node takes nothing over": func(f *fixture) {
		f.kind(f.s.TakeOver(f.ctx, "", "nobody", []int{1}), attune.Fenced)
		f.take("node-1", "node-2", true)
		f.kind(f.s.TakeOver(f.ctx, "", "node-1", []int{1}), attune.Fenced)
	},
	"nobody takes itself over": func(f *fixture) {
		f.ok(f.s.Resign(f.ctx, "node-1"))
		f.kind(f.s.TakeOver(f.ctx, "node-1", "node-1", nil), attune.Conflict)
	},
	"there are no more partitions than there are": func(f *fixture) {
		f.kind(f.s.TakeOver(f.ctx, "", "node-1", []int{attune.Partitions}), attune.Invalid)
		f.kind(f.s.TakeOver(f.ctx, "", "node-1", []int{-1}), attune.Invalid)
	},
	"a dead lease writes nothing, ever again": func(f *fixture) {
		f.take("node-1", "node-2", true)
		a := f.group(1, "a")
		_, err := f.s.Flush(f.ctx, "node-1", []persistence.Op{a})
		f.kind(err, attune.Fenced)
		f.absent(a)
		_, err = f.s.Flush(f.ctx, "nobody", []persistence.Op{a})
		f.kind(err, attune.Fenced)
		f.flush(a) // node-2 may
	},
	"an expired lease still writes": func(f *fixture) {
		f.ok(f.s.Resign(f.ctx, "node-1"))
		f.flush(f.group(1, "a"))
	},
}

func (f *fixture) lease(incarnation string) persistence.Lease {
	f.Helper()
	rows, err := f.s.LeaseRows(f.ctx)
	f.ok(err)
	for _, l := range rows {
		if l.Incarnation == incarnation {
			return l
		}
	}
	f.Fatalf("there is no lease of %s", incarnation)
	return persistence.Lease{}
}

func (f *fixture) partitions() []persistence.Partition {
	f.Helper()
	rows, err := f.s.PartitionRows(f.ctx)
	f.ok(err)
	if len(rows) != attune.Partitions {
		f.Fatalf("%d partitions", len(rows))
	}
	return rows
}

// take makes by, which is alive, take over from a lease that expired or lives.
func (f *fixture) take(from, by string, expired bool, partitions ...int) {
	f.Helper()
	f.acquire(by)
	if expired {
		f.ok(f.s.Resign(f.ctx, from))
		f.ok(f.s.TakeOver(f.ctx, from, by, partitions))
		return
	}
	_, err := f.s.Renew(f.ctx, from, time.Hour) // an exclusive store expired it
	f.ok(err)
	f.kind(f.s.TakeOver(f.ctx, from, by, partitions), attune.Conflict)
}
