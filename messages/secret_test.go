package messages_test

import (
	"bytes"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"github.com/attune-automation/attune/messages"
)

// However a dispatch is printed, its token is not.
func TestASecretIsNotPrinted(t *testing.T) {
	d := messages.Dispatch{Action: "p.a", APIToken: "attune_execution_x"}
	var log bytes.Buffer
	for _, handler := range []slog.Handler{slog.NewTextHandler(&log, nil), slog.NewJSONHandler(&log, nil)} {
		slog.New(handler).Info("x", "token", d.APIToken, "text", fmt.Sprint(d.APIToken))
	}
	slog.New(slog.NewTextHandler(&log, nil)).Info("x", "dispatch", d, "same", &d)
	for _, text := range []string{fmt.Sprint(d), fmt.Sprintf("%+v", &d), fmt.Sprintf("%#v", d), fmt.Sprintf("%s %v %q", d.APIToken, d.APIToken, d.APIToken), log.String()} {
		if strings.Contains(text, "attune_execution") || !strings.Contains(text, "********") {
			t.Errorf("printed: %s", text)
		}
	}
	if string(d.APIToken) != "attune_execution_x" {
		t.Error("the token itself is changed")
	}
}
