package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"syscall"
	"testing"

	"github.com/attune-automation/attune/api"
)

func TestInterruptDetaches(t *testing.T) {
	w := scene(t)
	ctx, interrupt := context.WithCancelCause(t.Context())
	go func() {
		<-w.Engine.Watched // it follows by now
		interrupt(errInterrupted)
	}()
	var out, talk bytes.Buffer
	code := execute(ctx, []string{"run", "demo.greet", "message=stuck", "--server", w.URL, "--token", w.Operator},
		streams{out: &out, talk: &talk, env: func(string) string { return "" }})
	if code != exitInterrupted || out.Len() > 0 {
		t.Errorf("exit code %d, output %q", code, &out)
	}
	if said := talk.String(); !strings.Contains(said, "detached") || !strings.Contains(said, "attune execution logs -f ex-") {
		t.Errorf("said %q", said)
	}
}

func TestTheFirstSignalCancels(t *testing.T) {
	ctx, stop := signals(t.Context())
	defer stop()
	if err := syscall.Kill(os.Getpid(), syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	<-ctx.Done()
	if !errors.Is(context.Cause(ctx), errInterrupted) {
		t.Error(context.Cause(ctx))
	}
}

// A server that goes away in the middle of the output, as a restarted one does,
// is asked again for the rest: no byte twice, none left out.
func TestOutputGoesOnWhereItBrokeOff(t *testing.T) {
	const id = "ex-03z9gs2000m0a"
	done := api.ExecutionView{ID: id, Status: "completed", Terminal: true, Attempt: 2}
	tries := map[string]int{}
	mux := http.NewServeMux()
	answer := func(v any) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) { _ = json.NewEncoder(w).Encode(v) }
	}
	mux.HandleFunc("POST /api/v1/executions", answer(api.RunAnswer{ExecutionView: api.ExecutionView{ID: id, Status: "running", Version: 1}}))
	mux.HandleFunc("GET /api/v1/executions/{id}", answer(done))
	mux.HandleFunc("GET /api/v1/executions/{id}/wait", answer(done))
	mux.HandleFunc("GET /api/v1/executions/{id}/output", func(w http.ResponseWriter, r *http.Request) {
		q := r.URL.Query()
		if q.Get("stream") == "stderr" {
			w.Header().Set(api.AttemptHeader, q.Get("attempt"))
			return
		}
		key := q.Get("attempt") + "@" + q.Get("offset")
		tries[key]++
		w.Header().Set(api.AttemptHeader, q.Get("attempt"))
		switch key {
		case "1@":
			fmt.Fprint(w, "first att")
			_ = http.NewResponseController(w).Flush()
			panic(http.ErrAbortHandler)
		case "1@9":
			fmt.Fprint(w, "empt\n")
		case "2@":
			fmt.Fprint(w, "second\n")
		}
	})
	server := httptest.NewServer(mux)
	defer server.Close()
	var out, talk bytes.Buffer
	code := execute(t.Context(), []string{"run", "a.b", "--server", server.URL, "--token", "t"}, streams{out: &out, talk: &talk, env: func(string) string { return "" }})
	if code != 0 || out.String() != "first attempt\nsecond\n" {
		t.Errorf("exit code %d, output %q, asked %v\n%s", code, &out, tries, &talk)
	}
}
