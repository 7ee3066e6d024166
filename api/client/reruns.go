package client

import (
	"context"
	"net/http"
	"net/url"

	"github.com/attune-automation/attune/api"
)

// RerunEnforcement starts what a failed enforcement could not start; done
// before, it answers the first execution.
func (c *Client) RerunEnforcement(ctx context.Context, id string) (api.RunAnswer, error) {
	var out api.RunAnswer
	err := c.json(ctx, http.MethodPost, "/enforcements/"+url.PathEscape(id)+"/rerun", nil, nil, &out)
	return out, err
}

// RerunExecution starts an execution once more.
func (c *Client) RerunExecution(ctx context.Context, id string, request api.RerunRequest) (api.RunAnswer, error) {
	var out api.RunAnswer
	err := c.json(ctx, http.MethodPost, "/executions/"+url.PathEscape(id)+"/rerun", nil, request, &out)
	return out, err
}
