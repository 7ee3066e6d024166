package node

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/attune-automation/attune"
	actorrules "github.com/attune-automation/attune/actors/rules"
	"github.com/attune-automation/attune/expression"
	"github.com/attune-automation/attune/packs"
	"github.com/attune-automation/attune/persistence"
	"github.com/attune-automation/attune/rules"
	"github.com/attune-automation/attune/secret"
)

// revision is one set of rules with the actions they call, as it is stored: an
// event is judged again by the rules it was admitted under, also when the packs
// have changed and the node was restarted. It names rows, which are stored by
// content: a revision that differs in one rule costs that rule and the names.
// Rows that hold secrets are sealed, and their names say with which key.
type revision struct {
	RuleRows   []string `json:"rule_rows"`
	ActionRows []string `json:"action_rows"`
	// Rules and Actions are the rows themselves, in revisions that were stored
	// before rows had names.
	Rules   []json.RawMessage `json:"rules,omitempty"`
	Actions []json.RawMessage `json:"actions,omitempty"`
}

type ruleRow struct {
	*attune.Rule
	// Parameters and Patterns are kept as text, so that whole numbers stay
	// whole.
	Parameters json.RawMessage   `json:"rule_parameters"`
	Patterns   []json.RawMessage `json:"patterns"`
	// Faults are why it did not load.
	Faults []attune.Fault `json:"faults,omitempty"`
}

type actionRow struct {
	*attune.Action
	Timeout  time.Duration              `json:"timeout_ns"`
	Defaults map[string]json.RawMessage `json:"defaults"`
}

// revisionKey is the key of a revision in the store: of one with sealed rows
// that of their key, so that with another key it is stored anew, and is found
// under either.
func revisionKey(n int64, keyID string) string {
	return keyed("rules-"+strconv.FormatInt(n, 16), keyID)
}

func keyed(name, keyID string) string {
	if keyID != "" {
		name += "-" + keyID
	}
	return name
}

// keepRevision stores the rules of a snapshot under its revision, and returns the
// names of all that the revision needs: where it is stored already, its rows may
// have other names, for a revision does not change with the place of a rule in
// its file.
func (n *Node) keepRevision(ctx context.Context, s *packs.Snapshot) ([]string, error) {
	var r revision
	var defs []persistence.Definition
	keyID := ""
	row := func(names *[]string, kind, ref string, body []byte, secrets bool) error {
		sum := sha256.Sum256(body)
		name := "row-" + hex.EncodeToString(sum[:16])
		if secrets {
			var err error
			if keyID, body, err = n.sealRow(name, body); err != nil {
				return err
			}
			name = keyed(name, keyID)
		}
		*names = append(*names, name)
		defs = append(defs, persistence.Definition{Hash: name, Kind: kind, Ref: ref, Body: body})
		return nil
	}
	seen := map[string]bool{}
	for _, rule := range s.Rules().All() {
		body, err := encodeRule(rule.Definition, rule.Faults)
		if err == nil {
			err = row(&r.RuleRows, "rule-row", rule.Ref(), body, ruleHoldsSecrets(rule.Definition, rule.Action))
		}
		if a := rule.Action; err == nil && a != nil && !seen[a.Ref] {
			seen[a.Ref] = true
			if body, err = encodeAction(a); err == nil {
				err = row(&r.ActionRows, "action-row", a.Ref, body, actionHoldsSecrets(a))
			}
		}
		if err != nil {
			return nil, fmt.Errorf("encode rules revision %d: %w", s.Revision(), err)
		}
	}
	body, err := json.Marshal(r)
	if err != nil {
		return nil, fmt.Errorf("encode rules revision %d: %w", s.Revision(), err)
	}
	key := revisionKey(s.Revision(), keyID)
	if err := n.parts.Store.PutDefinitions(ctx, append(defs, persistence.Definition{Hash: key, Kind: "rules", Ref: key, Body: body})); err != nil {
		return nil, fmt.Errorf("store rules revision %d: %w", s.Revision(), err)
	}
	stored, err := n.revision(ctx, s.Revision())
	if err != nil {
		return nil, fmt.Errorf("read rules revision %d: %w", s.Revision(), err)
	}
	return slices.Concat([]string{key}, r.RuleRows, r.ActionRows, stored.RuleRows, stored.ActionRows), nil
}

func encodeRule(r *attune.Rule, faults []attune.Fault) ([]byte, error) {
	row := ruleRow{Rule: r, Parameters: rules.AppendJSON(nil, any(r.Parameters)), Faults: faults}
	for _, c := range r.Criteria {
		row.Patterns = append(row.Patterns, rules.AppendJSON(nil, c.Pattern))
	}
	return json.Marshal(row)
}

func decodeRule(body []byte) (*attune.Rule, []attune.Fault, error) {
	row := ruleRow{Rule: &attune.Rule{}}
	if err := json.Unmarshal(body, &row); err != nil {
		return nil, nil, err
	}
	v, err := expression.DecodeJSON(row.Parameters)
	if err != nil {
		return nil, nil, err
	}
	row.Rule.Parameters, _ = v.(map[string]any)
	for i, text := range row.Patterns[:min(len(row.Patterns), len(row.Criteria))] {
		if row.Criteria[i].Pattern, err = expression.DecodeJSON(text); err != nil {
			return nil, nil, err
		}
	}
	return row.Rule, row.Faults, nil
}

func encodeAction(a *attune.Action) ([]byte, error) {
	row := actionRow{Action: a, Timeout: a.Timeout, Defaults: map[string]json.RawMessage{}}
	for name, p := range a.Parameters {
		if p.HasDefault {
			row.Defaults[name] = rules.AppendJSON(nil, p.Default)
		}
	}
	return json.Marshal(row)
}

func decodeAction(body []byte) (*attune.Action, error) {
	row := actionRow{Action: &attune.Action{}}
	if err := json.Unmarshal(body, &row); err != nil {
		return nil, err
	}
	row.Action.Timeout = row.Timeout
	for name, text := range row.Defaults {
		v, err := expression.DecodeJSON(text)
		if err != nil {
			return nil, err
		}
		if p := row.Parameters[name]; p != nil {
			p.Default, p.HasDefault = v, true
		}
	}
	return row.Action, nil
}

// past are the revisions that were read last.
type past struct {
	mu   sync.Mutex
	sets []*rules.Set // the newest last; guarded by mu
}

// maxPast bounds the revisions held compiled besides the present one. Who
// explains old events one after the other reads each once.
const maxPast = 8

func (p *past) find(number int64) *rules.Set {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, s := range p.sets {
		if s.Revision() == number {
			return s
		}
	}
	return nil
}

func (p *past) add(s *rules.Set) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.sets = append(p.sets, s); len(p.sets) > maxPast {
		p.sets = slices.Delete(p.sets, 0, 1)
	}
}

// RulesAt implements api.Engine.
func (n *Node) RulesAt(ctx context.Context, number int64) (*rules.Set, error) {
	if s := n.catalog.Load().Rules(); s.Revision() == number {
		return s, nil
	}
	if s := n.past.find(number); s != nil {
		return s, nil
	}
	s, err := n.readRevision(ctx, number)
	if err != nil {
		return nil, fmt.Errorf("rules revision %d: %w", number, err)
	}
	n.past.add(s)
	return s, nil
}

// judgeAt is the judge of a stored revision. It reads the store: call it on a
// lent turn.
func (n *Node) judgeAt(number int64) (actorrules.Judge, error) {
	s, err := n.RulesAt(context.Background(), number)
	if err != nil {
		return nil, err
	}
	return n.judge(s), nil
}

func (n *Node) readRevision(ctx context.Context, number int64) (*rules.Set, error) {
	r, err := n.revision(ctx, number)
	if err != nil {
		return nil, err
	}
	actions := map[string]*attune.Action{}
	err = n.eachRow(ctx, r.Actions, r.ActionRows, func(body []byte) error {
		a, err := decodeAction(body)
		if err != nil {
			return err
		}
		if present, err := n.catalog.Load().Action(a.Ref); err == nil {
			a.Config, a.Hidden = present.Config, present.Hidden // they are secrets, and not stored
		}
		actions[a.Ref] = a
		return nil
	})
	if err != nil {
		return nil, err
	}
	var all []*rules.Rule
	err = n.eachRow(ctx, r.Rules, r.RuleRows, func(body []byte) error {
		def, faults, err := decodeRule(body)
		if err != nil {
			return err
		}
		var one *rules.Rule
		if len(faults) == 0 {
			one, faults = rules.Compile(def, actions[def.Action])
		}
		if len(faults) > 0 { // then, or for this program, which is another
			one = rules.Broken(def, faults)
		}
		all = append(all, one)
		return nil
	})
	if err != nil {
		return nil, err
	}
	return rules.NewSet(number, all), nil
}

// revision reads a revision whose rows are sealed with one of our keys, or not
// at all.
func (n *Node) revision(ctx context.Context, number int64) (*revision, error) {
	for _, keyID := range append(slices.Clone(n.parts.Secrets.KeyIDs()), "") {
		def, err := n.parts.Store.Definition(ctx, revisionKey(number, keyID))
		if err == nil {
			r := &revision{}
			return r, json.Unmarshal(def.Body, r)
		}
		if attune.KindOf(err) != attune.NotFound {
			return nil, err
		}
	}
	return nil, &attune.Error{Kind: attune.NotFound, Code: secret.CodeUnreadable, Message: "it is not stored, or sealed with a key that is not here",
		Try: "put the file attune.key of its time back into the data folder, as attune.key.old, and start again"}
}

// eachRow calls f with the rows that stand in the revision, then with those that
// it names.
func (n *Node) eachRow(ctx context.Context, rows []json.RawMessage, names []string, f func(body []byte) error) error {
	for _, body := range rows {
		if err := f(body); err != nil {
			return err
		}
	}
	for _, name := range names {
		def, err := n.parts.Store.Definition(ctx, name)
		if err != nil {
			return err
		}
		parts := strings.SplitN(name, "-", 3) // the third is the id of a key
		body, err := n.openRow(strings.Join(parts[:2], "-"), def.Body)
		if err == nil {
			err = f(body)
		}
		if err != nil {
			return fmt.Errorf("%s %s: %w", def.Kind, def.Ref, err)
		}
	}
	return nil
}
