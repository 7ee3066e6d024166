package node

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/attune-automation/attune"
	"github.com/attune-automation/attune/packs"
)

const (
	// fetchAtMost bounds the fetching of one pack.
	fetchAtMost = time.Minute
	// unusedAtMost is how long a fetched pack is kept that no attempt needs.
	unusedAtMost = 24 * time.Hour
	// fetching is what the name of a folder begins with that is not whole yet.
	fetching = ".incoming-"
)

// packShelf finds packs for a worker of its own: in the folders of its operator,
// where they are used as they stand, else by their content, which the servers
// have and the shelf keeps.
type packShelf struct {
	dir     string
	folders []string
	servers []string
	client  *http.Client
	token   string
	log     *slog.Logger

	mu    sync.Mutex
	packs map[string]*shelved // by content, those in use
}

// shelved is a fetched pack that somebody uses or waits for.
type shelved struct {
	users int           // guarded by the shelf's mutex
	there chan struct{} // closed when it is there, or err says why not
	err   error
}

func openShelf(c WorkerConfig) (*packShelf, error) {
	s := &packShelf{dir: filepath.Join(c.Data, "packs"), folders: c.Packs, servers: c.Servers, client: c.Client, token: c.Token, log: c.Log,
		packs: map[string]*shelved{}}
	if _, err := packs.FoldersIn(s.folders...); err != nil {
		return nil, err
	}
	if err := os.MkdirAll(s.dir, 0o700); err != nil {
		return nil, fmt.Errorf("make the folder of packs: %w", err)
	}
	s.sweep()
	return s, nil
}

// own are the packs in the operator's folders, sorted.
func (s *packShelf) own() []string {
	found, _ := packs.FoldersIn(s.folders...) // what is away now may be back when it is needed
	refs := make([]string, 0, len(found))
	for _, dir := range found {
		refs = append(refs, filepath.Base(dir))
	}
	slices.Sort(refs)
	return slices.Compact(refs)
}

// Hold implements [worker.Packs].
func (s *packShelf) Hold(ctx context.Context, ref, content string) (string, func(), error) {
	found, err := packs.FoldersIn(s.folders...)
	for _, dir := range found {
		if filepath.Base(dir) == ref {
			return filepath.Join(dir, "actions"), func() {}, nil
		}
	}
	switch {
	case err != nil: // it may be there once the folder is back
		return "", nil, attune.NewError(attune.Unavailable, "packs_away", err.Error())
	case len(s.servers) == 0:
		return "", nil, attune.NewError(attune.NotFound, "unknown_pack", "the worker has no pack "+ref+", and no server to fetch it from")
	case !packs.Named(ref, content):
		return "", nil, attune.NewError(attune.NotFound, "unsendable_pack", "the pack "+ref+" cannot be sent: the worker needs a folder with it (--packs)")
	}
	key := content + "-" + ref
	p, first := s.use(key)
	release := sync.OnceFunc(func() { s.release(key, p) })
	if first {
		p.err = s.provide(ctx, ref, content, filepath.Join(s.dir, key))
		close(p.there)
	}
	select {
	case <-p.there:
		err = p.err
	case <-ctx.Done():
		err = context.Cause(ctx)
	}
	if err != nil {
		release()
		return "", nil, err
	}
	return filepath.Join(s.dir, key, ref, "actions"), release, nil
}

// use notes a user of a pack. The first has to provide it.
func (s *packShelf) use(key string) (p *shelved, first bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if p = s.packs[key]; p == nil {
		p, first = &shelved{there: make(chan struct{})}, true
		s.packs[key] = p
	}
	p.users++
	return p, first
}

func (s *packShelf) release(key string, p *shelved) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if p.users--; p.users == 0 {
		delete(s.packs, key)
	}
}

// provide makes sure that the pack stands in its folder.
func (s *packShelf) provide(ctx context.Context, ref, content, at string) error {
	now := time.Now()
	if os.Chtimes(at, now, now) == nil {
		return nil
	}
	ctx, cancel := context.WithTimeoutCause(ctx, fetchAtMost, attune.NewError(attune.Unavailable, "slow_pack", "the pack "+ref+" did not come within "+fetchAtMost.String()))
	defer cancel()
	archive, err := s.fetch(ctx, ref, content)
	if err != nil {
		return err
	}
	if err := s.put(archive, ref, content, at); err != nil {
		return err
	}
	s.log.Info("a pack was fetched", slog.String("pack", ref), slog.String("content", content), slog.Int("bytes", len(archive)))
	s.sweep()
	return nil
}

// put unpacks an archive beside the others and then shows it whole.
func (s *packShelf) put(archive []byte, ref, content, at string) error {
	switch have, err := packs.ContentOf(archive); {
	case attune.KindOf(err) == attune.TooLarge:
		return err
	case err != nil || have != content: // it may have been cut or changed on its way
		return &attune.Error{Kind: attune.Unavailable, Code: "other_content", Message: "what was sent as the pack " + ref + " has another content", Cause: err}
	}
	part, err := os.MkdirTemp(s.dir, fetching+"*")
	if err != nil {
		return fmt.Errorf("keep the pack %s: %w", ref, err)
	}
	defer os.RemoveAll(part)
	into := filepath.Join(part, ref)
	if err := os.Mkdir(into, 0o755); err != nil { //nolint:gosec // as folders of packs are: the scripts may run as others
		return fmt.Errorf("keep the pack %s: %w", ref, err)
	}
	if err := packs.Unpack(archive, into); err != nil {
		return err
	}
	if err := os.Rename(part, at); err != nil {
		return fmt.Errorf("keep the pack %s: %w", ref, err)
	}
	return nil
}

// fetch asks the servers in turn. One that is sure counts only where no other
// can be reached that has the pack.
func (s *packShelf) fetch(ctx context.Context, ref, content string) (archive []byte, err error) {
	for _, server := range s.servers {
		one, oneErr := s.ask(ctx, server, ref, content)
		if oneErr == nil {
			return one, nil
		}
		if err == nil || attune.KindOf(err) == attune.NotFound {
			err = oneErr
		}
	}
	return nil, err
}

func (s *packShelf) ask(ctx context.Context, server, ref, content string) ([]byte, error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, strings.TrimSuffix(server, "/")+"/api/v1/packs/"+url.PathEscape(ref)+"/content/"+content, nil)
	if err != nil {
		return nil, err
	}
	r.Header.Set("Authorization", "Bearer "+s.token)
	answer, err := s.client.Do(r)
	if err != nil {
		return nil, err
	}
	defer answer.Body.Close()
	body, err := io.ReadAll(io.LimitReader(answer.Body, packs.MaxArchive+1))
	if err != nil {
		return nil, err
	}
	if answer.StatusCode == http.StatusOK {
		return body, nil
	}
	var said struct{ Detail string }
	if json.Unmarshal(body, &said) != nil || said.Detail == "" {
		said.Detail = "the server answered " + answer.Status
	}
	kind := attune.Unavailable // also a token that is refused: that can be mended
	switch answer.StatusCode {
	case http.StatusNotFound:
		kind = attune.NotFound
	case http.StatusRequestEntityTooLarge:
		kind = attune.TooLarge
	}
	return nil, attune.NewError(kind, "pack_not_sent", server+": "+said.Detail)
}

// sweep removes what an earlier process left half done, and packs that nobody
// used for long.
func (s *packShelf) sweep() {
	entries, err := os.ReadDir(s.dir)
	if err != nil {
		s.log.Warn("the folder of packs cannot be read", "error", err)
		return
	}
	for _, e := range entries {
		path := filepath.Join(s.dir, e.Name())
		stat, err := e.Info()
		if err != nil || time.Since(stat.ModTime()) < unusedAtMost && !strings.HasPrefix(e.Name(), fetching) {
			continue
		}
		if err := s.drop(path, e.Name()); err != nil && !errors.Is(err, os.ErrNotExist) {
			s.log.Warn("a pack that is not used cannot be removed", "folder", path, "error", err)
		}
	}
}

// drop removes a folder, unless it is in use. It is out of the way before it is
// removed, so that nobody finds half of it.
func (s *packShelf) drop(path, name string) error {
	s.mu.Lock()
	if len(s.packs) > 0 && strings.HasPrefix(name, fetching) || s.packs[name] != nil {
		s.mu.Unlock()
		return nil // it may be on its way in
	}
	gone := path
	var err error
	if !strings.HasPrefix(name, fetching) {
		gone = filepath.Join(s.dir, fetching+"gone-"+name)
		err = os.Rename(path, gone)
	}
	s.mu.Unlock()
	return errors.Join(err, os.RemoveAll(gone))
}
