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
// is asked again for the rest: no byte twice, none left out, and each to its own
// stream.
func TestOutputGoesOnWhereItBrokeOff(t *testing.T) {
	const id = "ex-03z9gs2000m0a"
	done := api.ExecutionView{ID: id, Status: "completed", Terminal: true, Attempt: 2}
	var asked []string
	mux := http.NewServeMux()
	answer := func(v any) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) { _ = json.NewEncoder(w).Encode(v) }
	}
	mux.HandleFunc("POST /api/v1/executions", answer(api.RunAnswer{ExecutionView: api.ExecutionView{ID: id, Status: "running", Version: 1}}))
	mux.HandleFunc("GET /api/v1/executions/{id}/wait", answer(done))
	mux.HandleFunc("GET /api/v1/executions/{id}/logs", func(w http.ResponseWriter, r *http.Request) {
		say := func(id, event string, v any) {
			b, _ := json.Marshal(v)
			fmt.Fprintf(w, "id: %s\nevent: %s\ndata: %s\n\n", id, event, b)
		}
		piece := func(id string, attempt int, stream, data string) {
			say(id, api.StreamOutput, api.OutputPiece{Attempt: attempt, Stream: stream, Data: []byte(data)})
		}
		after := r.Header.Get("Last-Event-ID")
		asked = append(asked, after)
		switch after {
		case "":
			piece("1:9:0", 1, "stdout", "first att")
			piece("1:9:4", 1, "stderr", "oh \xff")
			fmt.Fprint(w, ": still here\nid: 1:9:4\n\nid: 1:13:4\nevent: output\n") // half an event counts for nothing
			_ = http.NewResponseController(w).Flush()
			panic(http.ErrAbortHandler)
		case "1:9:4":
			piece("1:14:4", 1, "stdout", "empt\n")
			say("1:14:4", api.StreamEnd, api.LogsEnd{Code: "node_ended", Message: "it restarts"})
		case "1:14:4":
			piece("2:7:0", 2, "stdout", "second\n")
			say("2:7:0", api.StreamEnd, api.LogsEnd{Status: "completed", Terminal: true})
		}
	})
	server := httptest.NewServer(mux)
	defer server.Close()
	var out, talk bytes.Buffer
	code := execute(t.Context(), []string{"run", "a.b", "--server", server.URL, "--token", "t"}, streams{out: &out, talk: &talk, env: func(string) string { return "" }})
	if code != 0 || out.String() != "first attempt\nsecond\n" || !strings.Contains(talk.String(), "oh \xff") {
		t.Errorf("exit code %d, output %q, asked behind %q\n%s", code, &out, asked, &talk)
	}
}
