package settings

import (
	"net/url"
	"strings"
)

// Masked stands where a secret is not shown.
const Masked = "xxxxx"

// MaskURL is a connection string as it may be shown: without its password, and
// without what its query calls a password, a secret or a token. What is no URL is
// masked whole.
func MaskURL(text string) string {
	u, err := url.Parse(text)
	if err != nil || text != "" && u.Host == "" {
		return Masked
	}
	query := strings.Split(u.RawQuery, "&")
	for i, one := range query {
		name, _, said := strings.Cut(one, "=")
		for _, word := range []string{"pass", "secret", "token"} {
			if said && strings.Contains(strings.ToLower(name), word) {
				query[i] = name + "=" + Masked
			}
		}
	}
	u.RawQuery = strings.Join(query, "&")
	return u.Redacted()
}
