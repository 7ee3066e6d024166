package secret

// Finder finds texts in texts, in one pass however many there are: the automaton
// of Aho and Corasick. To search for one after the other costs as many passes,
// and a search that begins anew at every byte can be made quadratic by whoever
// chooses text and secret. Its price is about 24 bytes for each byte searched
// for. It never changes, and is safe for concurrent use.
type Finder struct {
	nodes []step
	// root are the steps from the beginning, dense: most bytes begin nothing.
	root [256]int32
}

// step is a node: the place in the texts one can be at.
type step struct {
	child, sibling int32
	// back is the longest other place that the same bytes lead to.
	back int32
	// depth is how many bytes lead here.
	depth int32
	// found is the length of the longest text that ends here, or zero.
	found int32
	by    byte
}

// NewFinder is a finder of texts that are not empty.
func NewFinder(texts []string) *Finder {
	size := 1
	for _, text := range texts {
		size += len(text)
	}
	f := &Finder{nodes: make([]step, 1, size)}
	for _, text := range texts {
		f.add(text)
	}
	f.link()
	return f
}

func (f *Finder) add(text string) {
	at := int32(0)
	for i := range len(text) {
		next := f.child(at, text[i])
		if next == 0 {
			next = int32(len(f.nodes)) //nolint:gosec // parameters have 1 MiB at most
			f.nodes = append(f.nodes, step{by: text[i], depth: f.nodes[at].depth + 1, sibling: f.nodes[at].child})
			f.nodes[at].child = next
			if at == 0 {
				f.root[text[i]] = next
			}
		}
		at = next
	}
	if at != 0 {
		f.nodes[at].found = f.nodes[at].depth
	}
}

func (f *Finder) child(at int32, b byte) int32 {
	if at == 0 {
		return f.root[b]
	}
	next := f.nodes[at].child
	for next != 0 && f.nodes[next].by != b {
		next = f.nodes[next].sibling
	}
	return next
}

// link sets the ways back, the shorter places first.
func (f *Finder) link() {
	queue := make([]int32, 0, len(f.nodes))
	for next := f.nodes[0].child; next != 0; next = f.nodes[next].sibling {
		queue = append(queue, next)
	}
	for ; len(queue) > 0; queue = queue[1:] {
		at := queue[0]
		for next := f.nodes[at].child; next != 0; next = f.nodes[next].sibling {
			back := f.next(f.nodes[at].back, f.nodes[next].by)
			f.nodes[next].back = back
			if f.nodes[next].found == 0 {
				f.nodes[next].found = f.nodes[back].found
			}
			queue = append(queue, next)
		}
	}
}

// next is where a byte leads.
func (f *Finder) next(at int32, b byte) int32 {
	for at != 0 {
		if next := f.child(at, b); next != 0 {
			return next
		}
		at = f.nodes[at].back
	}
	return f.root[b]
}

// In tells that one of the texts is in another.
func (f *Finder) In(text string) bool {
	at := int32(0)
	for i := range len(text) {
		if at = f.next(at, text[i]); f.nodes[at].found > 0 {
			return true
		}
	}
	return false
}
