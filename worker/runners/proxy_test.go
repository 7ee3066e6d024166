package runners_test

import (
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"

	"github.com/attune-automation/attune/messages"
)

// A request of https goes through the proxy of that scheme in a tunnel, and the
// proxy of the environment is not used.
func TestATunnelThroughAProxy(t *testing.T) {
	target := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "there") }))
	t.Cleanup(target.Close)
	var tunnels atomic.Int32
	proxy := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodConnect {
			w.WriteHeader(http.StatusBadRequest)
			return
		}
		tunnels.Add(1)
		there, err := net.Dial("tcp", target.Listener.Addr().String())
		if err != nil {
			w.WriteHeader(http.StatusBadGateway)
			return
		}
		here, _, err := http.NewResponseController(w).Hijack()
		if err != nil {
			there.Close()
			return
		}
		_, _ = io.WriteString(here, "HTTP/1.1 200 OK\r\n\r\n")
		go func() { // ends with the tunnel
			_, _ = io.Copy(there, here)
			there.Close()
		}()
		_, _ = io.Copy(here, there)
		here.Close()
	}))
	t.Cleanup(proxy.Close)
	t.Setenv("HTTPS_PROXY", "http://127.0.0.1:1")
	h := requests(t, loopback...)
	e := start(t, h, dispatch(1, object{"url": "https://nowhere.invalid/", "https_proxy": proxy.URL, "http_proxy": "http://127.0.0.1:1", "verify_ssl_cert": false})).ended()
	if e.End != messages.Finished || tunnels.Load() != 1 {
		t.Errorf("%s %v %s, %d tunnels", e.End, e.Failure, e.Result, tunnels.Load())
	}
	if e := start(t, h, dispatch(2, object{"url": target.URL, "verify_ssl_cert": false})).ended(); e.End != messages.Finished || tunnels.Load() != 1 {
		t.Errorf("without a proxy: %s %v, %d tunnels", e.End, e.Failure, tunnels.Load())
	}
}
