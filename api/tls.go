package api

import (
	"crypto/tls"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"sync"
	"syscall"
	"time"

	"github.com/attune-automation/attune"
)

// lookAtFiles is how often the files of a certificate are looked at, at most. It
// happens as part of a handshake: nobody connects, nobody looks.
const lookAtFiles = time.Second

// Certificate is what the API proves itself by: a chain and its private key, from
// two files that are read again when they change. While what is in them does not
// fit together, as between the writing of the one and the other, the certificate
// of before goes on. It is safe for concurrent use.
type Certificate struct {
	chain, key string
	now        func() time.Time
	log        *slog.Logger

	mu      sync.Mutex
	present *tls.Certificate // guarded by mu, and all below
	looked  time.Time
	stamp   string // of the files as they were read, also in vain
}

// OpenCertificate reads the files. What cannot be read or does not fit together
// is Invalid.
func OpenCertificate(chain, key string, now func() time.Time, log *slog.Logger) (*Certificate, error) {
	c := &Certificate{chain: chain, key: key, now: now, log: log}
	return c, c.Reload()
}

// Reload reads the files now. After an error the certificate of before goes on.
func (c *Certificate) Reload() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.read()
}

func (c *Certificate) read() error {
	c.looked, c.stamp = c.now(), c.stampNow()
	read, err := tls.LoadX509KeyPair(c.chain, c.key)
	if err != nil {
		e := &attune.Error{Kind: attune.Invalid, Code: "invalid_certificate", Where: c.chain + ", " + c.key,
			Message: "the certificate and its key cannot be used", Cause: err, Try: "both in PEM, and the key that of the first certificate"}
		var path *fs.PathError
		if errors.As(err, &path) {
			e.Where, e.Cause, e.Try = path.Path, path.Err, "a file that this user can read"
		}
		return e
	}
	c.present = &read
	return nil
}

// stampNow is different when one of the files is. What cannot be looked at is
// left to the reading.
func (c *Certificate) stampNow() string {
	stamp := ""
	for _, path := range []string{c.chain, c.key} {
		if stat, err := os.Stat(path); err == nil {
			inode := uint64(0)
			if s, ok := stat.Sys().(*syscall.Stat_t); ok {
				inode = s.Ino
			}
			stamp += fmt.Sprintf("%d %d %d;", stat.ModTime().UnixNano(), stat.Size(), inode)
		}
	}
	return stamp
}

// get is the certificate for a handshake.
func (c *Certificate) get(*tls.ClientHelloInfo) (*tls.Certificate, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.now().Sub(c.looked) < lookAtFiles {
		return c.present, nil
	}
	c.looked = c.now()
	if c.stampNow() == c.stamp {
		return c.present, nil
	}
	if err := c.read(); err != nil {
		c.log.Error("the certificate was changed and cannot be read; that of before goes on", slog.String("error", err.Error()))
	} else {
		c.log.Info("the certificate was read again", slog.String("until", c.present.Leaf.NotAfter.UTC().Format(time.RFC3339)))
	}
	return c.present, nil
}

// Config is how the API speaks TLS: 1.2 or newer.
func (c *Certificate) Config() *tls.Config {
	return &tls.Config{MinVersion: tls.VersionTLS12, GetCertificate: c.get}
}
