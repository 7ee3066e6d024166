package deploy

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/attune-automation/attune/internal/servers/pgtest"
)

// patience is how long anything may take on a busy machine.
const patience = 60 * time.Second

func read(t *testing.T, file string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("../..", file))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// site is a machine on which the page is followed: its folders stand below dir.
type site struct {
	t       *testing.T
	dir     string
	program string
	broker  *broker
	server  string // URL of the API
	client  *http.Client
}

// write puts a file below the folder, at a path of the page.
func (s *site) write(path, text string) string {
	s.t.Helper()
	file := s.dir + path
	if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
		s.t.Fatal(err)
	}
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		s.t.Fatal(err)
	}
	return file
}

// block is the YAML of the page that has a line.
func block(t *testing.T, line string) string {
	t.Helper()
	for _, b := range regexp.MustCompile("(?s)```yaml\n(.*?)```").FindAllStringSubmatch(read(t, "docs/operations.md"), -1) {
		if strings.Contains("\n"+b[1], "\n"+line) {
			return b[1]
		}
	}
	t.Fatalf("docs/operations.md has no configuration with %q", line)
	return ""
}

// here puts the addresses and folders of this site in place of the page's.
func (s *site) here(text, user string, database *url.URL) string {
	s.t.Helper()
	listen := strings.TrimPrefix(s.server, "https://")
	for _, c := range [][2]string{
		{"0.0.0.0:9370", listen}, {"attune-1.example:9370", listen}, {"/etc/attune/", s.dir + "/etc/attune/"},
		{"attune:${ATTUNE_DB_PASSWORD}@db.example:5432/attune?sslmode=verify-full", database.User.Username() + ":${ATTUNE_DB_PASSWORD}@" + database.Host + database.RequestURI()},
		{"amqps://attune:${ATTUNE_MQ_PASSWORD}@mq.example:5671/attune", "amqp://" + s.broker.userName(user) + ":${ATTUNE_MQ_PASSWORD}@" + s.broker.address + "/" + s.broker.host},
	} {
		text = strings.ReplaceAll(text, c[0], c[1])
	}
	if strings.Contains(text, ".example") {
		s.t.Fatalf("nobody knows what to put for\n%s", text)
	}
	return text
}

// certificate writes a certificate for this machine.
func (s *site) certificate() {
	s.t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		s.t.Fatal(err)
	}
	c := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "attune"}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign}
	der, err := x509.CreateCertificate(rand.Reader, c, c, &key.PublicKey, key)
	if err != nil {
		s.t.Fatal(err)
	}
	private, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		s.t.Fatal(err)
	}
	public := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
	s.write("/etc/attune/tls/tls.key", string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: private})))
	s.write("/etc/attune/tls/tls.crt", string(public))
	s.write("/etc/attune/tls/ca.crt", string(public))
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(public)
	s.client = &http.Client{Timeout: 5 * time.Second, Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: pool}, DisableKeepAlives: true}}
}

// unit is the command of a unit, as systemd would start it.
func (s *site) unit(name string) *process {
	s.t.Helper()
	text := read(s.t, "deploy/systemd/"+name)
	var env []string
	for _, m := range regexp.MustCompile(`(?m)^Environment=(.*)$`).FindAllStringSubmatch(text, -1) {
		for one := range strings.FieldsSeq(m[1]) {
			key, value, _ := strings.Cut(one, "=")
			env = append(env, key+"="+s.dir+value)
		}
	}
	for _, m := range regexp.MustCompile(`(?m)^EnvironmentFile=-(.*)$`).FindAllStringSubmatch(text, -1) {
		inside, err := os.ReadFile(s.dir + m[1])
		if err != nil {
			s.t.Fatal(err)
		}
		env = append(env, strings.Fields(string(inside))...)
	}
	words := strings.Fields(regexp.MustCompile(`(?m)^ExecStart=(.*)$`).FindStringSubmatch(text)[1])
	return s.start(env, words[1:]...)
}

// process is a running attune.
type process struct {
	site  *site
	cmd   *exec.Cmd
	mu    sync.Mutex
	said  bytes.Buffer // guarded by mu
	ended chan struct{}
}

// Write implements io.Writer for what it says.
func (p *process) Write(b []byte) (int, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.said.Write(b)
}

func (p *process) text() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.said.String()
}

func (s *site) start(env []string, args ...string) *process {
	s.t.Helper()
	p := &process{site: s, cmd: exec.Command(s.program, args...), ended: make(chan struct{})}
	p.cmd.Env = append([]string{"PATH=/usr/bin:/bin", "HOME=" + s.dir}, env...)
	p.cmd.Dir, p.cmd.Stdout, p.cmd.Stderr, p.cmd.WaitDelay = s.dir, p, p, time.Second
	if err := p.cmd.Start(); err != nil {
		s.t.Fatal(err)
	}
	go func() {
		defer close(p.ended)
		_ = p.cmd.Wait()
	}()
	s.t.Cleanup(func() {
		_ = p.cmd.Process.Kill()
		<-p.ended
	})
	return p
}

// exits waits for its end and returns what it said.
func (p *process) exits(code int) string {
	p.site.t.Helper()
	late := time.NewTimer(patience)
	defer late.Stop()
	select {
	case <-p.ended:
	case <-late.C:
		p.site.t.Fatalf("%v does not end: %s", p.cmd.Args, p.text())
	}
	if got := p.cmd.ProcessState.ExitCode(); got != code {
		p.site.t.Fatalf("%v: exit code %d, not %d: %s", p.cmd.Args, got, code, p.text())
	}
	return p.text()
}

// says waits until it has said something.
func (p *process) says(words string) {
	p.site.t.Helper()
	p.site.await(words+", of "+strings.Join(p.cmd.Args, " "), func() bool {
		select {
		case <-p.ended:
			p.site.t.Fatalf("%v ended: %s", p.cmd.Args, p.text())
		default:
		}
		return strings.Contains(p.text(), words)
	}, p.text)
}

// await asks again until something is so.
func (s *site) await(what string, so func() bool, said func() string) {
	s.t.Helper()
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for end := time.Now().Add(patience); !so(); <-tick.C {
		if time.Now().After(end) {
			s.t.Fatalf("waited in vain for %s:\n%s", what, said())
		}
	}
}

func install(t *testing.T) (s *site, database *url.URL) {
	t.Helper()
	database, err := url.Parse(pgtest.URL(t))
	if err != nil {
		t.Fatal(err)
	}
	s = &site{t: t, dir: t.TempDir(), broker: newBroker(t)}
	s.program = filepath.Join(s.dir, "attune")
	build := exec.CommandContext(t.Context(), "go", "build", "-o", s.program, "../../cmd/attune")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s.server = "https://" + l.Addr().String()
	_ = l.Close()
	s.certificate()
	return s, database
}

// The page is followed from nothing to an action that has run, and to an end in
// order.
func TestWhatThePageInstallsRuns(t *testing.T) {
	s, database := install(t)
	password, _ := database.User.Password()
	if password == "" {
		password = "not-asked-for"
	}
	secrets := []string{"ATTUNE_DB_PASSWORD=" + password, "ATTUNE_MQ_PASSWORD=" + s.broker.password}
	config := s.write("/etc/attune/attune.yaml", s.here(block(t, "listen: "), "attune", database))
	if err := os.MkdirAll(s.dir+"/etc/attune/packs", 0o700); err != nil {
		t.Fatal(err)
	}
	s.write("/etc/attune/server.env", strings.Join(secrets, "\n"))
	s.start(nil, "config", "check", config).exits(64) // the passwords are not there
	if said := s.start(secrets, "config", "check", config).exits(0); !strings.Contains(said, "good: 6 settings") {
		t.Error(said)
	}
	s.start(append(secrets, "ATTUNE_CONFIG="+config), "server", "--data", s.dir+"/early").exits(5) // no schema yet
	s.start(secrets, "admin", "migrate", "--config", config, "--dry-run").exits(2)
	s.start(secrets, "admin", "migrate", "--config", config).exits(0)

	server := s.unit("attune-server.service")
	s.await("the server to be ready", func() bool {
		r, err := s.client.Get(s.server + "/readyz")
		if err != nil {
			return false
		}
		_ = r.Body.Close()
		return r.StatusCode == 200
	}, server.text)
	data := []string{"ATTUNE_DATA=" + s.dir + "/var/lib/attune", "ATTUNE_CA=" + s.dir + "/etc/attune/tls/ca.crt"}
	var token string
	for line := range strings.Lines(s.start(data, "token", "create", "w1", "--kind", "worker").exits(0)) {
		if strings.HasPrefix(line, "attune_worker_") {
			token = line
		}
	}
	s.write("/etc/attune/worker.token", token)
	s.write("/etc/attune/worker.yaml", s.here(block(t, "name: w1"), "attune-worker", database))
	s.write("/etc/attune/worker.env", secrets[1])
	worker := s.unit("attune-worker.service")
	if said := s.start(data, "run", "core.local", "cmd=echo from the page").exits(0); !strings.Contains(said, "from the page") {
		t.Error(said)
	}
	if said := s.start(data, "worker", "list").exits(0); !strings.Contains(said, "w1") {
		t.Error(said)
	}

	t.Run("permissions", s.broker.holds)

	_ = server.cmd.Process.Signal(syscall.SIGHUP) // what ExecReload does
	server.says("the certificate was read again")
	for _, p := range []*process{worker, server} {
		_ = p.cmd.Process.Signal(syscall.SIGTERM)
		p.exits(0)
		for _, secret := range []string{s.broker.password, strings.TrimSpace(token), "ATTUNE_DB_PASSWORD"} {
			if strings.Contains(p.text(), secret) {
				t.Errorf("%v says a secret: %s", p.cmd.Args, p.text())
			}
		}
	}
}
