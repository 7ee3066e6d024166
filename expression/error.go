package expression

import (
	"errors"
	"fmt"
	"strings"
)

// Kind says what sort of mistake an Error is.
type Kind string

// The kinds of errors.
const (
	// Syntax: the template can never be rendered.
	Syntax Kind = "syntax"
	// Undefined: a name, key or index is missing in this scope.
	Undefined Kind = "undefined"
	// Type: an operation does not fit its values, such as 1 + 'a'.
	Type Kind = "type"
	// Budget: a limit of the cage was reached.
	Budget Kind = "budget"
	// Internal: a fault of this package; please report it.
	Internal Kind = "internal"
)

// Error is the only type of error this package returns for a template.
// Compare kinds with [KindOf], never texts.
type Error struct {
	// Source is the template, shortened to its line when it has several.
	Source string
	// Line and Col say where, counted from 1; Col counts characters.
	Line, Col int
	Kind      Kind
	// Message says what is wrong.
	Message string
	// Path is the missing look-up of an Undefined error, such as
	// trigger.body.id.
	Path string
	// Try says what to try, and may be empty.
	Try string
}

// Error gives what, where and what to try, in one line.
func (e *Error) Error() string {
	var b strings.Builder
	b.WriteString(e.Message)
	if e.Line > 0 {
		fmt.Fprintf(&b, ", at line %d, column %d of %q", e.Line, e.Col, e.Source)
	}
	if e.Try != "" {
		b.WriteString("; ")
		b.WriteString(e.Try)
	}
	return b.String()
}

// KindOf returns the kind of the first Error in err's tree, or "".
func KindOf(err error) Kind {
	var e *Error
	if errors.As(err, &e) {
		return e.Kind
	}
	return ""
}

// fault is an error that does not know yet where in the source it happened.
type fault struct {
	kind    Kind
	message string
	path    string
	try     string
}

func (f *fault) Error() string { return f.message }

func typeFault(format string, args ...any) error { return newTypeFault(format, args...) }

func newTypeFault(format string, args ...any) *fault {
	return &fault{kind: Type, message: fmt.Sprintf(format, args...)}
}

func syntaxFault(format string, args ...any) *fault {
	return &fault{kind: Syntax, message: fmt.Sprintf(format, args...)}
}

func budgetFault(format string, args ...any) error {
	return &fault{kind: Budget, message: fmt.Sprintf(format, args...), try: "make the template do less, or do the work in an action"}
}

// locate turns any error into an *Error at a byte offset of source. An error
// that is located already stays as it is: the innermost place is the best.
func locate(source string, pos int, err error) error {
	var done *Error
	if errors.As(err, &done) {
		return err
	}
	pos = min(max(pos, 0), len(source))
	before := source[:pos]
	start := strings.LastIndexByte(before, '\n') + 1
	line := source[start:]
	if end := strings.IndexByte(line, '\n'); end >= 0 {
		line = line[:end]
	}
	out := &Error{
		Source: shorten(line, 200),
		Line:   strings.Count(before, "\n") + 1,
		Col:    len([]rune(source[start:pos])) + 1,
		Kind:   Internal, Message: err.Error(),
	}
	var f *fault
	if errors.As(err, &f) {
		out.Kind, out.Path, out.Try = f.kind, f.path, f.try
	}
	return out
}

// shorten cuts text to at most n bytes, never within a character.
func shorten(text string, n int) string {
	if len(text) <= n {
		return text
	}
	return strings.ToValidUTF8(text[:n], "") + "…"
}
