package settings

import (
	"slices"
	"strings"

	"github.com/attune-automation/attune"
	"github.com/attune-automation/attune/rules"
)

// ofActions are variables that an action is given; a process that one starts
// has them too.
var ofActions = []string{"EXECUTION_ID", "ATTEMPT", "ACTION", "PACK", "RULE", "TRIGGER", "OUTPUT", "API_URL", "API_TOKEN"}

// Misspelt finds variables of an environment, NAME=TEXT, that nobody reads and
// that look like one of a setting. Others that begin with ATTUNE_ are somebody
// else's.
func Misspelt(environ []string, known ...string) []attune.Fault {
	var names []string
	for _, s := range All() {
		names = append(names, strings.TrimPrefix(s.Env(), "ATTUNE_"))
	}
	var faults []attune.Fault
	for _, one := range environ {
		variable, _, _ := strings.Cut(one, "=")
		name, ours := strings.CutPrefix(variable, "ATTUNE_")
		if !ours || slices.Contains(names, name) || slices.Contains(ofActions, name) || slices.Contains(known, variable) {
			continue
		}
		if near := rules.Nearest(name, names); near != "" {
			faults = append(faults, attune.Fault{Where: variable, Message: "no setting has this variable", Try: "do you mean ATTUNE_" + near + "?"})
		}
	}
	return faults
}
