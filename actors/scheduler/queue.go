package scheduler

import "strconv"

// queue is the runs that wait for one runner, in the order of arrival. Runs
// that were withdrawn stay until they come first and are skipped, or until most
// are withdrawn: behind one that nobody can take they would stay for ever.
type queue struct {
	runs []*run
	head int
	gone int // withdrawn, of those from head on
}

func (q *queue) push(r *run) { q.runs = append(q.runs, r) }

// first is the oldest run that still waits, or nil.
func (q *queue) first() *run {
	for q.head < len(q.runs) && q.runs[q.head].gone {
		q.gone--
		q.pop()
	}
	if q.head == len(q.runs) {
		return nil
	}
	return q.runs[q.head]
}

func (q *queue) pop() {
	q.runs[q.head] = nil
	q.head++
	if q.head == len(q.runs) {
		q.runs, q.head = nil, 0
	} else if q.head > 1000 && q.head > len(q.runs)/2 {
		q.runs, q.head = append([]*run(nil), q.runs[q.head:]...), 0
	}
}

// withdraw takes a run out.
func (q *queue) withdraw(r *run) {
	r.gone = true
	q.gone++
	if q.gone < 1000 || q.gone <= (len(q.runs)-q.head)/2 {
		return
	}
	kept := make([]*run, 0, len(q.runs)-q.head-q.gone)
	for _, r := range q.runs[q.head:] {
		if !r.gone {
			kept = append(kept, r)
		}
	}
	q.runs, q.head, q.gone = kept, 0, 0
}

func (q *queue) empty() bool { return q.first() == nil }

func plural(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return strconv.Itoa(n) + " " + noun + "s"
}
