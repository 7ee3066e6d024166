// Package ledger is what the actions of tests write of themselves, outside of
// everything the product keeps: that an attempt began, that it ended, and that
// another one of its execution was alive when it began. Each line is synced before
// the attempt goes on, so it survives whatever is killed.
//
// That nothing overlaps is no comparison of times: an attempt holds a lock that the
// kernel gives back when its process is dead, and not before.
package ledger

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"syscall"
	"time"
)

// Line is one line of a ledger.
type Line struct {
	Execution string `json:"execution"`
	Attempt   int    `json:"attempt"`
	// Key is what the action was asked to write of itself.
	Key  string `json:"key"`
	What What   `json:"what"`
	// At is in nanoseconds since 1970.
	At int64 `json:"at"`
}

// What says what a line is about.
type What string

// What happens to an attempt.
const (
	Start What = "start"
	End   What = "end"
	// Overlap stands before Start where another attempt of the same execution
	// was still alive.
	Overlap What = "overlap"
)

// Attempt is one that has begun.
type Attempt struct {
	line Line
	file *os.File
}

// Begin writes into the ledger of a folder that an attempt begins. The lock it
// takes lasts until the process has ended.
func Begin(folder, execution string, attempt int, key string) (*Attempt, error) {
	a := &Attempt{line: Line{Execution: execution, Attempt: attempt, Key: key}}
	var err error
	if a.file, err = os.OpenFile(name(folder), os.O_WRONLY|os.O_APPEND|os.O_CREATE, 0o600); err != nil {
		return nil, err
	}
	if err := os.MkdirAll(filepath.Join(folder, "alive"), 0o700); err != nil {
		return nil, err
	}
	lock, err := syscall.Open(filepath.Join(folder, "alive", execution), syscall.O_WRONLY|syscall.O_CREAT|syscall.O_CLOEXEC, 0o600)
	if err != nil {
		return nil, err
	}
	err = syscall.Flock(lock, syscall.LOCK_EX|syscall.LOCK_NB) // nobody closes it but the kernel
	if errors.Is(err, syscall.EWOULDBLOCK) {
		err = a.enter(Overlap)
	}
	if err != nil {
		return nil, err
	}
	return a, a.enter(Start)
}

// End writes that the attempt has done its work.
func (a *Attempt) End() error { return a.enter(End) }

// enter appends a line in one write and makes it durable.
func (a *Attempt) enter(what What) error {
	l := a.line
	l.What, l.At = what, time.Now().UnixNano()
	b, err := json.Marshal(l)
	if err == nil {
		_, err = a.file.Write(append(b, '\n'))
	}
	return errors.Join(err, a.file.Sync())
}

// Read is the ledger of a folder, in the order in which it was written. One that
// nobody has begun is empty.
func Read(folder string) ([]Line, error) {
	content, err := os.ReadFile(name(folder))
	if errors.Is(err, os.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var lines []Line
	for s := bufio.NewScanner(bytes.NewReader(content)); s.Scan(); {
		var l Line
		if err := json.Unmarshal(s.Bytes(), &l); err != nil {
			return nil, fmt.Errorf("line %d of the ledger: %w", len(lines)+1, err)
		}
		lines = append(lines, l)
	}
	return lines, nil
}

func name(folder string) string { return filepath.Join(folder, "ledger") }
