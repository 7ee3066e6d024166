package worker_test

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"github.com/attune-automation/attune"
	"github.com/attune-automation/attune/messages"
	"github.com/attune-automation/attune/secret"
	"github.com/attune-automation/attune/worker"
)

const hush = "open-sesame-1"

// sealing gives the rig a key, and makes dispatches with the secret sealed.
func sealing(r *rig) func(n int, runner string) messages.Dispatch {
	box, err := secret.NewBox(nil, make([]byte, 32))
	if err != nil {
		r.Fatal(err)
	}
	r.config.Open = box.Open
	return func(n int, runner string) messages.Dispatch {
		d := r.dispatch(n, runner)
		d.Action = "p.a"
		d.Parameters, err = box.Seal(d.Action, []byte(`{"message":"`+hush+`"}`), &secret.Hidden{Names: []string{"message"}, Searched: []string{"message"}})
		if err != nil {
			r.Fatal(err)
		}
		return d
	}
}

// printed is what was sent of a stream since the last call.
func (r *rig) printed(stream uint8) string {
	r.Helper()
	var text strings.Builder
	for _, o := range all[messages.Output](r) {
		if o.Stream == stream {
			r.expect("offset", o.Offset, text.Len())
			text.Write(o.Data)
		}
	}
	return text.String()
}

func TestTheRunnerAloneSeesASecret(t *testing.T) {
	r := newRig(t)
	dispatch := sealing(r)
	r.start().saves = true
	r.send(dispatch(1, "echo"))
	r.settle()
	r.expect("output", r.printed(1), "********\n")
	r.expect("says", r.reports(1), `[started finished{"failed":false,"result":"********","return_code":0,"stdout":"********","succeeded":true}]`)
}

func TestASecretIsMaskedHoweverItIsWritten(t *testing.T) {
	r := newRig(t)
	dispatch := sealing(r)
	r.start().saves = true
	r.send(dispatch(1, "held"))
	r.settle()
	for _, part := range []string{"is ", hush[:3], hush[3:7], hush[7:], "!\n", "op", "en ", "b3Blbi1zZXNhbWUtMQ=="} {
		r.held.write(token(1), 1, []byte(part))
	}
	r.held.write(token(1), 2, []byte(hush+hush[:5]))
	e := worker.Event{Kind: worker.Ended, End: messages.FailedRun, Result: []byte(`{"` + hush + `":"<` + hush + `>"}`),
		Failure: &attune.Failure{Code: "c", Message: "not " + hush, Detail: hush}, Reason: "for " + hush}
	r.held.events[token(1)](e)
	r.advance(time.Second)
	var out, errs strings.Builder
	for _, o := range all[messages.Output](r) {
		if o.Stream == 1 {
			out.Write(o.Data)
		} else {
			errs.Write(o.Data)
		}
	}
	r.expect("stdout", out.String(), "is ********!\nopen ********")
	r.expect("stderr, which ends within one", errs.String(), "********")
	report := all[messages.Report](r)[1]
	r.expect("result", string(report.Result), `{"********":"<********>"}`)
	r.expect("failure", *report.Failure, attune.Failure{Code: "c", Message: "not ********", Detail: "********"})
	r.expect("reason", report.Reason, "for ********")
	if e.Failure.Detail != hush {
		t.Error("the runner's own failure was changed")
	}
}

// The journal holds the end of an attempt, and an attempt that begins holds
// nothing of its parameters.
func TestTheJournalHoldsNoSecret(t *testing.T) {
	r := newRig(t)
	dispatch := sealing(r)
	spy := &spying{Journal: r.journal}
	r.config.Journal = spy
	r.start()
	r.send(dispatch(1, "held"))
	r.settle()
	r.held.end(token(1), messages.Finished, `"`+hush+`"`)
	r.settle()
	r.expect("entries", len(spy.entries), 2)
	r.expect("the end", string(spy.entries[1].Report.Result), `"********"`)
}

type spying struct {
	worker.Journal
	entries []worker.Entry
}

func (s *spying) Append(entries []worker.Entry, done func(error)) {
	s.entries = append(s.entries, entries...)
	s.Journal.Append(entries, done)
}

func TestASecretThatCannotBeReadIsRefusedAndTakesNoSlot(t *testing.T) {
	r := newRig(t)
	dispatch := sealing(r)
	for name, open := range map[string]func(string, []byte) ([]byte, *secret.Mask, error){
		"no key": nil,
		"another key": func() func(string, []byte) ([]byte, *secret.Mask, error) {
			box, err := secret.NewBox(nil, bytes.Repeat([]byte{1}, 32))
			if err != nil {
				t.Fatal(err)
			}
			return box.Open
		}(),
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t)
			r.config.Open = open
			r.start()
			d := dispatch(1, "held")
			d.Incarnation = "w-1"
			r.send(d, r.dispatch(2, "held"), r.dispatch(3, "held"))
			r.settle()
			report := all[messages.Report](r)[0]
			r.expect("says", report.Kind, messages.RefusedRun)
			r.expect("code", report.Failure.Code, "secret_unreadable")
			if !strings.Contains(report.Failure.Message, "with the key ") || !strings.Contains(report.Failure.Detail, "attune.key.old") {
				t.Errorf("%+v", report.Failure)
			}
			r.expect("started", r.held.started, []any{token(2), token(3)})
		})
	}
}

// Runners say 10 MB and a bit. Masked it may be less, and is cut all the same.
func TestMaskedOutputIsCutWhereItsRunnerCutsIt(t *testing.T) {
	r := newRig(t)
	dispatch := sealing(r)
	r.start().saves = true
	r.send(dispatch(1, "held"))
	r.settle()
	r.held.write(token(1), 1, bytes.Repeat([]byte(hush), worker.StreamBytes/len(hush)))
	r.held.write(token(1), 1, []byte(hush+"more"))
	r.held.end(token(1), messages.Finished, "")
	r.settle()
	got := r.printed(1)
	if !strings.HasPrefix(got, "********") || !strings.HasSuffix(got, "\n[attune: the output is cut here, at 10 MB]\n") || strings.Contains(got, "open") {
		t.Errorf("it is %.100q", got)
	}
}
