package node

import (
	"context"
	"encoding/json"
	"strings"

	"github.com/attune-automation/attune"
	"github.com/attune-automation/attune/packs"
	"github.com/attune-automation/attune/rules"
	"github.com/attune-automation/attune/secret"
)

// box seals with the key, and opens with those before it too.
func (k Keys) box() (*secret.Box, error) {
	var older [][]byte
	for _, old := range k.Old {
		older = append(older, old.Derive("secrets"))
	}
	return secret.NewBox(nil, k.Key.Derive("secrets"), older...)
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
	if attune.KindOf(err) == attune.NotFound {
		return "", err
	}
	if err != nil { // whatever it is said for must not wait for the store
		return secret.Stars, nil
	}
	_, mask, err := n.parts.Secrets.Open(x.Action, x.Parameters)
	if err != nil { // what it may repeat is not known
		return secret.Stars, nil
	}
	return mask.Text(text), nil
}

// sealedBody is a row that holds secrets, of a revision or an applied rule, as it
// is stored.
type sealedBody struct {
	Sealed string `json:"sealed"`
}

// ruleHoldsSecrets tells that a rule gives something to a secret parameter. What
// a rule without its action gives is taken for secret, and so is what it gives to
// parameters of a runner that we do not know.
func ruleHoldsSecrets(r *attune.Rule, a *attune.Action) bool {
	for name := range r.Parameters {
		switch {
		case a == nil, a.Parameters[name] == nil && a.Refusal != "", a.Parameters[name] != nil && a.Parameters[name].Secret:
			return true
		}
	}
	return false
}

// actionHoldsSecrets tells that the definition of an action says secrets.
func actionHoldsSecrets(a *attune.Action) bool {
	for _, p := range a.Parameters {
		if p.Secret && (p.Default != nil || len(p.Enum)+len(p.Schema) > 0) {
			return true
		}
	}
	return false
}

// sealRow is a row as it is stored, and the id of the key. It is bound to its
// name.
func (n *Node) sealRow(name string, body []byte) (keyID string, sealed []byte, err error) {
	text, err := n.parts.Secrets.SealText(name, body)
	if err != nil {
		return "", nil, err
	}
	sealed, err = json.Marshal(sealedBody{text})
	return n.parts.Secrets.KeyIDs()[0], sealed, err
}

// openRow is the way back, of a row that may not be sealed.
func (n *Node) openRow(name string, body []byte) ([]byte, error) {
	var seal sealedBody
	if err := json.Unmarshal(body, &seal); err != nil || seal.Sealed == "" {
		return body, err
	}
	return n.parts.Secrets.OpenText(name, seal.Sealed)
}

// sealedBefore tells that a row is sealed with a key that is not the present one
// any more.
func (n *Node) sealedBefore(body []byte) bool {
	var seal sealedBody
	if json.Unmarshal(body, &seal) != nil || seal.Sealed == "" {
		return false
	}
	parts := strings.SplitN(seal.Sealed, ".", 3) // format, key, text
	return len(parts) == 3 && parts[1] != n.parts.Secrets.KeyIDs()[0]
}
