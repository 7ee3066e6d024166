package e2e_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"
)

// A node that drains leaves what runs to its worker, and what waits to its next
// start (G12): that finds the end of the one, and starts the other. A second
// signal would end it no sooner.
func TestANodeDrainsAndItsWorkersGoOn(t *testing.T) {
	t.Parallel()
	serversOnly(t)
	w := newWorld(t)
	d := w.dev("--slots", "1")
	parameters, begun, gate, ended := w.gated("first")
	first := d.begin("core.local", parameters)
	await(t, "the first to run", func() bool { return exists(begun) })
	parameters, secondBegun, secondGate, _ := w.gated("second")
	touch(t, secondGate)
	second := d.begin("core.local", parameters)
	d.stop()
	contains(t, "the node", d.talk.String(), "draining")
	touch(t, gate)
	await(t, "what ran to finish", func() bool { return exists(ended) })
	if exists(secondBegun) {
		t.Error("something new was started")
	}
	d = w.dev("--slots", "1")
	if x := d.ends(first); x.Status != "completed" || x.Attempt != 1 {
		t.Errorf("what ran is %s, attempt %d", x.Status, x.Attempt)
	}
	if x := d.ends(second); x.Status != "completed" || x.Attempt != 1 {
		t.Errorf("what waited is %s, attempt %d", x.Status, x.Attempt)
	}
}

// A worker that drains finishes what it has and takes nothing more; what waits
// runs on the next.
func TestAWorkerDrainsAndTheNextGoesOn(t *testing.T) {
	t.Parallel()
	serversOnly(t)
	w := newWorld(t)
	d := w.dev("--slots", "1")
	parameters, begun, gate, _ := w.gated("first")
	first := d.begin("core.local", parameters)
	await(t, "the first to run", func() bool { return exists(begun) })
	parameters, secondBegun, secondGate, _ := w.gated("second")
	touch(t, secondGate)
	second := d.begin("core.local", parameters)
	worker := w.servers.worker
	worker.signal(syscall.SIGTERM)
	worker.says(worker.talk, "draining")
	touch(t, gate)
	if x := d.ends(first); x.Status != "completed" {
		t.Errorf("what ran is %s", x.Status)
	}
	worker.exits(0)
	if exists(secondBegun) {
		t.Error("it has taken something more")
	}
	w.needWorker(d)
	if x := d.ends(second); x.Status != "completed" {
		t.Errorf("what waited is %s", x.Status)
	}
}

// After kill -9 of the node the next resumes within 5 s, although the lease of
// the one before it lives on; the run of before has not noticed.
func TestANodeResumesWithinFiveSecondsOfItsDeath(t *testing.T) {
	t.Parallel()
	serversOnly(t)
	w := newWorld(t)
	d := w.dev("--slots", "2")
	usual := d.opened
	parameters, begun, gate, _ := w.gated("first")
	first := d.begin("core.local", parameters)
	await(t, "the first to run", func() bool { return exists(begun) })
	d.kill()
	killed := time.Now()
	d = w.dev("--slots", "2")
	await(t, "all partitions to be the node's", func() bool {
		return strings.Contains(d.askAs("", "GET", "/readyz", "").body, `"status":"ready"`)
	})
	if took := time.Since(killed); took > 5*time.Second+2*usual { // this machine may be slow
		t.Errorf("it took %s, and without a lease that lives %s", took, usual)
	}
	touch(t, gate)
	if x := d.ends(first); x.Status != "completed" || x.Attempt != 1 {
		t.Errorf("what ran is %s, attempt %d", x.Status, x.Attempt)
	}
	d.ends(d.begin("core.noop", "{}"))
}

// The schema is made and changed only by somebody who says so.
func TestTheSchemaIsMigratedOnlyWhenAsked(t *testing.T) {
	t.Parallel()
	serversOnly(t)
	w := newWorld(t)
	p := w.run("server", "--listen", w.servers.listen).exits(5)
	contains(t, "a start on an empty database", p.talk.String(), "schema version 0", "attune admin migrate")
	contains(t, "a dry run", w.run("admin", "migrate", "--dry-run").exits(2).out.String(), "WOULD BE DONE", "0001.sql")
	w.run("admin", "migrate").exits(0)
	contains(t, "once more", w.run("admin", "migrate", "--dry-run").exits(0).out.String(), "is up to date")
	w.run("admin", "migrate", "--database", "postgres://127.0.0.1:1/nothing").exits(69)
	d := &dev{process: w.start("server", "--name", "dev", "--listen", w.servers.listen)}
	await(t, "the node to be ready", func() bool { return d.ready() || !d.running() })
	d.stop()
}

// A backup of a node on servers is one of the database: it says so. The doctor
// looks at such a node too, and no password is said by anybody.
func TestWhatAnOperatorOfServersIsTold(t *testing.T) {
	t.Parallel()
	serversOnly(t)
	w := newWorld(t)
	d := w.dev()
	contains(t, "a backup", w.run("admin", "backup", filepath.Join(w.dir, "backup.tar")).exits(64).talk.String(), "PostgreSQL", "pg_dump")
	if out := w.run("admin", "doctor").exits(0).out.String(); !regexp.MustCompile(`(?m)^ok +workers +alive: 1`).MatchString(out) {
		t.Errorf("the doctor says:\n%s", out)
	}
	w.run("admin", "gc", "--dry-run").exits(0)
	d.stop()

	// A start on another folder knows no token, and leaves that of the first alone.
	first := w.data
	w.data = filepath.Join(w.dir, "another")
	d = w.dev()
	contains(t, "the tokens", w.run("token", "list", "-o", "name").exits(0).out.String(), "admin\n", "admin-dev\n")
	d.stop()
	w.data = first
	d = w.dev()
	w.run("event", "list").exits(0)
	d.stop()
	for _, p := range w.started {
		for _, url := range []string{w.servers.database, w.servers.broker} {
			if password := passwordIn(url); password != "" && strings.Contains(p.out.String()+p.talk.String(), password) {
				t.Errorf("%s tells the password of %s", p, url)
			}
		}
	}
	if passwordIn(w.servers.broker) == "" {
		t.Error("there is no password that could be told")
	}
}

// Without its database a server lives, and says what it waits for.
func TestAServerSaysWhatItWaitsFor(t *testing.T) {
	t.Parallel()
	serversOnly(t)
	w := newWorld(t)
	p := w.start("server", "--name", "dev", "--listen", w.servers.listen, "--database", "postgres://attune:hunter2@127.0.0.1:1/attune")
	d := &dev{process: p, url: "http://" + w.servers.listen}
	p.says(p.talk, "the database cannot be reached")
	if r := d.askAs("", "GET", "/healthz", ""); r.status != 200 {
		t.Errorf("/healthz: %d %s", r.status, r.body)
	}
	await(t, "it to say why", func() bool {
		r := d.askAs("", "GET", "/readyz", "")
		return r.status == 503 && strings.Contains(r.body, "the database is not there yet")
	})
	p.signal(syscall.SIGTERM)
	p.exits(130)
	if strings.Contains(p.talk.String(), "hunter2") {
		t.Errorf("it tells the password:\n%s", p.talk)
	}
}

func passwordIn(url string) string {
	if m := regexp.MustCompile(`//[^:/@]*:([^@]+)@`).FindStringSubmatch(url); m != nil {
		return m[1]
	}
	return ""
}

// certify writes a certificate of its own authority, and returns its number.
func (w *world) certify(number int64) (certificate, key string) {
	w.t.Helper()
	secret, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	must(w.t, err)
	template := &x509.Certificate{SerialNumber: big.NewInt(number), Subject: pkix.Name{CommonName: "attune"}, NotAfter: time.Now().Add(time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &secret.PublicKey, secret)
	must(w.t, err)
	encoded, err := x509.MarshalECPrivateKey(secret)
	must(w.t, err)
	certificate, key = filepath.Join(w.dir, "tls.crt"), filepath.Join(w.dir, "tls.key")
	must(w.t, os.WriteFile(certificate, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), 0o600))
	must(w.t, os.WriteFile(key, pem.EncodeToMemory(&pem.Block{Type: "EC PRIVATE KEY", Bytes: encoded}), 0o600))
	return certificate, key
}

// With a certificate everything speaks TLS: commands, actions and workers; SIGHUP
// takes another certificate over without a restart.
func TestAServerWithACertificate(t *testing.T) {
	t.Parallel()
	serversOnly(t)
	w := newWorld(t)
	certificate, key := w.certify(1)
	w.env = append(w.env, "ATTUNE_CA="+certificate)
	p := w.start("server", "--name", "dev", "--migrate", "--listen", w.servers.listen, "--tls-cert", certificate, "--tls-key", key)
	p.says(p.talk, "API   https://127.0.0.1:")
	w.run("event", "list").exits(0)
	p.says(p.talk, "--server https://")
	w.servers.node = p
	file := filepath.Join(w.dir, "local.token")
	must(t, os.WriteFile(file, []byte(w.run("token", "create", "local", "--kind", "worker").exits(0).line()), 0o600))
	w.servers.worker = w.start("worker", "start", "--name", "local", "--data", filepath.Join(w.dir, "worker"), "--server", "https://"+w.servers.listen, "--ca", certificate, "--token", "@"+file)
	if p := w.run("run", "core.local", "cmd="+w.program+" execution list -o name").exits(0); !strings.HasPrefix(p.out.String(), "ex-") {
		t.Errorf("an action that calls the API printed %q", p.out)
	}
	w.certify(2) // another authority: who knew the first only is refused from now on
	p.signal(syscall.SIGHUP)
	p.says(p.talk, "the certificate was read again")
	w.run("event", "list").exits(0)
	must(t, os.WriteFile(certificate, []byte("nonsense"), 0o600))
	p.signal(syscall.SIGHUP)
	p.says(p.talk, "that of before goes on")
	if c, err := net.Dial("tcp", w.servers.listen); err != nil || !p.running() {
		t.Errorf("it does not go on: %v", err)
	} else {
		c.Close()
	}
}
