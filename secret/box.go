package secret

import (
	"bytes"
	"crypto/aes"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"strings"

	"github.com/attune-automation/attune"
)

// Member is the name under which a parameters object carries what was sealed.
// No parameter can have it, so no request can forge one.
const Member = "$sealed"

// CodeUnreadable is the code of what was sealed with a key that is not here, or
// was changed since.
const CodeUnreadable = "secret_unreadable"

// format is the first part of a seal. Readers refuse what they do not know.
const format = "1"

// Box seals and opens with the keys of one data folder. It never changes, and is
// safe for concurrent use. A nil box seals nothing, and opens what was not
// sealed.
type Box struct {
	first  *key // seals
	keys   map[string]*key
	ids    []string // of keys, the first's first
	random io.Reader
}

// NewBox is a box that seals with the first key and opens with all of them. Keys
// have 32 bytes. random is where nonces come from; nil is the system's.
func NewBox(random io.Reader, first []byte, older ...[]byte) (*Box, error) {
	if random == nil {
		random = rand.Reader
	}
	b := &Box{keys: map[string]*key{}, random: random}
	for _, k := range append([][]byte{first}, older...) {
		block, err := aes.NewCipher(k)
		if err != nil || len(k) != keyBytes {
			return nil, attune.NewError(attune.Invalid, "wrong_key", fmt.Sprintf("a key has %d bytes, not %d", keyBytes, len(k)))
		}
		name := keyID(k)
		if b.keys[name] == nil {
			b.keys[name] = newKey(name, block)
			b.ids = append(b.ids, name)
		}
		if b.first == nil {
			b.first = b.keys[name]
		}
	}
	return b, nil
}

// KeyIDs name the keys it opens with, the one it seals with first.
func (b *Box) KeyIDs() []string {
	if b == nil {
		return nil
	}
	return b.ids
}

// keyID names a key without telling anything of it.
func keyID(k []byte) string {
	sum := sha256.Sum256(append([]byte("attune key id "), k...))
	return hex.EncodeToString(sum[:4])
}

// Hidden says what of some parameters is secret.
type Hidden struct {
	// Names are the parameters that are sealed, sorted.
	Names []string
	// Searched are those of Names whose texts are searched for in what the
	// action says. The others repeat a secret, or were made of one.
	Searched []string
	// Also are texts beside the parameters that are searched for.
	Also []string
}

// Empty tells that nothing is.
func (h *Hidden) Empty() bool { return len(h.Names) == 0 && len(h.Also) == 0 }

// content is what stands in a seal.
type content struct {
	Parameters map[string]json.RawMessage `json:"parameters,omitempty"`
	Searched   []string                   `json:"searched,omitempty"`
	Also       []string                   `json:"also,omitempty"`
}

// Seal makes the parameters of an action, a JSON object, fit to be stored: what
// is hidden stands sealed in one member of the object, and [Stars] in its place.
// The seal is bound to the action, and names the parameters within: it opens for
// no other. Without anything hidden it is the object itself.
func (b *Box) Seal(action string, parameters []byte, hidden *Hidden) ([]byte, error) {
	if hidden == nil || hidden.Empty() {
		return parameters, nil
	}
	if b == nil {
		return nil, errNoKey
	}
	all := map[string]json.RawMessage{}
	if err := json.Unmarshal(parameters, &all); err != nil {
		return nil, fmt.Errorf("seal the parameters of %s: %w", action, err)
	}
	inner := content{Parameters: map[string]json.RawMessage{}, Searched: hidden.Searched, Also: hidden.Also}
	for _, name := range hidden.Names {
		if value, given := all[name]; given {
			inner.Parameters[name], all[name] = value, starsJSON
		}
	}
	text, err := encode(inner)
	if err != nil {
		return nil, fmt.Errorf("seal the parameters of %s: %w", action, err)
	}
	seal, err := b.seal(text, action)
	if err != nil {
		return nil, err
	}
	all[Member], _ = json.Marshal(seal) // a text always has a JSON form
	return encode(all)
}

var errNoKey = &attune.Error{Kind: attune.Unavailable, Code: "no_key", Message: "there is no key to seal secrets with"}

// Sealed tells that parameters carry a seal.
func Sealed(parameters []byte) bool {
	if !bytes.Contains(parameters, []byte(`"`+Member+`"`)) {
		return false // as good as always, and at once
	}
	var all map[string]json.RawMessage
	return json.Unmarshal(parameters, &all) == nil && all[Member] != nil
}

// Shown is what may be shown of parameters that carry a seal: all but the seal.
func Shown(parameters []byte) []byte {
	all := map[string]json.RawMessage{}
	if json.Unmarshal(parameters, &all) != nil {
		return nil
	}
	delete(all, Member)
	shown, _ := encode(all) // it came out of JSON
	return shown
}

// Open is the way back from [Box.Seal]: the parameters as they were, and the mask
// for what is secret in them, nil if nothing is. It is for the moment before the
// action starts. An error is of [CodeUnreadable].
func (b *Box) Open(action string, parameters []byte) ([]byte, *Mask, error) {
	if !Sealed(parameters) {
		return parameters, nil, nil
	}
	all := map[string]json.RawMessage{}
	if err := json.Unmarshal(parameters, &all); err != nil {
		return nil, nil, unreadable("the parameters are no object", "")
	}
	var seal string
	if err := json.Unmarshal(all[Member], &seal); err != nil {
		return nil, nil, unreadable("the seal is no text", "")
	}
	text, err := b.open(seal, action)
	if err != nil {
		return nil, nil, err
	}
	var inner content
	if err := json.Unmarshal(text, &inner); err != nil {
		return nil, nil, unreadable("what was sealed is no document", "")
	}
	delete(all, Member)
	texts := inner.Also
	for name, value := range inner.Parameters {
		all[name] = value
	}
	for _, name := range inner.Searched {
		if value, err := decode(inner.Parameters[name]); err == nil {
			texts = Texts(texts, value)
		}
	}
	whole, err := encode(all)
	if err != nil {
		return nil, nil, unreadable("what was sealed is no document", "")
	}
	return whole, NewMask(texts), nil
}

// SealText seals any text for a purpose: it opens for no other.
func (b *Box) SealText(purpose string, text []byte) (string, error) {
	if b == nil {
		return "", errNoKey
	}
	return b.seal(text, purpose)
}

// OpenText is the way back from [Box.SealText].
func (b *Box) OpenText(purpose, seal string) ([]byte, error) { return b.open(seal, purpose) }

// seal is FORMAT.KEY.TEXT, the last in base64.
func (b *Box) seal(text []byte, purpose string) (string, error) {
	var nonce [nonceBytes]byte
	if _, err := io.ReadFull(b.random, nonce[:]); err != nil {
		return "", fmt.Errorf("make a nonce: %w", err)
	}
	head := format + "." + b.first.name + "."
	sealed := b.first.seal(nonce[:], text, bound(head, purpose))
	return head + base64.RawURLEncoding.EncodeToString(append(nonce[:], sealed...)), nil
}

// bound is what a seal holds for besides its text.
func bound(head, purpose string) []byte { return []byte("attune secrets " + head + purpose) }

func (b *Box) open(seal, purpose string) ([]byte, error) {
	parts := strings.SplitN(seal, ".", 3)
	switch {
	case len(parts) != 3:
		return nil, unreadable("it is no seal", "")
	case parts[0] != format:
		return nil, unreadable(fmt.Sprintf("the seal has the format %.20q, which this version does not know", parts[0]), "a newer version of the program")
	}
	var k *key
	if b != nil {
		k = b.keys[parts[1]]
	}
	if k == nil {
		return nil, unreadable(fmt.Sprintf("it was sealed with the key %.20s, which is not here", parts[1]),
			"put the file attune.key of that time back into the data folder, as attune.key.old, and start again")
	}
	raw, err := base64.RawURLEncoding.DecodeString(parts[2])
	if err != nil || len(raw) < nonceBytes {
		return nil, unreadable("the seal is damaged", "")
	}
	text, err := k.open(raw[:nonceBytes], raw[nonceBytes:], bound(format+"."+parts[1]+".", purpose))
	if err != nil {
		return nil, unreadable("the seal was changed, or is of something else", "")
	}
	return text, nil
}

func unreadable(why, try string) error {
	return &attune.Error{Kind: attune.Invalid, Code: CodeUnreadable, Message: "a secret cannot be read: " + why, Try: try}
}

// encode is json.Marshal that leaves <, > and & as they are.
func encode(v any) ([]byte, error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		return nil, err
	}
	return bytes.TrimRight(b.Bytes(), "\n"), nil
}

// decode is json.Unmarshal that leaves numbers their digits.
func decode(document []byte) (any, error) {
	d := json.NewDecoder(bytes.NewReader(document))
	d.UseNumber()
	var v any
	err := d.Decode(&v)
	return v, err
}
