package runners

import (
	"errors"
	"maps"
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

// Labels implements [worker.Describer], of those that have some.
func (k Kept) Labels() map[string]string {
	all := map[string]string{}
	for _, one := range k {
		if d, ok := one.(worker.Describer); ok {
			maps.Copy(all, d.Labels())
		}
	}
	return all
}

// Extend implements [worker.Keeper].
func (k Kept) Extend(until time.Duration) {
	for _, one := range k {
		one.Extend(until)
	}
}
