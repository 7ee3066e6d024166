package attune

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
)

// TraceContext is a place in a distributed trace, as W3C's traceparent says it.
// The places of what the engine does are derived from ids alone: they are the
// same after a restart, on every node, and whoever says them twice says the
// same.
type TraceContext struct {
	// Trace is the id of the whole trace, Span that of the place in it.
	Trace [16]byte
	Span  [8]byte
	// Sampled says that who began the trace records it.
	Sampled bool
}

// traceparentSize is the length of a traceparent of version 00.
const traceparentSize = 55

// ParseTraceparent reads a W3C traceparent. A malformed one, or one of zeros, is
// to be ignored, not refused: false.
func ParseTraceparent(s string) (TraceContext, bool) {
	var t TraceContext
	if len(s) != traceparentSize || s[2] != '-' || s[35] != '-' || s[52] != '-' || s[:2] == "ff" {
		return t, false
	}
	for _, c := range []byte(s) {
		if (c < '0' || c > '9') && (c < 'a' || c > 'f') && c != '-' {
			return t, false // capital digits are malformed
		}
	}
	var version, flags [1]byte
	for _, part := range []struct {
		to   []byte
		text string
	}{{version[:], s[:2]}, {t.Trace[:], s[3:35]}, {t.Span[:], s[36:52]}, {flags[:], s[53:]}} {
		if _, err := hex.Decode(part.to, []byte(part.text)); err != nil {
			return t, false
		}
	}
	t.Sampled = flags[0]&1 != 0
	return t, t.Trace != [16]byte{} && t.Span != [8]byte{}
}

// String is the traceparent.
func (t TraceContext) String() string {
	b := make([]byte, 0, traceparentSize)
	b = append(b, "00-"...)
	b = hex.AppendEncode(b, t.Trace[:])
	b = append(b, '-')
	b = hex.AppendEncode(b, t.Span[:])
	if t.Sampled {
		return string(append(b, "-01"...))
	}
	return string(append(b, "-00"...))
}

// Trace is where the chain began: the caller's place, or, where the caller said
// none, a trace of its own, named after the correlation, in no span.
func (c Chain) Trace() TraceContext {
	if t, ok := ParseTraceparent(c.Traceparent); ok {
		return t
	}
	sum := sha256.Sum256([]byte(c.Correlation))
	return TraceContext{Trace: [16]byte(sum[:16])}
}

// In is the place of a row in the trace.
func (t TraceContext) In(id ID) TraceContext { return t.at(uint64(id)) }

// Attempt is the place of an attempt in the trace.
func (t TraceContext) Attempt(token Token) TraceContext {
	return t.at(uint64(token.Execution) ^ uint64(token.Attempt)<<56 ^ 1<<63) //nolint:gosec // bits, not numbers
}

// at mixes a number into the id of a span, each number into another
// (splitmix64), and never zero, which is no span.
func (t TraceContext) at(n uint64) TraceContext {
	n += 0x9e3779b97f4a7c15
	n = (n ^ n>>30) * 0xbf58476d1ce4e5b9
	n = (n ^ n>>27) * 0x94d049bb133111eb
	n ^= n >> 31
	binary.BigEndian.PutUint64(t.Span[:], max(n, 1))
	return t
}
