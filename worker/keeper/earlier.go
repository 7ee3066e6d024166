package keeper

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"
)

// KillEarlier ends all runs of the keepers that earlier processes of a worker
// left in dir, and waits until nothing of them remains: a living keeper is asked,
// and does it without grace; what a dead one left is killed here. What the
// package comment says is not covered is not covered. It returns when ctx ends;
// then something may still run, and no work may be taken up under this worker's
// name. The worker must see to it that it is the only one that uses dir.
func KillEarlier(ctx context.Context, dir string) error {
	ids, err := recorded(dir)
	if err != nil {
		return fmt.Errorf("kill earlier runs: %w", err)
	}
	for _, id := range ids {
		askToEnd(dir, id)
	}
	var faults []error
	for _, id := range ids {
		if err := endRemains(ctx, dir, id); err != nil {
			faults = append(faults, fmt.Errorf("kill earlier runs: keeper %s: %w", id, err))
		}
	}
	return errors.Join(faults...)
}

// recorded lists the keepers with a record in dir, dead ones included.
func recorded(dir string) ([]string, error) {
	entries, err := os.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var ids []string
	for _, entry := range entries {
		id, isKeeper := strings.CutPrefix(entry.Name(), "keeper-")
		if id, isLock := strings.CutSuffix(id, ".lock"); isKeeper && isLock {
			ids = append(ids, id)
		}
	}
	return ids, nil
}

// askToEnd tells a living keeper to kill all; there is nobody to tell if it is
// dead.
func askToEnd(dir, id string) {
	fd, err := unix.Open(killPath(dir, id), unix.O_WRONLY|unix.O_NONBLOCK|unix.O_CLOEXEC, 0)
	if err != nil {
		return
	}
	_, _ = unix.Write(fd, []byte{1})
	unix.Close(fd)
}

// endRemains waits until a keeper is dead, ends what it left, and removes its
// files.
func endRemains(ctx context.Context, dir, id string) error {
	lock, err := os.Open(lockPath(dir, id))
	if errors.Is(err, fs.ErrNotExist) {
		return nil // somebody was here before
	}
	if err != nil {
		return err
	}
	defer lock.Close()
	err = poll(ctx, func() bool { return unix.Flock(int(lock.Fd()), unix.LOCK_EX|unix.LOCK_NB) == nil })
	if err != nil {
		return fmt.Errorf("wait for its end: %w", err)
	}
	text, err := io.ReadAll(lock)
	if err != nil {
		return err
	}
	var left record
	if json.Unmarshal(text, &left) == nil { // else it died before it had anything
		if err := left.end(ctx); err != nil {
			return err
		}
	}
	removeRecord(dir, id)
	return nil
}

// end kills what the record of a dead keeper points to, and waits for it.
func (r *record) end(ctx context.Context) error {
	if r.Cgroup != "" {
		if err := endCgroup(ctx, r.Cgroup); err != nil {
			return err
		}
	}
	boot, namespace := bootAndNamespace()
	if r.Session > 0 && r.Boot == boot && r.Namespace == namespace {
		return endSession(ctx, r.Session)
	}
	return nil
}

// makeRecord makes the files of a new keeper: the record, locked, and the pipe.
// The record gets its name only when it is locked.
func makeRecord(dir, id string) (lock, kill *os.File, err error) {
	defer func() {
		if err != nil {
			removeRecord(dir, id)
			err = fmt.Errorf("make the record of a keeper: %w", err)
		}
	}()
	if err := unix.Mkfifo(killPath(dir, id), 0o600); err != nil {
		return nil, nil, fmt.Errorf("make %s: %w", killPath(dir, id), err)
	}
	hidden := filepath.Join(dir, ".keeper-"+id)
	lock, err = os.OpenFile(hidden, os.O_CREATE|os.O_EXCL|os.O_RDWR, 0o600)
	if err != nil {
		return nil, nil, err
	}
	if err = unix.Flock(int(lock.Fd()), unix.LOCK_EX|unix.LOCK_NB); err == nil {
		err = os.Rename(hidden, lockPath(dir, id))
	}
	if err == nil { // for both ways, so that the keeper never sees its end
		kill, err = os.OpenFile(killPath(dir, id), os.O_RDWR, 0)
	}
	if err != nil {
		lock.Close()
		os.Remove(hidden)
		return nil, nil, err
	}
	return lock, kill, nil
}

// removeRecord removes the pipe first: a record without one is still found.
func removeRecord(dir, id string) {
	os.Remove(killPath(dir, id))
	os.Remove(lockPath(dir, id))
}
