package e2e_test

import (
	"os"
	"regexp"
	"strings"
	"testing"
)

// What the README says of real servers is typed as it stands, but for the address
// and the servers: a command that goes on is started, and the next is typed when
// it is ready.
func TestTheReadmeOnServers(t *testing.T) {
	t.Parallel()
	serversOnly(t)
	w := newWorld(t)
	page, err := os.ReadFile("../../README.md")
	must(t, err)
	_, section, found := strings.Cut(string(page), "\n## On real servers\n")
	section, _, _ = strings.Cut(section, "\n## ")
	if !found {
		t.Fatal("the README has no such section")
	}
	typed := 0
	for _, block := range regexp.MustCompile("(?s)\n```sh\n(.*?)```").FindAllStringSubmatch(section, -1) {
		for line := range strings.Lines(block[1]) {
			if line = strings.TrimSpace(line); strings.HasPrefix(line, "export ") {
				contains(t, "the README", line, "ATTUNE_DATABASE=postgres://", "ATTUNE_BROKER=amqp://")
				continue
			}
			typed++
			w.types(strings.ReplaceAll(line, "127.0.0.1:9370", w.servers.listen))
		}
	}
	if typed != 6 {
		t.Errorf("%d commands were typed", typed)
	}
	if last := w.started[len(w.started)-1]; last.out.String() != "hi\n" {
		t.Errorf("at the end it printed %q", last.out)
	}
}

// types enters one command of a page.
func (w *world) types(line string) {
	w.t.Helper()
	command, into, _ := strings.Cut(line, " > ")
	var words []string
	for _, word := range regexp.MustCompile(`(?:'[^']*'|\S)+`).FindAllString(command, -1)[1:] {
		words = append(words, strings.ReplaceAll(word, "'", ""))
	}
	switch {
	case words[0] == "server":
		w.servers.node = w.start("server", "--listen", w.servers.listen)
		w.servers.node.says(w.servers.node.talk, "next, for each machine")
		return
	case strings.HasPrefix(command, "attune worker start "):
		w.servers.worker = w.start(words...)
		w.servers.worker.says(w.servers.worker.talk, "worker is registered")
		return
	}
	p := w.run(words...).exits(0)
	if into != "" {
		must(w.t, os.WriteFile(w.dir+"/"+into, []byte(p.out.String()), 0o600))
	}
}
