package actors

import (
	"time"

	"github.com/attune-automation/attune"
	"github.com/attune-automation/attune/messages"
)

// SignalOf is what a worker's report means to its execution.
func SignalOf(k messages.ReportKind) attune.Signal {
	switch k {
	case messages.Started:
		return attune.Start
	case messages.Finished:
		return attune.Finish
	case messages.FailedRun:
		return attune.Fail
	case messages.TimedOutRun:
		return attune.TimeOut
	case messages.StoppedRun:
		return attune.Confirm
	case messages.Returned:
		return attune.Return
	case messages.RefusedRun:
		return attune.Refuse
	case messages.LostRun:
		return attune.Lose
	}
	return attune.NoSignal
}

// Witness keeps a report that changes nothing any more in the history, and
// reports whether it did: a repetition of what the history tells is no news.
// Workers repeat every report until it is acknowledged.
func Witness(x *attune.Execution, m *messages.Report, at time.Time) bool {
	signal, note := SignalOf(m.Kind), "late report: "+m.Kind.String()
	steps, err := x.History.Steps()
	if err != nil {
		return false
	}
	for _, s := range steps {
		told := s.Signal == signal || m.Kind == messages.StoppedRun && s.Signal == attune.Fail || // ended by its worker, unasked
			s.Signal == attune.Retry && m.Kind != messages.Finished // it stands for the end
		if s.Attempt == m.Token.Attempt && told && (!s.Refused || s.Note == note) {
			return false
		}
	}
	x.Witness(attune.Input{Signal: signal, At: at, Attempt: m.Token.Attempt, Reason: note})
	return true
}
