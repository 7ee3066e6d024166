package runners

import (
	"bytes"
	"encoding/json"
	"maps"
	"os"
	"slices"
	"strconv"
	"strings"

	"github.com/attune-automation/attune/messages"
)

// Environment is PATH, HOME, LANG and the other names, as far as this process
// has them: what an action may know of it.
func Environment(also ...string) []string {
	var env []string
	for _, name := range append([]string{"PATH", "HOME", "LANG"}, also...) {
		if value, ok := os.LookupEnv(name); ok {
			env = append(env, name+"="+value)
		}
	}
	return env
}

// environment is that of one process. A name is in it once: of two, programs
// do not agree which counts.
type environment map[string]string

// environment is what every action is told.
func (p *Processes) environment(d *messages.Dispatch) environment {
	env := environment{}
	for _, entry := range p.config.Env {
		name, value, _ := strings.Cut(entry, "=")
		env[name] = value
	}
	env.set("ATTUNE_EXECUTION_ID", d.Token.Execution.String())
	env.set("ATTUNE_ATTEMPT", strconv.Itoa(d.Token.Attempt))
	env.set("ATTUNE_ACTION", d.Action)
	env.set("ATTUNE_PACK", d.Pack)
	env.set("ATTUNE_RULE", d.Rule)
	env.set("ATTUNE_TRIGGER", d.Trigger)
	env.set("ATTUNE_API_URL", p.config.APIURL)
	env.set("ATTUNE_API_TOKEN", string(d.APIToken))
	env.set("TRACEPARENT", d.Traceparent)
	return env
}

// ownParameters reads a runner's own parameters, which are lower case. An
// action's parameter ENV is another than env, which encoding/json does not know.
// Numbers keep their text.
func ownParameters(document []byte, into any) error {
	var all map[string]json.RawMessage
	if err := json.Unmarshal(document, &all); err != nil {
		return err
	}
	maps.DeleteFunc(all, func(name string, _ json.RawMessage) bool {
		return strings.ContainsFunc(name, func(r rune) bool { return (r < 'a' || r > 'z') && r != '_' })
	})
	own, err := encode(all)
	if err != nil {
		return err
	}
	decoder := json.NewDecoder(bytes.NewReader(own))
	decoder.UseNumber()
	return decoder.Decode(into)
}

// set tells a value; one that is empty and was not set is left out.
func (e environment) set(name, value string) {
	if _, ok := e[name]; ok || value != "" {
		e[name] = value
	}
}

func (e environment) entries() []string {
	all := make([]string, 0, len(e))
	for _, name := range slices.Sorted(maps.Keys(e)) {
		all = append(all, name+"="+e[name])
	}
	return all
}

// home is the folder to begin in where none is asked for.
func (e environment) home() string {
	if s, err := os.Stat(e["HOME"]); err == nil && s.IsDir() {
		return e["HOME"]
	}
	return "/"
}
