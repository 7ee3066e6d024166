package attune

import (
	"errors"
	"strings"
	"time"
)

// ErrorKind is what a caller can do about an error. The HTTP status and the
// exit code follow from it alone.
type ErrorKind uint8

// The kinds of errors.
const (
	// Internal is a fault of the engine; trying again may help.
	Internal ErrorKind = iota
	// Invalid is a fault of the request; it must change.
	Invalid
	// NotFound names something that is not there, or not for this caller.
	NotFound
	// Conflict contradicts the present state; read it again.
	Conflict
	// Denied means that the caller may not.
	Denied
	// TooLarge is over a size limit.
	TooLarge
	// TooMuch is over a rate or capacity limit; try again after RetryAfter.
	TooMuch
	// Fenced means that this node no longer owns what it wrote to. It never
	// leaves the engine.
	Fenced
	// Unavailable means that something needed is away; trying again helps.
	Unavailable
)

var errorKindNames = [...]string{"internal", "invalid", "not found", "conflict", "denied", "too large", "too much", "fenced", "unavailable"}

func (k ErrorKind) String() string { return word("error kind", errorKindNames[:], k) }

// Retryable reports whether the same request can succeed later, unchanged.
func (k ErrorKind) Retryable() bool { return k == Internal || k == TooMuch || k == Unavailable }

// Error is the error every package returns to its callers where the caller can
// act on it. Compare kinds with [KindOf], never text.
type Error struct {
	// Kind decides HTTP status, exit code and whether to try again.
	Kind ErrorKind
	// Code is a stable word for programs, such as "unknown_action".
	Code string
	// Message says what is wrong, in a sentence without a full stop.
	Message string
	// Where is the place: file:line:col, a field, a route. May be empty.
	Where string
	// Try says what the user can do. May be empty.
	Try string
	// Faults lists every single fault where there are several.
	Faults []Fault
	// RetryAfter is how long to wait with TooMuch and Unavailable; zero is
	// unknown.
	RetryAfter time.Duration
	// Cause is the error beneath, or nil.
	Cause error
}

// Fault is one thing wrong with a request or a file.
type Fault struct {
	// Where is file:line:col, or the path of a field such as parameters.cmd.
	Where string `json:"where"`
	// Message says what is wrong there.
	Message string `json:"message"`
	// Try says what would be right. May be empty.
	Try string `json:"try,omitempty"`
}

func (f Fault) String() string {
	s := f.Message
	if f.Where != "" {
		s = f.Where + ": " + s
	}
	if f.Try != "" {
		s += " (" + f.Try + ")"
	}
	return s
}

func (e *Error) Error() string {
	var b strings.Builder
	if e.Where != "" {
		b.WriteString(e.Where + ": ")
	}
	b.WriteString(e.Message)
	for _, f := range e.Faults {
		b.WriteString("; " + f.String())
	}
	if e.Cause != nil {
		b.WriteString(": " + e.Cause.Error())
	}
	return b.String()
}

func (e *Error) Unwrap() error { return e.Cause }

// Errorf-free constructors keep call sites short.

// NewError is an error of the kind with a stable code and a message.
func NewError(kind ErrorKind, code, message string) *Error {
	return &Error{Kind: kind, Code: code, Message: message}
}

// KindOf is the kind of the first [Error] in err's chain, else Internal.
func KindOf(err error) ErrorKind {
	var e *Error
	if errors.As(err, &e) {
		return e.Kind
	}
	var r *Refused
	if errors.As(err, &r) {
		return Conflict
	}
	return Internal
}

// Failure is why an execution ended otherwise than completed. Nothing is ever
// decided by parsing its text.
type Failure struct {
	// Code is a stable word, such as "exit_code", "timeout", "worker_lost".
	Code string `json:"code"`
	// Message is for people.
	Message string `json:"message"`
	// Detail is what else is known. May be empty.
	Detail string `json:"detail,omitempty"`
}
