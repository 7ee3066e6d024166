package attune

import (
	"encoding/binary"
	"errors"
	"strings"
	"time"
)

// History is the life of an execution in a compact, append-only form: a format
// byte, then one record per [Step]. The zero value is the empty history. It is
// stored as it is and travels with the row.
type History []byte

const historyFormat = 1

// Step is one line of a history: a transition, or a refused signal kept as
// evidence.
type Step struct {
	// At is the database time, in whole milliseconds.
	At time.Time `json:"at"`
	// Signal is what happened.
	Signal Signal `json:"signal"`
	// To is the status after it.
	To Status `json:"status"`
	// Attempt is the attempt it speaks of, or 0.
	Attempt int `json:"attempt,omitempty"`
	// Worker and Incarnation are said where an attempt is assigned.
	Worker      string `json:"worker,omitempty"`
	Incarnation string `json:"incarnation,omitempty"`
	// Note says why, for people. Longer than 200 bytes it is cut.
	Note string `json:"note,omitempty"`
	// Refused marks evidence that changed nothing.
	Refused bool `json:"refused,omitempty"`
}

const (
	flagRefused = 1 << iota
	flagWorker
	flagNote
	maxNote = 200
)

// Append is the history with one more step. Like the built-in append it may
// reuse the memory of h.
func (h History) Append(s Step) History {
	if len(h) == 0 {
		h = append(make(History, 0, 64), historyFormat)
	}
	var flags byte
	if s.Refused {
		flags |= flagRefused
	}
	if s.Worker != "" || s.Incarnation != "" {
		flags |= flagWorker
	}
	if s.Note != "" {
		flags |= flagNote
	}
	h = append(h, byte(s.Signal), byte(s.To), flags)
	h = binary.AppendVarint(h, s.At.UnixMilli()-Epoch.UnixMilli())
	h = binary.AppendUvarint(h, uint64(s.Attempt))
	if flags&flagWorker != 0 {
		h = appendText(h, s.Worker)
		h = appendText(h, s.Incarnation)
	}
	if flags&flagNote != 0 {
		note := s.Note
		if len(note) > maxNote {
			note = strings.ToValidUTF8(note[:maxNote], "") // not in the middle of a character
		}
		h = appendText(h, note)
	}
	return h
}

var errHistory = errors.New("history is damaged")

// Steps reads the whole history. A damaged or newer one returns the steps that
// could be read, and an error.
func (h History) Steps() ([]Step, error) {
	if len(h) == 0 {
		return nil, nil
	}
	if h[0] != historyFormat {
		return nil, errHistory
	}
	var steps []Step
	for b := []byte(h[1:]); len(b) > 0; {
		if len(b) < 3 {
			return steps, errHistory
		}
		s := Step{Signal: Signal(b[0]), To: Status(b[1]), Refused: b[2]&flagRefused != 0}
		flags := b[2]
		b = b[3:]
		ms, n := binary.Varint(b)
		if n <= 0 {
			return steps, errHistory
		}
		s.At = time.UnixMilli(ms + Epoch.UnixMilli()).UTC()
		b = b[n:]
		attempt, n := binary.Uvarint(b)
		if n <= 0 {
			return steps, errHistory
		}
		s.Attempt = int(attempt)
		b = b[n:]
		ok := true
		if flags&flagWorker != 0 {
			s.Worker, b, ok = cutText(b)
			if ok {
				s.Incarnation, b, ok = cutText(b)
			}
		}
		if ok && flags&flagNote != 0 {
			s.Note, b, ok = cutText(b)
		}
		if !ok {
			return steps, errHistory
		}
		steps = append(steps, s)
	}
	return steps, nil
}

func appendText(b []byte, s string) []byte {
	return append(binary.AppendUvarint(b, uint64(len(s))), s...)
}

func cutText(b []byte) (string, []byte, bool) {
	size, n := binary.Uvarint(b)
	if n <= 0 || uint64(len(b)-n) < size {
		return "", b, false
	}
	return string(b[n : n+int(size)]), b[n+int(size):], true
}
