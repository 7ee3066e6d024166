package cluster

import "github.com/attune-automation/attune"

// PartitionOf returns the partition, below [attune.Partitions], that a ref (of a
// worker, policy key or timer) lives in. Stored rows rely on it: its answer for a
// given ref never changes between versions.
func PartitionOf(ref string) int {
	return int(hash(ref) % attune.Partitions)
}

// hash is 64-bit FNV-1a with mix on top. FNV alone carries a difference in the
// last byte of a name only into a few bits of the sum, so that names like
// node:7946, node:7947 and node:7948 would share their weights unevenly
// (50/25/25 was measured).
func hash(s string) uint64 {
	h := uint64(14695981039346656037)
	for i := range len(s) {
		h ^= uint64(s[i])
		h *= 1099511628211
	}
	return mix(h)
}

// mix is the finaliser of splitmix64, a bijection in which every bit of the
// argument turns each bit of the answer with a probability of about a half.
func mix(x uint64) uint64 {
	x ^= x >> 30
	x *= 0xbf58476d1ce4e5b9
	x ^= x >> 27
	x *= 0x94d049bb133111eb
	x ^= x >> 31
	return x
}
