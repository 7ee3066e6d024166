package rabbitmq_test

import (
	"testing"

	"github.com/attune-automation/attune/internal/servers/mqtest"
	"github.com/attune-automation/attune/messages/brokertest"
)

func TestDeadLetters(t *testing.T) {
	brokertest.RunDeadLetters(t, func(t testing.TB) brokertest.Letters { return open(t, mqtest.URL(t)) })
}
