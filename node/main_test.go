package node_test

import (
	"flag"
	"os"
	"testing"

	"go.uber.org/goleak"

	"github.com/attune-automation/attune/worker/keeper"
)

var update = flag.Bool("update", false, "rewrite the generated table of docs/failures.md")

// TestMain makes this binary a keeper of processes when it starts itself.
func TestMain(m *testing.M) {
	if len(os.Args) > 1 && os.Args[1] == "keeper" {
		os.Exit(keeper.Main(os.Args[2:]))
	}
	flag.Parse()
	goleak.VerifyTestMain(m)
}
