package postgres

import (
	"context"

	"github.com/attune-automation/attune"
	"github.com/attune-automation/attune/persistence"
)

// appendOutput keeps the longer of two chunks at one offset: a sender that was
// not answered may have cut its stream anew. One that is written again keeps its
// number.
const appendOutput = "INSERT INTO output (execution, attempt, stream, begins, number, data) VALUES ($1, $2, $3, $4, nextval('output_number'), $5) " +
	"ON CONFLICT (execution, attempt, stream, begins) DO UPDATE SET data = excluded.data WHERE length(excluded.data) > length(output.data)"

// AppendOutput implements [persistence.Output], in slices.
func (s *Store) AppendOutput(ctx context.Context, chunks []persistence.OutputChunk) error {
	return persistence.InSlices(chunks, func(some []persistence.OutputChunk) error { return s.appendSlice(ctx, some) })
}

func (s *Store) appendSlice(ctx context.Context, chunks []persistence.OutputChunk) error {
	changed := make([]int64, len(chunks))
	err := s.write(ctx, "append output", func(b *batch) {
		for i, c := range chunks {
			if len(c.Data) > 0 {
				b.count(appendOutput, &changed[i], number(int64(c.Token.Execution)), number(int64(c.Token.Attempt)), small(int16(c.Stream)), number(c.Offset), blob(c.Data))
			}
		}
	})
	if err != nil {
		return err
	}
	var rows, bytes int64
	for i, n := range changed {
		rows, bytes = rows+n, bytes+n*int64(len(chunks[i].Data))
	}
	s.wrote(rows, bytes)
	return nil
}

// readOutput begins a chunk before the offset, wherever that chunk ends.
const readOutput = "SELECT begins, data FROM output WHERE execution = $1 AND attempt = $2 AND stream = $3 AND begins < $5 " +
	"AND begins + length(data) > $4 ORDER BY begins"

// ReadOutput implements [persistence.Output].
func (s *Store) ReadOutput(ctx context.Context, token attune.Token, stream persistence.Stream, offset int64, limit int) (out []byte, err error) {
	err = s.read(ctx, "read the output of "+token.String(), readOutput, func(r row) error {
		at := offset + int64(len(out))
		if skip := at - r.number(0); skip >= 0 && skip < int64(len(r[1])) {
			rest := r[1][skip:]
			out = append(out, rest[:min(len(rest), limit-len(out))]...)
		}
		return nil
	}, number(int64(token.Execution)), number(int64(token.Attempt)), small(int16(stream)), number(offset), number(offset+int64(limit)))
	return out, err
}

// nextOutput finds the chunk with the byte at the offset; the last to begin is
// most often the one.
const nextOutput = "SELECT number, begins, data FROM output WHERE execution = $1 AND attempt = $2 AND stream = $3 AND begins <= $4 " +
	"AND begins + length(data) > $4 ORDER BY begins DESC LIMIT 1"

// NextOutput implements [persistence.Output].
func (s *Store) NextOutput(ctx context.Context, token attune.Token, stream persistence.Stream, offset int64, limit int) (persistence.OutputChunk, error) {
	next := persistence.OutputChunk{Token: token, Stream: stream, Offset: offset}
	err := s.read(ctx, "read the output of "+token.String(), nextOutput, func(r row) error {
		next.Order = r.number(0)
		rest := r[2][offset-r.number(1):]
		next.Data = append([]byte(nil), rest[:min(len(rest), limit)]...)
		return nil
	}, number(int64(token.Execution)), number(int64(token.Attempt)), small(int16(stream)), number(offset))
	return next, err
}
