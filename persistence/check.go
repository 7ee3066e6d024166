package persistence

import (
	"fmt"
	"unicode/utf8"

	"github.com/attune-automation/attune"
)

// Bounds of what a store holds. What passes them is Rejected, by every store
// alike.
const (
	// MaxKeyBytes bounds texts that are part of a key: the parts of a dedupe
	// key, the rule of an enforcement, the name of a worker.
	MaxKeyBytes = 1024
	// MaxRowBytes bounds the texts and documents of one row together.
	MaxRowBytes = 16 << 20
)

// Check says why no store can hold what the operation writes, or "". Every
// store asks it, so that all refuse the same rows: text that is not UTF-8 or
// holds NUL, documents that are not JSON or escape NUL or half a surrogate pair
// (PostgreSQL keeps none of these), and what is too large.
func Check(op Op) string {
	switch op := op.(type) {
	case *Admit:
		return op.check()
	case *Extend:
		if fault := checkPartition(op.Event.ID.Partition()); fault != "" {
			return fault
		}
		return checkGroup(op.Enforcements, op.Executions)
	case *Save:
		return checkExecution(op.Execution)
	case *Rerun:
		return checkGroup([]*attune.Enforcement{op.Enforcement}, []*attune.Execution{op.Execution})
	case *SaveWorker:
		return checkWorker(op.Worker)
	case *RemoveWorker:
		r := row{what: "worker"}
		r.key("name", op.Name)
		return r.end()
	case *RaiseIDHigh:
		return checkPartition(op.Partition)
	case *Announced:
		return checkPartition(op.Partition)
	}
	return fmt.Sprintf("%T is not an operation", op)
}

func (a *Admit) check() string {
	if d := a.Dedupe; d != nil {
		r := row{what: "dedupe key"}
		r.key("kind", d.Kind)
		r.key("source", d.Source)
		r.key("key", d.Key)
		if fault := r.end(); fault != "" {
			return fault
		}
	}
	if e := a.Event; e != nil {
		r := row{what: "event"}
		r.partition(e.ID.Partition())
		r.text("trigger", e.Trigger)
		r.text("dedupe key", e.Dedupe)
		r.json("payload", e.Payload)
		r.chain(e.Chain)
		if fault := r.end(); fault != "" {
			return fault
		}
	}
	return checkGroup(a.Enforcements, a.Executions)
}

func checkGroup(ens []*attune.Enforcement, exs []*attune.Execution) string {
	for _, e := range ens {
		r := row{what: "enforcement"}
		r.partition(e.ID.Partition())
		r.key("rule", e.Rule)
		r.text("rule hash", e.RuleHash)
		r.text("action", e.Action)
		r.json("evaluation", e.Evaluation)
		r.failure(e.Failure)
		r.chain(e.Chain)
		if fault := r.end(); fault != "" {
			return fault
		}
	}
	for _, x := range exs {
		if fault := checkExecution(x); fault != "" {
			return fault
		}
		for _, e := range ens {
			if x.Enforcement == e.ID && x.Event != e.Event {
				return fmt.Sprintf("execution %s is of enforcement %s and of another event", x.ID, e.ID)
			}
		}
	}
	return ""
}

func checkExecution(x *attune.Execution) string {
	r := row{what: "execution"}
	r.partition(x.ID.Partition())
	r.text("action", x.Action)
	r.text("action hash", x.ActionHash)
	r.text("runner", x.Runner)
	r.json("parameters", x.Parameters)
	r.text("rule", x.Rule)
	r.text("trigger", x.Trigger)
	r.text("worker", x.Worker)
	r.text("incarnation", x.Incarnation)
	r.text("reason", x.Reason)
	r.json("result", x.Result)
	r.failure(x.Failure)
	r.chain(x.Chain)
	r.bytes += len(x.History)
	if !x.Status.Terminal() && !x.Finished.IsZero() {
		r.fail("finished", "is set while it is "+x.Status.String())
	}
	return r.end()
}

func checkWorker(w *attune.Worker) string {
	r := row{what: "worker"}
	r.key("name", w.Name)
	r.text("incarnation", w.Incarnation)
	r.text("zone", w.Zone)
	for _, name := range w.Runners {
		r.text("runner", name)
	}
	for name, value := range w.Labels {
		r.text("label", name)
		r.text("label", value)
	}
	return r.end()
}

func checkPartition(id int) string {
	if id < 0 || id >= attune.Partitions {
		return fmt.Sprintf("there is no partition %d", id)
	}
	return ""
}

// CheckDefinition says why no store can hold the definition, or "".
func CheckDefinition(d Definition) string {
	r := row{what: "definition"}
	r.key("hash", d.Hash)
	r.text("kind", d.Kind)
	r.text("ref", d.Ref)
	r.json("body", d.Body)
	return r.end()
}

// CheckAccessToken says why no store can hold the token, or "".
func CheckAccessToken(t attune.AccessToken) string {
	r := row{what: "access token"}
	r.key("name", t.Name)
	r.text("kind", string(t.Kind))
	r.text("hash", t.Hash)
	r.text("maker", t.By)
	for _, role := range t.Roles {
		r.text("role", string(role))
	}
	return r.end()
}

// CheckChunk says why no store can hold the chunk, or "".
func CheckChunk(c OutputChunk) string {
	switch {
	case c.Stream != Stdout && c.Stream != Stderr:
		return fmt.Sprintf("there is no stream %d", c.Stream)
	case c.Offset < 0:
		return "the offset of a chunk is negative"
	case len(c.Data) > MaxRowBytes:
		return fmt.Sprintf("a chunk of %d bytes is over the limit of %d", len(c.Data), MaxRowBytes)
	}
	return ""
}

// row gathers the first fault of one row and its size.
type row struct {
	what  string
	fault string
	bytes int
}

func (r *row) fail(field, why string) {
	if r.fault == "" {
		r.fault = fmt.Sprintf("the %s of the %s %s", field, r.what, why)
	}
}

func (r *row) partition(id int) {
	if id >= attune.Partitions {
		r.fail("id", fmt.Sprintf("is of partition %d, and there are %d", id, attune.Partitions))
	}
}

func (r *row) text(field, s string) {
	r.bytes += len(s)
	for i := 0; i < len(s); i++ {
		if c := s[i]; c == 0 {
			r.fail(field, "holds a NUL character")
			return
		} else if c >= utf8.RuneSelf && !utf8.ValidString(s[i:]) {
			r.fail(field, "is not UTF-8")
			return
		}
	}
}

func (r *row) key(field, s string) {
	if len(s) > MaxKeyBytes {
		r.fail(field, fmt.Sprintf("has %d bytes, and the limit is %d", len(s), MaxKeyBytes))
	}
	r.text(field, s)
}

func (r *row) json(field string, b []byte) {
	r.bytes += len(b)
	if len(b) == 0 || len(b) > MaxRowBytes { // the row's size is judged at its end
		return
	}
	if why := documentFault(b); why != "" {
		r.fail(field, why)
	}
}

func (r *row) failure(f *attune.Failure) {
	if f != nil {
		r.text("failure code", f.Code)
		r.text("failure message", f.Message)
		r.text("failure detail", f.Detail)
	}
}

func (r *row) chain(c attune.Chain) {
	r.text("correlation id", c.Correlation)
	r.text("traceparent", c.Traceparent)
	r.text("principal", c.Principal)
}

func (r *row) end() string {
	if r.bytes > MaxRowBytes {
		return fmt.Sprintf("the %s has %d bytes, and the limit is %d", r.what, r.bytes, MaxRowBytes)
	}
	return r.fault
}
