package api

import (
	"context"
	"time"

	"github.com/attune-automation/attune"
)

// vigil watches over an answer that stays open: at every beat it asks again
// whether the caller may still read. It is used by the one handler of a request.
type vigil struct {
	who  *principal
	each time.Duration
	beat context.Context // ends with the beat
	stop context.CancelFunc
}

// watchOver begins the watch over a request; end ends it.
func (s *server) watchOver(ctx context.Context) *vigil {
	who, _ := ctx.Value(principalKey{}).(*principal)
	v := &vigil{who: who, each: s.Beat}
	v.next()
	return v
}

func (v *vigil) next() { v.beat, v.stop = context.WithTimeout(context.Background(), v.each) }

func (v *vigil) end() { v.stop() }

// check returns why the caller may read no more. It asks once a beat, so it may
// be called at every turn. A store that cannot be asked ends nothing: while it
// is away nothing new is stored, revocations included.
func (v *vigil) check(ctx context.Context) error {
	if v.beat.Err() == nil {
		return nil
	}
	v.stop()
	v.next()
	if v.who == nil || v.who.again == nil {
		return nil
	}
	if err := v.who.again(ctx); attune.KindOf(err) == attune.Denied {
		return err
	}
	return nil
}

// sleep returns nil when something changed or may have, else why nothing more
// is to be sent.
func (v *vigil) sleep(ctx context.Context, changed <-chan struct{}) error {
	nap, cancel := context.WithTimeout(ctx, lookAnyway)
	defer cancel()
	for {
		select {
		case <-changed:
			return v.check(ctx)
		case <-v.beat.Done():
			if err := v.check(ctx); err != nil {
				return err
			}
		case <-nap.Done():
			return context.Cause(ctx)
		}
	}
}
