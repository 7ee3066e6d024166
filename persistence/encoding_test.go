package persistence

import (
	"encoding/binary"
	"errors"
	"math"
	"reflect"
	"strings"
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

// What no program has a meaning for is refused by name: taken as it is, a cause
// would end in no status, and a pause of NaN at no moment.
func TestARowThatSaysWhatNobodyMeansIsRefused(t *testing.T) {
	retry := func(change func(*attune.RetryPolicy)) func(*attune.Execution) {
		return func(x *attune.Execution) { change(&x.Limits.Retry) }
	}
	for want, change := range map[string]func(*attune.Execution){
		"its cause is 4":            func(x *attune.Execution) { x.Cause = attune.CausePanic + 1 },
		"its retry.backoff is 3":    retry(func(r *attune.RetryPolicy) { r.Backoff = attune.Exponential + 1 }),
		"its retry.on is 13":        retry(func(r *attune.RetryPolicy) { r.On = []attune.Status{attune.Failed, attune.Abandoned + 1} }),
		"its retry.on is 5":         retry(func(r *attune.RetryPolicy) { r.On = []attune.Status{attune.Running} }),
		"its retry.jitter is NaN":   retry(func(r *attune.RetryPolicy) { r.Jitter = math.NaN() }),
		"its retry.jitter is -Inf":  retry(func(r *attune.RetryPolicy) { r.Jitter = math.Inf(-1) }),
		"its retry.jitter is 1e+18": retry(func(r *attune.RetryPolicy) { r.Jitter = 1e18 }),
	} {
		x := &attune.Execution{Cause: attune.CausePanic,
			Limits: attune.Limits{Retry: attune.RetryPolicy{MaxAttempts: 2, On: []attune.Status{attune.Failed, attune.Abandoned}, Backoff: attune.Exponential, Jitter: 1}}}
		var enc Encoder
		if err := DecodeExecution(enc.ExecutionSpec(x), enc.ExecutionState(x), &attune.Execution{}); err != nil {
			t.Fatal(err)
		}
		change(x)
		spec, state := enc.ExecutionSpec(x), enc.ExecutionState(x)
		for _, err := range []error{DecodeExecution(spec, state, &attune.Execution{}), DecodeLive(spec, state, &Live{})} {
			if !errors.Is(err, ErrEncoding) || !strings.HasSuffix(err.Error(), want) {
				t.Errorf("%v, want: %s", err, want)
			}
		}
	}
	body, err := EncodeWorker(&attune.Worker{Incarnation: "i", State: attune.WorkerLeft + 1})
	if err != nil {
		t.Fatal(err)
	}
	if err := DecodeWorker(body, &attune.Worker{}); !errors.Is(err, ErrEncoding) || !strings.HasSuffix(err.Error(), "its state is 5") {
		t.Errorf("a worker in no state: %v", err)
	}
}

// A number is refused as it was written, not what is left of it in a byte.
func TestANumberIsNotCut(t *testing.T) {
	var enc Encoder
	x := &attune.Execution{}
	spec := enc.ExecutionSpec(x)
	state := enc.ExecutionState(x)
	state = append(binary.AppendVarint([]byte{format}, 256), state[2:]...)
	if err := DecodeExecution(spec, state, x); !errors.Is(err, ErrEncoding) || !strings.HasSuffix(err.Error(), "its cause is 256") {
		t.Errorf("%v, cause %d", err, x.Cause)
	}
}
