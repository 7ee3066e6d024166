package cluster

import "time"

// The lease of a node: renewed each second on the database's clock. A node
// stops acting when its own monotonic clock, counted from before the last
// successful renewal was sent, reaches LeaseTTL minus LeaseMargin.
const (
	LeaseTTL    = 4 * time.Second
	LeaseRenew  = time.Second
	LeaseMargin = time.Second
)
