//go:build race

package rules_test

import "time"

// mostTime is the wall of the cage, and as much again for a detector that makes
// each step several times as long: the last one before the wall ends behind it.
const mostTime = 2 * time.Second
