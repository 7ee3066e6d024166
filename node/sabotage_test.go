package node_test

import (
	"encoding/json"
	"fmt"
	"regexp"
	"strings"
	"sync"
)

// sabotage makes actors panic, from Parts.Observe. It may be used by many
// turns at once.
type sabotage struct {
	mu sync.Mutex
	// strikes says whether the actor panics on the message.
	strikes func(path, kind, message string) bool
	struck  int
	seen    map[[2]string]int // by kind and message, how often
}

func (s *sabotage) observe(path, kind string, m any) {
	name := fmt.Sprintf("%T", m)
	s.mu.Lock()
	if s.seen == nil {
		s.seen = map[[2]string]int{}
	}
	s.seen[[2]string{kind, name}]++
	strikes := s.strikes != nil && s.strikes(path, kind, name)
	if strikes {
		s.struck++
	}
	s.mu.Unlock()
	if strikes {
		panic("sabotage")
	}
}

// count is how often it struck.
func (s *sabotage) count() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.struck
}

// free is the number of slots that the scheduler holds of a worker, by its
// detail.
func free(detail json.RawMessage, worker string) int {
	var d struct {
		Workers []struct {
			Worker string `json:"worker"`
			Free   int    `json:"free"`
		} `json:"workers"`
	}
	if json.Unmarshal(detail, &d) != nil {
		return -1
	}
	for _, w := range d.Workers {
		if w.Worker == worker {
			return w.Free
		}
	}
	return 0
}

// anonymous leaves the names of single actors out of a reason.
func anonymous(reason string) string {
	return singles.ReplaceAllStringFunc(reason, func(s string) string {
		if strings.HasPrefix(s, "node/workers/") {
			return "node/workers/NAME"
		}
		return "node/partitions/p-NNN"
	})
}

var singles = regexp.MustCompile(`node/(workers/\w+|partitions/p-\d+)`)
