// Package cluster is what makes several nodes one: placement says which member
// should own which partition, and the partition of a ref says where a definition
// lives.
//
// Placement here is pure. Its input is the incarnations that hold a live lease in
// the store, never gossip: a node that gossips without a database is no candidate.
// Its answer is a wish; ownership itself is proved at every write by the lease row.
package cluster
