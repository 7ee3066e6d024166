package secret

import (
	"bytes"
	"crypto/aes"
	"encoding/hex"
	"testing"
)

// The vectors of the specification, c2sp.org/XAES-256-GCM.
func TestTheCipherIsTheSpecifiedOne(t *testing.T) {
	for _, c := range []struct {
		name  string
		key   byte
		also  string
		wants string
	}{
		{"the first bit of L is zero", 1, "", "ce546ef63c9cc60765923609b33a9a1974e96e52daf2fcf7075e2271"},
		{"the first bit of L is one, with associated data", 3, "c2sp.org/XAES-256-GCM", "986ec1832593df5443a179437fd083bf3fdb41abd740a21f71eb769d"},
	} {
		t.Run(c.name, func(t *testing.T) {
			block, err := aes.NewCipher(bytes.Repeat([]byte{c.key}, keyBytes))
			if err != nil {
				t.Fatal(err)
			}
			k := newKey("k", block)
			nonce := []byte("ABCDEFGHIJKLMNOPQRSTUVWX")
			sealed := k.seal(nonce, []byte("XAES-256-GCM"), []byte(c.also))
			if hex.EncodeToString(sealed) != c.wants {
				t.Fatalf("it is %x", sealed)
			}
			text, err := k.open(nonce, sealed, []byte(c.also))
			if err != nil || string(text) != "XAES-256-GCM" {
				t.Fatalf("opened %q, %v", text, err)
			}
		})
	}
}
