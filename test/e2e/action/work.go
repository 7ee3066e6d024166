package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"github.com/attune-automation/attune/test/ledger"
)

// work writes into the ledger that it starts, takes its time, and writes that
// it ends. Its first attempts fail, as many as it was told.
func work(p parameters) error {
	number, err := strconv.Atoi(os.Getenv("ATTUNE_ATTEMPT"))
	if err != nil {
		return fmt.Errorf("ATTUNE_ATTEMPT: %w", err)
	}
	home := os.Getenv("HOME")
	attempt, err := ledger.Begin(home, os.Getenv("ATTUNE_EXECUTION_ID"), number, p.Key)
	if err != nil {
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
	if err := attempt.End(); err != nil {
		return err
	}
	if number <= p.Fail {
		return errors.New("told to fail")
	}
	if !p.Quiet {
		fmt.Printf("{\"key\": %q}\n", p.Key)
	}
	return nil
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}
