package sqlite_test

import (
	"fmt"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/attune-automation/attune"
	"github.com/attune-automation/attune/persistence"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// Flushes, renewals, output and readers use the store at once.
func TestAllAtOnce(t *testing.T) {
	s := open(t, t.TempDir())
	acquire(t, s, "node-1")
	ctx := t.Context()
	token := attune.Token{Execution: 7, Attempt: 1}
	var all sync.WaitGroup
	for _, work := range []func(i int) error{
		func(i int) error {
			_, err := s.Flush(ctx, "node-1", []persistence.Op{admission(2 * i), admission(2*i + 1)})
			return err
		},
		func(int) error {
			_, err := s.Renew(ctx, "node-1", time.Minute)
			return err
		},
		func(i int) error {
			return s.AppendOutput(ctx, []persistence.OutputChunk{{Token: token, Stream: persistence.Stdout, Offset: int64(4 * i), Data: fmt.Appendf(nil, "%03d\n", i)}})
		},
		func(int) error {
			page, err := s.Executions(ctx, persistence.Query{Limit: 50})
			if len(page)%2 == 1 && len(page) < 50 {
				return fmt.Errorf("half of a flush: %d executions", len(page))
			}
			return err
		},
	} {
		all.Go(func() {
			for i := range 40 {
				if err := work(i); err != nil {
					t.Error(err)
				}
			}
		})
	}
	all.Wait()
	out, err := s.ReadOutput(ctx, token, persistence.Stdout, 0, 1000)
	if err != nil || len(out) != 160 {
		t.Fatalf("%d bytes of output, %v", len(out), err)
	}
}
