package postgres

import (
	"net"
	"syscall"
	"testing"

	"github.com/attune-automation/attune/internal/servers/pgtest"
)

// A connection whose other end is gone without a word breaks in seconds.
func TestConnectionsNoticeSilence(t *testing.T) {
	c, err := connect(t.Context(), pgtest.URL(t))
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close(t.Context())
	raw, err := c.PgConn().Conn().(*net.TCPConn).SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	for _, o := range []struct{ level, name, want int }{
		{syscall.IPPROTO_TCP, userTimeout, int(silence.Milliseconds())},
		{syscall.SOL_SOCKET, syscall.SO_KEEPALIVE, 1},
		{syscall.IPPROTO_TCP, syscall.TCP_KEEPIDLE, int(probeAfter.Seconds())},
		{syscall.IPPROTO_TCP, syscall.TCP_KEEPINTVL, int(probeEvery.Seconds())},
		{syscall.IPPROTO_TCP, syscall.TCP_KEEPCNT, probes},
	} {
		have := 0
		if e := raw.Control(func(fd uintptr) { have, err = syscall.GetsockoptInt(int(fd), o.level, o.name) }); e != nil || err != nil || have != o.want {
			t.Fatalf("option %d: %d, want %d (%v, %v)", o.name, have, o.want, e, err)
		}
	}
}
