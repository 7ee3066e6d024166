package client

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"

	"github.com/attune-automation/attune/api"
)

// ReloadPacks has packs read again: those whose files have changed, or one.
func (c *Client) ReloadPacks(ctx context.Context, ref ...string) (api.List[api.PackChange], error) {
	path := "/packs/reload"
	if len(ref) > 0 {
		path = "/packs/" + url.PathEscape(ref[0]) + "/reload"
	}
	var out api.List[api.PackChange]
	err := c.json(ctx, http.MethodPost, path, nil, nil, &out)
	return out, err
}

// InstallPack sends a pack, as packs.Archive makes it.
func (c *Client) InstallPack(ctx context.Context, ref string, archive []byte, force, dry bool) (api.PackChange, error) {
	var out api.PackChange
	r, err := c.send(ctx, http.MethodPost, "/packs/"+url.PathEscape(ref)+"/install", packQuery(force, dry), bytes.NewReader(archive),
		http.Header{"Content-Type": {"application/gzip"}})
	if err != nil {
		return out, err
	}
	defer r.Body.Close()
	if err := json.NewDecoder(r.Body).Decode(&out); err != nil {
		return out, c.unreachable(ctx, fmt.Errorf("read the answer: %w", err))
	}
	return out, nil
}

// RemovePack takes an installed pack away.
func (c *Client) RemovePack(ctx context.Context, ref string, force, dry bool) (api.PackChange, error) {
	var out api.PackChange
	err := c.json(ctx, http.MethodPost, "/packs/"+url.PathEscape(ref)+"/remove", packQuery(force, dry), nil, &out)
	return out, err
}

func packQuery(force, dry bool) url.Values {
	q := url.Values{}
	if force {
		q.Set("force", "true")
	}
	if dry {
		q.Set("dry_run", "true")
	}
	return q
}
