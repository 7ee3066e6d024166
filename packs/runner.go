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
	// script tells that actions name an entry point, processes that it starts
	// some, which can be limited.
	script, processes bool
}

// runners are the runner types that load without refusal. Actions may change
// only the default, description, enum, immutable and required of a runner's
// parameters.
var runners = map[string]runner{
	"noop": {},
	"echo": {parameters: map[string]*attune.Parameter{
		"message": {Type: "string", Description: "The text that becomes the result."},
	}},
	"local-shell-cmd": {timeout: time.Minute, processes: true, parameters: map[string]*attune.Parameter{
		"cmd":           {Type: "string", Required: true, Description: "The command line, run by a shell."},
		"cwd":           {Type: "string", Description: "The folder to run in."},
		"env":           {Type: "object", Description: "Environment variables for the command."},
		"sudo":          {Type: "boolean", Description: "Run as root, by sudo."},
		"sudo_password": {Type: "string", Secret: true, Description: "The password that sudo asks for, if it does."},
		"kwarg_op":      {Type: "string", Description: "The prefix of named arguments; unused by this runner."},
		"timeout":       timeoutParameter(60),
	}},
	"local-shell-script": {timeout: time.Minute, script: true, processes: true, parameters: map[string]*attune.Parameter{
		"cwd":           {Type: "string", Description: "The folder to run in."},
		"env":           {Type: "object", Description: "Environment variables for the script."},
		"sudo":          {Type: "boolean", Description: "Run as root, by sudo."},
		"sudo_password": {Type: "string", Secret: true, Description: "The password that sudo asks for, if it does."},
		"kwarg_op":      {Type: "string", Default: "--", HasDefault: true, Description: "The prefix of named arguments."},
		"timeout":       timeoutParameter(60),
	}},
	"http-request": {timeout: time.Minute, parameters: map[string]*attune.Parameter{
		"url":                 {Type: "string", Required: true, Description: "The URL, of http or https."},
		"headers":             {Type: "object", Description: "Headers of the request."},
		"cookies":             {Type: "object", Description: "Cookies to send."},
		"username":            {Type: "string", Description: "The user name for basic authentication."},
		"password":            {Type: "string", Secret: true, Description: "The password for basic authentication."},
		"allow_redirects":     {Type: "boolean", Default: false, HasDefault: true, Description: "Follow redirects, at most 10."},
		"verify_ssl_cert":     {Type: "boolean", Default: true, HasDefault: true, Description: "Refuse a server whose certificate is not trusted."},
		"http_proxy":          {Type: "string", Description: "The URL of a proxy for http."},
		"https_proxy":         {Type: "string", Description: "The URL of a proxy for https."},
		"url_hosts_blacklist": {Type: "array", Description: "Hosts that must not be asked."},
		"url_hosts_whitelist": {Type: "array", Description: "The only hosts that may be asked."},
		"timeout":             timeoutParameter(60),
	}},
	"process": {timeout: 10 * time.Minute, script: true, processes: true, parameters: map[string]*attune.Parameter{
		"timeout": timeoutParameter(600),
	}},
}

func timeoutParameter(seconds int64) *attune.Parameter {
	return &attune.Parameter{Type: "integer", Default: seconds, HasDefault: true, Description: "The limit of one attempt, in seconds."}
}

// Runners are the names of the runner types that actions may use, sorted.
func Runners() []string { return slices.Sorted(maps.Keys(runners)) }
