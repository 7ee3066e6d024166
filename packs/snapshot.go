package packs

import (
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/attune-automation/attune"
	"github.com/attune-automation/attune/rules"
	"github.com/attune-automation/attune/secret"
)

// webhookTrigger is StackStorm's trigger with the parameter url. Each url that
// a rule asks for is an instance of its own.
const webhookTrigger = "core.st2.webhook"

// Snapshot is all loaded packs, joined and cross-checked. It never changes, is
// safe for concurrent use, and what it hands out must not be changed.
type Snapshot struct {
	revision int64
	packs    []*attune.Pack
	actions  map[string]*attune.Action
	schemas  map[string]*later[*rules.Schema]
	triggers map[string]*attune.Trigger
	payloads map[string]*later[*rules.Shape]
	webhooks map[string][]*rules.Webhook
	rules    *rules.Set
}

// Overlay is what operators said about rules beside the packs.
type Overlay struct {
	// Rules lie in no pack's folder; no two have one ref.
	Rules []*attune.Rule
	// Switches say by ref whether a rule is enabled, whatever its file says. One
	// of a rule that is not there waits for it.
	Switches map[string]Switch
}

// Switch is whether a rule is enabled, and who said so.
type Switch struct {
	Enabled bool
	Stamp   *attune.Stamp
}

// NewSnapshot joins packs without an overlay.
func NewSnapshot(loaded []*attune.Pack) *Snapshot { return Compose(loaded, Overlay{}) }

// Compose joins packs and an overlay, and checks what they say about each other:
// a pack that is there twice (the first one counts), an applied rule with the
// ref of a pack's (the pack's counts), and rules that name an unknown trigger or
// action or cannot be compiled. Such rules are broken in [Snapshot.Rules], and
// those of a pack faults of it in [Snapshot.Packs]; what is given is not changed.
func Compose(loaded []*attune.Pack, over Overlay) *Snapshot {
	s := &Snapshot{
		actions: map[string]*attune.Action{}, schemas: map[string]*later[*rules.Schema]{},
		triggers: map[string]*attune.Trigger{}, payloads: map[string]*later[*rules.Shape]{}, webhooks: map[string][]*rules.Webhook{},
	}
	first := map[string]*attune.Pack{}
	for _, p := range loaded {
		own := *p
		own.Faults, own.Files = slices.Clone(p.Faults), slices.Clone(p.Files)
		if before := first[p.Ref]; before != nil {
			where := p.Dir
			if where == "" {
				where = p.Ref
			}
			own.Actions, own.Triggers, own.Rules, own.Config = nil, nil, nil, nil
			own.Faults = append(own.Faults, attune.Fault{
				Where: where, Message: fmt.Sprintf("the pack %s is already loaded from %s", p.Ref, from(before)), Try: "rename one of the folders",
			})
		} else {
			first[p.Ref] = &own
		}
		s.packs = append(s.packs, &own)
	}
	slices.SortStableFunc(s.packs, func(a, b *attune.Pack) int { return strings.Compare(a.Ref, b.Ref) })
	for _, p := range s.packs {
		s.define(p)
	}
	var compiled []*rules.Rule
	for _, p := range s.packs {
		compiled = append(compiled, s.compile(p, over)...)
	}
	compiled = append(compiled, s.apply(compiled, over)...)
	for _, hooks := range s.webhooks {
		slices.SortFunc(hooks, func(a, b *rules.Webhook) int { return strings.Compare(a.Trigger.Ref, b.Trigger.Ref) })
	}
	s.revision = s.contentRevision(compiled)
	s.rules = rules.NewSet(s.revision, compiled)
	return s
}

func from(p *attune.Pack) string {
	if p.Dir == "" {
		return "the program itself"
	}
	return p.Dir
}

// define takes over the actions and triggers of a pack.
func (s *Snapshot) define(p *attune.Pack) {
	for _, a := range p.Actions {
		s.actions[a.Ref] = a
		s.schemas[a.Ref] = &later[*rules.Schema]{}
	}
	for _, t := range p.Triggers {
		s.triggers[t.Ref] = t
		s.payloads[t.Ref] = &later[*rules.Shape]{}
		s.listen(t)
	}
}

// listen makes a trigger's webhook known.
func (s *Snapshot) listen(t *attune.Trigger) {
	if t.Webhook == nil {
		return
	}
	if w, faults := rules.CompileWebhook(t); len(faults) == 0 { // else it did not load
		s.webhooks[t.Webhook.URL] = append(s.webhooks[t.Webhook.URL], w)
	}
}

// compile compiles the rules of a pack and leaves those with faults out of it.
func (s *Snapshot) compile(p *attune.Pack, over Overlay) []*rules.Rule {
	var compiled []*rules.Rule
	var sound []*attune.Rule
	for _, r := range p.Rules {
		one := s.take(over.switched(r))
		compiled = append(compiled, one)
		if len(one.Faults) == 0 {
			sound = append(sound, one.Definition)
		}
		p.Faults = append(p.Faults, one.Faults...)
		for i := range p.Files {
			if f := &p.Files[i]; len(one.Faults) > 0 && f.File == r.At.File {
				f.State, f.Reason = attune.FileFaulty, ""
			}
		}
	}
	p.Rules = sound
	return compiled
}

// take compiles one rule that is to be in the snapshot.
func (s *Snapshot) take(r *attune.Rule) *rules.Rule {
	one, faults := s.Compile(r)
	if len(faults) > 0 {
		return rules.Broken(r, faults)
	}
	s.instantiate(r)
	return one
}

// apply compiles the rules that lie in no pack's folder. One with the ref of a
// pack's rule is left out, a fault of that pack.
func (s *Snapshot) apply(ofPacks []*rules.Rule, over Overlay) (applied []*rules.Rule) {
	for _, r := range over.Rules {
		i := slices.IndexFunc(ofPacks, func(o *rules.Rule) bool { return o.Ref() == r.Ref })
		if i < 0 {
			applied = append(applied, s.take(over.switched(r)))
			continue
		}
		for _, p := range s.packs {
			if p.Ref == ofPacks[i].Definition.Pack {
				p.Faults = append(p.Faults, attune.Fault{Where: r.At.String(), Message: "the applied rule " + r.Ref + " is left out: " +
					ofPacks[i].Definition.At.File + " has a rule of that name", Try: "attune rule delete " + r.Ref})
				break
			}
		}
	}
	return applied
}

// switched is the rule as an operator wants it.
func (o Overlay) switched(r *attune.Rule) *attune.Rule {
	by, said := o.Switches[r.Ref]
	if !said {
		return r
	}
	own := *r
	own.Enabled, own.Switched = by.Enabled, by.Stamp
	return &own
}

// Compile compiles a rule that need not be in any pack, for the actions and
// triggers of the snapshot. With faults, all of them at once, the rule is nil.
func (s *Snapshot) Compile(r *attune.Rule) (*rules.Rule, []attune.Fault) {
	compiled, wrong := rules.Compile(r, s.actions[r.Action])
	if faults := append(s.misses(r), wrong...); len(faults) > 0 {
		return nil, faults
	}
	return compiled, nil
}

// misses are the faults of a rule that names what is not there.
func (s *Snapshot) misses(r *attune.Rule) []attune.Fault {
	var faults []attune.Fault
	fault := func(message, try string) {
		faults = append(faults, attune.Fault{Where: r.At.String(), Message: "the rule " + r.Ref + " " + message, Try: try})
	}
	switch {
	case s.triggers[r.Trigger] == nil:
		fault("waits for the unknown trigger "+r.Trigger, meant(r.Trigger, s.triggers))
	case len(s.triggers[r.Trigger].ParametersSchema) > 0 && r.Trigger != webhookTrigger:
		for _, f := range rules.CheckTriggerParameters(s.triggers[r.Trigger], r.TriggerParameters) {
			fault("asks of its trigger "+r.Trigger+" what that does not take: "+strings.TrimPrefix(f.Where+" "+f.Message, "."), f.Try)
		}
	case r.Trigger == webhookTrigger && (len(r.TriggerParameters) != 1 || r.TriggerParameters["url"] == ""):
		fault("must say for which url it waits", "give trigger.parameters.url, and no other parameter")
	}
	if s.actions[r.Action] == nil {
		fault("starts the unknown action "+r.Action, meant(r.Action, s.actions))
	}
	return faults
}

// meant suggests the nearest ref.
func meant[T any](ref string, known map[string]T) string {
	if near := rules.Nearest(ref, slices.Sorted(maps.Keys(known))); near != "" {
		return "did you mean " + near + "?"
	}
	return ""
}

// instantiate makes the webhook that a rule asks for.
func (s *Snapshot) instantiate(r *attune.Rule) {
	if r.Trigger != webhookTrigger {
		return
	}
	key := attune.TriggerKey(r.Trigger, r.TriggerParameters)
	if s.triggers[key] != nil {
		return
	}
	instance := *s.triggers[webhookTrigger]
	instance.Ref, instance.Webhook = key, &attune.Webhook{URL: r.TriggerParameters["url"]}
	s.triggers[key] = &instance
	s.payloads[key] = &later[*rules.Shape]{}
	s.listen(&instance)
}

// contentRevision is a number that is the same on every node with the same
// definitions. It fits into a JSON number.
func (s *Snapshot) contentRevision(compiled []*rules.Rule) int64 {
	sum := sha256.New()
	line := func(kind, ref, hash string) { fmt.Fprintf(sum, "%s %s %s\n", kind, ref, hash) }
	for _, ref := range slices.Sorted(maps.Keys(s.actions)) {
		line("action", ref, s.actions[ref].Hash)
	}
	for _, ref := range slices.Sorted(maps.Keys(s.triggers)) {
		line("trigger", ref, s.triggers[ref].Hash)
	}
	for _, r := range compiled { // sorted by pack and file
		line("rule", r.Ref(), r.Definition.Hash)
		if by := r.Definition.Switched; by != nil {
			line("switch", r.Ref(), fmt.Sprint(r.Definition.Enabled, by.At.UnixMilli(), by.By))
		}
	}
	return int64(binary.BigEndian.Uint64(sum.Sum(nil)) >> 11)
}

// Revision names the content: equal on every node that has the same
// definitions. It is an identity and has no order.
func (s *Snapshot) Revision() int64 { return s.revision }

// Packs are all packs, sorted by ref, with what loaded and every fault.
func (s *Snapshot) Packs() []*attune.Pack { return s.packs }

// Rules are the compiled rules, and the broken ones.
func (s *Snapshot) Rules() *rules.Set { return s.rules }

// Actions are all actions, sorted by ref, refused ones included.
func (s *Snapshot) Actions() []*attune.Action {
	all := make([]*attune.Action, 0, len(s.actions))
	for _, ref := range slices.Sorted(maps.Keys(s.actions)) {
		all = append(all, s.actions[ref])
	}
	return all
}

// Triggers are all triggers, sorted by ref, with the webhooks that rules ask
// for.
func (s *Snapshot) Triggers() []*attune.Trigger {
	all := make([]*attune.Trigger, 0, len(s.triggers))
	for _, ref := range slices.Sorted(maps.Keys(s.triggers)) {
		all = append(all, s.triggers[ref])
	}
	return all
}

// Holds tells that an action of the same content is one of them.
func (s *Snapshot) Holds(a *attune.Action) bool {
	same := s.actions[a.Ref]
	return same != nil && same.Hash == a.Hash
}

// Pack is the pack with that ref, or nil; of two the one that counts.
func (s *Snapshot) Pack(ref string) *attune.Pack {
	i, ok := slices.BinarySearchFunc(s.packs, ref, func(p *attune.Pack, ref string) int { return strings.Compare(p.Ref, ref) })
	if !ok {
		return nil
	}
	return s.packs[i]
}

// Action finds an action by its ref; a NotFound error suggests another.
func (s *Snapshot) Action(ref string) (*attune.Action, error) {
	if a := s.actions[ref]; a != nil {
		return a, nil
	}
	err := attune.NewError(attune.NotFound, "unknown_action", fmt.Sprintf("there is no action %q", ref))
	err.Try = meant(ref, s.actions)
	return nil, err
}

// Trigger finds a trigger by its ref or key; a NotFound error suggests another.
func (s *Snapshot) Trigger(key string) (*attune.Trigger, error) {
	if t := s.triggers[key]; t != nil {
		return t, nil
	}
	err := attune.NewError(attune.NotFound, "unknown_trigger", fmt.Sprintf("there is no trigger %q", key))
	err.Try = meant(key, s.triggers)
	return nil, err
}

// Webhooks are the webhooks that fire on a request to url, the part of the
// route after /webhooks/, sorted by the ref of their trigger; none is a route
// that does not exist.
func (s *Snapshot) Webhooks(url string) []*rules.Webhook { return s.webhooks[strings.Trim(url, "/")] }

// schema is that of an action of the snapshot, compiled when first asked for.
func (s *Snapshot) schema(a *attune.Action) *rules.Schema {
	return s.schemas[a.Ref].get(func() *rules.Schema {
		compiled, _ := rules.NewSchema(a) // its faults kept it from loading
		return compiled
	})
}

// Hidden says what of the parameters that [Snapshot.Request] returned for a
// request is secret: they must be sealed before they are stored. Nil is nothing.
func (s *Snapshot) Hidden(ref string, given, params map[string]any) *secret.Hidden {
	if a := s.actions[ref]; a != nil {
		return s.schema(a).Hidden(given, params)
	}
	return nil
}

// Startable is an action that may be started. Errors are *attune.Error: NotFound,
// or Invalid for one that is refused or disabled.
func (s *Snapshot) Startable(ref string) (*attune.Action, error) {
	a, err := s.Action(ref)
	switch {
	case err != nil:
		return nil, err
	case a.Refusal != "":
		return nil, attune.NewError(attune.Invalid, rules.CodeAction, ref+" is refused: "+a.Refusal)
	case !a.Enabled:
		return nil, attune.NewError(attune.Invalid, rules.CodeAction, ref+" is refused: it is disabled")
	}
	return a, nil
}

// Request checks a request to run an action with literal values, and returns
// the parameters to run it with. Errors are *attune.Error: NotFound, or Invalid
// for an action that is refused or disabled, and for wrong parameters with
// every fault.
func (s *Snapshot) Request(ref string, given map[string]any) (*attune.Action, map[string]any, error) {
	a, err := s.Startable(ref)
	if err != nil {
		return nil, nil, err
	}
	params, faults := s.schema(a).Check(given)
	if len(faults) > 0 {
		err := attune.NewError(attune.Invalid, rules.CodeParameters, "the parameters of "+ref+" are wrong")
		err.Faults = faults
		return nil, nil, err
	}
	return a, params, nil
}
