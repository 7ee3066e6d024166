package examples

import (
	"strings"
	"testing"
)

func TestAnAnswerMayDifferInIdsTimesAndDurationsOnly(t *testing.T) {
	page := []string{
		"ex-06yk1p0h80r00 scheduled on worker local",
		"ex-06yk1p0h80r00 failed after 4ms: the exit code is 3",
		"ID                ACTION",
		"ex-06yk1p0h80r00  shop.pack  scheduled  local   2026-11-23T13:54:55.106Z",
	}
	for name, c := range map[string]struct {
		got   string
		wrong bool
	}{
		"other ids and times": {"ex-0000000000001 failed after 1.5s: the exit code is 3\nID ACTION\nex-0000000000001 shop.pack running local 2027-01-01T00:00:00Z", false},
		"more progress":       {"ex-0000000000001 running on worker x\nex-0000000000001 failed after 1m2s: the exit code is 3\nID ACTION\nex-0000000000001 shop.pack completed local 2027-01-01T00:00:00Z 1s", false},
		"another exit code":   {"ex-0000000000001 failed after 1.5s: the exit code is 4\nID ACTION\nex-0000000000001 shop.pack running local 2027-01-01T00:00:00Z", true},
		"two ids for one":     {"ex-0000000000001 failed after 1.5s: the exit code is 3\nID ACTION\nex-0000000000002 shop.pack running local 2027-01-01T00:00:00Z", true},
		"a line too few":      {"ex-0000000000001 failed after 1.5s: the exit code is 3\nID ACTION", true},
		"a line too many":     {"ex-0000000000001 failed after 1.5s: the exit code is 3\nID ACTION\nex-0000000000001 shop.pack running local 2027-01-01T00:00:00Z\nmore", true},
		"failed for running":  {"ex-0000000000001 failed after 1.5s: the exit code is 3\nID ACTION\nex-0000000000001 shop.pack failed local 2027-01-01T00:00:00Z", true},
	} {
		if err := (names{}).compare(page, strings.Split(c.got, "\n")); (err != nil) != c.wrong {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestAnIDStandsForWhatItStoodForAtFirst(t *testing.T) {
	n := names{}
	if err := n.compare([]string{"ev-06yk1p0h80r00"}, []string{"ev-0000000000007"}); err != nil {
		t.Fatal(err)
	}
	unknown := func(string) string { return "ex-0000000000009" }
	if got := n.typed("attune trace ev-06yk1p0h80r00 ex-06yk1p0h80r01", unknown); got != "attune trace ev-0000000000007 ex-0000000000009" {
		t.Error(got)
	}
}

func TestAPageIsTakenApart(t *testing.T) {
	blocks, err := Parse("text\n```sh\nmkdir x\nattune dev --packs p\nls\n```\n<!-- not run: why -->\n\n```console\n$ a\nb\nc\n$ d\n```\n```text\nx\n```\n")
	if err != nil || len(blocks) != 2 {
		t.Fatalf("%v, %+v", err, blocks)
	}
	first, second := blocks[0], blocks[1]
	if len(first.Steps) != 3 || first.Steps[1].Typed != "attune dev --packs p" || first.Steps[2].Line != 5 || first.NotRun != "" {
		t.Errorf("%+v", first)
	}
	if len(second.Steps) != 2 || len(second.Steps[0].Answer) != 2 || second.NotRun != "why" || !second.Checked {
		t.Errorf("%+v", second)
	}
	for _, wrong := range []string{"```sh\nx", "```console\nanswer\n$ x\n```"} {
		if _, err := Parse(wrong); err == nil {
			t.Errorf("%q is taken for a page", wrong)
		}
	}
}
