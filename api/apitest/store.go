package apitest

import (
	"context"
	"slices"
	"strings"
	"sync"

	"github.com/attune-automation/attune"
	"github.com/attune-automation/attune/persistence"
)

// Store is rows in memory. It implements api.Store.
type Store struct {
	// Down is the answer to every call while it is not nil. Set it before the
	// store is used.
	Down error

	mu           sync.Mutex
	events       map[attune.EventID]*attune.Event
	enforcements map[attune.EnforcementID]*attune.Enforcement
	executions   map[attune.ExecutionID]*attune.Execution
	definitions  map[string]persistence.Definition
	tokens       []attune.AccessToken
	output       map[stream][]byte
	audit        []persistence.AuditEntry
	printed      []piece // in the order in which it was
}

type stream struct {
	token attune.Token
	which persistence.Stream
}

// NewStore is an empty store.
func NewStore() *Store {
	return &Store{
		events: map[attune.EventID]*attune.Event{}, enforcements: map[attune.EnforcementID]*attune.Enforcement{},
		executions: map[attune.ExecutionID]*attune.Execution{}, definitions: map[string]persistence.Definition{}, output: map[stream][]byte{},
	}
}

// Put keeps rows as they are now: events, enforcements, executions, tokens,
// definitions.
func (s *Store) Put(rows ...any) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, row := range rows {
		switch r := row.(type) {
		case *attune.Event:
			s.events[r.ID] = r
		case *attune.Enforcement:
			s.enforcements[r.ID] = r
		case *attune.Execution:
			s.executions[r.ID] = r.Clone()
		case attune.AccessToken:
			s.tokens = append(s.tokens, r)
		case persistence.Definition:
			s.definitions[r.Hash] = r
		}
	}
}

// Print adds to a stream of an attempt.
func (s *Store) Print(token attune.Token, which persistence.Stream, text string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	key := stream{token, which}
	s.printed = append(s.printed, piece{key, int64(len(s.output[key])), text})
	s.output[key] = append(s.output[key], text...)
}

// piece is what one Print added.
type piece struct {
	stream
	offset int64
	text   string
}

// NextOutput finds what was printed there.
func (s *Store) NextOutput(_ context.Context, token attune.Token, which persistence.Stream, offset int64, limit int) (persistence.OutputChunk, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	next := persistence.OutputChunk{Token: token, Stream: which, Offset: offset}
	for i, p := range s.printed {
		if skip := offset - p.offset; p.stream == (stream{token, which}) && skip >= 0 && skip < int64(len(p.text)) {
			rest := p.text[skip:]
			next.Data, next.Order = []byte(rest[:min(len(rest), limit)]), int64(i+1)
		}
	}
	return next, s.Down
}

func absent(what string) error {
	return attune.NewError(attune.NotFound, "unknown_"+what, "there is no such "+what)
}

func one[K comparable, V any](s *Store, rows map[K]V, id K, what string) (V, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	row, ok := rows[id]
	switch {
	case s.Down != nil:
		return row, s.Down
	case !ok:
		return row, absent(what)
	}
	return row, nil
}

// Event implements persistence.Reader, as do the methods below.
func (s *Store) Event(_ context.Context, id attune.EventID) (*attune.Event, error) {
	return one(s, s.events, id, "event")
}

// Enforcement finds a row.
func (s *Store) Enforcement(_ context.Context, id attune.EnforcementID) (*attune.Enforcement, error) {
	return one(s, s.enforcements, id, "enforcement")
}

// Execution finds a row.
func (s *Store) Execution(_ context.Context, id attune.ExecutionID) (*attune.Execution, error) {
	return one(s, s.executions, id, "execution")
}

// list is the newest rows first, below the cursor.
func list[K ~int64, V any](s *Store, rows map[K]V, q persistence.Query, keep func(V) bool) ([]V, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.Down != nil {
		return nil, s.Down
	}
	var ids []K
	for id, row := range rows {
		if (q.Before == 0 || attune.ID(id) < q.Before) && keep(row) {
			ids = append(ids, id)
		}
	}
	slices.Sort(ids)
	slices.Reverse(ids)
	var out []V
	for _, id := range ids[:min(len(ids), q.Limit)] {
		out = append(out, rows[id])
	}
	return out, nil
}

func fits[T comparable](want, have T) bool {
	var zero T
	return want == zero || want == have
}

// Events lists rows.
func (s *Store) Events(_ context.Context, q persistence.Query) ([]*attune.Event, error) {
	return list(s, s.events, q, func(e *attune.Event) bool { return fits(q.Trigger, e.Trigger) && fits(q.Event, e.ID) })
}

// Enforcements lists rows.
func (s *Store) Enforcements(_ context.Context, q persistence.Query) ([]*attune.Enforcement, error) {
	return list(s, s.enforcements, q, func(e *attune.Enforcement) bool {
		return fits(q.Event, e.Event) && fits(q.Rule, e.Rule) && fits(q.Enforcement, e.ID)
	})
}

// Executions lists rows.
func (s *Store) Executions(_ context.Context, q persistence.Query) ([]*attune.Execution, error) {
	return list(s, s.executions, q, func(x *attune.Execution) bool {
		return fits(q.Action, x.Action) && fits(q.Status, x.Status) && fits(q.Parent, x.Parent) && fits(q.Event, x.Event)
	})
}

// Definition finds a row.
func (s *Store) Definition(_ context.Context, hash string) (persistence.Definition, error) {
	return one(s, s.definitions, hash, "definition")
}

// AccessTokens lists the tokens.
func (s *Store) AccessTokens(context.Context) ([]attune.AccessToken, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.tokens), s.Down
}

// Revoke takes a token away.
func (s *Store) Revoke(name string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.tokens = slices.DeleteFunc(s.tokens, func(t attune.AccessToken) bool { return t.Name == name })
}

// ReadOutput reads what was printed.
func (s *Store) ReadOutput(_ context.Context, token attune.Token, which persistence.Stream, offset int64, limit int) ([]byte, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	all := s.output[stream{token, which}]
	from := min(offset, int64(len(all)))
	return slices.Clone(all[from:min(int64(len(all)), from+int64(limit))]), s.Down
}

// AddAccessToken keeps a token, once.
func (s *Store) AddAccessToken(_ context.Context, t attune.AccessToken) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if slices.ContainsFunc(s.tokens, func(have attune.AccessToken) bool { return have.Name == t.Name }) {
		return persistence.TokenThere(t.Name)
	}
	s.tokens = append(s.tokens, t)
	slices.SortFunc(s.tokens, func(a, b attune.AccessToken) int { return strings.Compare(a.Name, b.Name) })
	return s.Down
}

// DeleteAccessToken forgets a token.
func (s *Store) DeleteAccessToken(_ context.Context, name string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.tokens = slices.DeleteFunc(s.tokens, func(have attune.AccessToken) bool { return have.Name == name })
	return s.Down
}

// AppendAudit keeps an entry.
func (s *Store) AppendAudit(_ context.Context, e persistence.AuditEntry) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	e.Number = int64(len(s.audit)) + 1
	s.audit = append(s.audit, e)
	return s.Down
}

// AuditEntries lists the newest first.
func (s *Store) AuditEntries(_ context.Context, q persistence.AuditQuery) (page []persistence.AuditEntry, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, e := range slices.Backward(s.audit) {
		if len(page) < q.Limit && (q.Before == 0 || e.Number < q.Before) && fits(q.Principal, e.Principal) && fits(q.Action, e.Action) && !e.At.Before(q.Since) {
			page = append(page, e)
		}
	}
	return page, s.Down
}
