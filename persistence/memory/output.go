package memory

import (
	"bytes"
	"cmp"
	"context"
	"slices"

	"github.com/attune-automation/attune"
	"github.com/attune-automation/attune/persistence"
)

// stream names one stream of one attempt.
type stream struct {
	token  attune.Token
	stream persistence.Stream
}

type chunk struct {
	offset int64
	data   []byte
	order  int64
}

// AppendOutput implements [persistence.Output].
func (s *Store) AppendOutput(ctx context.Context, chunks []persistence.OutputChunk) error {
	for _, c := range chunks {
		if reason := persistence.CheckChunk(c); reason != "" {
			return persistence.Unstorable(reason)
		}
	}
	if err := s.begin(ctx, "append output"); err != nil {
		return err
	}
	defer s.mu.Unlock()
	rows, size := 0, 0
	for _, c := range chunks {
		if s.append(c) {
			rows, size = rows+1, size+len(c.Data)
		}
	}
	s.wrote(rows, size)
	return nil
}

// append keeps the longer of two chunks at one offset: a sender that was not
// answered may have cut its stream anew.
func (s *Store) append(c persistence.OutputChunk) bool {
	key := stream{c.Token, c.Stream}
	have := s.output[key]
	i, found := slices.BinarySearchFunc(have, c.Offset, func(h chunk, offset int64) int { return cmp.Compare(h.offset, offset) })
	switch {
	case len(c.Data) == 0 || found && len(have[i].data) >= len(c.Data):
		return false
	case found:
		have[i].data = bytes.Clone(c.Data)
	default:
		s.came++
		s.output[key] = slices.Insert(have, i, chunk{c.Offset, bytes.Clone(c.Data), s.came})
	}
	return true
}

// ReadOutput implements [persistence.Output].
func (s *Store) ReadOutput(ctx context.Context, token attune.Token, of persistence.Stream, offset int64, limit int) ([]byte, error) {
	if err := s.begin(ctx, "read the output of "+token.String()); err != nil {
		return nil, err
	}
	defer s.mu.Unlock()
	var out []byte
	for _, c := range s.output[stream{token, of}] {
		at := offset + int64(len(out))
		if c.offset > at || len(out) >= limit {
			break
		}
		if skip := at - c.offset; skip < int64(len(c.data)) {
			rest := c.data[skip:]
			out = append(out, rest[:min(len(rest), limit-len(out))]...)
		}
	}
	return out, nil
}

// NextOutput implements [persistence.Output].
func (s *Store) NextOutput(ctx context.Context, token attune.Token, of persistence.Stream, offset int64, limit int) (persistence.OutputChunk, error) {
	next := persistence.OutputChunk{Token: token, Stream: of, Offset: offset}
	if err := s.begin(ctx, "read the output of "+token.String()); err != nil {
		return next, err
	}
	defer s.mu.Unlock()
	for _, c := range slices.Backward(s.output[stream{token, of}]) {
		if skip := offset - c.offset; skip >= 0 && skip < int64(len(c.data)) {
			rest := c.data[skip:]
			next.Data, next.Order = bytes.Clone(rest[:min(len(rest), limit)]), c.order
			break
		}
	}
	return next, nil
}
