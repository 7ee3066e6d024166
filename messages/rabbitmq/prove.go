package rabbitmq

import "sync"

// probes are the probes under way.
type probes struct {
	mu   sync.Mutex
	sent map[string]chan struct{}
}

// probeType is the content type of a probe: nobody is told of it.
const probeType = "application/vnd.attune.probe"

func (p *probes) expect(id string) <-chan struct{} {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.sent == nil {
		p.sent = map[string]chan struct{}{}
	}
	arrived := make(chan struct{})
	p.sent[id] = arrived
	return arrived
}

func (p *probes) arrived(id string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if c := p.sent[id]; c != nil {
		close(c)
		delete(p.sent, id)
	}
}

func (p *probes) forget(id string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.sent, id)
}
