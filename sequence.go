package attune

import "time"

// Sequence hands out the ids of one partition, for all kinds. It is not safe
// for concurrent use: the partition's actor owns it.
//
// Ids stay below a stored high mark, so that the next owner, which starts above
// it, can never make one again.
type Sequence struct {
	partition int
	last      ID
	high      int64 // milliseconds since Epoch; ids stay below it
}

// NewSequence starts the ids of a partition whose stored mark was high
// (milliseconds since [Epoch]). No id is available until [Sequence.Raise].
func NewSequence(partition int, high int64) *Sequence {
	return &Sequence{partition: partition, last: MakeID(high, partition, 0), high: high}
}

// HighFor is the mark an owner stores before it hands out its first id (fresh),
// and later whenever [Sequence.Low]: database time plus 30 s, and for a fresh
// owner at least a second above what was stored.
func (s *Sequence) HighFor(now time.Time, fresh bool) int64 {
	high := now.Add(30*time.Second).Sub(Epoch).Milliseconds() + 1
	if fresh {
		high = max(high, s.high+1000)
	}
	return max(high, s.high)
}

// Raise makes ids below high available. Call it after high is stored.
func (s *Sequence) Raise(high int64) { s.high = max(s.high, high) }

// Low reports that less than 15 s of ids are left, so that the mark must be
// raised.
func (s *Sequence) Low(now time.Time) bool {
	return s.high-now.Sub(Epoch).Milliseconds() < 15_000
}

// Ahead is how far the newest id is ahead of now. More than a minute ahead, new
// work goes to another partition.
func (s *Sequence) Ahead(now time.Time) time.Duration { return ID(s.last).Time().Sub(now) }

// Next is a fresh id, never below an earlier one, or zero when the mark leaves
// none: raise it first.
func (s *Sequence) Next(now time.Time) ID {
	id := max(MakeID(now.Sub(Epoch).Milliseconds(), s.partition, 0), s.last+1)
	if id.Partition() != s.partition { // the sequence of this millisecond is used up
		id = MakeID(s.last.Millis()+1, s.partition, 0)
	}
	if id.Millis() >= s.high {
		return 0
	}
	s.last = id
	return id
}
