package node_test

import (
	"context"
	"errors"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/attune-automation/attune"
	"github.com/attune-automation/attune/messages"
)

// restless is a broker whose server goes away: announcements are lost without a
// word, and the next proof fails, once.
type restless struct {
	messages.Broker
	mu         sync.Mutex
	away, lost bool
	dropped    int
	refuses    bool // Send says so
}

var errAway = errors.New("the broker is away")

func (b *restless) Send(x messages.Exchange, key string, m any) error {
	b.mu.Lock()
	away := b.away && x == messages.Executions
	if away {
		b.dropped++
		b.lost = !b.refuses
	}
	refuses := b.refuses
	b.mu.Unlock()
	switch {
	case away && refuses:
		return errAway
	case away:
		return nil
	}
	return b.Broker.Send(x, key, m)
}

func (b *restless) Sync(ctx context.Context) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	switch {
	case b.away && !b.refuses: // nothing is known yet
		return errAway
	case b.lost:
		b.lost = false
		return messages.ErrLost
	}
	return b.Broker.Sync(ctx)
}

func (b *restless) set(away bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.away = away
}

// What a broker lost is announced again, whichever partition it was of: the proof
// that one partition is refused is not another's.
func TestWhatTheBrokerLostIsAnnouncedAgain(t *testing.T) {
	for name, refuses := range map[string]bool{"lost without a word": false, "refused": true} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := newRig(t)
				defer r.end()
				b := &restless{Broker: r.broker, refuses: refuses}
				r.broker = b
				r.start()
				r.work("w", 20)
				for _, outage := range []time.Duration{30 * time.Second, 700 * time.Millisecond, time.Millisecond} {
					b.set(true)
					for range 40 {
						r.must(settings{MS: 1})
						time.Sleep(outage / 40)
					}
					b.set(false)
					r.until("every end is proven announced", 20*time.Second, func() bool {
						for _, p := range r.rows.Rows().Partitions {
							if p.AnnouncedTo < p.FinishNumber {
								return false
							}
						}
						return true
					})
				}
				if b.dropped == 0 {
					t.Error("nothing was lost")
				}
				r.allOnce(time.Second) // it looks for the announcement of each
			})
		})
	}
}

func TestEveryStatusIsAnnouncedWhereThatIsAskedFor(t *testing.T) {
	for _, asked := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			r := newRig(t)
			defer r.end()
			r.statuses = asked
			var mu sync.Mutex
			var heard []string
			if _, err := r.broker.Subscribe(messages.Executions, "execution.status.*", func(m any) {
				s := m.(*messages.ExecutionStatus)
				mu.Lock()
				defer mu.Unlock()
				heard = append(heard, s.From+">"+s.To.String())
			}); err != nil {
				t.Fatal(err)
			}
			r.start()
			r.work("w", 1)
			id := r.must(settings{MS: 2000})
			r.reaches(id, attune.Completed, 5*time.Second)
			synctest.Wait()
			mu.Lock()
			defer mu.Unlock()
			want := 0
			if asked {
				want = 3
			}
			if len(heard) != want || asked && (heard[0] != "scheduling>scheduled" || heard[1] != "scheduled>running" || heard[2] != "running>completed") {
				t.Errorf("asked for: %v, heard: %v", asked, heard)
			}
		})
	}
}
