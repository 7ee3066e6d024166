package https

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"time"

	"github.com/attune-automation/attune"
)

// CheckServer says why the URL cannot be that of a server. Without TLS a token
// is only ever sent within this machine.
func CheckServer(server string) error {
	u, err := url.Parse(server)
	switch {
	case err != nil: // it is not known what of it is a password
		return &attune.Error{Kind: attune.Invalid, Code: "invalid_server", Message: "what stands for the URL of a server is none", Try: "https://attune.example.org:9370"}
	case u.Host == "" || u.Scheme != "http" && u.Scheme != "https" || u.User != nil || u.RawQuery != "":
		return &attune.Error{Kind: attune.Invalid, Code: "invalid_server", Message: shown(u) + " is not the URL of a server", Try: "https://attune.example.org:9370"}
	case u.Scheme == "http" && !loopback(u.Hostname()):
		return &attune.Error{Kind: attune.Invalid, Code: "plain_server", Message: server + " is reached without TLS: the token could be read on its way",
			Try: "https, with --ca FILE where the certificate is signed by an authority of your own"}
	}
	return nil
}

// shown is a URL without what may be a secret in it.
func shown(u *url.URL) string {
	bare := *u
	if u.User != nil {
		bare.User = url.User("***")
	}
	if u.RawQuery != "" {
		bare.RawQuery = "***"
	}
	return bare.String()
}

func loopback(host string) bool {
	addr, err := netip.ParseAddr(host)
	return host == "localhost" || err == nil && addr.IsLoopback()
}

// Authorities are those of the system, and those in ca, which is PEM and may be
// empty.
func Authorities(ca []byte) (*x509.CertPool, error) {
	roots, err := x509.SystemCertPool()
	if err != nil || roots == nil {
		roots = x509.NewCertPool()
	}
	if len(ca) > 0 && !roots.AppendCertsFromPEM(ca) {
		return nil, &attune.Error{Kind: attune.Invalid, Code: "no_certificate", Message: "the file of authorities holds no certificate", Try: "PEM, as it begins with -----BEGIN CERTIFICATE-----"}
	}
	return roots, nil
}

// NewClient verifies the certificates of servers by the authorities of the
// system, and by those in ca, which is PEM and may be empty. It follows no
// redirect: a token is for the server that was named.
func NewClient(ca []byte) (*http.Client, error) {
	roots, err := Authorities(ca)
	if err != nil {
		return nil, err
	}
	dialer := &net.Dialer{Timeout: 3 * time.Second, KeepAlive: 5 * time.Second}
	return &http.Client{
		Transport: &http.Transport{
			DialContext: dialer.DialContext, TLSClientConfig: &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12},
			TLSHandshakeTimeout: 3 * time.Second, MaxIdleConnsPerHost: 4, IdleConnTimeout: 30 * time.Second, ForceAttemptHTTP2: true,
		},
		CheckRedirect: func(*http.Request, []*http.Request) error {
			return errors.New("a server that redirects is not the one that was named")
		},
	}, nil
}
