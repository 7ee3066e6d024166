package client

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"github.com/attune-automation/attune"
	"github.com/attune-automation/attune/api"
)

// Prune makes a pass of the retention and waits for its end. older is an age
// instead of the node's own, or empty.
func (c *Client) Prune(ctx context.Context, older string, try bool) (api.PruneReport, error) {
	var out api.PruneReport
	body := map[string]any{"dry_run": try}
	if older != "" {
		body["older_than"] = older
	}
	err := c.json(ctx, http.MethodPost, "/admin/gc", nil, body, &out)
	return out, err
}

// Backup writes a backup. After an error what was written is of no use.
func (c *Client) Backup(ctx context.Context, withKey bool, to io.Writer) error {
	q := url.Values{}
	if withKey {
		q.Set("with_key", "true")
	}
	r, err := c.send(ctx, http.MethodGet, "/admin/backup", q, nil, nil)
	if err != nil {
		return err
	}
	defer r.Body.Close()
	if _, err := io.Copy(to, r.Body); err != nil {
		return c.unreachable(ctx, fmt.Errorf("read the backup: %w", err))
	}
	return nil
}

// Metric reads one number of the node that has no labels. One that the node does
// not tell is NotFound.
func (c *Client) Metric(ctx context.Context, name string) (float64, error) {
	r, err := c.from(ctx, http.MethodGet, c.server+"/metrics", nil, nil)
	if err != nil {
		return 0, err
	}
	defer r.Body.Close()
	lines := bufio.NewScanner(r.Body)
	for lines.Scan() {
		if value, ok := strings.CutPrefix(lines.Text(), name+" "); ok {
			return strconv.ParseFloat(value, 64)
		}
	}
	if err := lines.Err(); err != nil {
		return 0, c.unreachable(ctx, err)
	}
	return 0, attune.NewError(attune.NotFound, "no_metric", "the node does not tell "+name)
}

// Health is how the server is, while it takes work.
func (c *Client) Health(ctx context.Context) (api.Health, error) {
	var h api.Health
	r, err := c.from(ctx, http.MethodGet, c.server+"/readyz", nil, nil)
	if err != nil {
		return h, err
	}
	defer r.Body.Close()
	if err := json.NewDecoder(r.Body).Decode(&h); err != nil {
		return h, c.unreachable(ctx, err)
	}
	return h, nil
}

// Ready is nil when the server takes work.
func (c *Client) Ready(ctx context.Context) error {
	_, err := c.Health(ctx)
	return err
}
