package e2e_test

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// attune demo exits 0 and prints the chain, and leaves no process and no
// temporary folder.
func TestDemo(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	if onServers() {
		examples, err := filepath.Abs("../../packs/examples")
		must(t, err)
		w.env = append(w.env, "ATTUNE_SERVER="+w.devWith("--packs", examples).url)
	}
	p := w.run("demo").exits(0)
	if left := processesOf(w.dir); w.servers == nil && len(left) > 0 {
		t.Errorf("processes are left: %v", left)
	}
	if left, err := os.ReadDir(filepath.Join(w.dir, "tmp")); err != nil || len(left) > 0 {
		t.Errorf("left in the temporary folder: %v, %v", left, err)
	}
	out := p.out.String()
	for _, line := range []struct {
		times   int
		pattern string
	}{
		{1, `^POST /api/v1/webhooks/alertmanager: three alerts`},
		{3, `^ev-\w{13} event examples.alertmanager at `},
		{2, `^└─ en-\w{13} rule examples.critical_alert matched`},
		{2, `^   └─ ex-\w{13} examples.notify_oncall completed after `},
		{2, `^      └─ attempt 1 on worker local, assign .*, start .*, finish `},
		{1, `├─ stdout: calling on-call: \[critical\] HighErrorRate on web-1.example.com:8080`},
		{1, `├─ stdout: calling on-call: \[critical\] HighErrorRate on web-2.example.com:8080`},
		{1, `^└─ rule examples.critical_alert did not match: trigger.item.labels.severity equals "critical", found "warning"`},
		{3, `^ev-\w{13} was there already$`},
		{1, `^Nothing changed: still 3 events, 2 enforcements, 2 executions\.$`},
	} {
		if n := len(regexp.MustCompile("(?m)"+line.pattern).FindAllString(out, -1)); n != line.times {
			t.Errorf("%d lines are like %s, not %d", n, line.pattern, line.times)
		}
	}
	if t.Failed() {
		t.Log(strings.TrimSpace(out))
	}
}
