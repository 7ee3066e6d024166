package mqtest

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// private is a server of our own: its folder, its ports, and the process when it
// runs.
type private struct {
	folder                            string
	amqp, tls, management, epmd, dist int // ports
	certificate                       []byte
	libraries                         string // RabbitMQ's own folder of them
	erl, epmdBinary                   string
	credential                        *syscall.Credential

	holder *exec.Cmd
	pipe   *os.File // to the holder
	pid    int      // of Erlang
}

// unneeded begins the names of libraries that a private server never loads.
var unneeded = []string{"amqp10_client-", "eetcd-", "gun-", "prometheus-", "quantile_", "accept-", "base64url-", "jose-", "rabbitmq_"}

// needed are the exceptions.
var needed = []string{"rabbitmq_prelaunch-", "rabbitmq_management-", "rabbitmq_management_agent-", "rabbitmq_web_dispatch-"}

// install makes the folder of a private server.
func install() (*private, error) {
	erl, err := exec.LookPath("erl")
	if err != nil {
		return nil, errors.New("no server is named or running, and there is no erl to start one with")
	}
	p := &private{erl: erl}
	if p.epmdBinary, err = exec.LookPath("epmd"); err != nil {
		return nil, errors.New("there is erl, but no epmd")
	}
	found, _ := filepath.Glob("/usr/lib/rabbitmq/lib/rabbitmq_server-*/plugins")
	others, _ := filepath.Glob("/opt/rabbitmq*/plugins")
	if found = append(found, others...); len(found) == 0 {
		return nil, errors.New("no server is named or running, and none is installed")
	}
	p.libraries = found[len(found)-1]
	if os.Getuid() == 0 { // a server as root would leave what tests as somebody else cannot touch
		if p.credential, err = credentialOf("rabbitmq"); err != nil {
			return nil, err
		}
	}
	if p.folder, err = os.MkdirTemp("", "attune-mqtest-"); err != nil {
		return nil, err
	}
	if err = p.fill(); err != nil {
		return nil, errors.Join(err, os.RemoveAll(p.folder))
	}
	return p, nil
}

func credentialOf(name string) (*syscall.Credential, error) {
	u, err := user.Lookup(name)
	if err != nil {
		return nil, err
	}
	uid, err := strconv.ParseUint(u.Uid, 10, 32)
	if err != nil {
		return nil, err
	}
	gid, err := strconv.ParseUint(u.Gid, 10, 32)
	return &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}, err
}

// fill writes what the server reads, and finds ports.
func (p *private) fill() error {
	p.amqp, p.tls, p.management, p.epmd, p.dist = freePort(), freePort(), freePort(), freePort(), freePort()
	in := func(name string) string { return filepath.Join(p.folder, name) }
	certificate, key, err := selfSigned()
	if err != nil {
		return err
	}
	p.certificate = certificate
	settings := fmt.Sprintf(`listeners.tcp.1 = 127.0.0.1:%d
listeners.ssl.1 = 127.0.0.1:%d
ssl_options.certfile = %s
ssl_options.keyfile = %s
ssl_options.verify = verify_none
management.tcp.ip = 127.0.0.1
management.tcp.port = %d
management_agent.disable_metrics_collector = true
`, p.amqp, p.tls, in("certificate.pem"), in("key.pem"), p.management)
	err = errors.Join(
		os.WriteFile(in("certificate.pem"), certificate, 0o644),
		os.WriteFile(in("key.pem"), key, 0o600),
		os.WriteFile(in("rabbitmq.conf"), []byte(settings), 0o644),
		os.WriteFile(in("enabled"), []byte("[rabbitmq_management].\n"), 0o644),
		os.Mkdir(in("libraries"), 0o755))
	libraries, lerr := os.ReadDir(p.libraries)
	if err = errors.Join(err, lerr); err != nil {
		return err
	}
	for _, l := range libraries {
		begins := func(with string) bool { return strings.HasPrefix(l.Name(), with) }
		if slices.ContainsFunc(unneeded, begins) && !slices.ContainsFunc(needed, begins) {
			continue
		}
		if err := os.Symlink(filepath.Join(p.libraries, l.Name()), filepath.Join(p.folder, "libraries", l.Name())); err != nil {
			return err
		}
	}
	if p.credential == nil {
		return nil
	}
	return filepath.WalkDir(p.folder, func(path string, _ os.DirEntry, err error) error {
		return errors.Join(err, os.Lchown(path, int(p.credential.Uid), int(p.credential.Gid)))
	})
}

// freePort lies below the ports that the system gives to clients: one of those
// could take the place of a server that is down, or reach itself.
func freePort() int {
	for {
		port := 20_000 + rand.IntN(12_000)
		if l, err := net.Listen("tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(port))); err == nil {
			l.Close()
			return port
		}
	}
}

func (p *private) listen(port int) string { return net.JoinHostPort("127.0.0.1", strconv.Itoa(port)) }

// hold runs in a shell: it starts both processes, says their pids, and ends them
// with its input; unless told to keep it, it removes the folder too.
const hold = `
cd "$FOLDER" || exit 1
"$EPMD" -port "$ERL_EPMD_PORT" </dev/null >epmd.out 2>&1 & epmd=$!
"$@" </dev/null >server.out 2>&1 & server=$!
echo $server
read -r word
kill -9 $server $epmd 2>/dev/null
wait
[ "$word" = keep ] || rm -rf "$FOLDER"
`

// start starts the processes and does not wait for the server.
func (p *private) start() error {
	in, pipe, err := os.Pipe()
	if err != nil {
		return err
	}
	defer in.Close()
	said, out, err := os.Pipe()
	if err != nil {
		return errors.Join(err, pipe.Close())
	}
	defer said.Close()
	defer out.Close()
	args := []string{"-c", hold, "sh", p.erl, "-noinput", "-s", "rabbit", "boot", "-boot", "start_sasl", "+W", "w",
		"+P", "1048576", "+t", "5000000", "+stbt", "db", "+zdbbl", "128000", "+sbwt", "none", "+sbwtdcpu", "none", "+sbwtdio", "none",
		"-start_epmd", "false", "-syslog", "logger", "[]", "-syslog", "syslog_error_logger", "false"}
	c := exec.Command("/bin/sh", args...)
	c.Env = append(os.Environ(), p.environment()...)
	c.Stdin, c.Stdout = in, out
	c.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Credential: p.credential}
	if err := c.Start(); err != nil {
		return errors.Join(err, pipe.Close())
	}
	out.Close()
	p.holder, p.pipe = c, pipe
	line, err := bufio.NewReader(said).ReadString('\n')
	if err == nil {
		p.pid, err = strconv.Atoi(strings.TrimSpace(line))
	}
	return err
}

func (p *private) environment() []string {
	in := func(name string) string { return filepath.Join(p.folder, name) }
	return []string{
		"FOLDER=" + p.folder, "HOME=" + p.folder, "EPMD=" + p.epmdBinary, "ERL_LIBS=" + in("libraries"),
		"ERL_EPMD_ADDRESS=127.0.0.1", "ERL_EPMD_PORT=" + strconv.Itoa(p.epmd), "ERL_CRASH_DUMP=/dev/null", "SYS_PREFIX=",
		"RABBITMQ_HOME=" + filepath.Dir(p.libraries), "RABBITMQ_PLUGINS_DIR=" + in("libraries"), "RABBITMQ_BASE=" + p.folder,
		"RABBITMQ_CONFIG_FILE=" + in("rabbitmq.conf"), "RABBITMQ_ENABLED_PLUGINS_FILE=" + in("enabled"), "RABBITMQ_CONF_ENV_FILE=/dev/null",
		"RABBITMQ_MNESIA_BASE=" + in("db"), "RABBITMQ_LOG_BASE=" + in("log"), "RABBITMQ_DIST_PORT=" + strconv.Itoa(p.dist),
		"RABBITMQ_NODENAME=" + p.node(),
	}
}

// end tells the holder a word and waits for it.
func (p *private) end(word string) error {
	if p.holder == nil {
		return nil
	}
	_, err := p.pipe.WriteString(word + "\n")
	err = errors.Join(err, p.pipe.Close(), p.holder.Wait())
	p.holder, p.pipe, p.pid = nil, nil, 0
	return err
}

// PID is the process id of a private server that runs, else 0.
func (s *Server) PID() int {
	if s.private == nil {
		return 0
	}
	return s.private.pid
}

// Start starts a private server that was stopped or killed, on the same ports
// and with what it had stored, and waits until it takes connections.
func (s *Server) Start(ctx context.Context) error {
	if s.private == nil {
		return errors.New("only a private server can be started")
	}
	if s.private.holder == nil {
		if err := s.private.start(); err != nil {
			return err
		}
	}
	return s.Wait(ctx)
}

// bootTime is how long a server may take, on a machine that does much else.
const bootTime = 2 * time.Minute

// Wait returns when the server takes connections.
func (s *Server) Wait(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, bootTime)
	defer cancel()
	for {
		err := s.api.call(ctx, "GET", "/whoami", nil, nil)
		var c net.Conn
		if err == nil {
			if c, err = net.Dial("tcp", s.address); err == nil {
				return c.Close()
			}
		}
		if s.private != nil && !s.private.alive() {
			err = errors.Join(err, errors.New("the server has ended"))
			return errors.Join(err, s.private.output())
		}
		select {
		case <-ctx.Done():
			return errors.Join(err, ctx.Err())
		case <-time.After(100 * time.Millisecond):
		}
	}
}

// output is the last the server said, as an error.
func (p *private) output() error {
	text, _ := os.ReadFile(filepath.Join(p.folder, "server.out"))
	return fmt.Errorf("%s", text[max(0, len(text)-1000):])
}

// Kill ends a private server with SIGKILL.
func (s *Server) Kill() error {
	if s.private == nil {
		return errors.New("only a private server can be killed")
	}
	return s.private.end("keep")
}

// Stop ends a private server in order: it closes its connections and stores what
// it has.
func (s *Server) Stop(ctx context.Context) error {
	if s.private == nil || s.private.pid == 0 {
		return errors.New("only a private server that runs can be stopped")
	}
	if err := syscall.Kill(s.private.pid, syscall.SIGTERM); err != nil {
		return err
	}
	for s.private.alive() {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(20 * time.Millisecond):
		}
	}
	return s.private.end("keep")
}

// alive reports that the server has not ended; the holder looks only when told.
func (p *private) alive() bool {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", p.pid))
	return err == nil && !strings.Contains(string(stat), ") Z ")
}

// Block lets a private server run short of memory, or no longer: it takes nothing
// that is published then, and says so to its clients.
func (s *Server) Block(ctx context.Context, yes bool) error {
	if s.private == nil || s.private.pid == 0 {
		return errors.New("only a private server that runs can be blocked")
	}
	limit := "0.6"
	if yes {
		limit = "0.0001"
	}
	return s.private.evaluate(ctx, "vm_memory_monitor:set_vm_memory_high_watermark("+limit+")")
}

// evaluate runs an expression in the server.
func (p *private) evaluate(ctx context.Context, expression string) error {
	erl, err := filepath.EvalSymlinks(p.erl)
	if err != nil {
		return err
	}
	found, _ := filepath.Glob(filepath.Join(filepath.Dir(erl), "..", "erts-*", "bin", "erl_call"))
	if len(found) == 0 {
		return errors.New("there is no erl_call")
	}
	cookie, err := os.ReadFile(filepath.Join(p.folder, ".erlang.cookie"))
	if err != nil {
		return err
	}
	c := exec.CommandContext(ctx, found[0], "-n", p.node(), "-c", strings.TrimSpace(string(cookie)), "-e")
	c.Env = append(os.Environ(), p.environment()...)
	c.Stdin = strings.NewReader(expression + ".\n")
	out, err := c.CombinedOutput()
	if err != nil || !bytes.HasPrefix(out, []byte("{ok,")) {
		return errors.Join(fmt.Errorf("erl_call: %s", out), err)
	}
	return nil
}

func (p *private) node() string { return fmt.Sprintf("attune%d@localhost", p.amqp) }

// Close ends a private server and removes its folder.
func (s *Server) Close() error {
	if s.private == nil {
		return nil
	}
	return errors.Join(s.private.end("end"), os.RemoveAll(s.private.folder))
}
