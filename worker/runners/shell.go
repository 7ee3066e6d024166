package runners

import (
	"cmp"
	"encoding/json"
	"fmt"
	"path/filepath"
	"strings"

	"github.com/attune-automation/attune/messages"
)

// shellParameters are those that the shell's runners share.
type shellParameters struct {
	Cwd  string            `json:"cwd"`
	Env  map[string]string `json:"env"`
	Sudo bool              `json:"sudo"`
	// SudoPassword may be empty.
	SudoPassword string `json:"sudo_password"`
}

// shellCommand makes the process of local-shell-cmd: the parameter cmd, run by
// /bin/sh in cwd with env. Other parameters were used in rendering cmd.
func shellCommand(p *Processes, d *messages.Dispatch) (*command, error) {
	var parameters struct {
		shellParameters
		Cmd *string `json:"cmd"`
	}
	if err := ownParameters(d.Parameters, &parameters); err != nil {
		return nil, refusal("the parameters are not those of local-shell-cmd: %w", err)
	}
	switch {
	case parameters.Cmd == nil:
		return nil, refusal("the parameter cmd is missing")
	case strings.ContainsRune(*parameters.Cmd, 0):
		return nil, refusal("the parameter cmd has a NUL character")
	}
	return p.shell(d, parameters.shellParameters, []string{"/bin/sh", "-c", *parameters.Cmd}, "")
}

// shell is the command line in the surroundings that a shell's runner gives it;
// dir is where it begins unless the parameters say, or empty for home.
func (p *Processes) shell(d *messages.Dispatch, parameters shellParameters, argv []string, dir string) (*command, error) {
	env := p.environment(d)
	env.set("ST2_ACTION_PACK_NAME", d.Pack)
	env.set("ST2_ACTION_EXECUTION_ID", d.Token.Execution.String())
	env.set("ST2_ACTION_API_URL", p.config.APIURL)
	env.set("ST2_ACTION_AUTH_TOKEN", string(d.APIToken))
	for name, value := range parameters.Env {
		if name == "" || strings.ContainsAny(name, "=\x00") || strings.ContainsRune(value, 0) {
			return nil, refusal("the parameter env has a name or value that no environment can hold: %q", name)
		}
		env[name] = value
	}
	c := &command{argv: argv, dir: cmp.Or(parameters.Cwd, dir), env: env.entries()}
	switch {
	case c.dir == "":
		c.dir = env.home()
	case !filepath.IsAbs(c.dir):
		return nil, refusal("the parameter cwd %q is not an absolute path", c.dir)
	}
	if parameters.Sudo {
		return c, p.withSudo(c, parameters.SudoPassword)
	}
	return c, nil
}

// written is what a result tells of a process.
type written struct {
	Result     json.RawMessage `json:"result,omitempty"`
	Stdout     json.RawMessage `json:"stdout"`
	Stderr     json.RawMessage `json:"stderr"`
	ReturnCode int             `json:"return_code"`
	Succeeded  bool            `json:"succeeded"`
	Failed     bool            `json:"failed"`
	Error      string          `json:"error,omitempty"`
	Truncated  bool            `json:"truncated,omitempty"`
}

func (r *run) written(o outcome) written {
	w := written{ReturnCode: o.returnCode, Succeeded: o.end == messages.Finished, Failed: o.end != messages.Finished}
	if o.end == messages.TimedOutRun {
		w.Error = fmt.Sprintf("the action was ended after its time limit of %s", r.dispatch.Timeout)
	} else if o.failure != nil {
		w.Error = o.failure.Message
	}
	w.Truncated = r.streams[0].truncated() || r.streams[1].truncated()
	return w
}

// shellResult is the result of the shell's runners: a stream that is one JSON
// document is that document, however small; of others the last line's end is
// left out, as StackStorm does.
func shellResult(r *run, o outcome) ([]byte, error) {
	w := r.written(o)
	for i, into := range []*json.RawMessage{&w.Stdout, &w.Stderr} {
		c := &r.streams[i]
		if !c.truncated() {
			*into = document(c.head)
		}
		if *into == nil {
			line := strings.TrimSuffix(strings.TrimSuffix(text(c.head), "\n"), "\r")
			*into, _ = encode(line) // a string always has a JSON form
		}
	}
	return sized(w)
}

// sized is the JSON of a result, unless it is too large to store.
func sized(w written) ([]byte, error) {
	b, err := encode(w)
	if err == nil && len(b) > resultBytes {
		err = fmt.Errorf("the result has %d bytes, at most %d are stored", len(b), resultBytes)
		b = nil
	}
	return b, err
}
