package keeper

import (
	"errors"
	"fmt"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// Probe says, without changing anything, why this process could not give each
// run a control group of its own; nil means that it probably can. A keeper that
// starts proves it.
func Probe() error {
	dir, err := ownCgroup()
	if err != nil {
		return err
	}
	if err := unix.Access(dir, unix.W_OK); err != nil {
		return fmt.Errorf("%s cannot be written: %w", dir, err)
	}
	// The root, wherever it is mounted, has neither of the two; its children do.
	if err := unix.Access(filepath.Join(dir, "cgroup.events"), unix.F_OK); errors.Is(err, unix.ENOENT) {
		return nil
	}
	if err := unix.Access(filepath.Join(dir, "cgroup.kill"), unix.F_OK); errors.Is(err, unix.ENOENT) {
		return errors.New("the kernel has no cgroup.kill: it is older than 5.14")
	}
	return nil
}
