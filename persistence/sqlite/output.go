package sqlite

import (
	"context"
	"database/sql"

	"github.com/attune-automation/attune"
	"github.com/attune-automation/attune/persistence"
)

// appendOutput keeps the longer of two chunks at one offset: a sender that was
// not answered may have cut its stream anew.
const appendOutput = "INSERT INTO output (execution, attempt, stream, begins, data) VALUES (?, ?, ?, ?, ?) " +
	"ON CONFLICT DO UPDATE SET data = excluded.data WHERE length(excluded.data) > length(data)"

// AppendOutput implements [persistence.Output], in slices.
func (s *Store) AppendOutput(ctx context.Context, chunks []persistence.OutputChunk) error {
	return persistence.InSlices(chunks, func(some []persistence.OutputChunk) error { return s.appendSlice(ctx, some) })
}

func (s *Store) appendSlice(ctx context.Context, chunks []persistence.OutputChunk) error {
	return s.write(ctx, "append output", func(t *tx) error {
		for _, c := range chunks {
			if len(c.Data) == 0 {
				continue
			}
			t.int(int64(c.Token.Execution))
			t.int(int64(c.Token.Attempt))
			t.int(int64(c.Stream))
			t.int(c.Offset)
			t.blob(c.Data)
			n, err := t.exec(appendOutput)
			if err != nil {
				return err
			}
			t.rows += n
			t.bytes += n * int64(len(c.Data))
		}
		return nil
	})
}

// readOutput begins a chunk before the offset, wherever that chunk ends.
const readOutput = "SELECT begins, data FROM output WHERE execution = ?1 AND attempt = ?2 AND stream = ?3 AND begins < ?5 " +
	"AND begins + length(data) > ?4 ORDER BY begins"

// ReadOutput implements [persistence.Output].
func (s *Store) ReadOutput(ctx context.Context, token attune.Token, stream persistence.Stream, offset int64, limit int) (out []byte, err error) {
	err = s.read(ctx, "read the output of "+token.String(), readOutput,
		[]any{int64(token.Execution), token.Attempt, int64(stream), offset, offset + int64(limit)}, func(scan func(...any) error) error {
			var begins int64
			var data sql.RawBytes
			if err := scan(&begins, &data); err != nil {
				return err
			}
			at := offset + int64(len(out))
			if skip := at - begins; skip >= 0 && skip < int64(len(data)) {
				rest := data[skip:]
				out = append(out, rest[:min(len(rest), limit-len(out))]...)
			}
			return nil
		})
	return out, err
}

// nextOutput finds the chunk with the byte at the offset; the last to begin is
// most often the one. The rowid is the order in which chunks came: a chunk that
// is written again keeps its own.
const nextOutput = "SELECT rowid, begins, data FROM output WHERE execution = ?1 AND attempt = ?2 AND stream = ?3 AND begins <= ?4 " +
	"AND begins + length(data) > ?4 ORDER BY begins DESC LIMIT 1"

// NextOutput implements [persistence.Output].
func (s *Store) NextOutput(ctx context.Context, token attune.Token, stream persistence.Stream, offset int64, limit int) (persistence.OutputChunk, error) {
	next := persistence.OutputChunk{Token: token, Stream: stream, Offset: offset}
	err := s.read(ctx, "read the output of "+token.String(), nextOutput,
		[]any{int64(token.Execution), token.Attempt, int64(stream), offset}, func(scan func(...any) error) error {
			var begins int64
			var data sql.RawBytes
			if err := scan(&next.Order, &begins, &data); err != nil {
				return err
			}
			rest := data[offset-begins:]
			next.Data = append([]byte(nil), rest[:min(len(rest), limit)]...)
			return nil
		})
	return next, err
}
