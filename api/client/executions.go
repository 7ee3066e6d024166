package client

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"github.com/attune-automation/attune/api"
)

// Run requests an execution and returns when it is durable.
func (c *Client) Run(ctx context.Context, request api.RunRequest) (api.RunAnswer, error) {
	var out api.RunAnswer
	err := c.json(ctx, http.MethodPost, "/executions", nil, request, &out)
	return out, err
}

// SendEvent hands an event in and returns when it is durable.
func (c *Client) SendEvent(ctx context.Context, request api.EventRequest) (api.EventAnswer, error) {
	var out api.EventAnswer
	err := c.json(ctx, http.MethodPost, "/events", nil, request, &out)
	return out, err
}

// Cancel asks for the end of an execution and returns its state after that.
func (c *Client) Cancel(ctx context.Context, id, reason string) (api.ExecutionView, error) {
	var out api.ExecutionView
	err := c.json(ctx, http.MethodPost, "/executions/"+url.PathEscape(id)+"/cancel", nil, api.CancelRequest{Reason: reason}, &out)
	return out, err
}

// Execution is one execution in full.
func (c *Client) Execution(ctx context.Context, id string) (api.ExecutionView, error) {
	return Fetch[api.ExecutionView](ctx, c, "/executions/"+url.PathEscape(id), nil)
}

// Wait returns when the execution has ended, when its version is above version
// (0: only the end counts), or after limit; the view tells which. limit counts
// in whole milliseconds and is at most five minutes.
func (c *Client) Wait(ctx context.Context, id string, version int64, limit time.Duration) (api.ExecutionView, error) {
	q := url.Values{"timeout": {limit.Truncate(time.Millisecond).String()}}
	if version > 0 {
		q.Set("version", strconv.FormatInt(version, 10))
	}
	return Fetch[api.ExecutionView](ctx, c, "/executions/"+url.PathEscape(id)+"/wait", q)
}

// OutputRequest says which output is wanted.
type OutputRequest struct {
	// Stream is stdout or stderr.
	Stream string
	// Attempt counts from 1; 0 is the newest.
	Attempt int
	// Offset is where to begin, in bytes.
	Offset int64
	// Follow goes on until the attempt has ended, and waits for one that has
	// not begun.
	Follow bool
}

// Output opens the exact bytes of one stream of one attempt, and says which
// attempt it is: 0 when there is none. The caller closes it.
func (c *Client) Output(ctx context.Context, id string, want OutputRequest) (io.ReadCloser, int, error) {
	q := url.Values{"stream": {want.Stream}, "raw": {"true"}}
	if want.Attempt > 0 {
		q.Set("attempt", strconv.Itoa(want.Attempt))
	}
	if want.Offset > 0 {
		q.Set("offset", strconv.FormatInt(want.Offset, 10))
	}
	if want.Follow {
		q.Set("follow", "true")
	}
	r, err := c.send(ctx, http.MethodGet, "/executions/"+url.PathEscape(id)+"/output", q, nil, nil)
	if err != nil {
		return nil, 0, err
	}
	attempt, err := strconv.Atoi(r.Header.Get(api.AttemptHeader))
	if err != nil {
		attempt = want.Attempt
	}
	return r.Body, attempt, nil
}

// Webhook posts a body, a JSON document, to a webhook by its name.
func (c *Client) Webhook(ctx context.Context, name string, body []byte) (api.WebhookAnswer, error) {
	var out api.WebhookAnswer
	err := c.json(ctx, http.MethodPost, "/webhooks/"+url.PathEscape(name), nil, json.RawMessage(body), &out)
	return out, err
}
