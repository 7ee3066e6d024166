package secret

import (
	"net/url"
	"strings"
)

// Connection is the URL of a server as it may be shown: without its password,
// wherever it stands. What is no URL with a host is not shown at all, since nobody
// knows where its password would stand.
func Connection(text string) string {
	u, err := url.Parse(text)
	if err != nil || u.Scheme == "" || u.Host == "" {
		return "(no URL, not shown)"
	}
	query := u.Query()
	for name := range query {
		if lower := strings.ToLower(name); strings.Contains(lower, "pass") || strings.Contains(lower, "secret") {
			query.Set(name, "xxxxx")
		}
	}
	u.RawQuery, u.Fragment = query.Encode(), ""
	return u.Redacted()
}
