package secret

import (
	"crypto/aes"
	"crypto/cipher"
)

// The cipher is XAES-256-GCM (C2SP): AES-256-GCM under a key that is derived for
// each nonce. Plain GCM has nonces of 12 bytes, and random ones must not be
// drawn more than 2^32 times under one key: ten days at full load. With 24 bytes
// nobody has to count.

const (
	keyBytes   = 32
	nonceBytes = 24
)

// key is one key with its name.
type key struct {
	name  string
	block cipher.Block
	k1    [aes.BlockSize]byte // of CMAC
}

func newKey(name string, block cipher.Block) *key {
	k := &key{name: name, block: block}
	block.Encrypt(k.k1[:], k.k1[:])
	msb := byte(0)
	for i := len(k.k1) - 1; i >= 0; i-- {
		msb, k.k1[i] = k.k1[i]>>7, k.k1[i]<<1|msb
	}
	k.k1[len(k.k1)-1] ^= msb * 0x87
	return k
}

// derived is the AEAD for the first half of a nonce.
func (k *key) derived(half []byte) cipher.AEAD {
	var made [keyBytes]byte
	for i := range 2 {
		part := made[i*aes.BlockSize : (i+1)*aes.BlockSize]
		copy(part, []byte{0, byte(i + 1), 'X', 0})
		copy(part[4:], half)
		for j := range part {
			part[j] ^= k.k1[j]
		}
		k.block.Encrypt(part, part)
	}
	block, err := aes.NewCipher(made[:])
	if err != nil {
		panic(err) // only for keys of another length
	}
	aead, err := cipher.NewGCM(block)
	if err != nil {
		panic(err) // only for blocks of another size
	}
	return aead
}

func (k *key) seal(nonce, text, also []byte) []byte {
	return k.derived(nonce[:12]).Seal(nil, nonce[12:], text, also)
}

func (k *key) open(nonce, sealed, also []byte) ([]byte, error) {
	return k.derived(nonce[:12]).Open(nil, nonce[12:], sealed, also)
}
