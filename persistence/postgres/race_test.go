//go:build race

package postgres_test

// raced shortens what takes long under the race detector: SQLite is Go code
// too, and 14 times slower there.
const raced = true
