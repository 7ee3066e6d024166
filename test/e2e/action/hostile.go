package main

import (
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"syscall"
	"time"
)

// hostile ignores every signal it can, and so do its descendants: a child in a
// session of its own, and a grandchild in another, whose parent has ended.
func hostile() error {
	signal.Ignore(syscall.SIGTERM, syscall.SIGINT, syscall.SIGHUP, syscall.SIGQUIT)
	for _, who := range []string{"child", "parent"} {
		if err := fork(who); err != nil {
			return err
		}
	}
	return stay()
}

// linger is the life of a descendant.
func linger(who string) error {
	signal.Ignore(syscall.SIGTERM, syscall.SIGINT, syscall.SIGHUP, syscall.SIGQUIT)
	if who == "parent" {
		return fork("orphan") // and end: the double fork
	}
	return stay()
}

func fork(who string) error {
	c := exec.Command(os.Args[0], who)
	c.Stdout, c.Stderr = os.Stdout, os.Stderr
	c.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	return c.Start()
}

// stay says its id, in a file that the test waits for, and does not end.
func stay() error {
	f, err := os.OpenFile(filepath.Join(os.Getenv("HOME"), "hostile"), os.O_WRONLY|os.O_APPEND|os.O_CREATE, 0o600)
	if err != nil {
		return err
	}
	if _, err := fmt.Fprintln(f, os.Getpid()); err != nil {
		return err
	}
	for {
		time.Sleep(time.Hour)
	}
}
