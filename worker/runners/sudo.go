package runners

import (
	"os"
	"path/filepath"
	"strings"

	"github.com/attune-automation/attune/worker/keeper"
)

// withSudo makes the command one of root's. The environment goes along as far
// as sudoers lets it (sudo -E), and nobody is asked anything: there is no
// terminal.
//
// A password is the first line of sudo's standard input, never an argument or a
// variable. Where sudo does not ask for it, the line would still be there for
// the command to read; so a shell stands between, which gives the command an
// empty input.
func (p *Processes) withSudo(c *command, password string) error {
	if strings.ContainsAny(password, "\n\x00") {
		return refusal("the parameter sudo_password has more than one line")
	}
	if os.Geteuid() != 0 && p.mode() == keeper.ByReaper {
		return refusalAs("sudo_unkillable", "sudo is refused here: the worker is not root, and without cgroup v2 it could not end what root runs")
	}
	sudo := p.sudo()
	if sudo == "" {
		return refusalAs("no_sudo", "there is no program sudo on the worker's PATH: install it, or run the worker as the user the action needs")
	}
	if password == "" {
		c.argv = append([]string{sudo, "-n", "-E", "--"}, c.argv...)
		return nil
	}
	c.argv = append([]string{sudo, "-S", "-p", "", "-E", "--", "/bin/sh", "-c", `exec "$@" </dev/null`, "sh"}, c.argv...)
	c.stdin = []byte(password + "\n")
	return nil
}

// sudo is the path of the program, or nothing. The PATH is the worker's: that of
// the parameter env could name a program that collects passwords.
func (p *Processes) sudo() string {
	for _, entry := range p.config.Env {
		path, ok := strings.CutPrefix(entry, "PATH=")
		if !ok {
			continue
		}
		for _, dir := range filepath.SplitList(path) {
			file := filepath.Join(dir, "sudo")
			if s, err := os.Stat(file); err == nil && filepath.IsAbs(file) && s.Mode().IsRegular() && s.Mode()&0o111 != 0 {
				return file
			}
		}
	}
	return ""
}

// mode is how the keeper of this moment holds processes together.
func (p *Processes) mode() keeper.Mode {
	p.mu.Lock()
	k := p.keeper
	p.mu.Unlock()
	if k == nil {
		return keeper.Auto
	}
	mode, _ := k.Mode()
	return mode
}
