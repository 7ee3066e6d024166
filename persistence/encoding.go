package persistence

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"time"
	"unique"

	"github.com/attune-automation/attune"
)

// The columns spec and state of stores on disk hold fields nobody searches by: a
// format byte, then the fields in order, texts with their length, numbers as varints. A
// later format only appends fields; a reader knows where it ends.
const format = 1

// ErrEncoding is the error of a column that cannot be read.
var ErrEncoding = errors.New("a stored row is damaged, or newer than this program")

// Encoder writes the columns of one row after another into one buffer, of which
// it hands out pieces: all stores on disk keep rows in the same form. Not for two
// goroutines.
type Encoder struct {
	buf   []byte
	start int
}

// Reset forgets all rows; nobody may still use their pieces.
func (e *Encoder) Reset() { e.buf = e.buf[:0] }

func (e *Encoder) begin() {
	e.start = len(e.buf)
	e.buf = append(e.buf, format)
}

func (e *Encoder) end() []byte { return e.buf[e.start:len(e.buf):len(e.buf)] }

func (e *Encoder) text(s string) {
	e.buf = append(binary.AppendUvarint(e.buf, uint64(len(s))), s...)
}

func (e *Encoder) int(v int64)      { e.buf = binary.AppendVarint(e.buf, v) }
func (e *Encoder) time(t time.Time) { e.int(Millis(t)) }

func (e *Encoder) chain(c attune.Chain) {
	e.text(c.Correlation)
	e.text(c.Traceparent)
	e.text(c.Principal)
}

func (e *Encoder) failure(f *attune.Failure) {
	if f == nil {
		e.int(0)
		return
	}
	e.int(1)
	e.text(f.Code)
	e.text(f.Message)
	e.text(f.Detail)
}

// retry writes 0 where there is none.
func (e *Encoder) retry(r attune.RetryPolicy) {
	e.int(int64(r.MaxAttempts))
	if r.MaxAttempts == 0 {
		return
	}
	e.int(int64(len(r.On)))
	for _, s := range r.On {
		e.int(int64(s))
	}
	e.int(int64(r.Delay))
	e.int(int64(r.Backoff))
	e.int(int64(r.MaxDelay))
	e.int(int64(math.Float64bits(r.Jitter)))
}

// retry reads none where a row ends before it: it was written by a program that
// knew of no retries.
func (d *decoder) retry() (r attune.RetryPolicy) {
	if len(d.b) == 0 {
		return r
	}
	if r.MaxAttempts = int(d.int()); r.MaxAttempts == 0 {
		return r
	}
	for n := d.int(); n > 0 && d.fault == nil; n-- {
		r.On = append(r.On, choice(d, "retry.on", attune.Failed, attune.Abandoned))
	}
	r.Delay, r.Backoff, r.MaxDelay = attune.Span(d.int()), choice(d, "retry.backoff", attune.Constant, attune.Exponential), attune.Span(d.int())
	if r.Jitter = math.Float64frombits(uint64(d.int())); !(r.Jitter >= 0 && r.Jitter <= 1) { // NaN is neither
		d.fail(unknown("retry.jitter", r.Jitter))
	}
	return r
}

// decoder reads what an Encoder wrote. After a fault it reads zeros.
type decoder struct {
	b     []byte
	fault error
}

func newDecoder(b []byte) *decoder {
	if len(b) == 0 || b[0] != format {
		return &decoder{fault: ErrEncoding}
	}
	return &decoder{b: b[1:]}
}

// fail notes the first fault.
func (d *decoder) fail(fault error) {
	if d.b = nil; d.fault == nil {
		d.fault = fault
	}
}

// unknown is the fault of a value that means nothing to this program. Taken for
// another one, or as it is, it would be acted on, and nobody said that.
func unknown(field string, v any) error { return fmt.Errorf("%w: its %s is %v", ErrEncoding, field, v) }

// choice reads one of a numbered list.
func choice[T ~uint8](d *decoder, field string, first, last T) T {
	v := d.int()
	if v < int64(first) || v > int64(last) {
		d.fail(unknown(field, v))
		return 0
	}
	return T(v)
}

// more tells whether another field follows: one of an older row may not.
func (d *decoder) more() bool { return len(d.b) > 0 }

func (d *decoder) int() int64 {
	v, n := binary.Varint(d.b)
	if n <= 0 {
		d.fail(ErrEncoding)
		return 0
	}
	d.b = d.b[n:]
	return v
}

func (d *decoder) text() string {
	size, n := binary.Uvarint(d.b)
	if n <= 0 || uint64(len(d.b)-n) < size {
		d.fail(ErrEncoding)
		return ""
	}
	s := string(d.b[n : n+int(size)])
	d.b = d.b[n+int(size):]
	return s
}

// skip passes over a text.
func (d *decoder) skip() {
	size, n := binary.Uvarint(d.b)
	if n <= 0 || uint64(len(d.b)-n) < size {
		d.fail(ErrEncoding)
		return
	}
	d.b = d.b[n+int(size):]
}

func (d *decoder) time() time.Time { return FromMillis(d.int()) }

func (d *decoder) chain() attune.Chain {
	return attune.Chain{Correlation: d.text(), Traceparent: d.text(), Principal: d.text()}
}

func (d *decoder) failure() *attune.Failure {
	if d.int() == 0 {
		return nil
	}
	return &attune.Failure{Code: d.text(), Message: d.text(), Detail: d.text()}
}

// EventSpec is what an event keeps beside its columns.
func (e *Encoder) EventSpec(v *attune.Event) []byte {
	e.begin()
	e.text(v.Dedupe)
	e.time(v.OccurredAt)
	e.chain(v.Chain)
	e.int(v.RulesRevision)
	e.time(v.Accepted)
	return e.end()
}

// DecodeEvent reads what [Encoder.EventSpec] wrote.
func DecodeEvent(spec []byte, v *attune.Event) error {
	d := newDecoder(spec)
	v.Dedupe = d.text()
	v.OccurredAt = d.time()
	v.Chain = d.chain()
	v.RulesRevision = d.int()
	v.Accepted = d.time()
	return d.fault
}

// EnforcementSpec is what an enforcement keeps beside its columns.
func (e *Encoder) EnforcementSpec(v *attune.Enforcement) []byte {
	e.begin()
	e.text(v.RuleHash)
	e.int(int64(v.Execution))
	e.failure(v.Failure)
	e.chain(v.Chain)
	e.time(v.Created)
	return e.end()
}

// DecodeEnforcement reads what [Encoder.EnforcementSpec] wrote.
func DecodeEnforcement(spec []byte, v *attune.Enforcement) error {
	d := newDecoder(spec)
	v.RuleHash = d.text()
	v.Execution = attune.ExecutionID(d.int())
	v.Failure = d.failure()
	v.Chain = d.chain()
	v.Created = d.time()
	return d.fault
}

// ExecutionSpec is what an execution begins with, beside its columns.
func (e *Encoder) ExecutionSpec(v *attune.Execution) []byte {
	e.begin()
	e.text(v.ActionHash)
	e.text(v.Runner)
	e.int(int64(v.Root))
	e.chain(v.Chain)
	e.int(int64(v.Limits.Timeout))
	e.int(int64(v.Limits.Grace))
	e.time(v.Limits.Deadline)
	e.time(v.Requested)
	e.int(int64(v.RerunOf))
	e.retry(v.Limits.Retry)
	return e.end()
}

// ExecutionState is what a [Save] changes, beside its columns.
func (e *Encoder) ExecutionState(v *attune.Execution) []byte {
	e.begin()
	e.int(int64(v.Cause))
	e.int(int64(v.Attempt))
	e.text(v.Reason)
	e.time(v.Until)
	e.time(v.Started)
	e.failure(v.Failure)
	e.buf = append(binary.AppendUvarint(e.buf, uint64(len(v.History))), v.History...)
	return e.end()
}

// DecodeExecution reads what [Encoder.ExecutionSpec] and [Encoder.ExecutionState]
// wrote.
func DecodeExecution(spec, state []byte, v *attune.Execution) error {
	d := newDecoder(spec)
	v.ActionHash = d.text()
	v.Runner = d.text()
	v.Root = attune.ExecutionID(d.int())
	v.Chain = d.chain()
	v.Limits = attune.Limits{Timeout: time.Duration(d.int()), Grace: time.Duration(d.int()), Deadline: d.time()}
	v.Requested = d.time()
	if d.more() {
		v.RerunOf = attune.ExecutionID(d.int())
	}
	v.Limits.Retry = d.retry()
	if err := d.fault; err != nil {
		return err
	}
	d = newDecoder(state)
	v.Cause = choice(d, "cause", attune.NoCause, attune.CausePanic)
	v.Attempt = int(d.int())
	v.Reason = d.text()
	v.Until = d.time()
	v.Started = d.time()
	v.Failure = d.failure()
	if h := d.text(); h != "" {
		v.History = attune.History(h)
	}
	return d.fault
}

// DecodeLive reads of both what a [Live] has, and skips the rest.
func DecodeLive(spec, state []byte, l *Live) error {
	d := newDecoder(spec)
	d.skip()
	l.Runner = unique.Make(d.text()).Value() // a million rows have a few
	d.int()
	for range 3 {
		d.skip()
	}
	l.Limits = attune.Limits{Timeout: time.Duration(d.int()), Grace: time.Duration(d.int()), Deadline: d.time()}
	d.time()
	if d.more() {
		d.int()
	}
	l.Limits.Retry = d.retry()
	if err := d.fault; err != nil {
		return err
	}
	d = newDecoder(state)
	choice(d, "cause", attune.NoCause, attune.CausePanic)
	l.Attempt = int(d.int())
	d.skip()
	l.Until = d.time()
	return d.fault
}
