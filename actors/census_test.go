package actors_test

import (
	"context"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/asynkron/protoactor-go/actor"

	"github.com/attune-automation/attune"
	"github.com/attune-automation/attune/actors"
	"github.com/attune-automation/attune/messages"
)

// view is how the list shows the actor at the path.
func view(t *testing.T, r *rig, path string) messages.ActorView {
	t.Helper()
	for _, v := range r.Census().List(r.clock.Now()) {
		if v.Path == path {
			return v
		}
	}
	t.Fatalf("no actor is listed at %s", path)
	return messages.ActorView{}
}

// about is a message that says what it is about.
type about int

func (a about) Signal() fmt.Stringer { return a }

func (a about) String() string { return fmt.Sprintf("nr %d", int(a)) }

func TestABlockedActorIsShownWithWhatWaits(t *testing.T) {
	inBubble(t, func(t *testing.T, r *rig) {
		pid := r.spawn("c", &leaf{kind: "c", detail: func() any { return map[string]int{"x": 1} }})
		message, release := trap()
		r.Tell(pid, message)
		synctest.Wait()
		r.clock.forward(3 * time.Second)
		for n := range 5 {
			r.Tell(pid, about(n))
			r.clock.forward(time.Second)
		}
		if v := view(t, r, "root/c"); v.Mailbox != 5 || v.OldestAge != 8*time.Second || v.Handled != 1 || v.Kind != "c" || v.Parent != "root" {
			t.Errorf("a blocked actor is shown as %+v", v)
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		began := time.Now() // of the bubble
		d, err := r.Census().Find(ctx, "root/c", r.clock.Now())
		if err != nil || string(d.Detail) != "null" || time.Since(began) != time.Second {
			t.Errorf("the detail of a blocked actor is %s after %s, %v", d.Detail, time.Since(began), err)
		}
		if d.Mailbox != 5 || d.OldestAge != 8*time.Second {
			t.Errorf("a blocked actor is shown in full as %+v", d.ActorView)
		}
		release()
		synctest.Wait()
		if v := view(t, r, "root/c"); v.Mailbox != 0 || v.OldestAge != 0 || v.Handled != 6 {
			t.Errorf("let go, it is shown as %+v", v)
		}
		if d, err := r.Census().Find(t.Context(), "root/c", r.clock.Now()); err != nil || string(d.Detail) != `{"x":1}` {
			t.Errorf("let go, its detail is %s, %v", d.Detail, err)
		}
	})
}

func TestTheAgeOfWhatWaitsMovesOn(t *testing.T) {
	inBubble(t, func(t *testing.T, r *rig) {
		pid := r.spawn("c", &leaf{kind: "c"})
		var releases []func()
		for range 3 {
			message, release := trap()
			releases = append(releases, release)
			r.Tell(pid, message)
			r.clock.forward(10 * time.Second)
		}
		for i, release := range releases {
			synctest.Wait()
			if v, want := view(t, r, "root/c"), time.Duration(3-i)*10*time.Second; v.OldestAge != want || v.Mailbox != 2-i {
				t.Errorf("blocked on message %d: %+v, want an age of %s", i, v, want)
			}
			release()
		}
	})
}

func TestTheLastSignalsAreKept(t *testing.T) {
	inBubble(t, func(t *testing.T, r *rig) {
		pid := r.spawn("c", &leaf{kind: "c"})
		began := r.clock.Now()
		show := func() []messages.SignalView {
			d, err := r.Census().Find(t.Context(), "root/c", r.clock.Now())
			if err != nil {
				t.Fatal(err)
			}
			return d.Signals
		}
		if got := show(); got == nil || len(got) != 0 {
			t.Errorf("an actor that handled nothing shows %#v", got)
		}
		var want []messages.SignalView
		for n := range 123 {
			r.clock.forward(time.Second)
			r.Tell(pid, about(n))
			want = append(want, messages.SignalView{At: began.Add(time.Duration(n+1) * time.Second), Name: fmt.Sprintf("about nr %d", n)})
			if n == 10 {
				synctest.Wait()
				if got := show(); !reflect.DeepEqual(got, want) {
					t.Fatalf("after 11 signals: %v", got)
				}
			}
		}
		synctest.Wait()
		if got := show(); !reflect.DeepEqual(got, want[73:]) {
			t.Errorf("the last 50 signals are %v", got)
		}
		r.Tell(pid, do(func(actor.Context) {}))
		synctest.Wait()
		if got := show(); len(got) != 50 || got[49].Name != "do" || got[0] != want[74] {
			t.Errorf("after another: %v", got)
		}
	})
}

func TestLookingLeavesNoTrace(t *testing.T) {
	inBubble(t, func(t *testing.T, r *rig) {
		pid := r.spawn("c", &leaf{kind: "c"})
		r.Tell(pid, about(1))
		synctest.Wait()
		var last messages.ActorDetail
		for range 60 { // somebody watches
			last, _ = r.Census().Find(t.Context(), "root/c", r.clock.Now())
		}
		if len(last.Signals) != 1 || last.Handled != 1 {
			t.Errorf("watching an actor pushes out what it did: handled %d, %v", last.Handled, last.Signals)
		}
	})
}

func TestCensusFollowsTheTree(t *testing.T) {
	inBubble(t, func(t *testing.T, r *rig) {
		for i := range 3 {
			r.spawn(fmt.Sprintf("leaf%d", i), &leaf{kind: "leaf"})
		}
		middle := r.spawn("middle", &branch{leaf: leaf{kind: "middle"}})
		for i := range 2 {
			r.spawnBelow(middle, fmt.Sprintf("leaf%d", i), &leaf{kind: "leaf"})
		}
		paths := func() (all []string) {
			for _, v := range r.Census().List(r.clock.Now()) {
				all = append(all, v.Path)
			}
			return all
		}
		if got, want := paths(), []string{"root", "root/leaf0", "root/leaf1", "root/leaf2", "root/middle", "root/middle/leaf0", "root/middle/leaf1"}; !slices.Equal(got, want) {
			t.Errorf("listed are %v", got)
		}
		if got, want := r.Census().Kinds(), map[string]int{"root": 1, "middle": 1, "leaf": 5}; !maps.Equal(got, want) {
			t.Errorf("the kinds are %v", got)
		}
		if root, mid := view(t, r, "root"), view(t, r, "root/middle"); root.Children != 4 || root.Parent != "" || mid.Children != 2 || mid.Parent != "root" {
			t.Errorf("the root has %d children, the middle %d", root.Children, mid.Children)
		}
		d, err := r.Census().Find(t.Context(), "root/middle", r.clock.Now())
		if err != nil || d.Children != 2 || !slices.Equal(d.ChildPaths, []string{"root/middle/leaf0", "root/middle/leaf1"}) {
			t.Errorf("the middle in full: %+v, %v", d, err)
		}
		r.Stop(r.PID("root/leaf1"))
		r.Stop(middle)
		synctest.Wait()
		if got, want := paths(), []string{"root", "root/leaf0", "root/leaf2"}; !slices.Equal(got, want) {
			t.Errorf("after a stop %v are listed", got)
		}
		if root := view(t, r, "root"); root.Children != 2 {
			t.Errorf("the root has %d children after a stop", root.Children)
		}
		_, err = r.Census().Find(t.Context(), "root/middle", r.clock.Now())
		if attune.KindOf(err) != attune.NotFound {
			t.Errorf("an actor that ended is found: %v", err)
		}
	})
}

func TestAnActorThatFollowsAnotherOfItsNameIsListed(t *testing.T) {
	inBubble(t, func(t *testing.T, r *rig) {
		for range 20 {
			pid := r.spawn("c", &leaf{kind: "c"})
			r.Stop(pid)
			synctest.Wait()
		}
		r.spawn("c", &leaf{kind: "c"})
		if v := view(t, r, "root/c"); v.Handled != 0 {
			t.Errorf("listed is %+v", v)
		}
	})
}

func TestManyChildrenAreCountedAndAThousandNamed(t *testing.T) {
	inBubble(t, func(t *testing.T, r *rig) {
		props := r.Props(func() actors.Actor { return &leaf{kind: "leaf"} })
		r.Tell(r.root, do(func(ctx actor.Context) {
			for i := range 1100 {
				_, _ = ctx.SpawnNamed(props, fmt.Sprint(i))
			}
		}))
		synctest.Wait()
		d, err := r.Census().Find(t.Context(), "root", r.clock.Now())
		if err != nil || d.Children != 1100 || len(d.ChildPaths) != 1000 {
			t.Errorf("%d children, %d named, %v", d.Children, len(d.ChildPaths), err)
		}
	})
}

func TestADetailThatCannotBeWrittenSaysSo(t *testing.T) {
	inBubble(t, func(t *testing.T, r *rig) {
		r.spawn("c", &leaf{kind: "c", detail: func() any { return func() {} }})
		d, err := r.Census().Find(t.Context(), "root/c", r.clock.Now())
		if err != nil || len(d.Detail) < 10 || d.Detail[0] != '"' {
			t.Errorf("the detail is %s, %v", d.Detail, err)
		}
	})
}
