package node_test

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/attune-automation/attune"
	"github.com/attune-automation/attune/api"
	"github.com/attune-automation/attune/messages"
	"github.com/attune-automation/attune/messages/brokertest"
	"github.com/attune-automation/attune/packs"
)

func TestTheInboxOfTheseTestsIsOne(t *testing.T) {
	brokertest.RunDeadLetters(t, func(testing.TB) brokertest.Letters { return newInbox() })
}

// spoil publishes messages that are set aside for an action that is not there.
func (r *rig) spoil(ids ...string) {
	r.Helper()
	for _, id := range ids {
		r.say(id, &messages.ExecutionRequested{Action: "t.later", Parameters: []byte(`{"ms":1}`)})
	}
	r.settledAll(time.Minute)
}

func (r *rig) letters(q api.DeadLetterQuery) (ids []string, more bool) {
	r.Helper()
	found, more, err := r.DeadLetters(r.Context(), q)
	if err != nil {
		r.Fatal(err)
	}
	for _, l := range found {
		ids = append(ids, l.Message.ID)
	}
	return ids, more
}

func TestADeadLetterIsReplayedWhenItsCauseIsMended(t *testing.T) {
	inBubble(t, func(r *rig) {
		r.work("w", 1)
		r.spoil(firstID)
		found, _, err := r.DeadLetters(r.Context(), api.DeadLetterQuery{Limit: 10})
		if err != nil || len(found) != 1 || found[0].Code != "unknown_action" {
			t.Fatal(found, err)
		}
		id := found[0].ID
		if l, err := r.DeadLetter(r.Context(), id); err != nil || l.ID != id || l.Key != "execution.requested" || l.Exchange != messages.Executions {
			t.Errorf("%+v %v", l, err)
		}
		// As long as it is not mended, it comes back.
		if _, err := r.ReplayDeadLetter(r.Context(), id); err != nil {
			t.Fatal(err)
		}
		r.settledAll(time.Minute)
		if dead := r.inbox.dead(); len(dead) != 1 || dead[0].ID != id {
			t.Errorf("%+v", dead)
		}
		if err := r.SetCatalog(r.Context(), laterCatalog()); err != nil {
			t.Fatal(err)
		}
		r.inbox.put(messages.DeadQueue, r.inbox.copyOf(messages.DeadQueue)) // killed between publishing and acknowledging
		if _, err := r.ReplayDeadLetter(r.Context(), id); err != nil {
			t.Fatal(err)
		}
		r.settledAll(time.Minute)
		r.allOnce(time.Minute)
		if all := r.rows.Rows().Executions; len(all) != 1 || all[0].Action != "t.later" || len(r.inbox.dead()) != 0 {
			t.Errorf("%d executions, %d dead letters", len(all), len(r.inbox.dead()))
		}
		if _, err := r.ReplayDeadLetter(r.Context(), id); attune.KindOf(err) != attune.NotFound {
			t.Errorf("%v", err)
		}
	})
}

func TestDeadLettersAreListedAndDropped(t *testing.T) {
	inBubble(t, func(r *rig) {
		r.spoil(firstID, secondID)
		r.publish("event.created", messages.Outside{ID: "e", Body: []byte("rubbish")})
		r.settledAll(time.Minute)
		for _, c := range []struct {
			name string
			q    api.DeadLetterQuery
			want int
			more bool
		}{
			{"all", api.DeadLetterQuery{Limit: 10}, 3, false},
			{"a page", api.DeadLetterQuery{Limit: 2}, 2, true},
			{"the next", api.DeadLetterQuery{Limit: 2, Skip: 2}, 1, false},
			{"of a key", api.DeadLetterQuery{Limit: 2, Key: "execution.requested"}, 2, false},
			{"of another", api.DeadLetterQuery{Limit: 2, Key: "event.created"}, 1, false},
			{"beyond", api.DeadLetterQuery{Limit: 2, Skip: 3}, 0, false},
		} {
			if ids, more := r.letters(c.q); len(ids) != c.want || more != c.more {
				t.Errorf("%s: %v, more: %v", c.name, ids, more)
			}
		}
		found, _, _ := r.DeadLetters(r.Context(), api.DeadLetterQuery{Limit: 1, Key: "event.created"})
		if _, err := r.DropDeadLetter(r.Context(), found[0].ID); err != nil {
			t.Error(err)
		}
		if ids, _ := r.letters(api.DeadLetterQuery{Limit: 10}); len(ids) != 2 {
			t.Errorf("%v are left", ids)
		}
		if _, err := r.DropDeadLetter(r.Context(), found[0].ID); attune.KindOf(err) != attune.NotFound {
			t.Errorf("%v", err)
		}
	})
}

// What cannot be published again stays where it is.
func TestAReplayThatFailsLosesNothing(t *testing.T) {
	inBubble(t, func(r *rig) {
		r.spoil(firstID)
		r.inbox.put(messages.DeadQueue, &letter{Outside: messages.Outside{ID: "foreign", Body: []byte("x")}, exchange: messages.Dead, key: "of.somebody"})
		found, _, _ := r.DeadLetters(r.Context(), api.DeadLetterQuery{Limit: 10})
		r.inbox.refuse = messages.ErrUnroutable
		for i, want := range []string{"unroutable", "unknown_origin"} {
			if _, err := r.ReplayDeadLetter(r.Context(), found[i].ID); err == nil || codeOf(err) != want {
				t.Errorf("%v", err)
			}
		}
		if ids, _ := r.letters(api.DeadLetterQuery{Limit: 10}); fmt.Sprint(ids) != fmt.Sprint([]string{firstID, "foreign"}) {
			t.Errorf("%v are left", ids)
		}
		r.inbox.refuse = nil
	})
}

func codeOf(err error) string {
	var e *attune.Error
	if errors.As(err, &e) {
		return e.Code
	}
	return ""
}

// laterCatalog has the action that was missing.
func laterCatalog() *packs.Snapshot {
	return packs.NewSnapshot([]*attune.Pack{{Ref: "t", Actions: []*attune.Action{{Ref: "t.later", Pack: "t", Name: "later", Runner: "timed", Enabled: true, Hash: "later",
		Parameters: map[string]*attune.Parameter{"ms": {Type: "integer"}}}}}})
}

// copyOf is the first message of a queue once more.
func (in *inbox) copyOf(queue messages.Queue) *letter {
	in.mu.Lock()
	defer in.mu.Unlock()
	again := *in.waiting[queue][0]
	return &again
}
