package client

import (
	"context"
	"net/http"
	"net/url"

	"github.com/attune-automation/attune/api"
)

// DrainWorker gives a worker nothing more, until it is resumed.
func (c *Client) DrainWorker(ctx context.Context, name string) (api.WorkerAnswer, error) {
	return c.worker(ctx, http.MethodPost, name, "/drain")
}

// ResumeWorker gives a drained worker work again.
func (c *Client) ResumeWorker(ctx context.Context, name string) (api.WorkerAnswer, error) {
	return c.worker(ctx, http.MethodPost, name, "/resume")
}

// RemoveWorker forgets a worker that is lost or has left, and returns what it
// was.
func (c *Client) RemoveWorker(ctx context.Context, name string) (api.WorkerAnswer, error) {
	return c.worker(ctx, http.MethodDelete, name, "")
}

func (c *Client) worker(ctx context.Context, method, name, verb string) (api.WorkerAnswer, error) {
	var out api.WorkerAnswer
	err := c.json(ctx, method, "/workers/"+url.PathEscape(name)+verb, nil, nil, &out)
	return out, err
}
