package e2e_test

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	collector "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	spans "go.opentelemetry.io/proto/otlp/trace/v1"
	"google.golang.org/protobuf/proto"
)

// collected is a collector of traces on this machine, and the spans it got, by
// name.
type collected struct {
	*httptest.Server
	mu sync.Mutex
	by map[string]*spans.Span // guarded by mu
}

func collect(t *testing.T) *collected {
	t.Helper()
	c := &collected{by: map[string]*spans.Span{}}
	c.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		var request collector.ExportTraceServiceRequest
		if err != nil || r.URL.Path != "/v1/traces" || proto.Unmarshal(body, &request) != nil {
			t.Errorf("%s %s is no export of spans: %v", r.Method, r.URL, err)
		}
		c.mu.Lock()
		defer c.mu.Unlock()
		for _, resource := range request.GetResourceSpans() {
			for _, scope := range resource.GetScopeSpans() {
				for _, s := range scope.GetSpans() {
					c.by[s.GetName()] = s
				}
			}
		}
		answer, _ := proto.Marshal(&collector.ExportTraceServiceResponse{})
		w.Header().Set("Content-Type", "application/x-protobuf")
		_, _ = w.Write(answer)
	}))
	t.Cleanup(c.Close)
	return c
}

func (c *collected) names() map[string]*spans.Span {
	c.mu.Lock()
	defer c.mu.Unlock()
	all := map[string]*spans.Span{}
	maps.Copy(all, c.by)
	return all
}

func TestATraceGoesFromTheCallerThroughTheNodeIntoTheActionAndToTheCollector(t *testing.T) {
	const caller = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
	c := collect(t)
	d := newWorld(t).dev("--trace-to", c.URL)
	request, err := http.NewRequest(http.MethodPost, d.url+"/api/v1/executions", strings.NewReader(`{"action": "core.local", "parameters": {"cmd": "echo $TRACEPARENT"}}`))
	must(t, err)
	request.Header = http.Header{"Authorization": {"Bearer " + d.token}, "Content-Type": {"application/json"}, "Prefer": {"wait=60"}, "Traceparent": {caller}}
	answer, err := http.DefaultClient.Do(request)
	must(t, err)
	body, err := io.ReadAll(answer.Body)
	must(t, err)
	answer.Body.Close()
	var run struct {
		Result struct {
			Stdout string `json:"stdout"`
		} `json:"result"`
	}
	must(t, json.NewDecoder(bytes.NewReader(body)).Decode(&run))
	told := strings.TrimSpace(run.Result.Stdout)
	if !strings.HasPrefix(told, caller[:36]) || !strings.HasSuffix(told, "-01") {
		t.Fatalf("the action was told %q:\n%s", told, body)
	}
	d.stop() // sends what waits
	got := c.names()
	parent := caller[36:52]
	for _, name := range []string{"POST /api/v1/executions", "execution core.local", "attempt core.local"} {
		s := got[name]
		if s == nil {
			t.Fatalf("no span %q among %v", name, got)
		}
		if hex.EncodeToString(s.GetTraceId()) != caller[3:35] || hex.EncodeToString(s.GetParentSpanId()) != parent || s.GetEndTimeUnixNano() < s.GetStartTimeUnixNano() {
			t.Errorf("%q is not below the one before: %v", name, s)
		}
		parent = hex.EncodeToString(s.GetSpanId())
	}
	if told[36:52] != parent {
		t.Errorf("the action was told %s, and its attempt is span %s", told, parent)
	}
}

func TestACollectorThatIsAwayHarmsNothing(t *testing.T) {
	away := httptest.NewServer(http.NotFoundHandler())
	away.Close()
	d := newWorld(t).dev("--trace-to", away.URL)
	for range 20 {
		if p := d.run("run", "core.echo", "message=hi"); p.code != 0 {
			t.Fatalf("exit %d: %s", p.code, p.talk)
		}
	}
	d.stop()
	contains(t, "the log", d.talk.String(), "traces cannot be sent")
}
