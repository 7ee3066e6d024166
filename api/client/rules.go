package client

import (
	"context"
	"net/http"
	"net/url"

	"github.com/attune-automation/attune/api"
)

// Explain is what every rule of an event's trigger says to it.
func (c *Client) Explain(ctx context.Context, event string) (api.Explanation, error) {
	return Fetch[api.Explanation](ctx, c, "/events/"+url.PathEscape(event)+"/explain", nil)
}

// TestRule judges by a rule that need not be saved; nothing is stored or started.
func (c *Client) TestRule(ctx context.Context, request api.RuleTestRequest) (api.RuleTest, error) {
	var out api.RuleTest
	err := c.json(ctx, http.MethodPost, "/rules/test", nil, request, &out)
	return out, err
}
