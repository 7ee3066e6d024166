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
	r.scenario(t, "a broker that is killed", r.loseBroker)
}
