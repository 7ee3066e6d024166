// Package runners holds the runners of a worker: noop and echo, which are pure,
// the runners of processes, which start them through a keeper, and http-request,
// which needs none.
package runners

import (
	"encoding/json"
	"time"

	"github.com/attune-automation/attune"
	"github.com/attune-automation/attune/messages"
	"github.com/attune-automation/attune/worker"
)

// Noop does nothing, with success.
type Noop struct{}

var noopResult = []byte(`{"failed":false,"succeeded":true,"return_code":0}`)

// Pure implements [worker.Runner].
func (Noop) Pure() bool { return true }

// Start implements [worker.Runner].
func (Noop) Start(_ *messages.Dispatch, events func(worker.Event)) {
	events(worker.Event{Kind: worker.Started})
	events(worker.Event{Kind: worker.Ended, End: messages.Finished, Result: noopResult})
}

// Stop implements [worker.Runner].
func (Noop) Stop(attune.Token, time.Duration) {}

// Echo writes its parameter message to its output, as text and one line, and
// has it as its result.
type Echo struct{ Noop }

// Start implements [worker.Runner].
func (Echo) Start(d *messages.Dispatch, events func(worker.Event)) {
	var parameters struct {
		Message json.RawMessage `json:"message"`
	}
	if err := json.Unmarshal(d.Parameters, &parameters); err != nil {
		events(refused("the parameters are no JSON object: " + err.Error()))
		return
	}
	text := string(parameters.Message)
	_ = json.Unmarshal(parameters.Message, &text) // what is no string keeps its JSON
	result, _ := json.Marshal(struct {            // it came out of JSON
		Failed     bool            `json:"failed"`
		Succeeded  bool            `json:"succeeded"`
		ReturnCode int             `json:"return_code"`
		Result     json.RawMessage `json:"result"`
		Stdout     string          `json:"stdout"`
	}{Succeeded: true, Result: parameters.Message, Stdout: text})
	events(worker.Event{Kind: worker.Started})
	events(worker.Event{Kind: worker.Wrote, Stream: worker.Stdout, Data: []byte(text + "\n")})
	events(worker.Event{Kind: worker.Ended, End: messages.Finished, Result: result})
}

func refused(reason string) worker.Event {
	return worker.Event{Kind: worker.Ended, End: messages.RefusedRun, Reason: reason}
}
