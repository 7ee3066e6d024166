package runners

import (
	"errors"
	"time"

	"github.com/attune-automation/attune/worker"
)

// Kept are the keepers of a worker that has runners of several kinds, as one
// [worker.Keeper].
type Kept []worker.Keeper

// Begin implements [worker.Keeper]: each is asked, whatever the others say.
func (k Kept) Begin(incarnation string) error {
	var errs []error
	for _, one := range k {
		errs = append(errs, one.Begin(incarnation))
	}
	return errors.Join(errs...)
}

// Extend implements [worker.Keeper].
func (k Kept) Extend(until time.Duration) {
	for _, one := range k {
		one.Extend(until)
	}
}
