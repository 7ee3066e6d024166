package worker

import (
	"errors"

	"github.com/attune-automation/attune"
	"github.com/attune-automation/attune/messages"
	"github.com/attune-automation/attune/secret"
)

// unseal opens the secrets of a dispatch. What cannot be opened can never run
// here: the report of that is returned.
func (w *Worker) unseal(a *attempt, d *messages.Dispatch) *messages.Report {
	parameters, mask, err := w.config.Open(d.Action, d.Parameters)
	if err != nil {
		return &messages.Report{Kind: messages.RefusedRun, Reason: err.Error(), Failure: unreadable(err)}
	}
	opened := *d
	opened.Parameters = parameters
	a.dispatch = &opened
	if mask != nil {
		a.veil = newVeil(mask)
	}
	return nil
}

func unreadable(err error) *attune.Failure {
	var e *attune.Error
	if !errors.As(err, &e) {
		return &attune.Failure{Code: secret.CodeUnreadable, Message: err.Error()}
	}
	return &attune.Failure{Code: e.Code, Message: e.Message, Detail: e.Try}
}

// veil masks all that one attempt says, on the runner's side of the inbox: what
// is behind it, the journal too, never held a secret of its action. It belongs
// to whoever calls events.
type veil struct {
	mask    *secret.Mask
	streams [streamsCount]veiled
}

type veiled struct {
	*secret.Stream
	heard int64
	cut   bool
}

func newVeil(mask *secret.Mask) *veil {
	v := &veil{mask: mask}
	for i := range v.streams {
		v.streams[i].Stream = mask.Stream()
	}
	return v
}

// pass hands on what may be said of an event, at once or before a later one.
func (v *veil) pass(e Event, on func(Event)) {
	switch e.Kind {
	case Wrote:
		if e.Stream >= 1 && e.Stream <= streamsCount {
			v.wrote(e, on)
		}
	case Ended:
		cut := e.End != messages.Finished // then it may have been ended while it wrote
		for i := range v.streams {
			if rest := v.streams[i].End(nil, cut); len(rest) > 0 {
				on(Event{Kind: Wrote, Stream: uint8(i + 1), Data: rest})
			}
		}
		e.Result, e.Reason = v.mask.Document(e.Result, cut), v.mask.Text(e.Reason)
		if f := e.Failure; f != nil {
			e.Failure = &attune.Failure{Code: f.Code, Message: v.mask.Text(f.Message), Detail: v.mask.Text(f.Detail)}
		}
		on(e)
	default:
		on(e)
	}
}

// wrote masks output. Runners leave out what is beyond [StreamBytes]: there the
// stream is cut, however long it is once it is masked.
func (v *veil) wrote(e Event, on func(Event)) {
	s := &v.streams[e.Stream-1]
	if s.cut {
		return
	}
	if s.heard += int64(len(e.Data)); s.heard > StreamBytes {
		s.cut, e.cut = true, true
		e.Data = e.Data[:int64(len(e.Data))-(s.heard-StreamBytes)]
	}
	e.Data = s.Write(nil, e.Data)
	if e.cut {
		e.Data = s.End(e.Data, true)
	}
	if len(e.Data) > 0 || e.cut {
		on(e)
	}
}
