package client

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/attune-automation/attune"
	"github.com/attune-automation/attune/api"
)

// CodeUnreachable is the code of errors for which no answer came at all.
const CodeUnreachable = "unreachable"

// Client sends requests to one server. It is safe for concurrent use.
type Client struct {
	server string
	token  string
	http   *http.Client
}

// New is a client of the server, a URL such as http://127.0.0.1:9370, with the
// secret of a token.
func New(server, token string) (*Client, error) {
	u, err := url.Parse(server)
	if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
		return nil, &attune.Error{Kind: attune.Invalid, Code: "invalid_server", Message: fmt.Sprintf("%q is not the URL of a server", server),
			Try: "http://127.0.0.1:9370"}
	}
	return &Client{server: strings.TrimSuffix(server, "/"), token: token, http: &http.Client{}}, nil
}

// Trust verifies the server's certificate by these authorities, instead of the
// system's. Call it before the first request.
func (c *Client) Trust(roots *x509.CertPool) {
	transport := http.DefaultTransport.(*http.Transport).Clone() //nolint:forcetypeassert // nobody here replaces it
	transport.TLSClientConfig = &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12}
	c.http.Transport = transport
}

// Server is the URL the client was made with.
func (c *Client) Server() string { return c.server }

// Close gives idle connections up.
func (c *Client) Close() { c.http.CloseIdleConnections() }

// Fetch reads one document from a path below /api/v1. Segments that come from
// users go through url.PathEscape first.
func Fetch[T any](ctx context.Context, c *Client, path string, query url.Values) (T, error) {
	var out T
	err := c.json(ctx, http.MethodGet, path, query, nil, &out)
	return out, err
}

// All reads every page of a list.
func All[T any](ctx context.Context, c *Client, path string, query url.Values) ([]T, error) {
	q := url.Values{"limit": {"1000"}}
	for name, values := range query {
		q[name] = values
	}
	var all []T
	for {
		l, err := Fetch[api.List[T]](ctx, c, path, q)
		if err != nil {
			return nil, err
		}
		all = append(all, l.Items...)
		if l.Next == "" {
			return all, nil
		}
		q.Set("cursor", l.Next)
	}
}

// json sends in as JSON, where it is not nil, and decodes the answer into out.
func (c *Client) json(ctx context.Context, method, path string, query url.Values, in, out any) error {
	var body io.Reader
	if in != nil {
		b, err := json.Marshal(in)
		if err != nil {
			return fmt.Errorf("encode the request: %w", err)
		}
		body = bytes.NewReader(b)
	}
	r, err := c.send(ctx, method, path, query, body, nil)
	if err != nil {
		return err
	}
	defer r.Body.Close()
	if err := json.NewDecoder(r.Body).Decode(out); err != nil {
		return c.unreachable(ctx, fmt.Errorf("read the answer: %w", err))
	}
	return nil
}

// send returns a response that succeeded; anything else is an error with the
// body closed.
func (c *Client) send(ctx context.Context, method, path string, query url.Values, body io.Reader, header http.Header) (*http.Response, error) {
	target := c.server + "/api/v1" + path
	if len(query) > 0 {
		target += "?" + query.Encode()
	}
	return c.from(ctx, method, target, body, header)
}

// from is send for a whole URL.
func (c *Client) from(ctx context.Context, method, target string, body io.Reader, header http.Header) (*http.Response, error) {
	r, err := http.NewRequestWithContext(ctx, method, target, body)
	if err != nil {
		return nil, fmt.Errorf("request %s: %w", target, err)
	}
	if body != nil {
		r.Header.Set("Content-Type", "application/json")
	}
	for name, values := range header {
		r.Header[name] = values
	}
	if c.token != "" {
		r.Header.Set("Authorization", "Bearer "+c.token)
	}
	response, err := c.http.Do(r)
	if err != nil {
		return nil, c.unreachable(ctx, err)
	}
	if response.StatusCode < 300 {
		return response, nil
	}
	defer response.Body.Close()
	return nil, problem(response)
}

func (c *Client) unreachable(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	var u *url.Error
	if errors.As(err, &u) {
		err = u.Err // without the URL, which Where says
	}
	return &attune.Error{Kind: attune.Unavailable, Code: CodeUnreachable, Message: "no answer from the server", Where: c.server, Cause: err,
		Try: "is it running? attune dev starts one here; --server URL names another"}
}

// problem is the error that an answer describes.
func problem(r *http.Response) error {
	e := &attune.Error{Kind: api.KindOfStatus(r.StatusCode), Code: "unexpected_answer", Message: "the server answered " + r.Status}
	body, err := io.ReadAll(io.LimitReader(r.Body, 1<<20))
	var p api.Problem
	if err == nil && json.Unmarshal(body, &p) == nil && p.Code != "" {
		e.Code, e.Message, e.Where, e.Try, e.Faults = p.Code, p.Detail, p.Where, p.Try, p.Faults
		e.RetryAfter = time.Duration(p.RetryAfter) * time.Second
	} else {
		e.Where, e.Try = r.Request.URL.Redacted(), "is this the URL of an attune server?"
	}
	return e
}
