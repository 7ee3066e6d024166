package node

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/attune-automation/attune"
	"github.com/attune-automation/attune/packs"
	"github.com/attune-automation/attune/rules"
	"github.com/attune-automation/attune/secret"
)

// openBox makes the box of a data folder: its key seals, and opens with those
// that are kept beside it.
func openBox(dir string, key Key) (*secret.Box, error) {
	old, err := OldKeys(dir)
	if err != nil {
		return nil, err
	}
	var older [][]byte
	for _, k := range old {
		older = append(older, k.Derive("secrets"))
	}
	return secret.NewBox(nil, key.Derive("secrets"), older...)
}

// sealed are the checked parameters of a request as they may leave it.
func (n *Node) sealed(catalog *packs.Snapshot, action string, given, checked map[string]any) ([]byte, error) {
	return n.parts.Secrets.Seal(action, rules.AppendJSON(nil, checked), catalog.Hidden(action, given, checked))
}

// masked is what somebody says of an execution, without the secrets of it.
func (n *Node) masked(ctx context.Context, id attune.ExecutionID, text string) (string, error) {
	if text == "" {
		return text, nil
	}
	x, err := n.parts.Store.Execution(ctx, id)
	if err != nil {
		return "", err
	}
	_, mask, err := n.parts.Secrets.Open(x.Action, x.Parameters)
	if err != nil { // what it may repeat is not known
		return secret.Stars, nil
	}
	return mask.Text(text), nil
}

// sealedBody is a revision whose rules or actions hold secrets.
type sealedBody struct {
	Sealed string `json:"sealed"`
}

// holdsSecrets tells that a revision must not be stored readable.
func (r *revision) holdsSecrets() bool {
	actions := map[string]*attune.Action{}
	for _, row := range r.Actions {
		actions[row.Ref] = row.Action
		if len(row.Hidden) > 0 {
			return true
		}
		for _, p := range row.Parameters {
			if p.Secret && (p.Default != nil || len(p.Enum) > 0) {
				return true
			}
		}
	}
	for _, row := range r.Rules {
		a := actions[row.Action]
		for name := range row.Rule.Parameters {
			if a != nil && a.Parameters[name] != nil && a.Parameters[name].Secret {
				return true
			}
		}
	}
	return false
}

// sealRevision is a revision as it is stored, and the name of its key if it is
// sealed: with another key it is stored anew, and found under either.
func (n *Node) sealRevision(name string, r *revision) (body []byte, keyID string, err error) {
	body, err = json.Marshal(r)
	if err != nil || !r.holdsSecrets() {
		return body, "", err
	}
	text, err := n.parts.Secrets.SealText(name, body)
	if err != nil {
		return nil, "", err
	}
	body, err = json.Marshal(sealedBody{text})
	return body, n.parts.Secrets.KeyIDs()[0], err
}

// openRevision is the way back.
func (n *Node) openRevision(name string, body []byte) (*revision, error) {
	var seal sealedBody
	if err := json.Unmarshal(body, &seal); err != nil {
		return nil, fmt.Errorf("decode: %w", err)
	}
	if seal.Sealed != "" {
		var err error
		if body, err = n.parts.Secrets.OpenText(name, seal.Sealed); err != nil {
			return nil, err
		}
	}
	r := &revision{}
	if err := json.Unmarshal(body, r); err != nil {
		return nil, fmt.Errorf("decode: %w", err)
	}
	return r, nil
}
