package attune_test

import (
	"testing"

	"github.com/attune-automation/attune"
)

func TestSizesOfMemory(t *testing.T) {
	for text, want := range map[string]int64{
		"0": 0, "1048576": 1 << 20, "512MiB": 512 << 20, "512 mib": 512 << 20, "1.5GiB": 3 << 29, "64k": 64 << 10, "2G": 2 << 30, "1MB": 1e6, "10B": 10, " 3kb ": 3000,
		"": -1, "MiB": -1, "-1": -1, "1e3": -1, "0x10": -1, "inf": -1, "nan": -1, "1_000": -1, "5 apples": -1, "99999999999T": -1, "1..5k": -1, "+1": -1,
	} {
		got, err := attune.ParseSize(text)
		if want >= 0 && (got != want || err != nil) || want < 0 && attune.KindOf(err) != attune.Invalid {
			t.Errorf("%q is %d, %v, want %d", text, got, err, want)
		}
	}
}

func TestOfTwoLimitsTheSmallerCounts(t *testing.T) {
	none := attune.Resources{}
	one, other := attune.Resources{Memory: 10, CPU: 2}, attune.Resources{Memory: 5, Processes: 7, CPU: 3}
	want := attune.Resources{Memory: 5, Processes: 7, CPU: 2}
	if got := one.Within(other); got != want || other.Within(one) != want {
		t.Errorf("%+v within %+v is %+v", one, other, got)
	}
	if one.Within(none) != one || none.Within(one) != one {
		t.Error("no limit limits")
	}
}

func TestLimitsUnderWhichNothingRunsAreRefused(t *testing.T) {
	for _, r := range []attune.Resources{{Memory: 1}, {Memory: -1}, {Processes: -1}, {Processes: 1 << 30}, {CPU: 0.001}, {CPU: -1}, {CPU: 1e9}} {
		if attune.KindOf(r.Check()) != attune.Invalid {
			t.Errorf("%+v is accepted", r)
		}
	}
	for _, r := range []attune.Resources{{}, {Memory: 1 << 20, Processes: 1, CPU: 0.01}} {
		if err := r.Check(); err != nil {
			t.Errorf("%+v: %v", r, err)
		}
	}
}
