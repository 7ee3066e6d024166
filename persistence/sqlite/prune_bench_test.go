package sqlite_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/attune-automation/attune/persistence"
)

// BenchmarkPrune deletes events with their enforcement, execution, dedupe key
// and a chunk of output, in slices as the node does, and says what one costs and
// how long the longest slice was.
func BenchmarkPrune(b *testing.B) {
	const trees = 5000
	for b.Loop() {
		b.StopTimer()
		s := open(b, b.TempDir())
		if _, err := s.Acquire(b.Context(), "node-1", "node", time.Hour); err != nil {
			b.Fatal(err)
		}
		for at := 0; at < trees; at += 250 {
			var admits, saves []persistence.Op
			var chunks []persistence.OutputChunk
			for i := at; i < at+250; i++ {
				a := admission(i)
				x := completed(a.Executions[0], int64(i+1))
				admits, saves = append(admits, a), append(saves, &persistence.Save{Execution: x})
				chunks = append(chunks, persistence.OutputChunk{Token: x.Token(), Stream: persistence.Stdout, Data: fmt.Appendf(nil, "hello %d\n", i)})
			}
			for _, ops := range [][]persistence.Op{admits, saves} {
				if _, err := s.Flush(b.Context(), "node-1", ops); err != nil {
					b.Fatal(err)
				}
			}
			if err := s.AppendOutput(b.Context(), chunks); err != nil {
				b.Fatal(err)
			}
		}
		rows, err := s.PartitionRows(b.Context())
		if err != nil {
			b.Fatal(err)
		}
		var marks []persistence.Op
		for _, p := range rows {
			marks = append(marks, &persistence.Announced{Partition: p.ID, Through: p.FinishNumber})
		}
		if _, err := s.Flush(b.Context(), "node-1", marks); err != nil {
			b.Fatal(err)
		}
		before, slices, longest, gone := s.Stats(), 0, time.Duration(0), int64(0)
		spent := processor()
		b.StartTimer()
		for _, shelf := range persistence.Shelves()[:4] {
			p := persistence.Prune{Shelf: shelf, Before: time.Date(2100, 1, 1, 0, 0, 0, 0, time.UTC), Rows: 250}
			for {
				began := time.Now()
				out, err := s.Prune(b.Context(), "node-1", p)
				if err != nil {
					b.Fatal(err)
				}
				slices, longest = slices+1, max(longest, time.Since(began))
				gone += out.Rows[persistence.EventTable]
				if p.After = out.Next; p.After == "" {
					break
				}
			}
		}
		b.StopTimer()
		if gone != trees {
			b.Fatalf("%d events went, of %d", gone, trees)
		}
		after := s.Stats()
		b.ReportMetric(float64((processor()-spent).Microseconds())/trees, "cpu-µs/tree")
		b.ReportMetric(float64(after.Commits-before.Commits)/trees, "commits/tree")
		b.ReportMetric(float64(after.FileBytes-before.FileBytes)/trees, "log-B/tree")
		b.ReportMetric(float64(longest.Microseconds())/1000, "longest-ms")
		b.ReportMetric(float64(slices), "slices")
		b.StartTimer()
	}
}
