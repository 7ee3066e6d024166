package node_test

import (
	"strings"
	"testing"

	"github.com/attune-automation/attune/api"
	"github.com/attune-automation/attune/node"
	"github.com/attune-automation/attune/persistence/memory"
)

// filled is a store whose disk is full.
type filled struct{ *memory.Store }

func (filled) Full() bool { return true }

func TestANodeSaysThatItsStoreHasNoRoom(t *testing.T) {
	n := node.New(node.Config{Name: "n"}, node.Parts{Clock: node.NewClock(), Store: filled{memory.New(memory.Config{Clock: database{}})}})
	for _, p := range n.Parts() {
		if p.Part == "store" && (p.State != api.PartAway || !strings.Contains(p.Reason, "store_full")) {
			t.Errorf("%+v", p)
		}
	}
}
