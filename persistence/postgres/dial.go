package postgres

import (
	"net"
	"time"
)

const (
	// silence is how long the other end of a connection may acknowledge nothing,
	// or take nothing: longer than a flush is waited for, while the server works
	// on what it has. Then the connection is broken, whoever waits on it.
	silence = 15 * time.Second
	// A connection on which nothing is said is probed after so long, and so often.
	probeAfter, probeEvery, probes = 5 * time.Second, 3 * time.Second, 3
)

// dialer makes connections that notice when their other end is gone without a
// word, as it is when its machine or the network is: left alone that takes a
// quarter of an hour.
func dialer(timeout time.Duration) *net.Dialer {
	return &net.Dialer{Timeout: timeout, Control: bounded,
		KeepAliveConfig: net.KeepAliveConfig{Enable: true, Idle: probeAfter, Interval: probeEvery, Count: probes}}
}
