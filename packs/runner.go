package packs

import (
	"maps"
	"slices"
	"time"

	"github.com/attune-automation/attune"
)

// runner is what packs know of a runner type: the parameters it gives to each
// of its actions.
type runner struct {
	parameters map[string]*attune.Parameter
	// timeout limits an attempt where the action does not say.
	timeout time.Duration
	// script tells that actions name an entry point.
	script bool
}

// runners are the runner types that load without refusal. Actions may change
// only the default, description, enum, immutable and required of a runner's
// parameters.
var runners = map[string]runner{
	"noop": {},
	"echo": {parameters: map[string]*attune.Parameter{
		"message": {Type: "string", Description: "The text that becomes the result."},
	}},
	"local-shell-cmd": {timeout: time.Minute, parameters: map[string]*attune.Parameter{
		"cmd":           {Type: "string", Required: true, Description: "The command line, run by a shell."},
		"cwd":           {Type: "string", Description: "The folder to run in."},
		"env":           {Type: "object", Description: "Environment variables for the command."},
		"sudo":          {Type: "boolean", Description: "Run with sudo."},
		"sudo_password": {Type: "string", Secret: true, Description: "The password for sudo."},
		"kwarg_op":      {Type: "string", Description: "The prefix of named arguments; unused by this runner."},
		"timeout":       timeoutParameter(60),
	}},
	"process": {timeout: 10 * time.Minute, script: true, parameters: map[string]*attune.Parameter{
		"timeout": timeoutParameter(600),
	}},
}

func timeoutParameter(seconds int64) *attune.Parameter {
	return &attune.Parameter{Type: "integer", Default: seconds, HasDefault: true, Description: "The limit of one attempt, in seconds."}
}

// Runners are the names of the runner types that actions may use, sorted.
func Runners() []string { return slices.Sorted(maps.Keys(runners)) }
