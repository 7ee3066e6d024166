package api

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"time"

	"github.com/attune-automation/attune"
)

// NewServer serves a handler with the limits that its routes cannot set: how
// long a head may take, how long it may be, how long a connection may idle. A
// whole answer has no limit of time, because streams go on for long; each write
// of one has, see [witness]. Requests end with ctx.
func NewServer(ctx context.Context, handler http.Handler) *http.Server {
	return &http.Server{Handler: handler, ReadHeaderTimeout: 10 * time.Second, IdleTimeout: 2 * time.Minute, MaxHeaderBytes: 2 * maxHeaders,
		BaseContext: func(net.Listener) context.Context { return ctx }}
}

// Limits of one request's head. Bodies have their own, see [MaxBody].
const (
	maxURL     = 8 << 10
	maxHeaders = 32 << 10
)

// tooLong is the problem of a request whose head is too long, or nil.
func tooLong(r *http.Request) *Problem {
	if len(r.RequestURI) > maxURL {
		p := newProblem(attune.NewError(attune.TooLarge, "url_too_long", fmt.Sprintf("the URL has %d bytes, at most %d are read", len(r.RequestURI), maxURL)))
		p.Status = http.StatusRequestURITooLong
		return p
	}
	size := 0
	for name, values := range r.Header {
		for _, value := range values {
			size += len(name) + len(value)
		}
	}
	if size > maxHeaders {
		p := newProblem(attune.NewError(attune.TooLarge, "headers_too_long", fmt.Sprintf("the headers have %d bytes, at most %d are read", size, maxHeaders)))
		p.Status = http.StatusRequestHeaderFieldsTooLarge
		return p
	}
	return nil
}
