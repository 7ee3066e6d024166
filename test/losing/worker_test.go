package losing_test

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"errors"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"

	"github.com/attune-automation/attune/api"
	"github.com/attune-automation/attune/api/client"
	"github.com/attune-automation/attune/internal/servers/proxy"
)

// slots is how many attempts each worker runs at a time.
const slots = 4

// worker is a worker's name with its folder, its proxies, and its process while
// there is one.
type worker struct {
	*process
	rig               *rig
	name, data, token string
	toMQ, toAPI       *proxy.Proxy
}

func (r *rig) newWorker(name string) *worker {
	r.t.Helper()
	w := &worker{rig: r, name: name, data: filepath.Join(r.dir, "worker-"+name),
		toMQ: r.before(r.mq.Address()), toAPI: r.before(r.address())}
	r.workers[name] = w
	return w
}

// before is a proxy that lasts as long as the rig.
func (r *rig) before(target string) *proxy.Proxy {
	r.t.Helper()
	p, err := proxy.Listen(target)
	must(r.t, err)
	r.proxies = append(r.proxies, p)
	return p
}

// standing are the workers that have a process.
func (r *rig) standing() (all []*worker) {
	for _, w := range r.workers {
		if w.process != nil {
			all = append(all, w)
		}
	}
	return all
}

// begin starts the worker's process and does not wait for it.
func (w *worker) begin(more ...string) {
	w.rig.t.Helper()
	r := w.rig
	if w.token == "" {
		made, err := r.client.CreateToken(r.t.Context(), api.TokenRequest{Name: w.name, Kind: "worker"})
		must(r.t, err)
		w.token = made.Secret
	}
	args := []string{"worker", "start", "--name", w.name, "--data", w.data, "--packs", filepath.Join(r.packs, "lose"), "--slots", strconv.Itoa(slots),
		"--broker", through(r.t, r.broker, w.toMQ), "--server", "http://" + w.toAPI.Addr(), "--token", w.token, "--log-format", "text"}
	w.process = r.start("worker-"+w.name, append(args, more...)...)
}

// known is what the node says of a worker; the zero answer when it does not know it.
func (r *rig) known(name string) (v api.WorkerAnswer) {
	v, err := client.Fetch[api.WorkerAnswer](r.t.Context(), r.client, "/workers/"+url.PathEscape(name), nil)
	if err != nil {
		return api.WorkerAnswer{}
	}
	return v
}

// isAlive reports that the node takes the worker for alive.
func (r *rig) isAlive(name string) bool { return r.known(name).State == "alive" }

// token is an attempt, as it is shown.
type token struct {
	execution string
	attempt   int
}

// journal is what the worker's journal says of each token, read without the
// product's help: started, ended or acknowledged.
func (w *worker) journal() map[token]string {
	w.rig.t.Helper()
	said := map[token]string{}
	err := filepath.WalkDir(w.data, func(path string, e fs.DirEntry, err error) error {
		if errors.Is(err, fs.ErrNotExist) || err == nil && !strings.HasSuffix(path, ".journal") {
			return nil
		}
		if err != nil {
			return err
		}
		content, err := os.ReadFile(path)
		if errors.Is(err, fs.ErrNotExist) {
			return nil // it was given up in between
		}
		readJournal(content, said)
		return err
	})
	must(w.rig.t, err)
	return said
}

// readJournal reads a segment up to where it is cut short: a magic line, then
// records of length, checksum and a JSON body.
func readJournal(content []byte, said map[token]string) {
	_, content, _ = bytes.Cut(content, []byte{'\n'})
	for len(content) >= 8 {
		size := binary.LittleEndian.Uint32(content)
		if uint64(size)+8 > uint64(len(content)) {
			return
		}
		var entry struct {
			Kind  int
			Token struct {
				Execution string
				Attempt   int
			}
		}
		if json.Unmarshal(content[8:8+size], &entry) == nil {
			said[token{entry.Token.Execution, entry.Token.Attempt}] = []string{"", "started", "ended", "acknowledged"}[entry.Kind&3]
		}
		content = content[8+size:]
	}
}

// keepers are the worker's keeper processes: its children that are not actions.
func (w *worker) keepers() (pids []int) {
	for _, p := range processesOf(w.rig.dir) {
		if p.parent == w.cmd.Process.Pid && strings.HasPrefix(p.what, w.rig.program) {
			pids = append(pids, p.pid)
		}
	}
	return pids
}

// freezeKeepers stops all keepers and returns what lets them go on.
func (w *worker) freezeKeepers() (thaw func()) {
	w.rig.t.Helper()
	pids := w.keepers()
	for _, pid := range pids {
		must(w.rig.t, syscall.Kill(pid, syscall.SIGSTOP))
	}
	return func() {
		for _, pid := range pids {
			_ = syscall.Kill(pid, syscall.SIGCONT) // it may have ended
		}
	}
}

// assigned are the executions that the node has given to an incarnation and that
// have not ended.
func (r *rig) assigned(incarnation string) (all []api.ExecutionView) {
	for _, status := range []string{"scheduled", "running", "stopping"} {
		l, err := client.Fetch[api.List[api.ExecutionView]](r.t.Context(), r.client, "/executions", url.Values{"status": {status}, "limit": {"1000"}})
		if err != nil {
			continue
		}
		all = append(all, slices.DeleteFunc(l.Items, func(x api.ExecutionView) bool { return x.Incarnation != incarnation })...)
	}
	return all
}
