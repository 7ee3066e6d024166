package node

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/attune-automation/attune"
	"github.com/attune-automation/attune/packs"
)

// pantry serves the archives of packs, as a node does.
type pantry struct {
	*httptest.Server
	mu       sync.Mutex
	archives map[string][]byte // by content
	status   int
	asked    int
	hold     chan struct{} // answers wait for it, if set
}

func newPantry(t *testing.T) *pantry {
	p := &pantry{archives: map[string][]byte{}}
	p.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		p.mu.Lock()
		p.asked++
		status, hold, archive := p.status, p.hold, p.archives[filepath.Base(r.URL.Path)]
		p.mu.Unlock()
		if hold != nil {
			<-hold
		}
		switch {
		case r.Header.Get("Authorization") != "Bearer secret":
			w.WriteHeader(http.StatusUnauthorized)
		case status != 0:
			w.WriteHeader(status)
		case archive == nil:
			w.WriteHeader(http.StatusNotFound)
		default:
			_, _ = w.Write(archive)
		}
	}))
	t.Cleanup(p.Close)
	return p
}

// add makes a pack with one script, and says what its content is.
func (p *pantry) add(t *testing.T, text string) (content string) {
	t.Helper()
	dir := t.TempDir()
	pack(t, dir, text)
	archive, err := packs.Archive(dir)
	if err == nil {
		content, err = packs.ContentOf(archive)
	}
	if err != nil {
		t.Fatal(err)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.archives[content] = archive
	return content
}

func pack(t *testing.T, dir, text string) {
	t.Helper()
	err := errors.Join(os.MkdirAll(filepath.Join(dir, "actions"), 0o755), os.WriteFile(filepath.Join(dir, "pack.yaml"), []byte("ref: demo\n"), 0o600),
		os.WriteFile(filepath.Join(dir, "actions", "run.sh"), []byte(text), 0o755)) //nolint:gosec // a script
	if err != nil {
		t.Fatal(err)
	}
}

func (p *pantry) shelf(t *testing.T, data string, folders ...string) *packShelf {
	t.Helper()
	s, err := openShelf(WorkerConfig{Data: data, Packs: folders, Servers: []string{p.URL}, Client: p.Client(), Token: "secret", Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func script(t *testing.T, dir string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(dir, "run.sh"))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// An attempt keeps the pack that it began with while the pack changes; each
// content is fetched once, also by many at a time, and kept for the next process.
func TestPacksAreFetchedByContent(t *testing.T) {
	p, data := newPantry(t), t.TempDir()
	old, changed := p.add(t, "old"), p.add(t, "new")
	s := p.shelf(t, data)
	p.hold = make(chan struct{})
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			dir, release, err := s.Hold(t.Context(), "demo", old)
			if err != nil {
				t.Error(err)
				return
			}
			defer release()
			if text := script(t, dir); text != "old" {
				t.Errorf("it says %q", text)
			}
		})
	}
	close(p.hold)
	all.Wait()
	first, release, err := s.Hold(t.Context(), "demo", old)
	if err != nil || filepath.Base(filepath.Dir(first)) != "demo" {
		t.Fatal(first, err)
	}
	second, _, err := s.Hold(t.Context(), "demo", changed)
	if err != nil || script(t, first) != "old" || script(t, second) != "new" {
		t.Fatal(second, err)
	}
	release()
	if p.asked != 2 {
		t.Errorf("asked %d times", p.asked)
	}
	again := p.shelf(t, data)
	if dir, _, err := again.Hold(t.Context(), "demo", old); err != nil || dir != first || p.asked != 2 {
		t.Errorf("%s, %v, asked %d times", dir, err, p.asked)
	}
}

// The operator's folders come first and need no server.
func TestPacksOfTheOperatorAreUsedAsTheyStand(t *testing.T) {
	p, folder := newPantry(t), t.TempDir()
	pack(t, filepath.Join(folder, "demo"), "mine")
	s := p.shelf(t, t.TempDir(), folder)
	dir, _, err := s.Hold(t.Context(), "demo", p.add(t, "theirs"))
	if err != nil || script(t, dir) != "mine" || p.asked != 0 || strings.Join(s.own(), " ") != "demo" {
		t.Errorf("%s, %v, asked %d times, own %v", dir, err, p.asked, s.own())
	}
	if _, err := openShelf(WorkerConfig{Data: t.TempDir(), Packs: []string{t.TempDir()}}); attune.KindOf(err) != attune.Invalid {
		t.Errorf("a folder without packs: %v", err)
	}
}

func TestPacksThatCannotBeHad(t *testing.T) {
	p := newPantry(t)
	good := p.add(t, "x")
	wrong := strings.Repeat("0", 32)
	p.archives[wrong] = p.archives[good]
	cut := strings.Repeat("1", 32)
	p.archives[cut] = p.archives[good][:100]
	for _, c := range []struct {
		name, content string
		status        int
		kind          attune.ErrorKind
	}{
		{"one that nobody has", strings.Repeat("2", 32), 0, attune.NotFound},
		{"one that cannot be sent", "", 0, attune.NotFound},
		{"a content that is a path", "../../../etc/passwd", 0, attune.NotFound},
		{"another content", wrong, 0, attune.Unavailable},
		{"half an archive", cut, 0, attune.Unavailable},
		{"one that has changed", good, 409, attune.Unavailable},
		{"one that is too large", good, 413, attune.TooLarge},
		{"a server that is not well", good, 500, attune.Unavailable},
		{"a token that is refused", good, 403, attune.Unavailable},
	} {
		t.Run(c.name, func(t *testing.T) {
			p.status = c.status
			data := t.TempDir()
			s := p.shelf(t, data)
			if _, _, err := s.Hold(t.Context(), "demo", c.content); attune.KindOf(err) != c.kind {
				t.Errorf("%v", err)
			}
			if left, err := os.ReadDir(filepath.Join(data, "packs")); err != nil || len(left) != 0 {
				t.Errorf("left are %v, %v", left, err)
			}
			p.status = 0
			if _, _, err := s.Hold(t.Context(), "demo", good); err != nil {
				t.Errorf("later: %v", err)
			}
		})
	}
	away := p.shelf(t, t.TempDir())
	p.Close()
	if _, _, err := away.Hold(t.Context(), "demo", good); err == nil || attune.KindOf(err) == attune.NotFound {
		t.Errorf("a server that is away: %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, _, err := away.Hold(ctx, "demo", good); err == nil {
		t.Error("held after the end")
	}
}

// What nobody used for a day goes, what somebody uses stays, and so does what is
// half done only until the next start.
func TestPacksThatNobodyUsesGo(t *testing.T) {
	p, data := newPantry(t), t.TempDir()
	used, unused, next := p.add(t, "used"), p.add(t, "unused"), p.add(t, "next")
	s := p.shelf(t, data)
	kept, _, err := s.Hold(t.Context(), "demo", used)
	if err != nil {
		t.Fatal(err)
	}
	dir, release, err := s.Hold(t.Context(), "demo", unused)
	if err != nil {
		t.Fatal(err)
	}
	release()
	long := time.Now().Add(-unusedAtMost - time.Minute)
	for _, dir := range []string{kept, dir} {
		if err := os.Chtimes(filepath.Dir(filepath.Dir(dir)), long, long); err != nil {
			t.Fatal(err)
		}
	}
	if _, _, err := s.Hold(t.Context(), "demo", next); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(dir); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the unused is still there: %v", err)
	}
	if script(t, kept) != "used" {
		t.Error("the used is gone")
	}
	half := filepath.Join(data, "packs", fetching+"x")
	if err := os.MkdirAll(half, 0o700); err != nil {
		t.Fatal(err)
	}
	p.shelf(t, data)
	if _, err := os.Stat(half); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("half a pack is still there: %v", err)
	}
}
