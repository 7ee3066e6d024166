package worker

import (
	"slices"
	"time"

	"github.com/attune-automation/attune/messages"
)

// The bounds of output. What is beyond is cut, with a mark.
const (
	chunkBytes   = 64 << 10
	pourAfter    = time.Second // what is held back at most
	pourAtMost   = 64          // chunks said again in one beat
	cutMark      = "\n[attune: the output is cut here, at 10 MB]\n"
	streamsCount = 2
	// maxTurns is how often between two beats of pouring a change from one
	// stream to the other sends what is held of the first, so that the order
	// across streams is kept. An attempt that changes more often keeps it only
	// from pour to pour: naively, each line would be a row of the store.
	maxTurns = 32
)

// output is what an attempt wrote and is not known to be stored.
type output struct {
	streams [streamsCount]stream
	turns   int // changes from stream to stream since the last pour
}

type stream struct {
	held   []byte // not yet sent
	offset int64  // of held
	cut    bool
	sent   []chunk // not acknowledged
}

type chunk struct {
	messages.Output
	said time.Duration
}

// stored reports whether nothing is left to store.
func (o *output) stored() bool {
	if o == nil {
		return true
	}
	for i := range o.streams {
		if len(o.streams[i].held)+len(o.streams[i].sent) > 0 {
			return false
		}
	}
	return true
}

// wrote takes output of a running attempt, and sends what makes whole chunks.
// cut says that what follows data was left out.
func (w *Worker) wrote(a *attempt, number uint8, data []byte, cut bool) {
	if number < 1 || number > streamsCount {
		return
	}
	if a.output == nil {
		a.output = &output{}
		w.speaking = append(w.speaking, a)
	}
	s := &a.output.streams[number-1]
	if s.cut {
		return
	}
	if room := max(StreamBytes-int(s.offset)-len(s.held), 0); cut || len(data) > room {
		room = min(room, len(data))
		data = append(data[:room:room], cutMark...)
		s.cut = true
	}
	if other := streamsCount + 1 - number; a.output.turns < maxTurns && len(a.output.streams[other-1].held) > 0 {
		a.output.turns++
		w.chunk(a, other, len(a.output.streams[other-1].held))
	}
	s.held = append(s.held, data...)
	for len(s.held) >= chunkBytes {
		w.chunk(a, number, chunkBytes)
	}
	if len(s.held) > 0 && !w.writing {
		w.writing = true
		w.config.Clock.AfterFunc(pourAfter, func() {
			w.post(func() {
				w.writing = false
				for _, a := range w.speaking {
					w.pour(a)
				}
			})
		})
	}
}

// pour sends what is held back of an attempt's output.
func (w *Worker) pour(a *attempt) {
	if a.output == nil {
		return
	}
	a.output.turns = 0
	for i := range a.output.streams {
		if n := len(a.output.streams[i].held); n > 0 {
			w.chunk(a, uint8(i+1), n)
		}
	}
}

// chunk sends the first n held bytes of a stream.
func (w *Worker) chunk(a *attempt, number uint8, n int) {
	s := &a.output.streams[number-1]
	c := chunk{messages.Output{Token: a.token, Worker: w.config.Name, Stream: number, Offset: s.offset, Data: s.held[:n:n]}, w.config.Mono()}
	s.sent = append(s.sent, c)
	s.offset += int64(n)
	if s.held = s.held[n:]; len(s.held) == 0 {
		s.held = nil
	}
	w.say(a.node, c.Output)
}

// stored drops the chunk that a node has stored, and ends a run that only waited
// for that.
func (w *Worker) stored(m messages.OutputAck) {
	a := w.attempts[m.Token]
	if a == nil || a.output == nil || m.Stream < 1 || m.Stream > streamsCount {
		return
	}
	s := &a.output.streams[m.Stream-1]
	for i, c := range s.sent { // one before it may have been lost on its way
		if c.Offset+int64(len(c.Data)) == m.Through {
			s.sent = slices.Delete(s.sent, i, i+1)
			break
		}
	}
	w.finish(a)
}

// pourAgain says again what was not stored for a beat.
func (w *Worker) pourAgain(now time.Duration) {
	left, still := pourAtMost, w.speaking[:0]
	for _, a := range w.speaking {
		if a.output == nil {
			continue // it has ended
		}
		still = append(still, a)
		for i := range a.output.streams {
			for j := range a.output.streams[i].sent {
				if c := &a.output.streams[i].sent[j]; left > 0 && now-c.said >= beat {
					left--
					c.said = now
					w.say(a.node, c.Output)
				}
			}
		}
	}
	clear(w.speaking[len(still):])
	w.speaking = still
}
