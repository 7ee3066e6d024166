package packs

import "github.com/attune-automation/attune"

// keep is a pack that was read again, with what its faulty files defined
// before: whoever saves a mistake at night must not end a rule by it. A
// definition goes on only while its file is there; a file that was deleted was
// meant to be. The configuration goes on likewise.
func keep(before, after *attune.Pack) *attune.Pack {
	if before == nil {
		return after
	}
	faulty := map[string]*attune.PackFile{}
	for i := range after.Files {
		if f := &after.Files[i]; f.State == attune.FileFaulty {
			faulty[f.File] = f
		}
	}
	if len(faulty) == 0 {
		return after
	}
	k := keeping{before: before, after: after, faulty: faulty}
	k.metadata()
	read := len(after.Actions)
	after.Actions = kept(&k, before.Actions, after.Actions, func(a *attune.Action) (string, string) { return a.Ref, a.At.File })
	after.Triggers = kept(&k, before.Triggers, after.Triggers, func(t *attune.Trigger) (string, string) { return t.Ref, t.At.File })
	after.Rules = kept(&k, before.Rules, after.Rules, func(r *attune.Rule) (string, string) { return r.Ref, r.At.File })
	hidden := configSecrets(after)
	for i, a := range after.Actions {
		if i >= read { // somebody may be using it
			own := *a
			a, after.Actions[i] = &own, &own
		}
		a.Config, a.Hidden = after.Config, hidden
	}
	return after
}

// keptReason says what a kept file means.
const keptReason = "what it held before goes on, until it is mended or the node is started again"

type keeping struct {
	before, after *attune.Pack
	faulty        map[string]*attune.PackFile
}

// mark says of a file that what it held goes on.
func (k *keeping) mark(file, ref string) {
	f := k.faulty[file]
	f.State, f.Reason = attune.FileKept, keptReason
	if f.Ref == "" {
		f.Ref = ref
	}
}

// metadata keeps what pack.yaml said, and the configuration.
func (k *keeping) metadata() {
	b, a := k.before, k.after
	for file, f := range k.faulty {
		switch f.Kind {
		case "pack":
			if b.Name != "" {
				a.Name, a.Description, a.Version, a.Author = b.Name, b.Description, b.Version, b.Author
				k.mark(file, b.Ref)
			}
		case "config", "config schema":
			if b.Config != nil {
				a.Config, a.ConfigSchema = b.Config, b.ConfigSchema
				k.mark(file, b.Ref)
			}
		}
	}
}

// kept adds the definitions of faulty files that nothing has taken the place of.
func kept[T any](k *keeping, before, after []T, id func(T) (ref, file string)) []T {
	have := map[string]bool{}
	for _, d := range after {
		ref, _ := id(d)
		have[ref] = true
	}
	for _, d := range before {
		if ref, file := id(d); k.faulty[file] != nil && !have[ref] {
			after = append(after, d)
			k.mark(file, ref)
		}
	}
	return after
}
