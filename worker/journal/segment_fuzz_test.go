package journal

import (
	"encoding/binary"
	"encoding/json"
	"hash/crc32"
	"os"
	"path/filepath"
	"testing"

	"github.com/attune-automation/attune"
	"github.com/attune-automation/attune/messages"
	"github.com/attune-automation/attune/worker"
)

// FuzzSegment cuts a file of a journal at any place and lets anything follow, as
// a machine does that goes down while it writes. What was whole is read, in
// order; what follows is read only where it is a whole record.
func FuzzSegment(f *testing.F) {
	f.Add(uint8(3), uint16(100), []byte{})
	f.Add(uint8(0), uint16(0), []byte("attune-journal 2\n"))
	f.Add(uint8(5), uint16(1000), []byte{0, 0, 0, 0, 0, 0, 0, 0})
	f.Add(uint8(1), uint16(30), []byte{0xff, 0xff, 0xff, 0xff, 1, 2, 3, 4, 5})
	f.Add(uint8(2), uint16(65535), []byte("\x02\x00\x00\x00\x5d\x2c\x5e\x11{}")) // as long as it says, and the sum is wrong
	dir := f.TempDir()
	f.Fuzz(func(t *testing.T, count uint8, cut uint16, rest []byte) {
		if len(rest) >= headBytes && int(binary.LittleEndian.Uint32(rest)) <= len(rest)-headBytes &&
			crc32.Checksum(rest[headBytes:][:binary.LittleEndian.Uint32(rest)], castagnoli) == binary.LittleEndian.Uint32(rest[4:]) {
			return // a record of ours may take back what was said before
		}
		var entries []worker.Entry
		for n := range int(count % 8) {
			e := worker.Entry{Kind: worker.EntryStarted, Token: attune.Token{Execution: attune.ExecutionID(attune.MakeID(int64(n+1), 1, 0)), Attempt: 1}, Node: "n"}
			if n%2 == 1 {
				e.Kind, e.Report = worker.EntryEnded, &messages.Report{Token: e.Token, Kind: messages.Finished, Result: []byte(`{"a":1}`)}
			}
			entries = append(entries, e)
		}
		s := &segment{path: filepath.Join(dir, "s"+ending)}
		var err error
		if s.file, err = os.Create(s.path); err != nil {
			t.Fatal(err)
		}
		defer s.file.Close()
		if _, err := s.file.WriteString(magic); err != nil {
			t.Fatal(err)
		}
		whole := []int64{0} // the size after each entry
		for _, e := range entries {
			if err := s.write([]worker.Entry{e}, false); err != nil {
				t.Fatal(err)
			}
			whole = append(whole, s.size)
		}
		kept := min(int64(cut), int64(len(magic))+s.size)
		if err := s.file.Truncate(kept); err != nil {
			t.Fatal(err)
		}
		if _, err := s.file.WriteAt(rest, kept); err != nil {
			t.Fatal(err)
		}
		b := newBook()
		ok, err := s.read(b)
		if kept < int64(len(magic)) {
			return // the rest may be anything
		}
		if !ok && err == nil {
			t.Fatalf("cut at %d it is of another format", kept)
		}
		got := b.entries()
		if len(got) > len(entries) {
			t.Fatalf("cut at %d, %d of %d were written: %+v", kept, len(got), len(entries), got)
		}
		for n, e := range entries {
			if whole[n+1] > kept-int64(len(magic)) {
				break
			}
			if n >= len(got) || same(e) != same(got[n]) {
				t.Fatalf("cut at %d, entry %d of %d is lost: %+v", kept, n, len(entries), got)
			}
		}
	})
}

// same is an entry as it is compared.
func same(e worker.Entry) string {
	b, _ := json.Marshal(e) // it came out of JSON, or can go there
	return string(b)
}
