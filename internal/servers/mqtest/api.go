package mqtest

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"time"
)

// api is the management plugin's HTTP API.
type api struct {
	address        string // http://host:port
	user, password string
}

// once is for one request: a connection that stays open would look like a leak
// to the test that comes last.
var once = &http.Client{Transport: &http.Transport{DisableKeepAlives: true}, Timeout: 20 * time.Second}

// call sends in, unless nil, as JSON and reads the answer into out, unless nil.
func (a api) call(ctx context.Context, method, path string, in, out any) error {
	var body io.Reader
	if in != nil {
		text, err := json.Marshal(in)
		if err != nil {
			return err
		}
		body = bytes.NewReader(text)
	}
	request, err := http.NewRequestWithContext(ctx, method, a.address+"/api"+path, body)
	if err != nil {
		return err
	}
	request.SetBasicAuth(a.user, a.password)
	request.Header.Set("Content-Type", "application/json")
	response, err := once.Do(request)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	answer, err := io.ReadAll(response.Body)
	if err == nil && response.StatusCode >= 300 {
		err = fmt.Errorf("%s %s: %s: %.200s", method, path, response.Status, answer)
	}
	if err == nil && out != nil {
		err = json.Unmarshal(answer, out)
	}
	return err
}

// segment joins names to a path.
func segment(names ...string) string {
	path := ""
	for _, name := range names {
		path += "/" + url.PathEscape(name)
	}
	return path
}
