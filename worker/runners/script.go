package runners

import (
	"bytes"
	"encoding/json"
	"maps"
	"slices"
	"strings"

	"github.com/attune-automation/attune/messages"
)

// scriptOwn are the parameters of local-shell-script itself, which are no
// arguments of the script.
var scriptOwn = map[string]bool{"cwd": true, "env": true, "sudo": true, "sudo_password": true, "kwarg_op": true, "timeout": true}

// argumentBytes is how long one argument may be: Linux refuses 128 kB with its
// NUL, and does not say which it was.
const argumentBytes = 128<<10 - 1

// scriptCommand makes the process of local-shell-script: the entry point, with
// the action's own parameters as its arguments. There is no shell between, so
// that nothing in a value can become a command.
func scriptCommand(p *Processes, d *messages.Dispatch) (*command, error) {
	var parameters struct {
		shellParameters
		KwargOp *string `json:"kwarg_op"`
	}
	if err := ownParameters(d.Parameters, &parameters); err != nil {
		return nil, refusal("the parameters are not those of local-shell-script: %w", err)
	}
	operator := "--"
	if parameters.KwargOp != nil {
		operator = *parameters.KwargOp
	}
	argv, err := program(d)
	if err != nil {
		return nil, err
	}
	given, err := scriptArguments(d, operator)
	if err != nil {
		return nil, err
	}
	return p.shell(d, parameters.shellParameters, append(argv, given...), d.Dir)
}

// scriptArguments are the arguments by StackStorm's rules: those with a name
// first, here in order of name, then those with a position.
func scriptArguments(d *messages.Dispatch, operator string) ([]string, error) {
	var values map[string]any
	decoder := json.NewDecoder(bytes.NewReader(d.Parameters))
	decoder.UseNumber() // a number is told as it was written
	if err := decoder.Decode(&values); err != nil {
		return nil, refusal("the parameters are no JSON object: %w", err)
	}
	var argv []string
	for _, name := range slices.Sorted(maps.Keys(values)) {
		if scriptOwn[name] || slices.Contains(d.Positional, name) {
			continue
		}
		switch v := values[name].(type) {
		case nil:
		case bool:
			if v {
				argv = append(argv, operator+name)
			}
		default:
			if text := plain(v); text != "" {
				argv = append(argv, operator+name+"="+text)
			}
		}
		if err := fitting(name, argv); err != nil {
			return nil, err
		}
	}
	for _, name := range d.Positional {
		if !scriptOwn[name] {
			argv = append(argv, positional(values[name]))
		}
		if err := fitting(name, argv); err != nil {
			return nil, err
		}
	}
	return argv, nil
}

// fitting refuses a last argument that reaches no program. The parameter is
// named and its value is not: it may be secret.
func fitting(name string, argv []string) error {
	if len(argv) == 0 {
		return nil
	}
	argument := argv[len(argv)-1]
	if strings.ContainsRune(argument, 0) {
		return refusal("the argument of the parameter %s has a NUL character", name)
	}
	if len(argument) > argumentBytes {
		return refusal("the argument of the parameter %s has %d bytes, at most %d reach a program: use the runner process", name, len(argument), argumentBytes)
	}
	return nil
}

// plain is a text as it is, and of anything else the JSON.
func plain(v any) string {
	if text, ok := v.(string); ok {
		return text
	}
	b, _ := encode(v) // it came out of JSON
	return string(b)
}

// positional is the text of a value that has a place and no name: it is there
// without a value too, so that those behind it keep their place.
func positional(v any) string {
	switch v := v.(type) {
	case nil:
		return ""
	case bool:
		if v {
			return "1"
		}
		return "0"
	case []any:
		items := make([]string, len(v))
		for i, item := range v {
			if items[i] = plain(item); item == nil {
				items[i] = ""
			}
		}
		return strings.Join(items, ",")
	}
	return plain(v)
}
