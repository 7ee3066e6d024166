package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"time"
)

// line is one line of the ledger.
type line struct {
	Execution string `json:"execution"`
	Attempt   int    `json:"attempt"`
	Key       string `json:"key"`
	// What is start or end; At is in nanoseconds since 1970.
	What string `json:"what"`
	At   int64  `json:"at"`
}

// work writes into the ledger that it starts, takes its time, and writes that
// it ends.
func work(p parameters) error {
	l := line{Execution: os.Getenv("ATTUNE_EXECUTION_ID"), Key: p.Key}
	var err error
	if l.Attempt, err = strconv.Atoi(os.Getenv("ATTUNE_ATTEMPT")); err != nil {
		return fmt.Errorf("ATTUNE_ATTEMPT: %w", err)
	}
	home := os.Getenv("HOME")
	ledger, err := os.OpenFile(filepath.Join(home, "ledger"), os.O_WRONLY|os.O_APPEND|os.O_CREATE, 0o600)
	if err != nil {
		return err
	}
	if err := enter(ledger, l, "start"); err != nil {
		return err
	}
	for until := time.Now().Add(time.Duration(p.MS) * time.Millisecond); ; {
		left := time.Until(until)
		if left <= 0 || p.Gate != "" && exists(filepath.Join(home, p.Gate)) {
			break
		}
		if p.Gate != "" {
			left = min(left, poll)
		}
		time.Sleep(left)
	}
	if err := enter(ledger, l, "end"); err != nil {
		return err
	}
	fmt.Printf("{\"key\": %q}\n", p.Key)
	return ledger.Close()
}

// enter appends a line in one write and makes it durable.
func enter(ledger *os.File, l line, what string) error {
	l.What, l.At = what, time.Now().UnixNano()
	b, err := json.Marshal(l)
	if err == nil {
		_, err = ledger.Write(append(b, '\n'))
	}
	return errors.Join(err, ledger.Sync())
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}
