package postgres

import "syscall"

// userTimeout is TCP_USER_TIMEOUT, which package syscall does not name.
const userTimeout = 18

// bounded is a [net.Dialer.Control]: what is sent has [silence] to be taken.
func bounded(network, _ string, c syscall.RawConn) error {
	if network == "unix" {
		return nil
	}
	var fault error
	err := c.Control(func(fd uintptr) {
		fault = syscall.SetsockoptInt(int(fd), syscall.IPPROTO_TCP, userTimeout, int(silence.Milliseconds()))
	})
	if err != nil {
		return err
	}
	return fault
}
