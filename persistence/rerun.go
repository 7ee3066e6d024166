package persistence

import "github.com/attune-automation/attune"

// Rerun gives a failed enforcement its execution. Where the enforcement is still
// failed it becomes what is given, and the execution is inserted, both or
// neither. One that has an execution by now is left as it is: Duplicate, with
// that execution first. One that is not there is a Conflict.
type Rerun struct {
	// Enforcement is the row as it is to be. Its status, execution, action, rule
	// hash, failure and evaluation are written.
	Enforcement *attune.Enforcement
	// Execution is the new one, of this enforcement.
	Execution *attune.Execution
}

// Key implements Op.
func (r *Rerun) Key() OpKey { return OpKey{Class: 9, ID: int64(r.Enforcement.ID)} }

// Size implements Op.
func (r *Rerun) Size() (rows, bytes int) {
	return groupSize([]*attune.Enforcement{r.Enforcement}, []*attune.Execution{r.Execution})
}
