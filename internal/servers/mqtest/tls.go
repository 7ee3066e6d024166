package mqtest

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"math/big"
	"net"
	"net/url"
	"time"
)

// TLS is an amqps URL for one of a private server's virtual hosts, and whom to
// trust.
func (s *Server) TLS(of string) (string, *x509.CertPool, error) {
	u, err := url.Parse(of)
	if err != nil || s.private == nil {
		return "", nil, errors.New("only a private server is known to speak TLS")
	}
	u.Scheme, u.Host = "amqps", s.private.listen(s.private.tls)
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(s.private.certificate)
	return u.String(), pool, nil
}

// selfSigned is a certificate for this machine, and its key, as PEM.
func selfSigned() (certificate, key []byte, err error) {
	secret, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, nil, err
	}
	now := time.Now()
	template := &x509.Certificate{SerialNumber: big.NewInt(now.UnixNano()), NotBefore: now.Add(-time.Hour), NotAfter: now.Add(24 * time.Hour),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign}
	signed, err := x509.CreateCertificate(rand.Reader, template, template, &secret.PublicKey, secret)
	if err != nil {
		return nil, nil, err
	}
	plain, err := x509.MarshalPKCS8PrivateKey(secret)
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: signed}), pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: plain}), err
}
