package client

import (
	"context"
	"net/http"
	"net/url"

	"github.com/attune-automation/attune/api"
)

// ReplayDeadLetter has a dead letter published again, and returns it.
func (c *Client) ReplayDeadLetter(ctx context.Context, id string) (api.DeadLetterView, error) {
	var out api.DeadLetterView
	err := c.json(ctx, http.MethodPost, "/deadletters/"+url.PathEscape(id)+"/replay", nil, nil, &out)
	return out, err
}

// DropDeadLetter throws a dead letter away, and returns what it was.
func (c *Client) DropDeadLetter(ctx context.Context, id string) (api.DeadLetterView, error) {
	var out api.DeadLetterView
	err := c.json(ctx, http.MethodDelete, "/deadletters/"+url.PathEscape(id), nil, nil, &out)
	return out, err
}
