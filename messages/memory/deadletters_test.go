package memory_test

import (
	"testing"

	"github.com/attune-automation/attune/messages/brokertest"
	"github.com/attune-automation/attune/messages/memory"
)

func TestDeadLetters(t *testing.T) {
	brokertest.RunDeadLetters(t, func(t testing.TB) brokertest.Letters {
		b := memory.New(memory.Config{})
		t.Cleanup(func() { _ = b.Close() })
		return b
	})
}
