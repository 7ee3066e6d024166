package client

import (
	"context"
	"net/http"
	"net/url"

	"github.com/attune-automation/attune/api"
)

// CreateToken makes a token; its secret is in this answer and in no other.
func (c *Client) CreateToken(ctx context.Context, request api.TokenRequest) (api.NewTokenView, error) {
	var out api.NewTokenView
	err := c.json(ctx, http.MethodPost, "/tokens", nil, request, &out)
	return out, err
}

// RevokeToken makes a token useless, and returns what it was.
func (c *Client) RevokeToken(ctx context.Context, name string) (api.TokenView, error) {
	var out api.TokenView
	err := c.json(ctx, http.MethodDelete, "/tokens/"+url.PathEscape(name), nil, nil, &out)
	return out, err
}
