package secret

// Stream masks bytes that come in pieces. What it holds back is what may be the
// beginning of a secret, and never more than the longest form of one. The bytes
// that come out are the same however they were cut.
type Stream struct {
	mask *Mask
	at   int32 // in the finder
	// held are the bytes not yet said, from position begin of the stream on.
	held  []byte
	begin int64
	// runs are the parts of held that belong to secrets: apart, in order. The
	// last may still grow.
	runs []run
	// said is the end of the run whose stars were said last.
	said int64
}

// run is from its begin up to its end.
type run struct{ begin, end int64 }

// Write takes a piece, and adds to out what may be said by now.
func (s *Stream) Write(out, piece []byte) []byte {
	f := s.mask.finder
	at := s.at
	end := s.begin + int64(len(s.held))
	s.held = append(s.held, piece...)
	for i := 0; i < len(piece); i++ {
		if at == 0 { // as good as always
			for i < len(piece) && f.root[piece[i]] == 0 {
				i++
			}
			if i == len(piece) {
				break
			}
		}
		at = f.next(at, piece[i])
		if n := f.nodes[at].found; n > 0 {
			s.cover(run{end + int64(i) + 1 - int64(n), end + int64(i) + 1})
		}
	}
	s.at = at
	return s.say(out, end+int64(len(piece))-int64(f.nodes[at].depth))
}

// End adds what was held back. cut says that the stream was: then what may be
// the beginning of a secret is taken for one, if it is long enough to be
// searched for.
func (s *Stream) End(out []byte, cut bool) []byte {
	end := s.begin + int64(len(s.held))
	if depth := int64(s.mask.finder.nodes[s.at].depth); cut && depth >= Shortest {
		s.cover(run{end - depth, end})
	}
	s.at = 0
	return s.say(out, end)
}

// cover notes that a part belongs to a secret. Ends come in order; begins may
// not.
func (s *Stream) cover(r run) {
	for n := len(s.runs); n > 0 && s.runs[n-1].end >= r.begin; n = len(s.runs) {
		r.begin = min(r.begin, s.runs[n-1].begin)
		s.runs = s.runs[:n-1]
	}
	s.runs = append(s.runs, r)
}

// say says what lies before a position: nothing there will ever be found to
// belong to a secret.
func (s *Stream) say(out []byte, until int64) []byte {
	for len(s.runs) > 0 && s.runs[0].begin < until {
		r := s.runs[0]
		if r.begin > s.begin {
			out = append(out, s.drop(r.begin)...)
		}
		if r.begin > s.said || s.said == 0 {
			out = append(out, Stars...)
		}
		s.said = r.end
		s.drop(min(r.end, until))
		if r.end > until {
			s.runs[0].begin = until // the rest of it is said already
			break
		}
		s.runs = s.runs[1:]
	}
	if until > s.begin {
		out = append(out, s.drop(until)...)
	}
	if len(s.runs) == 0 {
		s.runs = nil
	}
	return out
}

// drop takes the bytes before a position off.
func (s *Stream) drop(until int64) []byte {
	n := until - s.begin
	if n <= 0 {
		return nil
	}
	taken := s.held[:n]
	s.begin = until
	if s.held = s.held[n:]; len(s.held) == 0 {
		s.held = nil
	}
	return taken
}
