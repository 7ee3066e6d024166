package persistence

import (
	"fmt"
	"time"

	"github.com/attune-automation/attune"
)

// Missing is the error for what is not there; what names it with its id.
func Missing(what string) error {
	return attune.NewError(attune.NotFound, "not_found", "there is no "+what)
}

// LeaseDead is the error of a lease that is dead or was never there.
func LeaseDead(incarnation string) error {
	return attune.NewError(attune.Fenced, "lease_dead", fmt.Sprintf("the lease of %s is dead", incarnation))
}

// Away is the error of an operation that can succeed later.
func Away(operation string, cause error) error {
	return &attune.Error{Kind: attune.Unavailable, Code: "store_unavailable", Message: operation + ": the store is not available", Cause: cause}
}

// StoreFull is the error of a write while the store has no room: nothing is lost,
// reading goes on, and writing does by itself when there is room again.
func StoreFull(operation string, cause error) error {
	return &attune.Error{Kind: attune.Unavailable, Code: "store_full", Message: operation + ": the disk of the store is full, nothing is written", Cause: cause,
		Try: "make room on the disk of the database; writing goes on by itself", RetryAfter: 5 * time.Second}
}

// LeaseLives is the error of a take-over from a lease that has not expired.
func LeaseLives(incarnation string) error {
	return attune.NewError(attune.Conflict, "lease_alive", fmt.Sprintf("the lease of %s has not expired", incarnation))
}

// OwnedBy is the error of a take-over of a partition that owner has and not
// from.
func OwnedBy(partition int, owner, from string) error {
	return attune.NewError(attune.Conflict, "partition_owned", fmt.Sprintf("partition %d is owned by %q, not %q", partition, owner, from))
}

// Unstorable is the error of what a store cannot hold, for a reason that a
// check gave.
func Unstorable(reason string) error {
	return attune.NewError(attune.Invalid, "unstorable", reason)
}

// TokenThere is the error of a new token under a name that is taken.
func TokenThere(name string) error {
	return &attune.Error{Kind: attune.Conflict, Code: "token_exists", Message: "there is a token " + name, Try: "another name, or revoke that one first"}
}
