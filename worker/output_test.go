package worker_test

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"github.com/attune-automation/attune/messages"
)

func TestOutputComesInChunksAndBeforeTheEnd(t *testing.T) {
	r := newRig(t).start()
	r.send(r.dispatch(1, "held"))
	r.settle()
	r.held.write(token(1), 1, []byte("one"))
	r.advance(time.Second - time.Millisecond)
	r.expect("before a second", len(all[messages.Output](r)), 0)
	r.held.write(token(1), 2, []byte("two"))
	r.advance(time.Millisecond)
	for i, o := range all[messages.Output](r) {
		r.expect("chunk", []any{o.Stream, o.Offset, string(o.Data)}, [][]any{{1, 0, "one"}, {2, 0, "two"}}[i])
	}
	big := bytes.Repeat([]byte("x"), 64<<10+10)
	r.held.write(token(1), 1, big)
	r.settle()
	chunks := all[messages.Output](r)
	r.expect("chunks at once", len(chunks), 1)
	r.expect("offset and size", []any{chunks[0].Offset, len(chunks[0].Data)}, []any{3, 64 << 10})
	r.held.end(token(1), messages.Finished, "")
	r.settle()
	chunks = all[messages.Output](r)
	r.expect("the rest", []any{chunks[0].Offset, len(chunks[0].Data)}, []any{3 + 64<<10, 10})
	r.expect("says", r.reports(1), "[started]")

	all[messages.Output](r)
	r.send(messages.OutputAck{Token: token(1), Stream: 1, Through: 3 + 64<<10})
	r.advance(3 * time.Second)
	// Naively, an acknowledgement covers what came before: but that may be lost.
	r.expect("again", len(all[messages.Output](r)), 3) // the begin and the rest of stdout, and stderr
	r.expect("says", r.reports(1), "[]")
	r.send(messages.OutputAck{Token: token(1), Stream: 1, Through: 3}, messages.OutputAck{Token: token(1), Stream: 2, Through: 3}, messages.OutputAck{Token: token(1), Stream: 1, Through: 13 + 64<<10})
	r.settle()
	r.expect("says", r.reports(1), "[finished]")
	r.advance(10 * time.Second)
	r.expect("again", len(all[messages.Output](r)), 0)
}

func TestOutputIsCutWithAMark(t *testing.T) {
	r := newRig(t).start()
	r.saves = true
	r.send(r.dispatch(1, "held"))
	r.settle()
	for range 11 {
		r.held.write(token(1), 1, bytes.Repeat([]byte("x"), 1<<20))
	}
	r.held.write(token(1), 1, []byte("more"))
	r.advance(time.Second)
	size, last := 0, ""
	for _, o := range all[messages.Output](r) {
		size += len(o.Data)
		last = string(o.Data)
	}
	mark := "\n[attune: the output is cut here, at 10 MB]\n"
	r.expect("size", size, 10<<20+len(mark))
	r.expect("mark", strings.HasSuffix(last, mark), true)
}

func TestEchoWritesOneLine(t *testing.T) {
	r := newRig(t).start()
	r.saves = true
	r.send(r.dispatch(1, "echo"))
	r.settle()
	r.expect("output", string(all[messages.Output](r)[0].Data), "hello\n")
	r.expect("says", r.reports(1), `[started finished{"failed":false,"succeeded":true,"return_code":0,"result":"hello","stdout":"hello"}]`)
}

// Naively, a second's output of one stream goes before that of the other.
func TestStreamsKeepTheirOrderWhileTheyTakeTurnsInReason(t *testing.T) {
	r := newRig(t).start()
	r.saves = true
	r.send(r.dispatch(1, "held"))
	r.settle()
	const turns = 100
	for range turns {
		r.held.write(token(1), 1, []byte("o"))
		r.held.write(token(1), 2, []byte("e"))
	}
	r.advance(time.Second)
	said, chunks, text := all[messages.Output](r), 0, [3]string{}
	for i, o := range said {
		chunks++
		text[o.Stream] += string(o.Data)
		if want := uint8(i%2 + 1); i < 32 && o.Stream != want {
			t.Errorf("chunk %d is of stream %d", i, o.Stream)
		}
	}
	r.expect("chunks", chunks, 34) // 32 turns, and a pour
	r.expect("stdout", text[1], strings.Repeat("o", turns))
	r.expect("stderr", text[2], strings.Repeat("e", turns))
	r.held.write(token(1), 1, []byte("o"))
	r.held.write(token(1), 2, []byte("e"))
	r.advance(time.Second)
	r.expect("again", len(all[messages.Output](r)) >= 2, true)
}
