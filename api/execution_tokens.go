package api

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base32"
	"strconv"
	"strings"

	"github.com/attune-automation/attune"
)

// executionSecret begins the secret of every execution token.
const executionSecret = "attune_execution_"

// ExecutionTokens makes and knows the tokens of attempts: ID.ATTEMPT.MAC, by a
// key that only the node has. Nothing of them is stored, and the same attempt
// has the same token however often it is dispatched. Whether the attempt still
// lives is asked of the store by [Tokens]. It is safe for concurrent use.
type ExecutionTokens struct{ key []byte }

// NewExecutionTokens are those of a key of 32 bytes.
func NewExecutionTokens(key []byte) *ExecutionTokens { return &ExecutionTokens{key} }

// Mint is the secret for an attempt.
func (e *ExecutionTokens) Mint(t attune.Token) string {
	said := t.Execution.String() + "." + strconv.Itoa(t.Attempt)
	return executionSecret + said + "." + e.mac(said)
}

func (e *ExecutionTokens) mac(said string) string {
	h := hmac.New(sha256.New, e.key)
	h.Write([]byte(said))
	return strings.ToLower(base32.StdEncoding.WithPadding(base32.NoPadding).EncodeToString(h.Sum(nil)))
}

// read is the attempt that a secret is of, if this key made it.
func (e *ExecutionTokens) read(secret string) (attune.Token, bool) {
	rest, is := strings.CutPrefix(secret, executionSecret)
	parts := strings.Split(rest, ".")
	if e == nil || !is || len(parts) != 3 || !hmac.Equal([]byte(parts[2]), []byte(e.mac(parts[0]+"."+parts[1]))) {
		return attune.Token{}, false
	}
	id, err := attune.ParseExecutionID(parts[0])
	attempt, wrong := strconv.Atoi(parts[1])
	return attune.Token{Execution: id, Attempt: attempt}, err == nil && wrong == nil
}

// executionPrincipal is the name of an execution's token: no other can have a
// space in it.
func executionPrincipal(id attune.ExecutionID) string { return "execution " + id.String() }
