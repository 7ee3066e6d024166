package postgres

import (
	"context"
	"encoding/json"

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
	changed := make([]int64, len(defs))
	err := s.write(ctx, "put definitions", func(b *batch) {
		for i, d := range defs {
			b.count("INSERT INTO definition (hash, kind, ref, body, superseded) VALUES ($1, $2, $3, $4, 0) "+
				"ON CONFLICT (hash) DO UPDATE SET superseded = 0 WHERE definition.superseded > 0", &changed[i], text(d.Hash), text(d.Kind), text(d.Ref), document(d.Body))
		}
	})
	if err != nil {
		return err
	}
	var rows, bytes int64
	for i, n := range changed {
		rows, bytes = rows+n, bytes+n*int64(len(defs[i].Body))
	}
	s.wrote(rows, bytes)
	return nil
}

// Definition implements [persistence.Catalog].
func (s *Store) Definition(ctx context.Context, hash string) (d persistence.Definition, err error) {
	found := false
	err = s.read(ctx, "read definition "+hash, "SELECT hash, kind, ref, body FROM definition WHERE hash = $1", func(r row) error {
		found, d = true, persistence.Definition{Hash: r.text(0), Kind: r.text(1), Ref: r.text(2), Body: r.blob(3)}
		return nil
	}, text(hash))
	if err == nil && !found {
		err = persistence.Missing("definition " + hash)
	}
	return d, err
}

// PutAccessToken implements [persistence.Catalog].
func (s *Store) PutAccessToken(ctx context.Context, token attune.AccessToken) error {
	_, err := s.token(ctx, "put", "UPDATE SET kind = excluded.kind, roles = excluded.roles, hash = excluded.hash, created = excluded.created, made_by = excluded.made_by, expires = excluded.expires", token)
	return err
}

// AddAccessToken implements [persistence.Catalog].
func (s *Store) AddAccessToken(ctx context.Context, token attune.AccessToken) error {
	n, err := s.token(ctx, "add", "NOTHING", token)
	if err == nil && n == 0 {
		err = persistence.TokenThere(token.Name)
	}
	return err
}

// token inserts a token, and does what it is told where there is one of that
// name.
func (s *Store) token(ctx context.Context, verb, otherwise string, token attune.AccessToken) (n int64, err error) {
	if reason := persistence.CheckAccessToken(token); reason != "" {
		return 0, persistence.Unstorable(reason)
	}
	roles, err := json.Marshal(token.Roles)
	if err != nil {
		return 0, err
	}
	err = s.write(ctx, verb+" access token "+token.Name, func(b *batch) {
		b.count("INSERT INTO access_token (name, kind, roles, hash, created, made_by, expires) VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT (name) DO "+otherwise, &n,
			text(token.Name), text(string(token.Kind)), document(roles), text(token.Hash), number(persistence.Millis(token.Created)), text(token.By), number(persistence.Millis(token.Expires)))
	})
	if err == nil {
		s.wrote(n, n*int64(len(token.Name)+len(token.Hash)))
	}
	return n, err
}

// DeleteAccessToken implements [persistence.Catalog].
func (s *Store) DeleteAccessToken(ctx context.Context, name string) error {
	var n int64
	err := s.write(ctx, "delete access token "+name, func(b *batch) {
		b.count("DELETE FROM access_token WHERE name = $1", &n, text(name))
	})
	if err == nil && n == 0 {
		err = persistence.Missing("token " + name)
	}
	s.wrote(n, 0)
	return err
}

// AccessTokens implements [persistence.Catalog].
func (s *Store) AccessTokens(ctx context.Context) (tokens []attune.AccessToken, err error) {
	err = s.read(ctx, "read the access tokens", `SELECT name, kind, roles, hash, created, made_by, expires FROM access_token ORDER BY name COLLATE "C"`, func(r row) error {
		t := attune.AccessToken{Name: r.text(0), Kind: attune.Role(r.text(1)), Hash: r.text(3), Created: persistence.FromMillis(r.number(4)), By: r.text(5), Expires: persistence.FromMillis(r.number(6))}
		if json.Unmarshal(r[2], &t.Roles) != nil {
			return persistence.ErrEncoding
		}
		tokens = append(tokens, t)
		return nil
	})
	return tokens, err
}
