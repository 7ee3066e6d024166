package messages_test

import (
	"testing"

	"github.com/attune-automation/attune"
	"github.com/attune-automation/attune/messages"
)

// What an end costs to announce, besides sending it.
func BenchmarkAnnouncement(b *testing.B) {
	x := &attune.Execution{ID: executionID, Version: 2, Action: "core.noop", Status: attune.Completed, Attempt: 1, Rule: "examples.on_alert", Trigger: "examples.alert",
		Event: eventID, Requested: at, Started: at, Finished: at, Result: []byte(`{"ok":true}`), Chain: attune.Chain{Correlation: eventID.String()}}
	b.ReportAllocs()
	for b.Loop() {
		if _, _, err := messages.Encode(messages.EndOf(x)); err != nil {
			b.Fatal(err)
		}
	}
}
