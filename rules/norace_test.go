//go:build !race

package rules_test

import "time"

// mostTime is the wall of the cage.
const mostTime = time.Second
