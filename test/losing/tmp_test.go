package losing_test

import (
	"testing"
	"time"
)

func TestTmp(t *testing.T) {
	r := newRig(t)
	defer func() { r.print(t) }()
	defer r.explain()
	r.serve()
	r.load.begin(pace)
	pass(5 * time.Second)
	for _, loss := range []struct {
		name string
		lose func()
	}{
		{"restart", func() { must(t, r.pg.Stop()); pass(time.Second); must(t, r.pg.Start(t.Context())) }},
		{"kill", func() { must(t, r.pg.Kill()); pass(time.Second); must(t, r.pg.Start(t.Context())) }},
		{"backend", r.killBackend},
		{"term", r.terminateBackends},
	} {
		pass(2 * time.Second)
		loss.lose()
		r.acknowledgesAgain(loss.name, time.Now(), 0)
	}
	r.load.stop()
	in := r.rows()
	t.Log(len(in.Offers), len(in.Events), len(in.Executions), r.node.again())
	t.Log(r.node.now().said())
}
