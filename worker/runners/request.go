package runners

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"mime"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
)

// requestParameters are those of http-request: its runner's own, and those that
// actions declare.
type requestParameters struct {
	URL             string         `json:"url"`
	Method          string         `json:"method"`
	Headers         map[string]any `json:"headers"`
	Cookies         map[string]any `json:"cookies"`
	Params          map[string]any `json:"params"`
	Body            any            `json:"body"`
	Username        string         `json:"username"`
	Password        string         `json:"password"`
	AllowRedirects  bool           `json:"allow_redirects"`
	VerifySSLCert   *bool          `json:"verify_ssl_cert"`
	HTTPProxy       string         `json:"http_proxy"`
	HTTPSProxy      string         `json:"https_proxy"`
	Blacklist       []string       `json:"url_hosts_blacklist"`
	Whitelist       []string       `json:"url_hosts_whitelist"`
	Auth            any            `json:"auth"`
	FileName        any            `json:"file_name"`
	FileContent     any            `json:"file_content"`
	FileContentType any            `json:"file_content_type"`

	proxies map[string]*url.URL // by the scheme of the URL they are for
}

// parseRequest reads the parameters and holds them against each other.
func parseRequest(document []byte) (*requestParameters, error) {
	p := &requestParameters{}
	if err := ownParameters(document, p); err != nil {
		return nil, refusal("the parameters are not those of http-request: %w", err)
	}
	for name, v := range map[string]any{"auth": p.Auth, "file_name": p.FileName, "file_content": p.FileContent, "file_content_type": p.FileContentType} {
		if v != nil && v != "" {
			return nil, refusal("the parameter %s is not supported by http-request here", name)
		}
	}
	if len(p.Blacklist) > 0 && len(p.Whitelist) > 0 {
		return nil, refusal("the parameters url_hosts_blacklist and url_hosts_whitelist exclude each other")
	}
	p.proxies = map[string]*url.URL{}
	for scheme, text := range map[string]string{"http": p.HTTPProxy, "https": p.HTTPSProxy} {
		if text == "" {
			continue
		}
		proxy, err := url.Parse(text)
		if err != nil || proxy.Host == "" || proxy.Scheme != "http" && proxy.Scheme != "https" {
			return nil, refusal("the parameter %s_proxy is no URL of http or https", scheme)
		}
		p.proxies[scheme] = proxy
	}
	return p, nil
}

// request makes the request. What net/http would quietly drop or repair is
// refused.
func (p *requestParameters) request(ctx context.Context, traceparent string) (*http.Request, error) {
	target, err := url.Parse(p.URL)
	if err != nil || target.Host == "" || target.Scheme != "http" && target.Scheme != "https" {
		return nil, refusal("the parameter url is no URL of http or https")
	}
	if err := p.allows(target); err != nil {
		return nil, errRefused{error: err}
	}
	if target.RawQuery, err = p.query(target.RawQuery); err != nil {
		return nil, err
	}
	header, err := p.header(traceparent)
	if err != nil {
		return nil, err
	}
	body, err := p.body(header)
	if err != nil {
		return nil, err
	}
	method := strings.ToUpper(p.Method)
	switch {
	case method == "" && body != nil:
		method = http.MethodPost
	case method == "":
		method = http.MethodGet
	case method == http.MethodConnect:
		return nil, refusal("the method CONNECT is no request for a document")
	}
	var reader io.Reader
	if body != nil {
		reader = bytes.NewReader(body)
	}
	r, err := http.NewRequestWithContext(ctx, method, target.String(), reader)
	if err != nil {
		return nil, refusal("the request cannot be made: the method or the url is wrong")
	}
	r.Host = header.Get("Host")
	header.Del("Host")
	r.Header = header
	if p.Username != "" || p.Password != "" {
		r.SetBasicAuth(p.Username, p.Password)
	}
	return r, p.addCookies(r)
}

// errHost is a host that the lists of the action exclude.
type errHost struct{ host string }

func (e errHost) Error() string {
	return fmt.Sprintf("the host %q is not allowed by this action", e.host)
}

// allows holds a URL against the lists of hosts; each redirect's too.
func (p *requestParameters) allows(u *url.URL) error {
	host := hostName(u.Hostname())
	listed := func(list []string) bool {
		return slices.ContainsFunc(list, func(s string) bool { return hostName(s) == host })
	}
	if listed(p.Blacklist) || len(p.Whitelist) > 0 && !listed(p.Whitelist) {
		return errHost{host}
	}
	return nil
}

// hostName is a host in the one form in which names are compared.
func hostName(s string) string {
	return strings.ToLower(strings.TrimSuffix(strings.Trim(s, "[]"), "."))
}

// scalar is the text of a value where only one text has room.
func scalar(where, name string, v any) (string, error) {
	switch v.(type) {
	case string, bool, json.Number:
		return plain(v), nil
	}
	return "", refusal("the parameter %s has for %q a value that is no text, number or boolean", where, name)
}

// query adds the parameter params to the query; a list gives its name several
// times, null none.
func (p *requestParameters) query(before string) (string, error) {
	values, err := form("params", p.Params)
	if err != nil {
		return "", err
	}
	if before != "" && len(values) > 0 {
		before += "&"
	}
	return before + values.Encode(), nil
}

func form(where string, from map[string]any) (url.Values, error) {
	values := url.Values{}
	for name, v := range from {
		list, ok := v.([]any)
		if !ok {
			list = []any{v}
		}
		for _, item := range list {
			if item == nil {
				continue
			}
			text, err := scalar(where, name, item)
			if err != nil {
				return nil, err
			}
			values.Add(name, text)
		}
	}
	return values, nil
}

// fieldName is what a header's name is made of.
var fieldName = regexp.MustCompile("^[!#$%&'*+.^_`|~0-9A-Za-z-]+$")

// header is what the action gives, and the trace unless it gives another or null.
func (p *requestParameters) header(traceparent string) (http.Header, error) {
	header := http.Header{"User-Agent": {"attune"}}
	if traceparent != "" {
		header.Set("Traceparent", traceparent)
	}
	for _, name := range slices.Sorted(maps.Keys(p.Headers)) { // one order, where two differ only in case
		if p.Headers[name] == nil {
			if strings.EqualFold(name, "Traceparent") {
				header.Del(name)
			}
			continue
		}
		text, err := scalar("headers", name, p.Headers[name])
		if err != nil {
			return nil, err
		}
		if !fieldName.MatchString(name) || strings.ContainsFunc(text, func(r rune) bool { return r < ' ' && r != '\t' || r == 0x7f }) {
			return nil, refusal("the parameter headers has a name or value that no header can hold: %q", name)
		}
		header.Set(name, text)
	}
	return header, nil
}

func (p *requestParameters) addCookies(r *http.Request) error {
	for _, name := range slices.Sorted(maps.Keys(p.Cookies)) {
		if p.Cookies[name] == nil {
			continue
		}
		text, err := scalar("cookies", name, p.Cookies[name])
		if err != nil {
			return err
		}
		cookie := &http.Cookie{Name: name, Value: text}
		if cookie.Valid() != nil {
			return refusal("the parameter cookies has a name or value that no cookie can hold: %q", name)
		}
		r.AddCookie(cookie)
	}
	return nil
}

// body is what is sent, or nil for nothing. A text is sent as it is; anything
// else as JSON if the header Content-Type says so, else an object is a form, as
// in StackStorm.
func (p *requestParameters) body(header http.Header) ([]byte, error) {
	switch v := p.Body.(type) {
	case nil:
		return nil, nil
	case string:
		if v == "" {
			return nil, nil
		}
		return []byte(v), nil
	}
	if isJSON(header.Get("Content-Type")) {
		return encode(p.Body)
	}
	fields, ok := p.Body.(map[string]any)
	if !ok {
		return nil, refusal("the parameter body is neither text nor an object: for JSON set the header Content-Type to application/json")
	}
	values, err := form("body", fields)
	if err != nil {
		return nil, err
	}
	if header.Get("Content-Type") == "" {
		header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	return []byte(values.Encode()), nil
}

// isJSON reports whether a Content-Type means a JSON document.
func isJSON(contentType string) bool {
	kind, _, _ := mime.ParseMediaType(contentType)
	return kind == "application/json" || strings.HasSuffix(kind, "+json")
}
