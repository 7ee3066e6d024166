package runners_test

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/attune-automation/attune"
	"github.com/attune-automation/attune/messages"
	"github.com/attune-automation/attune/worker"
	"github.com/attune-automation/attune/worker/keeper"
	"github.com/attune-automation/attune/worker/runners"
)

var loopback = []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8"), netip.MustParsePrefix("::1/128")}

func mono() time.Duration { return time.Duration(keeper.BoottimeNow()) }

// requests is a runner with a lease.
func requests(t *testing.T, allow ...netip.Prefix) *runners.HTTP {
	t.Helper()
	h := runners.NewHTTP(runners.HTTPConfig{Allow: allow, Clock: wall{}, Mono: mono})
	t.Cleanup(func() { _ = h.Close(t.Context()) }) // never an error
	if err := h.Begin("i"); err != nil {
		t.Fatal(err)
	}
	h.Extend(mono() + time.Minute)
	return h
}

// said is a request as the server saw it.
type said struct {
	Method, Host, URI, Body, Type, Auth, Cookie, X, Agent, Trace string
}

func serve(t *testing.T) *httptest.Server {
	mux := http.NewServeMux()
	mux.HandleFunc("/echo", func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		w.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(w).Encode(said{r.Method, r.Host, r.RequestURI, string(body), r.Header.Get("Content-Type"), r.Header.Get("Authorization"),
			r.Header.Get("Cookie"), r.Header.Get("X-X"), r.Header.Get("User-Agent"), r.Header.Get("Traceparent")})
	})
	mux.HandleFunc("/status/{n}", func(w http.ResponseWriter, r *http.Request) {
		n := 0
		_, _ = fmt.Sscan(r.PathValue("n"), &n)
		w.Header().Set("Content-Type", "text/plain")
		w.Header()["Date"] = nil
		w.WriteHeader(n)
	})
	mux.HandleFunc("/say", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", r.FormValue("type"))
		w.Header()["Date"] = nil
		_, _ = io.WriteString(w, r.FormValue("body"))
	})
	mux.HandleFunc("/many/{n}", func(w http.ResponseWriter, r *http.Request) {
		n := 0
		_, _ = fmt.Sscan(r.PathValue("n"), &n)
		w.Header().Set("Content-Type", "text/plain")
		_, _ = w.Write(bytes.Repeat([]byte("x"), n))
	})
	mux.HandleFunc("/bomb", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Encoding", "gzip")
		z := gzip.NewWriter(w)
		for range 64 {
			_, _ = z.Write(make([]byte, 1<<20))
		}
		_ = z.Close()
	})
	mux.HandleFunc("/to", func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, r.FormValue("url"), http.StatusFound)
	})
	mux.HandleFunc("/loop", func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, "/loop", http.StatusFound) })
	mux.HandleFunc("/break", func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) })
	s := httptest.NewServer(mux)
	t.Cleanup(s.Close)
	return s
}

func TestWhatARequestCarries(t *testing.T) {
	t.Parallel()
	s, h := serve(t), requests(t, loopback...)
	host := strings.TrimPrefix(s.URL, "http://")
	jsonType := object{"content-type": "application/json; charset=utf-8"}
	for n, c := range []struct {
		name       string
		parameters object
		want       said
	}{
		{"a GET", object{"url": s.URL + "/echo"}, said{Method: "GET", URI: "/echo"}},
		{"parameters", object{"url": s.URL + "/echo?a=1", "params": object{"b": "x y&", "l": []any{1, true, nil}, "n": nil}}, said{Method: "GET", URI: "/echo?a=1&b=x+y%26&l=1&l=true"}},
		{"a text", object{"url": s.URL + "/echo", "body": "a=b <c>"}, said{Method: "POST", Body: "a=b <c>"}},
		{"a method", object{"url": s.URL + "/echo", "method": "put", "body": "x"}, said{Method: "PUT", Body: "x"}},
		{"an object is a form", object{"url": s.URL + "/echo", "body": object{"a": "x y", "b": 5}}, said{Method: "POST", Body: "a=x+y&b=5", Type: "application/x-www-form-urlencoded"}},
		{"JSON where the header says so", object{"url": s.URL + "/echo", "headers": jsonType, "body": object{"a": []any{"<", 1.5}}}, said{Method: "POST", Body: `{"a":["<",1.5]}`, Type: jsonType["content-type"].(string)}},
		{"a text is sent as it is, JSON or not", object{"url": s.URL + "/echo", "headers": jsonType, "body": `{"a": 1}`}, said{Method: "POST", Body: `{"a": 1}`, Type: jsonType["content-type"].(string)}},
		{"headers and cookies", object{"url": s.URL + "/echo", "headers": object{"x-x": 5, "host": "other", "User-Agent": "me", "none": nil}, "cookies": object{"b": "2", "a": "1"}}, said{Method: "GET", Host: "other", Cookie: "a=1; b=2", X: "5", Agent: "me"}},
		{"a trace of its own", object{"url": s.URL + "/echo", "headers": object{"traceparent": "00-mine"}}, said{Method: "GET", Trace: "00-mine"}},
		{"no trace", object{"url": s.URL + "/echo", "headers": object{"TraceParent": nil}}, said{Method: "GET", Trace: "none"}},
		{"a password", object{"url": s.URL + "/echo", "username": "u", "password": "p"}, said{Method: "GET", Auth: "Basic dTpw"}},
		{"an own parameter that looks like one", object{"url": s.URL + "/echo", "URL": "http://x/", "Body": "x"}, said{Method: "GET"}},
		{"a proxy", object{"url": "http://nowhere.invalid/echo", "http_proxy": s.URL}, said{Method: "GET", Host: "nowhere.invalid", URI: "http://nowhere.invalid/echo"}},
	} {
		if c.want.Host == "" {
			c.want.Host = host
		}
		if c.want.URI == "" {
			c.want.URI = "/echo"
		}
		switch c.want.Trace {
		case "":
			c.want.Trace = "00-1"
		case "none":
			c.want.Trace = ""
		}
		if c.want.Agent == "" {
			c.want.Agent = "attune"
		}
		var result struct {
			Body   said
			Parsed bool
		}
		e := start(t, h, dispatch(n+1, c.parameters)).ended()
		if err := json.Unmarshal(e.Result, &result); e.End != messages.Finished || err != nil || !result.Parsed || result.Body != c.want {
			t.Errorf("%s: %s %s %v %v\ngot  %+v\nwant %+v", c.name, e.End, e.Reason, e.Failure, err, result.Body, c.want)
		}
	}
}

func TestWhatAnAnswerBecomes(t *testing.T) {
	t.Parallel()
	s, h := serve(t), requests(t, loopback...)
	plain := func(status int) string {
		return fmt.Sprintf(`{"status_code":%d,"body":"","parsed":false,"headers":{"Content-Length":"0","Content-Type":"text/plain"}}`, status)
	}
	for n, c := range []struct {
		name, path string
		more       object
		end        messages.ReportKind
		code       string
		result     string // its begin
	}{
		{"201", "/status/201", nil, messages.Finished, "", plain(201)},
		{"206", "/status/206", nil, messages.Finished, "", plain(206)},
		{"207", "/status/207", nil, messages.FailedRun, "http_status", plain(207)},
		{"404", "/status/404", nil, messages.FailedRun, "http_status", plain(404)},
		{"500", "/status/500", nil, messages.FailedRun, "http_status", plain(500)},
		{"JSON", "/say?type=application/problem%2bjson&body={%22a%22:[1,%20%22%3c%22]}", nil, messages.Finished, "", `{"status_code":200,"body":{"a":[1,"<"]},"parsed":true`},
		{"JSON that is none", "/say?type=application/json&body={", nil, messages.Finished, "", `{"status_code":200,"body":"{","parsed":false`},
		{"text that looks like JSON", "/say?type=text/plain&body=5", nil, messages.Finished, "", `{"status_code":200,"body":"5","parsed":false`},
		{"bytes that are no text", "/say?type=image/png&body=a%00b%ff", nil, messages.Finished, "", `{"status_code":200,"body":"a` + "\uFFFDb\uFFFD" + `","parsed":false`},
		{"a HEAD", "/echo", object{"method": "HEAD"}, messages.Finished, "", `{"status_code":200,"body":"","parsed":false`},
		{"as much as there is room for", "/many/1040000", nil, messages.Finished, "", `{"status_code":200,"body":"xxx`},
		{"much", "/many/1048577", nil, messages.FailedRun, "response_too_large", `{"status_code":200,"body":null,"parsed":false`},
		{"a bomb", "/bomb", nil, messages.FailedRun, "response_too_large", `{"status_code":200,"body":null,"parsed":false`},
		{"a redirect", "/to?url=/status/200", nil, messages.FailedRun, "http_status", `{"status_code":302,`},
		{"a redirect to follow", "/to?url=/status/200", object{"allow_redirects": true}, messages.Finished, "", plain(200)},
		{"redirects without end", "/loop", object{"allow_redirects": true}, messages.FailedRun, "request_failed", ""},
		{"a redirect to what is no web", "/to?url=file:///etc/passwd", object{"allow_redirects": true}, messages.FailedRun, "request_failed", ""},
		{"a redirect to another host", "/to?url=http://127.0.0.9/", object{"allow_redirects": true, "url_hosts_whitelist": []any{"127.0.0.1"}}, messages.FailedRun, "host_refused", ""},
		{"a broken answer", "/break", nil, messages.FailedRun, "request_failed", ""},
	} {
		parameters := object{"url": s.URL + c.path}
		for name, v := range c.more {
			parameters[name] = v
		}
		e := start(t, h, dispatch(n+1, parameters)).ended()
		code := ""
		if e.Failure != nil {
			code = e.Failure.Code
		}
		if e.End != c.end || code != c.code || !strings.HasPrefix(string(e.Result), c.result) || (c.result == "") != (e.Result == nil) || len(e.Result) > 1<<20 {
			t.Errorf("%s: %s (%s) %v\ngot  %.200s\nwant %s", c.name, e.End, e.Reason, e.Failure, e.Result, c.result)
		}
	}
}

func TestRequestsThatAreRefused(t *testing.T) {
	t.Parallel()
	h := requests(t)
	for n, c := range []object{
		{}, {"url": ""}, {"url": "x"}, {"url": "file:///etc/passwd"}, {"url": "http:///x"}, {"url": "http://a b/"}, {"url": 5},
		{"method": "GE T"}, {"method": "CONNECT"}, {"method": "A\r\nB"},
		{"headers": object{"a": "b\r\nc: d"}}, {"headers": object{"a b": "c"}}, {"headers": object{"": "c"}}, {"headers": object{"a": []any{}}}, {"headers": "a: b"},
		{"cookies": object{"a": "b;c"}}, {"cookies": object{"a=": "b"}}, {"cookies": object{"a": object{}}}, {"params": object{"a": object{}}},
		{"body": []any{1}}, {"body": 5}, {"body": object{"a": object{}}},
		{"auth": "x"}, {"file_name": "x"}, {"file_content": "x"}, {"file_content_type": "x"}, {"http_proxy": "x"}, {"https_proxy": "socks5://x"},
		{"url_hosts_blacklist": []any{"EXAMPLE.com."}}, {"url_hosts_whitelist": []any{"example.org"}},
		{"url_hosts_whitelist": []any{"example.com"}, "url_hosts_blacklist": []any{"example.org"}},
	} {
		if c["url"] == nil && len(c) > 0 {
			c["url"] = "http://example.com:80/"
		}
		if e := start(t, h, dispatch(n+1, c)).next(); e.Kind != worker.Ended || e.End != messages.RefusedRun || e.Reason == "" {
			t.Errorf("%v: %+v", c, e)
		}
	}
}

// A name, a redirect or a proxy must not lead where a plain URL may not.
func TestAddressesInsideAreRefused(t *testing.T) {
	t.Parallel()
	var asked atomic.Int32
	inside := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { asked.Add(1) }))
	t.Cleanup(inside.Close)
	port := inside.URL[strings.LastIndex(inside.URL, ":"):]
	door := serve(t)
	onlyDoor := netip.MustParsePrefix("127.0.0.1/32")
	for n, c := range []struct {
		parameters object
		allow      []netip.Prefix
	}{
		{object{"url": inside.URL}, nil},
		{object{"url": "http://localhost" + port}, nil},
		{object{"url": "http://0.0.0.0" + port}, nil},
		{object{"url": "http://[::]" + port}, nil},
		{object{"url": "http://[::ffff:127.0.0.1]" + port}, nil},
		{object{"url": "http://[::1]" + port}, nil},
		{object{"url": "http://10.0.0.1/"}, nil},
		{object{"url": "http://172.31.0.1/"}, nil},
		{object{"url": "http://192.168.1.1/"}, nil},
		{object{"url": "http://100.64.0.1/"}, nil},
		{object{"url": "http://169.254.169.254/latest/meta-data/"}, nil},
		{object{"url": "http://[fe80::1%25lo]/"}, nil},
		{object{"url": "http://[fd00:ec2::254]/"}, nil},
		{object{"url": "http://[64:ff9b::7f00:1]/"}, nil},
		{object{"url": "http://[2002:7f00:1::]/"}, nil},
		{object{"url": "http://example.invalid/", "http_proxy": inside.URL}, nil},
		{object{"url": "https://example.invalid/", "https_proxy": inside.URL}, nil},
		{object{"url": door.URL + "/to?url=http://127.0.0.2" + port, "allow_redirects": true}, []netip.Prefix{onlyDoor}},
	} {
		e := start(t, requests(t, c.allow...), dispatch(n+1, c.parameters)).ended()
		if e.Failure != nil && strings.HasSuffix(e.Failure.Message, "address family not supported by protocol") {
			continue // a machine without IPv6
		}
		if e.End != messages.FailedRun || e.Failure.Code != "address_refused" || e.Result != nil {
			t.Errorf("%v: %s %s %v", c.parameters, e.End, e.Result, e.Failure)
		}
	}
	if n := asked.Load(); n > 0 {
		t.Errorf("the server inside was asked %d times", n)
	}
}

func TestACertificateIsVerified(t *testing.T) {
	t.Parallel()
	s := httptest.NewUnstartedServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	s.Config.ErrorLog = nil
	s.StartTLS()
	t.Cleanup(s.Close)
	h := requests(t, loopback...)
	if e := start(t, h, dispatch(1, object{"url": s.URL})).ended(); e.End != messages.FailedRun || !strings.Contains(e.Failure.Message, "certificate") {
		t.Errorf("%s %v", e.End, e.Failure)
	}
	if e := start(t, h, dispatch(2, object{"url": s.URL, "verify_ssl_cert": false})).ended(); e.End != messages.Finished {
		t.Errorf("%s %v", e.End, e.Failure)
	}
}

// What was given for an encrypted way does not go on in the clear.
func TestARedirectOutOfTLSLosesThePassword(t *testing.T) {
	t.Parallel()
	open, h := serve(t), requests(t, loopback...)
	closed := httptest.NewTLSServer(http.RedirectHandler(open.URL+"/echo", http.StatusFound))
	t.Cleanup(closed.Close)
	for n, c := range []struct {
		url  string
		want said
	}{
		{open.URL + "/to?url=/echo", said{Auth: "Basic dTpw", Cookie: "a=1", X: "x"}},
		{closed.URL, said{X: "x"}},
	} {
		e := start(t, h, dispatch(n+1, object{"url": c.url, "allow_redirects": true, "verify_ssl_cert": false, "username": "u", "password": "p",
			"cookies": object{"a": "1"}, "headers": object{"X-X": "x"}})).ended()
		var result struct{ Body said }
		err := json.Unmarshal(e.Result, &result)
		if got := result.Body; err != nil || got.Auth != c.want.Auth || got.Cookie != c.want.Cookie || got.X != c.want.X {
			t.Errorf("%s: %s %v %+v", c.url, e.End, e.Failure, got)
		}
	}
}

// byHand is a clock that stands still, and a timer that fires when told.
type byHand struct {
	now  atomic.Int64
	fire func()
}

func (b *byHand) Now() time.Time { return time.Time{} }

func (b *byHand) AfterFunc(_ time.Duration, f func()) attune.Timer {
	b.fire = f
	return time.NewTimer(time.Hour)
}

func (b *byHand) mono() time.Duration { return time.Duration(b.now.Load()) }

// A request that hangs, in its header or in its body, is ended by its limit, a
// stop, the end of the lease, the next incarnation, and Close.
func TestARequestThatHangs(t *testing.T) {
	t.Parallel()
	arrived := make(chan bool, 100)
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/body" {
			_, _ = io.WriteString(w, "begun")
			w.(http.Flusher).Flush()
		}
		arrived <- true
		<-r.Context().Done()
	}))
	t.Cleanup(s.Close)
	for _, c := range []struct {
		name  string
		limit time.Duration
		act   func(*runners.HTTP, *byHand)
		end   messages.ReportKind
		code  string
	}{
		{"its limit", 50 * time.Millisecond, func(*runners.HTTP, *byHand) {}, messages.TimedOutRun, "timeout"},
		{"a stop", time.Minute, func(h *runners.HTTP, _ *byHand) { h.Stop(token(9), 0); h.Stop(token(9), 0) }, messages.StoppedRun, "stopped"},
		{"the lease", 0, func(_ *runners.HTTP, b *byHand) { b.now.Store(200); b.fire() }, messages.LostRun, ""},
		{"the next incarnation", 0, func(h *runners.HTTP, _ *byHand) { _ = h.Begin("j") }, messages.LostRun, ""},
		{"the close", 0, func(h *runners.HTTP, _ *byHand) { _ = h.Close(t.Context()) }, messages.LostRun, ""},
	} {
		for _, path := range []string{"/header", "/body"} {
			clock := &byHand{}
			h := runners.NewHTTP(runners.HTTPConfig{Allow: loopback, Clock: clock, Mono: clock.mono})
			if e := start(t, h, dispatch(1, object{"url": s.URL})).ended(); e.End != messages.Returned {
				t.Fatalf("without a lease: %s", e.End)
			}
			h.Extend(100)
			d := dispatch(9, object{"url": s.URL + path})
			d.Timeout = c.limit
			run := start(t, h, d)
			if c.limit != 50*time.Millisecond { // which may be over before it comes
				await(t, arrived)
			}
			h.Extend(200)
			clock.now.Store(100)
			clock.fire() // too early: it was extended
			c.act(h, clock)
			e := run.ended()
			code := ""
			if e.Failure != nil {
				code = e.Failure.Code
			}
			if e.End != c.end || code != c.code || (e.End == messages.LostRun) != (e.Reason != "") {
				t.Errorf("%s %s: %s %v %s", c.name, path, e.End, e.Failure, e.Reason)
			}
			if e.End == messages.LostRun {
				if again := start(t, h, dispatch(1, object{"url": s.URL})).ended(); again.End != messages.Returned {
					t.Errorf("%s: after the lease: %s", c.name, again.End)
				}
			}
			_ = h.Close(t.Context())
			for len(arrived) > 0 {
				<-arrived
			}
		}
	}
}
