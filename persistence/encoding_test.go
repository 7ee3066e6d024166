package persistence

import (
	"reflect"
	"testing"
	"time"

	"github.com/attune-automation/attune"
)

// A row that was written before there were retries is read as one without.
func TestARowOfAnEarlierProgramHasNoRetry(t *testing.T) {
	x := &attune.Execution{ActionHash: "h", Runner: "r", Root: 7, Requested: attune.Epoch.Add(time.Second),
		Limits: attune.Limits{Timeout: time.Minute, Grace: time.Second, Deadline: attune.Epoch.Add(time.Hour)}}
	var enc Encoder
	spec := append([]byte(nil), enc.ExecutionSpec(x)...)
	state := append([]byte(nil), enc.ExecutionState(x)...)
	for _, one := range [][]byte{spec, spec[:len(spec)-1]} { // with "no retry" written, and without a word
		got, live := &attune.Execution{}, Live{}
		if err := DecodeExecution(one, state, got); err != nil || !reflect.DeepEqual(got, x) {
			t.Errorf("%+v, %v", got, err)
		}
		if err := DecodeLive(one, state, &live); err != nil || !reflect.DeepEqual(live.Limits, x.Limits) {
			t.Errorf("%+v, %v", live, err)
		}
	}
	x.Limits.Retry = attune.RetryPolicy{MaxAttempts: 2, On: []attune.Status{attune.Failed}}
	spec = append([]byte(nil), enc.ExecutionSpec(x)...)
	if err := DecodeExecution(spec[:len(spec)-1], state, &attune.Execution{}); err == nil {
		t.Error("a retry that is cut off is read")
	}
}
