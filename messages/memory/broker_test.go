package memory_test

import (
	"slices"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/attune-automation/attune"
	"github.com/attune-automation/attune/messages"
	"github.com/attune-automation/attune/messages/brokertest"
	"github.com/attune-automation/attune/messages/memory"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestContractWithGoroutines(t *testing.T) {
	brokertest.Run(t, func(testing.TB) messages.Broker { return memory.New(memory.Config{}) }, nil)
}

// steps is a simulation's queue in its simplest form.
type steps []func()

func (s *steps) lend(f func()) { *s = append(*s, f) }

func (s *steps) run() {
	for len(*s) > 0 {
		f := (*s)[0]
		*s = (*s)[1:]
		f()
	}
}

func TestContractWithLentSteps(t *testing.T) {
	var s steps
	brokertest.Run(t, func(testing.TB) messages.Broker { return memory.New(memory.Config{Lend: s.lend}) }, s.run)
}

func TestInboxWithGoroutines(t *testing.T) {
	brokertest.RunInbox(t, func(testing.TB) brokertest.Outpost { return memory.New(memory.Config{}) }, nil)
}

func TestInboxWithLentSteps(t *testing.T) {
	var s steps
	brokertest.RunInbox(t, func(testing.TB) brokertest.Outpost { return memory.New(memory.Config{Lend: s.lend}) }, s.run)
}

func TestAFullQueueForTheOutsideRefuses(t *testing.T) {
	b := memory.New(memory.Config{Capacity: 2})
	defer b.Close()
	for i := range 3 {
		err := b.Publish(t.Context(), messages.Events, "event.created", messages.Outside{})
		if want := i == 2; (attune.KindOf(err) == attune.TooMuch) != want {
			t.Fatalf("message %d: %v", i, err)
		}
	}
}

func TestAStepDeliversOneMessage(t *testing.T) {
	var s steps
	b := memory.New(memory.Config{Lend: s.lend})
	got := 0
	if _, err := b.Subscribe(messages.Reports, "n", func(any) { got++ }); err != nil {
		t.Fatal(err)
	}
	for range 3 {
		if err := b.Send(messages.Reports, "n", got); err != nil {
			t.Fatal(err)
		}
	}
	for want := 1; want <= 3; want++ {
		if len(s) != 1 {
			t.Fatalf("%d steps wait, want 1", len(s))
		}
		f := s[0]
		s = s[:0]
		f()
		if got != want {
			t.Fatalf("%d delivered after %d steps", got, want)
		}
	}
	if len(s) != 0 {
		t.Fatal("a step waits though nothing is left")
	}
}

func TestAFullQueueDropsAndCounts(t *testing.T) {
	var s steps
	b := memory.New(memory.Config{Lend: s.lend, Capacity: 2})
	var got []any
	if _, err := b.Subscribe(messages.Reports, "n", func(m any) { got = append(got, m) }); err != nil {
		t.Fatal(err)
	}
	for i := range 5 {
		if err := b.Send(messages.Reports, "n", i); err != nil {
			t.Fatal(err)
		}
	}
	s.run()
	if !slices.Equal(got, []any{0, 1}) || b.Dropped() != 3 {
		t.Fatalf("got %v, dropped %d", got, b.Dropped())
	}
}

func TestUnroutableAndUnknown(t *testing.T) {
	b := memory.New(memory.Config{})
	defer b.Close()
	if err := b.Send(messages.Reports, "nobody", 1); err != messages.ErrUnroutable { //nolint:errorlint // the very value
		t.Fatal(err)
	}
	if err := b.Send("attune.nowhere", "k", 1); attune.KindOf(err) != attune.Invalid {
		t.Fatal(err)
	}
}

func TestTopicPatterns(t *testing.T) {
	for _, c := range []struct {
		pattern, key string
		want         bool
	}{
		{"a.b", "a.b", true}, {"a.b", "a.c", false}, {"a.*", "a.b", true}, {"a.*", "a", false}, {"a.*", "a.b.c", false},
		{"#", "a.b.c", true}, {"a.#", "a", true}, {"a.#", "a.b.c", true}, {"#.c", "a.b.c", true}, {"#.c", "a.b", false},
		{"a.#.c", "a.c", true}, {"a.#.c", "a.b.b.c", true}, {"*.b.#", "a.b", true}, {"", "a", true},
	} {
		var s steps
		b := memory.New(memory.Config{Lend: s.lend})
		if _, err := b.Subscribe(messages.Executions, c.pattern, func(any) {}); err != nil {
			t.Fatal(err)
		}
		if got := b.Send(messages.Executions, c.key, 1) == nil; got != c.want {
			t.Errorf("%q matches %q: %v", c.pattern, c.key, got)
		}
	}
}

// hands is a clock that a test moves.
type hands struct{ due []func() }

func (h *hands) Now() time.Time { return attune.Epoch }

func (h *hands) AfterFunc(_ time.Duration, f func()) attune.Timer {
	h.due = append(h.due, f)
	return nil
}

func TestFaultyLosesDoublesAndDelays(t *testing.T) {
	var s steps
	var clock hands
	fates := map[any]memory.Fate{"lost": nil, "twice": {0, 0}, "late": {time.Second}, "well": memory.Passes}
	b := memory.NewFaulty(memory.New(memory.Config{Lend: s.lend}), &clock,
		func(_ messages.Exchange, _ string, m any) memory.Fate { return fates[m] })
	var got []any
	if _, err := b.Subscribe(messages.Reports, "n", func(m any) { got = append(got, m) }); err != nil {
		t.Fatal(err)
	}
	for _, m := range []any{"lost", "late", "twice", "well"} {
		if err := b.Send(messages.Reports, "n", m); err != nil {
			t.Fatal(err)
		}
	}
	s.run()
	for _, f := range clock.due {
		f()
	}
	s.run()
	if want := []any{"twice", "twice", "well", "late"}; !slices.Equal(got, want) {
		t.Fatalf("got %v, want %v", got, want)
	}
}

func BenchmarkSend(b *testing.B) {
	broker := memory.New(memory.Config{})
	defer broker.Close()
	if _, err := broker.Subscribe(messages.Reports, "n", func(any) {}); err != nil {
		b.Fatal(err)
	}
	var m any = messages.Bundle{}
	for b.Loop() {
		_ = broker.Send(messages.Reports, "n", m)
	}
}
