package postgres_test

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/attune-automation/attune"
	"github.com/attune-automation/attune/internal/servers/pgtest"
	"github.com/attune-automation/attune/persistence"
)

// BenchmarkExecution writes the two durable points of executions: an admission
// of an event with dedupe key, enforcement and execution, then the end, in
// flushes of 250, on a server that syncs. It reports what one execution costs:
// processor time here and in the server, commits, and bytes of its log.
func BenchmarkExecution(b *testing.B) {
	server, err := pgtest.Start(context.Background(), pgtest.Config{Settings: map[string]string{
		"fsync": "on", "full_page_writes": "on", "synchronous_commit": "on", "max_wal_size": "4GB", "shared_buffers": "256MB"}})
	if err != nil {
		b.Skip("left out: postgres: ", err)
	}
	defer server.Close()
	for _, size := range []int{1, 50, 250} {
		b.Run(fmt.Sprintf("flush=%d", size), func(b *testing.B) {
			url, drop, err := server.Database(context.Background())
			if err != nil {
				b.Fatal(err)
			}
			b.Cleanup(func() {
				if err := drop(context.Background()); err != nil {
					b.Error(err)
				}
			})
			s := open(b, url)
			defer s.Close()
			if _, err := s.Acquire(b.Context(), "node-1", "node", time.Hour); err != nil {
				b.Fatal(err)
			}
			flush := func(ops []persistence.Op) {
				answers, err := s.Flush(b.Context(), "node-1", ops)
				if err != nil {
					b.Fatal(err)
				}
				for _, a := range answers {
					if a.Outcome != persistence.Committed {
						b.Fatal(a)
					}
				}
			}
			flush(nil)
			wal, pid := walBytes(b, server), s.PID()
			var spent, served time.Duration
			done := 0
			b.ResetTimer()
			for done < b.N {
				b.StopTimer()
				n := min(size, b.N-done)
				admits, saves := make([]persistence.Op, n), make([]persistence.Op, n)
				for i := range n {
					a := admission(done + i)
					admits[i], saves[i] = a, &persistence.Save{Execution: completed(a.Executions[0], int64(done+i))}
				}
				b.StartTimer()
				here, there := processor(), serverTime(b, pid)
				flush(admits)
				flush(saves)
				spent, served = spent+processor()-here, served+serverTime(b, pid)-there
				done += n
			}
			b.StopTimer()
			stats := s.Stats()
			b.ReportMetric(float64(spent.Microseconds())/float64(done), "cpu-µs/exec")
			b.ReportMetric(float64(served.Microseconds())/float64(done), "server-µs/exec")
			b.ReportMetric(float64(stats.Commits)/float64(done), "commits/exec")
			b.ReportMetric(float64(walBytes(b, server)-wal)/float64(done), "log-B/exec")
		})
	}
}

func walBytes(b *testing.B, server *pgtest.Server) int64 {
	n, err := server.WALBytes(context.Background())
	if err != nil {
		b.Fatal(err)
	}
	return n
}

// serverTime is the processor time of a session of the server.
func serverTime(b *testing.B, pid uint32) time.Duration {
	text, err := os.ReadFile(filepath.Join("/proc", strconv.Itoa(int(pid)), "schedstat"))
	if err != nil {
		b.Fatal(err)
	}
	ns, _ := strconv.ParseInt(strings.Fields(string(text))[0], 10, 64)
	return time.Duration(ns)
}

// processor is the processor time that the process has used.
func processor() time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		panic(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

var (
	payload    = []byte(`{"headers":{"content-type":"application/json"},"body":{"status":"firing","labels":{"alertname":"DiskFull","host":"db-17"},"n":` + `12345678901234567890},"item":null,"index":0,"x":"` + string(bytes.Repeat([]byte("x"), 60)) + `"}`)
	parameters = []byte(`{"cmd":"/usr/bin/clean --host db-17 --path /var/lib/thing","env":{"ALERT":"DiskFull","SEVERITY":"critical"},"sudo":false,"cwd":"/var","x":"` + string(bytes.Repeat([]byte("y"), 60)) + `"}`)
	evaluation = []byte(`{"rule":"alerts.disk_full","matched":true,"criteria":[{"path":"trigger.body.status","type":"equals","passed":true,"left":"firing","right":"firing"}]}`)
	result     = []byte(`{"exit_code":0,"stdout":"cleaned 17 files\n","stderr":"","succeeded":true}`)
	now        = time.Now().UTC().Truncate(time.Millisecond)
)

func admission(i int) *persistence.Admit {
	id := func(kind int) attune.ID {
		return attune.MakeID(now.Sub(attune.Epoch).Milliseconds()+int64(i/128), i%128, kind)
	}
	event, enforcement, execution := attune.EventID(id(0)), attune.EnforcementID(id(1)), attune.ExecutionID(id(2))
	chain := attune.Chain{Correlation: event.String(), Traceparent: "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01", Principal: "@webhook"}
	key := fmt.Sprintf("%x", i*2654435761)
	x := &attune.Execution{
		ID: execution, Action: "core.local", ActionHash: "3c9683017f9e4bf33d0fbedd26bf143f", Runner: "local-shell-cmd", Parameters: parameters,
		Root: execution, Rule: "alerts.disk_full", Event: event, Enforcement: enforcement, Trigger: "core.st2.webhook?url=alertmanager",
		Chain: chain, Limits: attune.Limits{Timeout: time.Minute, Grace: 10 * time.Second}, Version: 1, Status: attune.Requested,
	}
	apply(x, attune.Input{Signal: attune.Admit, At: now})
	apply(x, attune.Input{Signal: attune.Assign, At: now, Worker: "worker-1", Incarnation: "worker-1#8f3a2c", Until: now.Add(time.Minute), Reason: "waits for its worker to start it"})
	return &persistence.Admit{
		Dedupe: &persistence.Dedupe{Kind: "event", Source: "core.st2.webhook?url=alertmanager", Key: key},
		Event:  &attune.Event{ID: event, Trigger: "core.st2.webhook?url=alertmanager", Payload: payload, Dedupe: key, OccurredAt: now, Chain: chain, RulesRevision: 3, Evaluated: now},
		Enforcements: []*attune.Enforcement{{ID: enforcement, Event: event, Rule: "alerts.disk_full", RuleHash: "9e107d9d372bb6826bd81d3542a419d6", Action: "core.local",
			Status: attune.EnforcementCreated, Execution: execution, Evaluation: evaluation, Chain: chain}},
		Executions: []*attune.Execution{x},
	}
}

func completed(x *attune.Execution, number int64) *attune.Execution {
	x = x.Clone()
	x.Version++
	apply(x, attune.Input{Signal: attune.Start, At: now})
	apply(x, attune.Input{Signal: attune.Finish, At: now.Add(time.Second), Result: result})
	x.FinishNumber = number/128 + 1
	return x
}

func apply(x *attune.Execution, in attune.Input) {
	if _, err := x.Apply(in); err != nil {
		panic(err)
	}
}
