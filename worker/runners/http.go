package runners

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
	"sync"
	"time"

	"github.com/attune-automation/attune"
	"github.com/attune-automation/attune/messages"
	"github.com/attune-automation/attune/worker"
)

// HTTPConfig of [HTTP].
type HTTPConfig struct {
	// Allow are networks that requests may reach although they are private,
	// loopback or link-local; none by default. Whoever may write a URL can then
	// ask what listens there in the name of this machine.
	Allow []netip.Prefix
	// Clock is for the timer of the lease only, Mono the clock of the lease,
	// that of the worker.
	Clock attune.Clock
	Mono  func() time.Duration
}

// HTTP is the runner http-request, and the [worker.Keeper] of its requests:
// each is a goroutine of this process, and is ended with the lease.
type HTTP struct {
	config HTTPConfig
	lent   sync.WaitGroup // all requests; added to under mu, within a lease

	mu     sync.Mutex
	lease  time.Duration // its end; zero is none
	timer  attune.Timer  // at the end of the lease, or nil
	closed bool
	runs   map[attune.Token]context.CancelCauseFunc
}

// NewHTTP starts nothing. Requests need a lease: see [HTTP.Begin].
func NewHTTP(config HTTPConfig) *HTTP {
	return &HTTP{config: config, runs: map[attune.Token]context.CancelCauseFunc{}}
}

// Why a request was ended.
var (
	errStopped = errors.New("the attempt was stopped")
	errTimeout = errors.New("the attempt ran into its time limit")
	errLease   = errors.New("the worker's lease has ended")
)

// Begin implements [worker.Keeper].
func (h *HTTP) Begin(string) error {
	h.cancelAll()
	h.lent.Wait()
	return nil
}

// cancelAll ends the lease, and with it all requests.
func (h *HTTP) cancelAll() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.lease = 0
	if h.timer != nil {
		h.timer.Stop()
		h.timer = nil
	}
	for _, cancel := range h.runs {
		cancel(errLease)
	}
}

// Extend implements [worker.Keeper].
func (h *HTTP) Extend(until time.Duration) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.closed {
		return
	}
	h.lease = until
	if h.timer == nil {
		h.timer = h.config.Clock.AfterFunc(until-h.config.Mono(), h.expire)
	}
}

// expire ends all, unless the lease was extended meanwhile.
func (h *HTTP) expire() {
	h.mu.Lock()
	left := h.lease - h.config.Mono()
	if h.timer != nil && left > 0 {
		h.timer = h.config.Clock.AfterFunc(left, h.expire)
		h.mu.Unlock()
		return
	}
	h.mu.Unlock()
	h.cancelAll()
}

// Close ends all requests and waits for them. Stop the worker before.
func (h *HTTP) Close(context.Context) error {
	h.mu.Lock()
	h.closed = true
	h.mu.Unlock()
	return h.Begin("")
}

// Pure implements [worker.Runner]: what a request does elsewhere is not to be
// repeated.
func (h *HTTP) Pure() bool { return false }

// Start implements [worker.Runner].
func (h *HTTP) Start(d *messages.Dispatch, events func(worker.Event)) {
	parameters, err := parseRequest(d.Parameters)
	if err != nil {
		events(refused(err.Error()))
		return
	}
	ctx, cancel := context.WithCancelCause(context.Background())
	r, err := parameters.request(ctx, d.Traceparent)
	if err != nil {
		cancel(nil)
		events(refused(err.Error()))
		return
	}
	if !h.lend(d.Token, cancel, func() {
		defer cancel(nil)
		events(worker.Event{Kind: worker.Started})
		last := h.call(r, parameters, d.Timeout)
		h.mu.Lock()
		delete(h.runs, d.Token)
		h.mu.Unlock()
		events(last)
	}) {
		cancel(nil)
		events(worker.Event{Kind: worker.Ended, End: messages.Returned, Reason: "the worker has no lease"})
	}
}

// lend runs a request on a goroutine of its own. False means that there is no
// lease for it.
func (h *HTTP) lend(token attune.Token, cancel context.CancelCauseFunc, f func()) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.closed || h.config.Mono() >= h.lease {
		return false
	}
	h.runs[token] = cancel
	h.lent.Go(f)
	return true
}

// Stop implements [worker.Runner]. There is nothing to be polite to: the grace
// is not used.
func (h *HTTP) Stop(token attune.Token, _ time.Duration) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if cancel := h.runs[token]; cancel != nil {
		cancel(errStopped)
	}
}

// call makes the request, and says how it ended.
func (h *HTTP) call(r *http.Request, p *requestParameters, limit time.Duration) worker.Event {
	if limit > 0 {
		ctx, cancel := context.WithTimeoutCause(r.Context(), limit, errTimeout)
		defer cancel()
		r = r.WithContext(ctx)
	}
	transport := h.transport(p)
	defer transport.CloseIdleConnections()
	client := &http.Client{Transport: transport, CheckRedirect: p.redirect}
	response, err := client.Do(r)
	if err != nil {
		return broken(r.Context(), err)
	}
	defer response.Body.Close()
	content, err := io.ReadAll(io.LimitReader(response.Body, resultBytes+1))
	if err != nil {
		return broken(r.Context(), err)
	}
	return answered(response, content)
}

// headerBytes is how large the header of an answer may be.
const headerBytes = 64 << 10

// transport is for one request: its connection ends with it. The proxies of the
// process's environment are not used.
func (h *HTTP) transport(p *requestParameters) *http.Transport {
	dialer := &net.Dialer{Control: outward(h.config.Allow)}
	return &http.Transport{
		DialContext:            dialer.DialContext,
		Proxy:                  func(r *http.Request) (*url.URL, error) { return p.proxies[r.URL.Scheme], nil },
		TLSClientConfig:        &tls.Config{InsecureSkipVerify: p.VerifySSLCert != nil && !*p.VerifySSLCert}, // what verify_ssl_cert asks for
		DisableKeepAlives:      true,
		MaxResponseHeaderBytes: headerBytes,
	}
}

// redirectsAtMost bounds a chain of redirects.
const redirectsAtMost = 10

// redirect decides on one; the address behind it is looked at when it is
// connected to.
func (p *requestParameters) redirect(next *http.Request, via []*http.Request) error {
	switch {
	case !p.AllowRedirects:
		return http.ErrUseLastResponse
	case len(via) > redirectsAtMost:
		return fmt.Errorf("there were more than %d redirects", redirectsAtMost)
	case via[0].URL.Scheme == "https" && next.URL.Scheme == "http":
		next.Header.Del("Authorization") // it was given for an encrypted way
		next.Header.Del("Cookie")
	}
	return p.allows(next.URL)
}

// broken is the end of a request without an answer.
func broken(ctx context.Context, err error) worker.Event {
	var outer *url.Error
	if errors.As(err, &outer) {
		err = outer.Err // without the URL, which may hold what is secret
	}
	said := fmt.Sprintf("%.1000s", err) // some errors quote the answer
	e := worker.Event{Kind: worker.Ended, End: messages.FailedRun, Failure: &attune.Failure{Code: "request_failed", Message: text([]byte(said))}}
	if cause := context.Cause(ctx); cause != nil {
		e.Failure.Message = cause.Error()
		switch {
		case errors.Is(cause, errTimeout):
			e.End, e.Failure.Code = messages.TimedOutRun, "timeout"
		case errors.Is(cause, errStopped):
			e.End, e.Failure.Code = messages.StoppedRun, "stopped"
		default:
			e.End, e.Failure, e.Reason = messages.LostRun, nil, cause.Error()
		}
		return e
	}
	var address errAddress
	var host errHost
	switch {
	case errors.As(err, &address):
		e.Failure.Code, e.Failure.Message = "address_refused", address.Error()
	case errors.As(err, &host):
		e.Failure.Code = "host_refused"
	}
	return e
}

// answer is the result of http-request.
type answer struct {
	StatusCode int               `json:"status_code"`
	Body       json.RawMessage   `json:"body"`
	Parsed     bool              `json:"parsed"`
	Headers    map[string]string `json:"headers"`
}

// answered is the end of a request with an answer, of which content is the
// whole body or more than there is room for. An answer without room keeps its
// status and headers.
func answered(response *http.Response, content []byte) worker.Event {
	e := worker.Event{Kind: worker.Ended, End: messages.Finished}
	if s := response.StatusCode; s < 200 || s > 206 {
		e.End, e.Failure = messages.FailedRun, &attune.Failure{Code: "http_status", Message: fmt.Sprintf("the answer has the status %d", s)}
	}
	a := answer{StatusCode: response.StatusCode, Headers: map[string]string{}}
	for name, values := range response.Header {
		a.Headers[text([]byte(name))] = text([]byte(strings.Join(values, ", ")))
	}
	if isJSON(response.Header.Get("Content-Type")) && len(content) <= resultBytes {
		a.Body = document(content)
		a.Parsed = a.Body != nil
	}
	if !a.Parsed && len(content) <= resultBytes {
		a.Body, _ = encode(text(content)) // a string always has a JSON form
	}
	result, err := encode(a)
	if err != nil || len(content) > resultBytes || len(result) > resultBytes {
		e.End = messages.FailedRun
		e.Failure = &attune.Failure{Code: "response_too_large", Message: fmt.Sprintf("the answer has more than %d bytes", resultBytes)}
		a.Body, a.Parsed = nil, false
		result, _ = encode(a) // headers alone are far smaller
	}
	e.Result = result
	return e
}
