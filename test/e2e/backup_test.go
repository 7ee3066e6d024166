package e2e_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/attune-automation/attune/api"
)

// A backup is taken under load; the node is killed, and another started on what
// the backup restores. What had been acknowledged before is there; what ran is
// not run again; what waited runs, once.
func TestABackupUnderLoadIsRestored(t *testing.T) {
	embeddedOnly(t, "there a backup is made of the database")
	if testing.Short() {
		t.Skip("left out: backup under load, kill, restore: -short")
	}
	w := newWorld(t)
	d := w.dev("--slots", "2")
	ask := func(cmd string) string {
		return w.run("run", "--detach", "-o", "name", "core.local", "cmd="+cmd).exits(0).line()
	}
	mark := func(name string) string { return filepath.Join(w.home, name) }
	ended := ask("echo hello from before")
	d.ends(ended)
	var runs, waits []string
	for i := range 2 {
		runs = append(runs, ask(fmt.Sprintf("echo x >> %s; sleep 600", mark(fmt.Sprint("run-", i)))))
		await(t, "it to run", func() bool { return exists(mark(fmt.Sprint("run-", i))) })
	}
	for i := range 3 {
		waits = append(waits, ask(fmt.Sprintf("echo x >> %s", mark(fmt.Sprint("wait-", i)))))
	}
	stop := make(chan struct{})
	var load sync.WaitGroup
	for range 2 {
		load.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
					_, _ = d.client.Run(t.Context(), api.RunRequest{Action: "core.noop"})
				}
			}
		})
	}
	file := filepath.Join(w.dir, "backup.tar")
	said := w.run("admin", "backup", file).exits(0)
	contains(t, "the backup", said.talk.String(), "attune.key, is NOT in the backup")
	close(stop)
	load.Wait()
	d.kill()

	w.data = filepath.Join(w.dir, "restored")
	contains(t, "the restore", w.run("admin", "restore", file).exits(0).talk.String(), "executions that had not ended")
	w.run("admin", "restore", file).exits(5)
	d = w.dev("--slots", "2")
	if text := w.run("execution", "logs", ended).exits(0).line(); text != "hello from before" {
		t.Errorf("what had ended printed %q", text)
	}
	for i, id := range waits {
		if status := d.ends(id).Status; status != "completed" {
			t.Errorf("%s, which waited, is %s", id, status)
		}
		once(t, mark(fmt.Sprint("wait-", i)))
	}
	for i, id := range runs {
		if status := d.ends(id).Status; status != "abandoned" {
			t.Errorf("%s, which ran, is %s", id, status)
		}
		once(t, mark(fmt.Sprint("run-", i)))
	}
	w.run("admin", "doctor").exits(0)
	w.run("admin", "gc", "--older-than", "0s", "--dry-run").exits(2)
	d.stop()
	d.exits(0)
	w.run("admin", "doctor").exits(0)
}

func once(t *testing.T, path string) {
	t.Helper()
	text, err := os.ReadFile(path)
	if n := strings.Count(string(text), "x"); err != nil || n != 1 {
		t.Errorf("%s was begun %d times (%v)", path, n, err)
	}
}
