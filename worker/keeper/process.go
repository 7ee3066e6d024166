package keeper

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"syscall"

	"golang.org/x/sys/unix"
)

// process is the worker's view of one keeper process.
type process struct {
	id    string // of its lock file and control group
	dir   string
	wire  *wire
	proc  *os.Process
	hello chan struct{} // closed by its greeting
	ended chan struct{} // closed when all is over
	state string        // how it ended; set before ended is closed

	// Guarded by Keeper.mu.
	greeted bool
	lost    bool // it ends, or is being killed: nothing more is sent
	runs    map[string]bool
}

// startProcess starts a keeper, whose record is locked before it exists, so that
// there is no moment in which KillEarlier could overlook it.
func startProcess(cfg *Config, mode Mode, null *os.File) (*process, error) {
	var random [8]byte
	_, _ = rand.Read(random[:]) // never fails
	p := &process{
		id: hex.EncodeToString(random[:]), dir: cfg.Dir,
		hello: make(chan struct{}), ended: make(chan struct{}), runs: make(map[string]bool),
	}
	lock, kill, err := makeRecord(p.dir, p.id)
	if err != nil {
		return nil, err
	}
	defer lock.Close()
	defer kill.Close()
	ours, theirs, err := newWirePair()
	if err != nil {
		removeRecord(p.dir, p.id)
		return nil, err
	}
	defer theirs.Close()
	stderr := cfg.Stderr
	if stderr == nil {
		stderr = null
	}
	word := string(mode)
	if mode == Auto {
		word = autoWord
	}
	argv := append(append([]string{"attune"}, cfg.Args...), word, p.id)
	p.wire = ours
	p.proc, err = os.StartProcess(cfg.Executable, argv, &os.ProcAttr{
		Dir:   "/",        // no mount is kept busy
		Env:   []string{}, // the worker's secrets are none of its business
		Files: []*os.File{null, null, stderr, theirs, lock, kill},
		Sys:   &syscall.SysProcAttr{Setsid: true}, // not stopped with the worker's terminal
	})
	if err != nil {
		ours.close()
		removeRecord(p.dir, p.id)
		return nil, fmt.Errorf("start a keeper process: %w", err)
	}
	return p, nil
}

// kill ends the process at once; its reader does the rest.
func (p *process) kill() { _ = p.proc.Kill() }

// end waits for the process, whose connection has ended, and then for the end of
// all that it left.
func (p *process) end() error {
	p.wire.drop()
	state, err := p.proc.Wait()
	p.wire.close()
	if err != nil {
		return fmt.Errorf("wait for keeper %s: %w", p.id, err)
	}
	p.state = state.String()
	return endRemains(context.Background(), p.dir, p.id)
}

// withDescriptors calls f with the descriptors of files, in blocking mode (a Go
// pipe is not, and a program that inherits it would be surprised), and keeps
// them open meanwhile. A nil file is /dev/null.
func (k *Keeper) withDescriptors(files []*os.File, f func(fds []int) error) error {
	var fds []int
	var next func(i int) error
	next = func(i int) error {
		if i == len(files) {
			return f(fds)
		}
		file := files[i]
		if file == nil {
			file = k.null
		}
		raw, err := file.SyscallConn()
		if err != nil {
			return err
		}
		var inner error
		err = raw.Control(func(fd uintptr) {
			fds = append(fds, int(fd))
			if inner = unix.SetNonblock(int(fd), false); inner == nil {
				inner = next(i + 1)
			}
		})
		return errors.Join(err, inner)
	}
	return next(0)
}

// The files of one keeper in its worker's folder.
func lockPath(dir, id string) string { return filepath.Join(dir, "keeper-"+id+".lock") }
func killPath(dir, id string) string { return filepath.Join(dir, "keeper-"+id+".kill") }
