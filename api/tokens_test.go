package api_test

import (
	"context"
	"errors"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/attune-automation/attune"
	"github.com/attune-automation/attune/api"
	"github.com/attune-automation/attune/api/apitest"
)

type tokenList struct {
	list  []attune.AccessToken
	err   error
	reads int
}

func (l *tokenList) AccessTokens(context.Context) ([]attune.AccessToken, error) {
	l.reads++
	return l.list, l.err
}

func TestTokens(t *testing.T) {
	secret, token := api.NewToken("ci", attune.RoleOperator)
	if !strings.HasPrefix(secret, "attune_operator_") || strings.Contains(token.Hash, secret) || len(token.Hash) != 64 {
		t.Fatalf("secret %q, token %+v", secret, token)
	}
	store, now := &tokenList{list: []attune.AccessToken{token}}, apitest.Noon
	tokens := api.NewTokens(store, func() time.Time { return now })
	for range 3 {
		if got, err := tokens.Check(t.Context(), secret); err != nil || got.Name != "ci" {
			t.Fatalf("%+v, %v", got, err)
		}
	}
	if _, err := tokens.Check(t.Context(), secret+"x"); attune.KindOf(err) != attune.Denied {
		t.Errorf("wrong secret: %v", err)
	}
	if store.reads != 1 {
		t.Errorf("the store was asked %d times within a second", store.reads)
	}
	store.list = []attune.AccessToken{}
	now = now.Add(time.Second)
	if _, err := tokens.Check(t.Context(), secret); attune.KindOf(err) != attune.Denied {
		t.Errorf("a second after it was revoked: %v", err)
	}
	now, store.err = now.Add(time.Second), attune.NewError(attune.Unavailable, "store", "away")
	if _, err := tokens.Check(t.Context(), secret); attune.KindOf(err) != attune.Unavailable {
		t.Errorf("while the store is away: %v", err)
	}
}

func TestHealthNeedsNoStore(t *testing.T) {
	w := apitest.New(t)
	w.Store.Down = attune.NewError(attune.Unavailable, "store", "the store is away")
	w.Engine.NotReady = errors.New("the lease has ended")
	if a := ask(t, "GET", w.URL+"/healthz", "", ""); a.StatusCode != 200 {
		t.Error(a.Status)
	}
	p := ask(t, "GET", w.URL+"/readyz", "", "").problem(t, 503, "not_ready")
	if !strings.Contains(p.Detail, "the lease has ended") {
		t.Errorf("no reason: %s", p.Detail)
	}
	ask(t, "GET", w.URL+"/api/v1/events", w.Viewer, "").problem(t, 503, "store")
}

func TestMetricsNeedATokenUnlessOpen(t *testing.T) {
	ask(t, "GET", apitest.New(t).URL+"/metrics", "", "").problem(t, 401, "token_missing")
	w := apitest.New(t, func(c *api.Config) { c.MetricsOpen = true })
	if a := ask(t, "GET", w.URL+"/metrics", "", ""); a.StatusCode != 200 || !strings.HasPrefix(a.Header.Get("Content-Type"), "text/plain") {
		t.Errorf("%s %v", a.Status, a.Header)
	}
}

func TestListenRefusesPlaintextToOthers(t *testing.T) {
	for _, addr := range []string{"0.0.0.0:0", ":0", "[::]:0", "192.0.2.1:0", "example.org:0", "127.0.0.1"} {
		l, err := api.Listen(addr, false)
		if attune.KindOf(err) != attune.Invalid {
			t.Errorf("%s: %v", addr, err)
		}
		if l != nil {
			_ = l.Close()
		}
	}
	for _, addr := range []string{"127.0.0.1:0", "localhost:0"} {
		l, err := api.Listen(addr, false)
		if err != nil {
			t.Errorf("%s: %v", addr, err)
			continue
		}
		if !l.Addr().(*net.TCPAddr).IP.IsLoopback() {
			t.Errorf("%s became %s", addr, l.Addr())
		}
		_ = l.Close()
	}
	l, err := api.Listen("0.0.0.0:0", true)
	if err != nil {
		t.Fatal(err)
	}
	_ = l.Close()
}
