package api

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base32"
	"encoding/hex"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/attune-automation/attune"
)

// tokenAge is how long a list of tokens is believed: a revoked token works at
// most this much longer, and in an open answer a beat more.
const tokenAge = 500 * time.Millisecond

// Tokens knows who holds a secret. It is safe for concurrent use.
type Tokens struct {
	store interface {
		AccessTokens(ctx context.Context) ([]attune.AccessToken, error)
	}
	now func() time.Time

	mu   sync.Mutex
	read time.Time // guarded by mu, as is list
	list []attune.AccessToken
}

// NewTokens knows the tokens of the store, read again when they are half a
// second old by now.
func NewTokens(store interface {
	AccessTokens(ctx context.Context) ([]attune.AccessToken, error)
}, now func() time.Time) *Tokens {
	return &Tokens{store: store, now: now}
}

// Check is the token whose secret this is. A wrong or empty secret is Denied; a
// store that cannot be asked is an error of its own kind.
func (t *Tokens) Check(ctx context.Context, secret string) (attune.AccessToken, error) {
	if secret == "" {
		return attune.AccessToken{}, &attune.Error{Kind: attune.Denied, Code: codeNoToken, Message: "a token is needed",
			Try: "send the header Authorization: Bearer TOKEN"}
	}
	list, err := t.known(ctx)
	if err != nil {
		return attune.AccessToken{}, err
	}
	hash := []byte(hashOf(secret))
	var found *attune.AccessToken
	for i := range list { // to the end, so that the time taken says nothing
		if subtle.ConstantTimeCompare(hash, []byte(list[i].Hash)) == 1 {
			found = &list[i]
		}
	}
	if found == nil {
		return attune.AccessToken{}, &attune.Error{Kind: attune.Denied, Code: codeWrongToken, Message: "the token is not known",
			Try: "use the token of this server; attune dev keeps one in its data folder"}
	}
	return *found, nil
}

func (t *Tokens) known(ctx context.Context) ([]attune.AccessToken, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if age := t.now().Sub(t.read); t.list != nil && age >= 0 && age < tokenAge {
		return t.list, nil
	}
	list, err := t.store.AccessTokens(ctx)
	if err != nil {
		return nil, err
	}
	t.list, t.read = list, t.now()
	return list, nil
}

// NewToken makes a token of a kind, with that kind as its only role, and its
// secret, which is shown once and never stored. Its Created is for the caller
// to set.
func NewToken(name string, kind attune.Role) (secret string, token attune.AccessToken) {
	random := make([]byte, 20)
	_, _ = rand.Read(random) // never fails: crypto/rand ends the process instead
	secret = "attune_" + string(kind) + "_" + strings.ToLower(base32.StdEncoding.EncodeToString(random))
	return secret, attune.AccessToken{Name: name, Kind: kind, Roles: []attune.Role{kind}, Hash: hashOf(secret)}
}

func hashOf(secret string) string {
	sum := sha256.Sum256([]byte(secret))
	return hex.EncodeToString(sum[:])
}

// secretOf is the secret a request carries: as bearer, or in one of the headers
// that senders made for StackStorm use. Never in the URL, which ends up in
// logs.
func secretOf(h http.Header) string {
	if scheme, secret, ok := strings.Cut(h.Get("Authorization"), " "); ok && strings.EqualFold(scheme, "bearer") {
		return strings.TrimSpace(secret)
	}
	if secret := h.Get("X-Auth-Token"); secret != "" {
		return secret
	}
	return h.Get("St2-Api-Key")
}
