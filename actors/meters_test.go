package actors_test

import (
	"sync"
	"testing"
	"time"

	"github.com/attune-automation/attune/actors"
)

func TestADistributionCountsEachValueUnderEveryBoundAboveIt(t *testing.T) {
	var d actors.Distribution
	values := []float64{-1, 0, 0.0001, 1.0 / 4096, 0.01, 1, 1.5, 3600, 1e9}
	for _, v := range values {
		d.Observe(v)
	}
	count, sum, below := d.Read()
	if count != uint64(len(values)) {
		t.Errorf("it counted %d of %d", count, len(values))
	}
	want := 0.0
	for _, v := range values {
		want += max(v, 0)
	}
	if sum != want {
		t.Errorf("the sum is %v, not %v", sum, want)
	}
	for bound, got := range below {
		n := uint64(0)
		for _, v := range values {
			if v <= bound {
				n++
			}
		}
		if got != n {
			t.Errorf("%d values are said to be at most %v, and %d are", got, bound, n)
		}
	}
}

func TestADistributionLosesNothingToOthers(t *testing.T) {
	var d actors.Distribution
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			for range 1000 {
				d.Observe(0.5)
			}
		})
	}
	all.Wait()
	if count, sum, _ := d.Read(); count != 8000 || sum != 4000 {
		t.Errorf("8 at a time counted %d, in all %v", count, sum)
	}
}

func TestGaugesKeepOneNumberForAName(t *testing.T) {
	var g actors.Gauges
	g.Of("b").Store(2)
	g.Of("a").Add(1)
	g.Of("b").Add(1)
	var got []string
	g.Each(func(name string, v int64) { got = append(got, name+"="+time.Duration(v).String()) })
	if len(got) != 2 || got[0] != "a=1ns" || got[1] != "b=3ns" {
		t.Errorf("%v", got)
	}
}

func BenchmarkDistribution(b *testing.B) {
	var d actors.Distribution
	b.ReportAllocs()
	for i := range b.N {
		d.Observe(float64(i%1000) / 1000)
	}
}
