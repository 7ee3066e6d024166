//go:build race

package node_test

// raced shortens what SQLite makes slow under the race detector.
const raced = true
