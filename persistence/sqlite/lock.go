package sqlite

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"syscall"

	"github.com/attune-automation/attune"
)

// lock takes the folder's lock file. The kernel lets it go when the process
// ends, however it ends. The file stays: removing it would let two processes
// hold one name each.
func lock(dir string) (*os.File, error) {
	f, err := os.OpenFile(filepath.Join(dir, "attune.lock"), os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, err
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		f.Close()
		if errors.Is(err, syscall.EWOULDBLOCK) {
			return nil, &attune.Error{Kind: attune.Conflict, Code: "data_folder_in_use",
				Message: fmt.Sprintf("another process is using the data folder %s", dir),
				Try:     "stop the other attune, or start this one with another data folder"}
		}
		return nil, fmt.Errorf("lock %s: %w", f.Name(), err)
	}
	return f, nil
}
