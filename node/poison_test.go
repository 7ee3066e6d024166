package node_test

import (
	"strings"
	"testing"
	"time"

	"github.com/attune-automation/attune"
)

// An execution that its actor can do nothing with, not even load it, is tried
// at a measured pace; all others go on, and when it can be loaded it ends.
func TestAPoisonousExecution(t *testing.T) {
	inBubble(t, func(r *rig) {
		r.work("w", 2)
		id := r.must(settings{MS: -1})
		r.reaches(id, attune.Running, time.Second)
		s := &sabotage{strikes: func(path, _, _ string) bool { return strings.HasSuffix(path, id.String()) }}
		r.observe.set(s.observe)
		for range 20 {
			r.reaches(r.must(settings{MS: 1}), attune.Completed, time.Second)
			time.Sleep(time.Second)
		}
		if n := s.count(); n < 10 || n > 200 {
			t.Errorf("it failed %d times in 20 s", n)
		}
		r.observe.clear()
		if x := r.reaches(id, attune.Failed, 10*time.Second); x.Failure == nil || x.Failure.Code != "panic" {
			t.Errorf("it failed as %v", x.Failure)
		}
		r.allOnce(time.Second)
	})
}
