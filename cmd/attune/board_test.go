package main

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/attune-automation/attune/api"
)

func change(id string, version int64, status string, terminal bool) api.ChangeView {
	return api.ChangeView{ID: id, Version: version, Status: status, Terminal: terminal, Action: "a.b", Requested: "2026-01-31T12:00:00.000Z"}
}

func TestABoardKeepsTheNewestOfEach(t *testing.T) {
	b := newBoard(nil, "", "", 3)
	for _, c := range []struct {
		change api.ChangeView
		news   bool
	}{
		{change("ex-2", 2, "running", false), true},
		{change("ex-2", 2, "running", false), false},
		{change("ex-2", 1, "scheduled", false), false}, // it comes late
		{change("ex-1", 1, "scheduled", false), true},
		{change("ex-3", 3, "completed", true), true},
		{change("ex-4", 3, "completed", true), true}, // there is no room for the oldest that has ended
		{change("ex-2", 3, "failed", true), true},
	} {
		if news := b.put(c.change); news != c.news {
			t.Errorf("%+v is news: %t", c.change, news)
		}
	}
	var got []string
	for _, v := range b.sorted() {
		got = append(got, v.ID+" "+v.Status)
	}
	if want := "[ex-1 scheduled ex-4 completed ex-2 failed]"; fmt.Sprint(got) != want {
		t.Errorf("%v, want %s", got, want)
	}
}

func TestABoardShowsOnlyWhatItsFiltersLeave(t *testing.T) {
	b := newBoard(nil, "running", "", 9)
	if b.put(change("ex-1", 1, "scheduled", false)) || !b.put(change("ex-1", 2, "running", false)) || len(b.rows) != 1 {
		t.Error("it does not come when it runs")
	}
	if b.put(change("ex-1", 3, "completed", true)) || len(b.rows) != 0 {
		t.Error("it does not go when it has ended")
	}
}

func TestABoardEndsWithItsExecutions(t *testing.T) {
	if newBoard(nil, "", "", 1).ended() {
		t.Error("a board of all has no end")
	}
	b := newBoard([]string{"ex-1", "ex-2"}, "", "", 1)
	b.put(change("ex-1", 1, "completed", true))
	if b.ended() {
		t.Error("one is not known yet")
	}
	b.put(change("ex-2", 1, "failed", true))
	if !b.ended() || len(b.rows) != 2 {
		t.Errorf("%v", b.rows)
	}
}

func TestABoardFitsTheScreen(t *testing.T) {
	b := newBoard(nil, "", "", 9)
	waits := change("ex-1", 1, "scheduling", false)
	waits.Reason = "waiting for a\x1b[31m free slot"
	long := change("ex-2", 3, "failed", true)
	long.Attempt, long.Worker, long.Finished, long.Reason = 2, "wörker", "2026-01-31T12:00:01.500Z", strings.Repeat("x", 99)
	b.put(waits)
	b.put(long)
	now := time.Date(2026, 1, 31, 12, 1, 2, 0, time.UTC)
	want := strings.Join([]string{
		"12:01:02  1 live, 1 ended",
		"ID    ACTION  STATUS      ATTEMPT  WORKER  TIME  WHY",
		"ex-1  a.b     scheduling                   1m2s  waiting for a�[31m fr…",
		"ex-2  a.b     failed      2        wörker  1.5s  xxxxxxxxxxxxxxxxxxxxx…",
	}, "\n")
	if got := strings.Join(b.draw(71, 10, now), "\n"); got != want {
		t.Errorf("\n%s\nwant\n%s", got, want)
	}
	small := b.draw(20, 3, now)
	if len(small) != 3 || !strings.HasPrefix(b.draw(99, 3, now)[0], "12:01:02  1 live, 1 ended, 1 more than fit") {
		t.Errorf("%q", small)
	}
	for _, size := range [][2]int{{1, 1}, {0, 0}, {3, 2}} { // a window may be anything
		b.draw(size[0], size[1], now)
	}
}
