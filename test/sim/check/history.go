package check

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"
)

// The words behind the stored numbers.
var (
	statusWords = strings.Split("none requested delayed scheduling scheduled running paused stopping completed failed timeout cancelled abandoned", " ")
	signalWords = strings.Split("none,admit,hold,assign,return,start,finish,fail,time out,retry,lose,expire,pause,resume,cancel,confirm,refuse,panic", ",")
)

// step is one record of a history.
type step struct {
	at                  time.Time
	signal, to          string
	attempt             int
	worker, incarnation string
	note                string
	refused             bool
}

var historyBegin = time.Date(2025, time.January, 1, 0, 0, 0, 0, time.UTC)

// decode reads a stored history: the byte 1, then for each step signal, status,
// flags (1 refused, 2 worker, 4 note), signed milliseconds, attempt, and the
// texts that the flags announce.
func decode(history []byte) ([]step, error) {
	r := bytes.NewReader(history)
	if format, err := r.ReadByte(); err != nil || format != 1 {
		return nil, errors.New("history has another format, or none")
	}
	var steps []step
	for {
		s, err := decodeStep(r)
		if errors.Is(err, io.EOF) {
			return steps, nil
		}
		if err != nil {
			return nil, fmt.Errorf("step %d: %w", len(steps), err)
		}
		steps = append(steps, s)
	}
}

// decodeStep returns io.EOF only before the first byte of a step.
func decodeStep(r *bytes.Reader) (s step, err error) {
	var head [3]byte
	if n, err := io.ReadFull(r, head[:]); err != nil {
		if n == 0 {
			return s, io.EOF
		}
		return s, err
	}
	if int(head[0]) >= len(signalWords) || int(head[1]) >= len(statusWords) || head[2] > 7 {
		return s, fmt.Errorf("unknown signal, status or flag in % x", head)
	}
	s.signal, s.to, s.refused = signalWords[head[0]], statusWords[head[1]], head[2]&1 != 0
	millis, err := binary.ReadVarint(r)
	if err != nil {
		return s, cut(err)
	}
	s.at = historyBegin.Add(time.Duration(millis) * time.Millisecond)
	attempt, err := binary.ReadUvarint(r)
	if err != nil {
		return s, cut(err)
	}
	s.attempt = int(attempt)
	var texts []*string
	if head[2]&2 != 0 {
		texts = append(texts, &s.worker, &s.incarnation)
	}
	if head[2]&4 != 0 {
		texts = append(texts, &s.note)
	}
	for _, text := range texts {
		size, err := binary.ReadUvarint(r)
		if err != nil || size > uint64(r.Len()) {
			return s, cut(err)
		}
		b := make([]byte, size)
		if _, err := io.ReadFull(r, b); err != nil {
			return s, cut(err)
		}
		*text = string(b)
	}
	return s, nil
}

func cut(err error) error { return fmt.Errorf("cut off (%v)", err) } //nolint:errorlint // an end of file in the middle of a step is no io.EOF to the caller

func (s step) String() string {
	text := fmt.Sprintf("%s %s>%s attempt %d", s.at.Format("15:04:05.000"), s.signal, s.to, s.attempt)
	if s.worker != "" {
		text += " on " + s.worker + "/" + s.incarnation
	}
	if s.refused {
		text += " (refused)"
	}
	if s.note != "" {
		text += " " + s.note
	}
	return text
}
