package api_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"log/slog"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/attune-automation/attune"
	"github.com/attune-automation/attune/api"
)

// proof is a certificate in two files, and the clock by which they are looked at.
type proof struct {
	*testing.T
	chain, key string
	now        time.Time
	*api.Certificate
}

func newProof(t *testing.T) *proof {
	t.Helper()
	dir := t.TempDir()
	p := &proof{T: t, chain: filepath.Join(dir, "tls.crt"), key: filepath.Join(dir, "tls.key"), now: time.Unix(1_000_000, 0)}
	p.write("first")
	var err error
	if p.Certificate, err = api.OpenCertificate(p.chain, p.key, func() time.Time { return p.now }, slog.New(slog.DiscardHandler)); err != nil {
		t.Fatal(err)
	}
	return p
}

// write replaces both files, as a tool that renews certificates does.
func (p *proof) write(name string) {
	p.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	p.must(err)
	template := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: name}, NotAfter: time.Now().Add(time.Hour), DNSNames: []string{"localhost"}}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	p.must(err)
	secret, err := x509.MarshalECPrivateKey(key)
	p.must(err)
	for path, block := range map[string]*pem.Block{p.chain: {Type: "CERTIFICATE", Bytes: der}, p.key: {Type: "EC PRIVATE KEY", Bytes: secret}} {
		part := path + ".part"
		p.must(os.WriteFile(part, pem.EncodeToMemory(block), 0o600))
		p.must(os.Rename(part, path))
	}
}

func (p *proof) must(err error) {
	p.Helper()
	if err != nil {
		p.Fatal(err)
	}
}

// shown is the name in the certificate that a client is shown.
func (p *proof) shown(most uint16) (string, error) {
	p.Helper()
	ours, theirs := net.Pipe()
	defer ours.Close()
	defer theirs.Close()
	server := tls.Server(theirs, p.Config())
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = server.Handshake()
		theirs.Close()
	}()
	c := tls.Client(ours, &tls.Config{InsecureSkipVerify: true, MaxVersion: most}) //nolint:gosec // who it is is what is asked
	err := c.Handshake()
	ours.Close()
	<-done
	if err != nil {
		return "", err
	}
	return c.ConnectionState().PeerCertificates[0].Subject.CommonName, nil
}

func (p *proof) shows(want string) {
	p.Helper()
	if got, err := p.shown(0); err != nil || got != want {
		p.Errorf("a client is shown the certificate %q (%v), not %q", got, err, want)
	}
}

func TestACertificateIsReadAgainWhenItsFilesChange(t *testing.T) {
	p := newProof(t)
	p.shows("first")
	p.write("second")
	p.shows("first") // it is looked at once a second at most
	p.now = p.now.Add(time.Second)
	p.shows("second")
	p.write("third")
	p.must(p.Reload())
	p.shows("third")
}

func TestACertificateGoesOnWhileItsFilesDoNotFit(t *testing.T) {
	p := newProof(t)
	p.must(os.WriteFile(p.key, []byte("half a k"), 0o600))
	p.now = p.now.Add(time.Second)
	p.shows("first")
	if err := p.Reload(); attune.KindOf(err) != attune.Invalid {
		t.Errorf("what does not fit is taken: %v", err)
	}
	p.shows("first")
	p.must(os.Remove(p.chain))
	p.now = p.now.Add(time.Second)
	p.shows("first")
	p.write("second")
	p.now = p.now.Add(time.Second)
	p.shows("second")
	if _, err := api.OpenCertificate(p.chain, p.chain, time.Now, slog.New(slog.DiscardHandler)); attune.KindOf(err) != attune.Invalid {
		t.Errorf("a certificate without its key: %v", err)
	}
}

func TestOldVersionsOfTLSAreRefused(t *testing.T) {
	p := newProof(t)
	if got, err := p.shown(tls.VersionTLS11); err == nil {
		t.Errorf("a client of TLS 1.1 is shown %q", got)
	}
}
