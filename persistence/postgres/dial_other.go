//go:build !linux

package postgres

import "syscall"

// bounded leaves a connection as it is: here the probes alone notice.
func bounded(_, _ string, _ syscall.RawConn) error { return nil }
