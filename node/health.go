package node

import (
	"fmt"
	"time"

	"github.com/attune-automation/attune"
	"github.com/attune-automation/attune/api"
	"github.com/attune-automation/attune/messages"
	"github.com/attune-automation/attune/persistence"
)

// Parts implements api.Engine.
func (n *Node) Parts() []api.PartHealth {
	return []api.PartHealth{n.storeHealth(), n.brokerHealth(), n.partitionsHealth()}
}

// storeHealth goes by the lease, which is renewed each second, and by the flush
// under way.
func (n *Node) storeHealth() api.PartHealth {
	h := api.PartHealth{Part: "store", State: api.PartOK}
	disk, _ := n.parts.Store.(persistence.Fillable)
	switch {
	case disk != nil && disk.Full():
		h.State, h.Reason = api.PartAway, "its disk is full (store_full): what is there can be read, and nothing is written until there is room"
	case !n.tree.Holds():
		h.State, h.Reason = api.PartAway, "the lease of this node could not be renewed in time; nothing is written until it is"
	case n.tree.StoreAway():
		h.State, h.Reason = api.PartAway, "it takes no writes; nothing is acknowledged until it does"
	}
	return h
}

// brokerHealth is degraded where the broker is away: what is asked for is taken
// and kept all the same.
func (n *Node) brokerHealth() api.PartHealth {
	h := api.PartHealth{Part: "broker", State: api.PartOK}
	if link, ok := n.parts.Broker.(messages.Linked); ok && !link.Up() {
		h.State, h.Reason = api.PartDegraded, "the connection is down; what is asked for is stored, and goes to the workers when it is back"
	}
	return h
}

func (n *Node) partitionsHealth() api.PartHealth {
	h := api.PartHealth{Part: "partitions", State: api.PartOK}
	if owned := n.owned.count(); owned < attune.Partitions {
		h.State = api.PartDegraded
		h.Reason = fmt.Sprintf("%d of %d are this node's; the others belong to leases that have not ended", owned, attune.Partitions)
	}
	return h
}

// mustOwn refuses what concerns a partition of another node, or of one that was
// killed and whose lease has not ended.
func (n *Node) mustOwn(partition int) error {
	if n.owned.Epoch(partition) > 0 {
		return nil
	}
	return &attune.Error{Kind: attune.Unavailable, Code: "not_owned", RetryAfter: time.Second,
		Message: "the partition of this id is not this node's yet", Try: "again in a few seconds"}
}
