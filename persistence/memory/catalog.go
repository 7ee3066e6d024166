package memory

import (
	"bytes"
	"context"
	"slices"
	"strings"

	"github.com/attune-automation/attune"
	"github.com/attune-automation/attune/persistence"
)

// PutDefinitions implements [persistence.Catalog].
func (s *Store) PutDefinitions(ctx context.Context, defs []persistence.Definition) error {
	for _, d := range defs {
		if reason := persistence.CheckDefinition(d); reason != "" {
			return persistence.Unstorable(reason)
		}
	}
	if err := s.begin(ctx, "put definitions"); err != nil {
		return err
	}
	defer s.mu.Unlock()
	rows, size := 0, 0
	for _, d := range defs {
		if _, ok := s.definitions[d.Hash]; !ok {
			d.Body = bytes.Clone(document(d.Body))
			s.definitions[d.Hash] = d
			rows, size = rows+1, size+len(d.Body)
		} else if _, was := s.superseded[d.Hash]; was {
			delete(s.superseded, d.Hash)
			rows++
		}
	}
	s.wrote(rows, size)
	return nil
}

// Definition implements [persistence.Catalog].
func (s *Store) Definition(ctx context.Context, hash string) (persistence.Definition, error) {
	if err := s.begin(ctx, "read definition "+hash); err != nil {
		return persistence.Definition{}, err
	}
	defer s.mu.Unlock()
	d, ok := s.definitions[hash]
	if !ok {
		return d, persistence.Missing("definition " + hash)
	}
	return d, nil
}

// PutAccessToken implements [persistence.Catalog].
func (s *Store) PutAccessToken(ctx context.Context, t attune.AccessToken) error {
	if reason := persistence.CheckAccessToken(t); reason != "" {
		return persistence.Unstorable(reason)
	}
	if err := s.begin(ctx, "put access token "+t.Name); err != nil {
		return err
	}
	defer s.mu.Unlock()
	s.tokens[t.Name] = copyToken(t)
	s.wrote(1, len(t.Name)+len(t.Hash))
	return nil
}

// AddAccessToken implements [persistence.Catalog].
func (s *Store) AddAccessToken(ctx context.Context, t attune.AccessToken) error {
	if reason := persistence.CheckAccessToken(t); reason != "" {
		return persistence.Unstorable(reason)
	}
	if err := s.begin(ctx, "add access token "+t.Name); err != nil {
		return err
	}
	defer s.mu.Unlock()
	if _, ok := s.tokens[t.Name]; ok {
		return persistence.TokenThere(t.Name)
	}
	s.tokens[t.Name] = copyToken(t)
	s.wrote(1, len(t.Name)+len(t.Hash))
	return nil
}

// DeleteAccessToken implements [persistence.Catalog].
func (s *Store) DeleteAccessToken(ctx context.Context, name string) error {
	if err := s.begin(ctx, "delete access token "+name); err != nil {
		return err
	}
	defer s.mu.Unlock()
	if _, ok := s.tokens[name]; !ok {
		return persistence.Missing("token " + name)
	}
	delete(s.tokens, name)
	s.wrote(1, len(name))
	return nil
}

// AccessTokens implements [persistence.Catalog].
func (s *Store) AccessTokens(ctx context.Context) (rows []attune.AccessToken, err error) {
	if err := s.begin(ctx, "read the access tokens"); err != nil {
		return nil, err
	}
	defer s.mu.Unlock()
	for _, t := range s.tokens {
		rows = append(rows, copyToken(t))
	}
	slices.SortFunc(rows, func(a, b attune.AccessToken) int { return strings.Compare(a.Name, b.Name) })
	return rows, nil
}
