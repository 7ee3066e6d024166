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

// ApplyRule creates or changes a rule that lies in no pack's folder; a dry one
// only says what it would do.
func (c *Client) ApplyRule(ctx context.Context, rule api.RuleDocument, dry bool) (api.AppliedRule, error) {
	var out api.AppliedRule
	var q url.Values
	if dry {
		q = url.Values{"dry_run": {"true"}}
	}
	err := c.json(ctx, http.MethodPut, "/rules/"+url.PathEscape(rule.Ref), q, rule, &out)
	return out, err
}

// DeleteRule deletes an applied rule.
func (c *Client) DeleteRule(ctx context.Context, ref string) error {
	r, err := c.send(ctx, http.MethodDelete, "/rules/"+url.PathEscape(ref), nil, nil, nil)
	if err != nil {
		return err
	}
	return r.Body.Close()
}

// SwitchRule enables or disables a rule, whatever its file says.
func (c *Client) SwitchRule(ctx context.Context, ref string, enabled bool) (api.RuleView, error) {
	var out api.RuleView
	verb := "/disable"
	if enabled {
		verb = "/enable"
	}
	err := c.json(ctx, http.MethodPost, "/rules/"+url.PathEscape(ref)+verb, nil, nil, &out)
	return out, err
}
