package journal

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"hash/crc32"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/attune-automation/attune/worker"
)

// A segment is one file: the magic line, then records of
//
//	length, CRC-32C of the body: 4 bytes each, little endian
//	body: one entry as JSON
//
// A record that is cut short or does not check ends the file: it was being
// written when the machine went down, so nobody was told that it was there.
type segment struct {
	incarnation string
	number      int
	path        string
	file        *os.File
	size, born  int64 // now, and when it was begun
}

const (
	magic      = "attune-journal 1\n"
	ending     = ".journal"
	headBytes  = 8
	bodyAtMost = 16 << 20 // a length beyond is no length
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// newSegment makes a file that is durable with its first entries.
func newSegment(dir, incarnation string, number int, entries []worker.Entry) (*segment, error) {
	s := &segment{incarnation: incarnation, number: number}
	s.path = filepath.Join(dir, url.PathEscape(incarnation)+"."+strconv.Itoa(number)+ending)
	var err error
	if s.file, err = os.OpenFile(s.path, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600); err != nil {
		return nil, err
	}
	if _, err = s.file.WriteString(magic); err == nil {
		err = s.write(entries, true)
	}
	if err == nil {
		err = syncFolder(dir)
	}
	if err != nil {
		s.file.Close()
		os.Remove(s.path)
		return nil, err
	}
	s.born = s.size
	return s, nil
}

func syncFolder(dir string) error {
	f, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer f.Close()
	return f.Sync()
}

// write puts entries behind the others, and on the disk if they must be
// durable.
func (s *segment) write(entries []worker.Entry, durable bool) error {
	var b []byte
	for _, e := range entries {
		body, err := json.Marshal(e)
		if err != nil {
			return fmt.Errorf("entry of %s: %w", e.Token, err)
		}
		b = binary.LittleEndian.AppendUint32(b, uint32(len(body)))
		b = binary.LittleEndian.AppendUint32(b, crc32.Checksum(body, castagnoli))
		b = append(b, body...)
	}
	if _, err := s.file.Write(b); err != nil {
		return err
	}
	s.size += int64(len(b))
	if !durable {
		return nil
	}
	return s.file.Sync()
}

// read notes the entries of a file. False means that it is of another format, so
// that nothing can be said of its incarnation.
func (s *segment) read(b *book) (bool, error) {
	content, err := os.ReadFile(s.path)
	if err != nil {
		return false, err
	}
	content, ok := bytes.CutPrefix(content, []byte(magic))
	for ok && len(content) >= headBytes {
		n, sum := binary.LittleEndian.Uint32(content), binary.LittleEndian.Uint32(content[4:])
		content = content[headBytes:]
		if n > bodyAtMost || int(n) > len(content) || crc32.Checksum(content[:n], castagnoli) != sum {
			break
		}
		var e worker.Entry
		if err := json.Unmarshal(content[:n], &e); err != nil {
			return false, fmt.Errorf("%s: %w", s.path, err)
		}
		b.note(e)
		content = content[n:]
	}
	return ok, nil
}

// segmentsIn lists the files of a folder, those of an incarnation in order.
func segmentsIn(dir string) ([]*segment, error) {
	files, err := os.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	var all []*segment
	for _, f := range files {
		name, ok := strings.CutSuffix(f.Name(), ending)
		dot := strings.LastIndexByte(name, '.')
		if !ok || dot < 0 {
			continue
		}
		incarnation, err := url.PathUnescape(name[:dot])
		number, numberErr := strconv.Atoi(name[dot+1:])
		if err == nil && numberErr == nil {
			all = append(all, &segment{incarnation: incarnation, number: number, path: filepath.Join(dir, f.Name())})
		}
	}
	slices.SortFunc(all, func(a, b *segment) int {
		return cmp.Or(cmp.Compare(a.incarnation, b.incarnation), cmp.Compare(a.number, b.number))
	})
	return all, nil
}

// removeSegments removes the files of an incarnation but one.
func removeSegments(dir, incarnation string, but int) {
	all, err := segmentsIn(dir)
	if err != nil {
		return // they are read once more, which does no harm
	}
	for _, s := range all {
		if s.incarnation == incarnation && s.number != but {
			os.Remove(s.path)
		}
	}
}
