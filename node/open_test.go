package node_test

import (
	"testing"
	"time"

	"github.com/attune-automation/attune"
	brokermemory "github.com/attune-automation/attune/messages/memory"
	"github.com/attune-automation/attune/node"
	"github.com/attune-automation/attune/packs"
	"github.com/attune-automation/attune/packs/core"
	"github.com/attune-automation/attune/persistence/memory"
)

// A change of a rule whose answer was lost may be stored. Whoever asked is told
// that it is not known, and soon the node judges by what is stored: not only after
// its next start.
func TestAChangeOfARuleWhoseAnswerWasLostIsTakenOver(t *testing.T) {
	store := memory.NewFaulty(memory.New(memory.Config{Clock: node.NewClock()}), func(method string, call int) memory.Fault {
		if method == "PutAppliedRule" && call == 1 {
			return memory.Fault{Kind: memory.LostAfter}
		}
		return memory.Fault{}
	})
	keys, err := node.OpenKeys(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	n, err := node.Open(t.Context(), node.OpenConfig{Name: "one", Store: store, Broker: brokermemory.New(brokermemory.Config{}), Keys: keys,
		Packs: []*attune.Pack{packs.LoadFS(core.Files, core.Ref, "")}, Folders: &packs.Folders{Installed: t.TempDir()}})
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := n.Close(t.Context()); err != nil {
			t.Error(err)
		}
	}()
	rule := written(t, "name: one\ntrigger: {type: core.st2.webhook, parameters: {url: one}}\naction: {ref: core.noop}\n")
	if _, err := n.ApplyRule(t.Context(), rule, "test", false); attune.KindOf(err) != attune.Unavailable {
		t.Fatalf("an answer that was lost: %v", err)
	}
	within(t, 20*time.Second, "the rule is judged by", func() bool { return n.Catalog().Rules().Rule(rule.Ref) != nil })
}
