package node

import (
	"context"
	"encoding/json"
	"fmt"
	"strconv"
	"time"

	"github.com/attune-automation/attune"
	actorrules "github.com/attune-automation/attune/actors/rules"
	"github.com/attune-automation/attune/expression"
	"github.com/attune-automation/attune/packs"
	"github.com/attune-automation/attune/persistence"
	"github.com/attune-automation/attune/rules"
)

// revision is one set of rules with the actions they call, as it is stored: an
// event that was admitted and not judged to the end is judged by the rules it
// was admitted under, also when the packs have changed and the node was
// restarted.
type revision struct {
	Rules   []ruleRow   `json:"rules"`
	Actions []actionRow `json:"actions"`
}

type ruleRow struct {
	*attune.Rule
	// Parameters and Patterns are kept as text, so that whole numbers stay
	// whole.
	Parameters json.RawMessage   `json:"rule_parameters"`
	Patterns   []json.RawMessage `json:"patterns"`
}

type actionRow struct {
	*attune.Action
	Timeout  time.Duration              `json:"timeout_ns"`
	Defaults map[string]json.RawMessage `json:"defaults"`
}

func revisionKey(n int64) string { return "rules-" + strconv.FormatInt(n, 16) }

// keepRevision stores the rules of a snapshot under its revision.
func (n *Node) keepRevision(ctx context.Context, s *packs.Snapshot) error {
	var r revision
	seen := map[string]bool{}
	for _, rule := range s.Rules().All() {
		def := *rule.Definition
		row := ruleRow{Rule: &def, Parameters: rules.AppendJSON(nil, any(def.Parameters))}
		for _, c := range def.Criteria {
			row.Patterns = append(row.Patterns, rules.AppendJSON(nil, c.Pattern))
		}
		r.Rules = append(r.Rules, row)
		if a := rule.Action; a != nil && !seen[a.Ref] {
			seen[a.Ref] = true
			kept := actionRow{Action: a, Timeout: a.Timeout, Defaults: map[string]json.RawMessage{}}
			for name, p := range a.Parameters {
				if p.HasDefault {
					kept.Defaults[name] = rules.AppendJSON(nil, p.Default)
				}
			}
			r.Actions = append(r.Actions, kept)
		}
	}
	body, err := json.Marshal(r)
	if err != nil {
		return fmt.Errorf("encode rules revision %d: %w", s.Revision(), err)
	}
	key := revisionKey(s.Revision())
	if err := n.parts.Store.PutDefinitions(ctx, []persistence.Definition{{Hash: key, Kind: "rules", Ref: key, Body: body}}); err != nil {
		return fmt.Errorf("store rules revision %d: %w", s.Revision(), err)
	}
	return nil
}

// judgeAt is the judge of a stored revision. It reads the store: call it on a
// lent turn.
func (n *Node) judgeAt(number int64) (actorrules.Judge, error) {
	def, err := n.parts.Store.Definition(context.Background(), revisionKey(number))
	if err != nil {
		return nil, fmt.Errorf("read rules revision %d: %w", number, err)
	}
	var r revision
	if err := json.Unmarshal(def.Body, &r); err != nil {
		return nil, fmt.Errorf("decode rules revision %d: %w", number, err)
	}
	actions := map[string]*attune.Action{}
	for _, row := range r.Actions {
		if err := row.restore(); err != nil {
			return nil, fmt.Errorf("decode action %s of rules revision %d: %w", row.Ref, number, err)
		}
		if present, err := n.catalog.Load().Action(row.Ref); err == nil {
			row.Action.Config = present.Config // it may hold secrets, and is not stored
		}
		actions[row.Ref] = row.Action
	}
	var compiled []*rules.Rule
	for _, row := range r.Rules {
		if err := row.restore(); err != nil {
			return nil, fmt.Errorf("decode rule %s of rules revision %d: %w", row.Ref, number, err)
		}
		one, faults := rules.Compile(row.Rule, actions[row.Action])
		if len(faults) > 0 {
			return nil, fmt.Errorf("compile rule %s of rules revision %d: %s", row.Ref, number, faults[0])
		}
		compiled = append(compiled, one)
	}
	return judge(rules.NewSet(number, compiled)), nil
}

func (row actionRow) restore() error {
	row.Action.Timeout = row.Timeout
	for name, text := range row.Defaults {
		v, err := expression.DecodeJSON(text)
		if err != nil {
			return err
		}
		if p := row.Parameters[name]; p != nil {
			p.Default, p.HasDefault = v, true
		}
	}
	return nil
}

func (row ruleRow) restore() error {
	v, err := expression.DecodeJSON(row.Parameters)
	if err != nil {
		return err
	}
	row.Rule.Parameters, _ = v.(map[string]any)
	for i, text := range row.Patterns {
		if row.Criteria[i].Pattern, err = expression.DecodeJSON(text); err != nil {
			return err
		}
	}
	return nil
}
