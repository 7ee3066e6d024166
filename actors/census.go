package actors

import (
	"context"
	"encoding/json"
	"fmt"
	"sort"
	"strings"
	"sync"
	"time"

	"github.com/attune-automation/attune"
	"github.com/attune-automation/attune/messages"
)

// Census is the live index of all actors of a node. It is fed by their
// mailboxes and safe for concurrent use.
type Census struct {
	shards [32]struct {
		sync.Mutex
		boxes map[string]*mailbox
	}
}

func newCensus() *Census {
	c := &Census{}
	for i := range c.shards {
		c.shards[i].boxes = map[string]*mailbox{}
	}
	return c
}

func (c *Census) shard(path string) *struct {
	sync.Mutex
	boxes map[string]*mailbox
} {
	h := uint32(2166136261)
	for i := len(path) - 1; i >= max(0, len(path)-8); i-- {
		h = (h ^ uint32(path[i])) * 16777619
	}
	return &c.shards[h%uint32(len(c.shards))]
}

func (c *Census) add(path string, m *mailbox) {
	s := c.shard(path)
	s.Lock()
	s.boxes[path] = m
	s.Unlock()
}

func (c *Census) remove(path string) {
	s := c.shard(path)
	s.Lock()
	delete(s.boxes, path)
	s.Unlock()
}

func (c *Census) find(path string) *mailbox {
	s := c.shard(path)
	s.Lock()
	defer s.Unlock()
	return s.boxes[path]
}

func (c *Census) all() []*mailbox {
	var all []*mailbox
	for i := range c.shards {
		s := &c.shards[i]
		s.Lock()
		for _, m := range s.boxes {
			all = append(all, m)
		}
		s.Unlock()
	}
	sort.Slice(all, func(i, j int) bool { return all[i].path < all[j].path })
	return all
}

// Kinds counts the living actors by kind.
func (c *Census) Kinds() map[string]int {
	kinds := map[string]int{}
	for _, m := range c.all() {
		kinds[m.kind]++
	}
	return kinds
}

// List shows all actors in the order of their paths.
func (c *Census) List(now time.Time) []messages.ActorView {
	all := c.all()
	views := make([]messages.ActorView, len(all))
	children := map[string]int{}
	for i, m := range all {
		views[i] = m.view(now)
		children[views[i].Parent]++
	}
	for i := range views {
		views[i].Children = children[views[i].Path]
	}
	return views
}

// Find shows one actor in full. Its detail is null when the actor does not
// answer before ctx ends: a stuck actor is shown all the same.
func (c *Census) Find(ctx context.Context, path string, now time.Time) (messages.ActorDetail, error) {
	m := c.find(path)
	if m == nil {
		return messages.ActorDetail{}, &attune.Error{Kind: attune.NotFound, Code: "unknown_actor",
			Message: fmt.Sprintf("no actor %q lives on this node", path), Try: "attune actor list"}
	}
	d := messages.ActorDetail{ActorView: m.view(now), Detail: json.RawMessage("null"), Signals: m.lastSignals()}
	for _, child := range c.all() {
		if parentOf(child.path) == path {
			d.Children++
			if len(d.ChildPaths) < 1000 {
				d.ChildPaths = append(d.ChildPaths, child.path)
			}
		}
	}
	answer := make(chan json.RawMessage, 1)
	m.PostUserMessage(&describe{func(detail any) {
		b, err := json.Marshal(detail)
		if err != nil {
			b, _ = json.Marshal(err.Error())
		}
		answer <- b
	}})
	select {
	case d.Detail = <-answer:
	case <-ctx.Done():
	}
	return d, nil
}

func (m *mailbox) view(now time.Time) messages.ActorView {
	m.mu.Lock()
	defer m.mu.Unlock()
	v := messages.ActorView{Path: m.path, Kind: m.kind, State: m.state, Mailbox: len(m.user) - m.head, Handled: m.handled,
		Restarts: m.restarts, LastError: m.lastError, Parent: parentOf(m.path)}
	oldest := m.current
	if oldest == 0 && m.head < len(m.user) {
		oldest = m.user[m.head].posted
	}
	if oldest != 0 {
		v.OldestAge = max(0, now.Sub(nanos(oldest)))
	}
	return v
}

func (m *mailbox) lastSignals() []messages.SignalView {
	m.mu.Lock()
	defer m.mu.Unlock()
	views := make([]messages.SignalView, 0, len(m.signals))
	for i := range m.signals {
		s := m.signals[(m.oldest+i)%len(m.signals)]
		name := typeName(s.name)
		if s.about != nil {
			name += " " + s.about.String()
		}
		views = append(views, messages.SignalView{At: nanos(s.at), Name: name})
	}
	return views
}

func parentOf(path string) string {
	if i := strings.LastIndexByte(path, '/'); i >= 0 {
		return path[:i]
	}
	return ""
}
