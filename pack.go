package attune

import "encoding/json"

// Pack is a folder of definitions in StackStorm's format.
type Pack struct {
	// Ref is the folder's name; everything in the pack begins with it.
	Ref string `json:"ref"`
	// Name, Description, Version, Author are said by pack.yaml.
	Name        string `json:"name"`
	Description string `json:"description"`
	Version     string `json:"version"`
	Author      string `json:"author"`
	// Dir is where it was loaded from; empty for a built-in pack.
	Dir string `json:"dir,omitempty"`
	// Content names what the folder held when it was read, so that a worker can
	// fetch just that; empty for a built-in pack and one that cannot be sent.
	Content string `json:"content,omitempty"`
	// Actions, Triggers, Rules are what loaded without fault.
	Actions  []*Action  `json:"-"`
	Triggers []*Trigger `json:"-"`
	Rules    []*Rule    `json:"-"`
	// ConfigSchema is config.schema.yaml, the properties of its configuration.
	ConfigSchema json.RawMessage `json:"-"`
	// Config is its configuration, defaults applied. It may hold secrets, which
	// ConfigSchema names. It is nil where there is none, or one with faults.
	Config map[string]any `json:"-"`
	// Files are the metadata files that it has, with what became of each.
	Files []PackFile `json:"-"`
	// Faults are what did not load, and why. The rest of the pack works.
	Faults []Fault `json:"faults,omitempty"`
}

// PackFile is one metadata file of a pack.
type PackFile struct {
	// File is its path as faults name it.
	File string `json:"file"`
	// Kind is what it defines: pack, action, trigger, rule, sensor, alias,
	// policy, config schema, config.
	Kind string `json:"kind"`
	// Ref is the ref of what it defines, as far as it is known.
	Ref string `json:"ref,omitempty"`
	// State is what became of it, Reason why, where that is not plain.
	State  FileState `json:"state"`
	Reason string    `json:"reason,omitempty"`
}

// FileState is what became of a metadata file.
type FileState string

// The states of a file.
const (
	// FileLoaded works.
	FileLoaded FileState = "loaded"
	// FileFaulty has faults, and what it defines is not there.
	FileFaulty FileState = "faulty"
	// FileKept has faults, and what it defined before goes on.
	FileKept FileState = "kept"
	// FileNoRunner is an action that is listed and refused.
	FileNoRunner FileState = "no runner"
	// FileIncomplete lacks what only the operator can give.
	FileIncomplete FileState = "incomplete"
	// FileUnused is of a kind that this version does not use.
	FileUnused FileState = "not used"
)

// PackStatus is how much of a pack works.
type PackStatus string

// The statuses of a pack.
const (
	// PackLoaded works as a whole.
	PackLoaded PackStatus = "loaded"
	// PackDegraded has a part that does not work; the rest does.
	PackDegraded PackStatus = "degraded"
	// PackBroken has faults, and nothing in it works.
	PackBroken PackStatus = "broken"
)

// Status is how much of the pack works. What this version does not use does not
// count.
func (p *Pack) Status() PackStatus {
	if len(p.Faults) > 0 {
		if len(p.Actions)+len(p.Triggers)+len(p.Rules) == 0 {
			return PackBroken
		}
		return PackDegraded
	}
	for _, f := range p.Files {
		if f.State != FileLoaded && f.State != FileUnused {
			return PackDegraded
		}
	}
	return PackLoaded
}
