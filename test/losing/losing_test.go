package losing_test

import (
	"os"
	"testing"
)

// wanted is the variable that makes the tests run: they take minutes.
const wanted = "ATTUNE_LOSING"

func TestLosing(t *testing.T) {
	if os.Getenv(wanted) == "" {
		t.Skip("left out: losing: it takes minutes; make losing runs it")
	}
	t.Logf("again: make losing SEED=%d", *seed)
	r := newRig(t)
	defer func() { r.print(t) }()
	r.serve()
	for _, s := range []struct {
		name string
		lose func()
	}{
		{"workers killed for good", r.loseWorkers},
		{"workers killed and restarted", r.restartWorkers},
		{"a worker frozen", r.freezeWorker},
		{"the broker killed", r.loseBroker},
		{"the database lost", r.loseDatabase},
		{"queues purged and deleted", r.loseQueues},
		{"connections cut", r.cutConnections},
		{"the node frozen", r.freezeNode},
		{"everything three times", r.triple},
		{"the node succeeded", r.succeedNode},
	} {
		r.scenario(t, s.name, s.lose)
	}
}
