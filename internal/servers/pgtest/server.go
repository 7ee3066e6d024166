package pgtest

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/jackc/pgx/v5"
)

// Server is a PostgreSQL.
type Server struct {
	url string // of a user who may create databases
	// What follows is empty for a server that was there.
	dir  string
	port int
	as   *syscall.Credential // nil: the program's own user
	mu   sync.Mutex
	// guarded by mu
	input io.WriteCloser // its end ends the server; nil when it is stopped
	guard *exec.Cmd
}

// Config says how a private server is made. The zero value is that of tests.
type Config struct {
	// Settings go over those of tests, by name: fsync=on for who measures.
	Settings map[string]string
}

// ErrNone means that the machine has no PostgreSQL, and says what was tried.
var ErrNone = errors.New("no PostgreSQL")

// Open finds a server: ATTUNE_TEST_POSTGRES, else the default port of this
// machine, else a private one from installed programs. Closing one that was
// found leaves it running.
func Open(ctx context.Context, cfg Config) (*Server, error) {
	if url := os.Getenv("ATTUNE_TEST_POSTGRES"); url != "" {
		if err := mayCreate(ctx, url); err != nil {
			return nil, fmt.Errorf("ATTUNE_TEST_POSTGRES: %w", err)
		}
		return &Server{url: url}, nil
	}
	const local = "postgres://postgres@127.0.0.1:5432/postgres?sslmode=disable"
	if mayCreate(ctx, local) == nil {
		return &Server{url: local}, nil
	}
	return Start(ctx, cfg)
}

func mayCreate(ctx context.Context, url string) error {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	c, err := pgx.Connect(ctx, url)
	if err != nil {
		return err
	}
	defer c.Close(ctx)
	var may bool
	if err := c.QueryRow(ctx, "SELECT rolcreatedb OR rolsuper FROM pg_roles WHERE rolname = current_user").Scan(&may); err != nil {
		return err
	}
	if !may {
		return errors.New("the user may not create databases")
	}
	return nil
}

// Start makes a private server from installed programs and waits until it
// answers. [ErrNone] when there are none.
func Start(ctx context.Context, cfg Config) (*Server, error) {
	bin, err := programs()
	if err != nil {
		return nil, err
	}
	s := &Server{}
	if os.Geteuid() == 0 { // PostgreSQL refuses to be root
		if s.as, err = unprivileged(); err != nil {
			return nil, err
		}
	}
	if s.dir, err = os.MkdirTemp("", "attune-postgres-"); err != nil {
		return nil, err
	}
	if err := s.initialise(ctx, bin, cfg); err != nil {
		return nil, errors.Join(err, os.RemoveAll(s.dir))
	}
	if err := s.Start(ctx); err != nil {
		return nil, errors.Join(err, s.Close())
	}
	return s, nil
}

// programs is the folder with initdb and postgres, of the newest version.
func programs() (string, error) {
	if path, err := exec.LookPath("initdb"); err == nil {
		return filepath.Dir(path), nil
	}
	found, _ := filepath.Glob("/usr/lib/postgresql/*/bin/initdb")
	slices.SortFunc(found, func(a, b string) int { return version(b) - version(a) })
	if len(found) == 0 || version(found[0]) < 15 {
		return "", fmt.Errorf("%w: nothing answers on port 5432 and initdb of version 15 or newer is not installed", ErrNone)
	}
	return filepath.Dir(found[0]), nil
}

func version(path string) int {
	n, _ := strconv.Atoi(strings.Split(path, "/")[4])
	return n
}

func unprivileged() (*syscall.Credential, error) {
	for _, name := range []string{"postgres", "nobody"} {
		if u, err := user.Lookup(name); err == nil {
			uid, _ := strconv.ParseUint(u.Uid, 10, 32)
			gid, _ := strconv.ParseUint(u.Gid, 10, 32)
			return &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}, nil
		}
	}
	return nil, fmt.Errorf("%w: root may not run it, and there is no user postgres or nobody", ErrNone)
}

// settings are those of tests: small, on the loopback only, not synced.
func (s *Server) settings() map[string]string {
	return map[string]string{
		"listen_addresses": "127.0.0.1", "port": strconv.Itoa(s.port), "unix_socket_directories": "", "max_connections": "200",
		"shared_buffers": "64MB", "fsync": "off", "full_page_writes": "off", "max_wal_size": "512MB", "logging_collector": "off",
		"log_min_messages": "warning", "log_min_error_statement": "panic", "autovacuum_naptime": "10s",
	}
}

func (s *Server) initialise(ctx context.Context, bin string, cfg Config) (err error) {
	if s.port, err = freePort(); err != nil {
		return err
	}
	s.url = fmt.Sprintf("postgres://postgres@127.0.0.1:%d/postgres?sslmode=disable", s.port)
	if s.as != nil {
		if err := os.Chown(s.dir, int(s.as.Uid), int(s.as.Gid)); err != nil {
			return err
		}
	}
	cmd := s.command(exec.CommandContext(ctx, filepath.Join(bin, "initdb"), "-D", s.data(), "-U", "postgres", "-A", "trust", "-E", "UTF8", "--locale=C", "--no-sync", "--no-instructions"))
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("initdb: %w: %s", err, out)
	}
	var conf strings.Builder
	all := s.settings()
	for name, value := range cfg.Settings {
		all[name] = value
	}
	for name, value := range all {
		fmt.Fprintf(&conf, "%s = '%s'\n", name, value)
	}
	if err := os.WriteFile(filepath.Join(s.dir, "bin"), []byte(bin), 0o644); err != nil {
		return err
	}
	f, err := os.OpenFile(filepath.Join(s.data(), "postgresql.conf"), os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	_, err = f.WriteString(conf.String())
	return errors.Join(err, f.Close())
}

func (s *Server) data() string { return filepath.Join(s.dir, "data") }

func (s *Server) command(cmd *exec.Cmd) *exec.Cmd {
	cmd.Dir = s.dir
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Credential: s.as} // Ctrl-C is for the program
	return cmd
}

// freePort is one that nobody listens on now. Somebody else may take it before
// the server does; then the server does not start, and says so.
func freePort() (int, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return 0, err
	}
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port, nil
}

// guardian starts the server and ends it at the end of its input: at once, as
// nobody needs a checkpoint of it. $1 is the program, $2 the folder, which goes
// too unless the input says to keep it.
const guardian = `"$1" -D "$2/data" </dev/null & server=$!
trap '' INT TERM HUP
word=$(cat)
kill -QUIT $server 2>/dev/null; wait $server
[ "$word" = keep ] || rm -rf "$2"`

// Start starts a private server that was stopped or killed, and waits until it
// answers, at most 30 s.
func (s *Server) Start(ctx context.Context) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.end("keep")
	bin, err := os.ReadFile(filepath.Join(s.dir, "bin"))
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	for {
		cmd := s.command(exec.Command("/bin/sh", "-c", guardian, "guardian", filepath.Join(string(bin), "postgres"), s.dir))
		begins := s.logged()
		if err := s.run(cmd); err != nil {
			return err
		}
		if err = s.answers(ctx, begins); !errors.Is(err, errInUse) {
			return err
		}
		s.end("keep")
		if !pause(ctx) {
			return err
		}
	}
}

func (s *Server) run(cmd *exec.Cmd) error {
	log, err := os.OpenFile(s.log(), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		return err
	}
	defer log.Close()
	cmd.Stdout, cmd.Stderr = log, log
	if s.input, err = cmd.StdinPipe(); err != nil {
		return err
	}
	s.guard = cmd
	return cmd.Start()
}

func (s *Server) log() string { return filepath.Join(s.dir, "log") }

// errInUse is of a server whose memory the processes of one that was killed
// still have: they are about to end.
var errInUse = errors.New("is still in use")

// answers waits until the server does. What it says of itself stands in the log,
// from begins on.
func (s *Server) answers(ctx context.Context, begins int) error {
	for {
		err := s.exec(ctx, "SELECT 1")
		if err == nil {
			return nil
		}
		text, _ := os.ReadFile(s.log())
		said := lastLines(string(text[min(begins, len(text)):]))
		switch {
		case strings.Contains(said, errInUse.Error()):
			return fmt.Errorf("the server %w: %s", errInUse, said)
		case strings.Contains(said, "FATAL:  could not") || !pause(ctx):
			return fmt.Errorf("the server does not answer: %w: %s", err, said)
		}
	}
}

// logged is how long the log is.
func (s *Server) logged() int {
	text, _ := os.ReadFile(s.log())
	return len(text)
}

func lastLines(text string) string {
	lines := strings.Split(strings.TrimSpace(text), "\n")
	return strings.Join(lines[max(0, len(lines)-4):], "; ")
}

// pause is between two looks at what another process does; false: it is over.
func pause(ctx context.Context) bool {
	select {
	case <-ctx.Done():
		return false
	case <-time.After(20 * time.Millisecond):
		return true
	}
}

func (s *Server) exec(ctx context.Context, query string, args ...any) error {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	c, err := pgx.Connect(ctx, s.url)
	if err != nil {
		return err
	}
	defer c.Close(ctx)
	_, err = c.Exec(ctx, query, args...)
	return err
}
