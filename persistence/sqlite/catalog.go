package sqlite

import (
	"context"
	"database/sql"
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
	return s.write(ctx, "put definitions", func(t *tx) error {
		for _, d := range defs {
			t.text(d.Hash)
			t.text(d.Kind)
			t.text(d.Ref)
			t.json(d.Body)
			n, err := t.exec("INSERT INTO definition (hash, kind, ref, body) VALUES (?, ?, ?, ?) ON CONFLICT (hash) DO UPDATE SET superseded = 0 WHERE superseded > 0")
			if err != nil {
				return err
			}
			t.rows += n
			t.bytes += n * int64(len(d.Body))
		}
		return nil
	})
}

// Definition implements [persistence.Catalog].
func (s *Store) Definition(ctx context.Context, hash string) (d persistence.Definition, err error) {
	found := false
	err = s.read(ctx, "read definition "+hash, "SELECT hash, kind, ref, body FROM definition WHERE hash = ?", []any{hash}, func(scan func(...any) error) error {
		found = true
		return scan(&d.Hash, &d.Kind, &d.Ref, &d.Body)
	})
	if err == nil && !found {
		err = persistence.Missing("definition " + hash)
	}
	return d, err
}

// PutAccessToken implements [persistence.Catalog].
func (s *Store) PutAccessToken(ctx context.Context, token attune.AccessToken) error {
	if reason := persistence.CheckAccessToken(token); reason != "" {
		return persistence.Unstorable(reason)
	}
	return s.write(ctx, "put access token "+token.Name, func(t *tx) error {
		_, err := t.token("REPLACE", token)
		return err
	})
}

// AddAccessToken implements [persistence.Catalog].
func (s *Store) AddAccessToken(ctx context.Context, token attune.AccessToken) error {
	if reason := persistence.CheckAccessToken(token); reason != "" {
		return persistence.Unstorable(reason)
	}
	return s.write(ctx, "add access token "+token.Name, func(t *tx) error {
		n, err := t.token("IGNORE", token)
		if err == nil && n == 0 {
			err = persistence.TokenThere(token.Name)
		}
		return err
	})
}

// token inserts a token, and does what it is told where there is one of that
// name.
func (t *tx) token(otherwise string, token attune.AccessToken) (int64, error) {
	roles, err := json.Marshal(token.Roles)
	if err != nil {
		return 0, err
	}
	t.text(token.Name)
	t.text(string(token.Kind))
	t.json(roles)
	t.text(token.Hash)
	t.int(persistence.Millis(token.Created))
	t.text(token.By)
	t.int(persistence.Millis(token.Expires))
	n, err := t.exec("INSERT OR " + otherwise + " INTO access_token (name, kind, roles, hash, created, made_by, expires) VALUES (?, ?, ?, ?, ?, ?, ?)")
	t.rows += n
	t.bytes += n * int64(len(token.Name)+len(token.Hash))
	return n, err
}

// DeleteAccessToken implements [persistence.Catalog].
func (s *Store) DeleteAccessToken(ctx context.Context, name string) error {
	return s.write(ctx, "delete access token "+name, func(t *tx) error {
		t.text(name)
		n, err := t.exec("DELETE FROM access_token WHERE name = ?")
		if err == nil && n == 0 {
			err = persistence.Missing("token " + name)
		}
		t.rows += n
		return err
	})
}

// AccessTokens implements [persistence.Catalog].
func (s *Store) AccessTokens(ctx context.Context) (tokens []attune.AccessToken, err error) {
	err = s.read(ctx, "read the access tokens", "SELECT name, kind, roles, hash, created, made_by, expires FROM access_token ORDER BY name", nil, func(scan func(...any) error) error {
		var t attune.AccessToken
		var roles sql.RawBytes
		var created, expires int64
		if err := scan(&t.Name, &t.Kind, &roles, &t.Hash, &created, &t.By, &expires); err != nil {
			return err
		}
		if json.Unmarshal(roles, &t.Roles) != nil {
			return persistence.ErrEncoding
		}
		t.Created, t.Expires = persistence.FromMillis(created), persistence.FromMillis(expires)
		tokens = append(tokens, t)
		return nil
	})
	return tokens, err
}
