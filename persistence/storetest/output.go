package storetest

import (
	"fmt"

	"github.com/attune-automation/attune"
	"github.com/attune-automation/attune/persistence"
)

var orderCases = map[string]func(f *fixture){
	"both streams are read in the order in which they came": func(f *fixture) {
		token := attune.Token{Execution: 7, Attempt: 1}
		f.print(token, persistence.Stdout, 0, "one ")
		f.print(token, persistence.Stderr, 0, "two ")
		f.print(attune.Token{Execution: 7, Attempt: 2}, persistence.Stdout, 0, "another attempt")
		f.print(token, persistence.Stderr, 4, "three ")
		f.print(token, persistence.Stdout, 4, "four ")
		same(f, "merged", f.merged(token, 100), "one two three four ")
		same(f, "merged", f.merged(token, 2), "one two three four ")
	},
	"a chunk that comes again keeps its place, also when it is longer": func(f *fixture) {
		token := attune.Token{Execution: 7, Attempt: 1}
		f.print(token, persistence.Stdout, 0, "one ")
		f.print(token, persistence.Stderr, 0, "two ")
		f.print(token, persistence.Stdout, 0, "one more ")
		f.print(token, persistence.Stdout, 0, "one ")
		same(f, "merged", f.merged(token, 100), "one more two ")
	},
	"a chunk is found at any of its bytes, and not behind a gap": func(f *fixture) {
		token := attune.Token{Execution: 7, Attempt: 1}
		f.print(token, persistence.Stdout, 0, "abcdef")
		f.print(token, persistence.Stdout, 4, "ef") // a stream that was cut anew
		f.print(token, persistence.Stdout, 9, "jkl")
		for _, c := range []struct {
			offset int64
			limit  int
			want   string
		}{{0, 9, "abcdef"}, {3, 2, "de"}, {5, 9, "f"}, {6, 9, ""}, {8, 9, ""}, {10, 9, "kl"}, {12, 9, ""}, {99, 9, ""}} {
			got := f.next(token, persistence.Stdout, c.offset, c.limit)
			same(f, fmt.Sprintf("from %d", c.offset), string(got.Data), c.want)
			same(f, "offset", got.Offset, c.offset)
			same(f, "token", got.Token, token)
		}
		same(f, "stderr", len(f.next(token, persistence.Stderr, 0, 9).Data), 0)
	},
}

func (f *fixture) print(token attune.Token, stream persistence.Stream, offset int64, text string) {
	f.Helper()
	f.ok(f.s.AppendOutput(f.ctx, []persistence.OutputChunk{{Token: token, Stream: stream, Offset: offset, Data: []byte(text), Order: 99}}))
}

func (f *fixture) next(token attune.Token, stream persistence.Stream, offset int64, limit int) persistence.OutputChunk {
	f.Helper()
	c, err := f.s.NextOutput(f.ctx, token, stream, offset, limit)
	f.ok(err)
	return c
}

// merged reads both streams to their ends, always the chunk that came first.
func (f *fixture) merged(token attune.Token, limit int) (text string) {
	f.Helper()
	var out, err int64
	for {
		a, b := f.next(token, persistence.Stdout, out, limit), f.next(token, persistence.Stderr, err, limit)
		switch {
		case len(a.Data)+len(b.Data) == 0:
			return text
		case len(b.Data) == 0 || len(a.Data) > 0 && a.Order < b.Order:
			text, out = text+string(a.Data), out+int64(len(a.Data))
		default:
			text, err = text+string(b.Data), err+int64(len(b.Data))
		}
	}
}
