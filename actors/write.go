package actors

import (
	"github.com/asynkron/protoactor-go/actor"

	"github.com/attune-automation/attune/persistence"
)

// Submit hands an operation to the writer. The writer alone touches it until
// [Written] comes back.
type Submit struct {
	Op persistence.Op
	// ReplyTo gets [Written]; nil asks for no answer.
	ReplyTo *actor.PID
	// Ref comes back as it is.
	Ref any
}

// Written is the writer's answer, sent after the outcome is certain. A node
// that is fenced answers nothing more: it ends.
type Written struct {
	Op     persistence.Op
	Answer persistence.Answer
	Ref    any
}

// Owned tells the writer that the node owns a partition, and up to which number
// its finishes are numbered.
type Owned struct {
	Partition    int
	FinishNumber int64
}

// BrokerStarted tells the partitions that the broker's actor began anew: what
// it had not sent is lost, announcements too.
type BrokerStarted struct{}

// RulesStarted tells the partitions that the rules' actor began anew: events it
// was to judge again are to be handed to it once more.
type RulesStarted struct{}

// Unnumbered tells a partition that a finish number went to no row.
type Unnumbered struct{ FinishNumber int64 }
