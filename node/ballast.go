package node

// ballast is memory that nobody touches: the system never gives it a page.
var ballast []byte

// ballastBytes is its size. The collector begins when the heap is twice what was
// alive: with little alive, as here, that is many times a second under load, and
// a quarter of what the program costs. The ballast counts as alive. Smaller, and
// the collector comes more often; bigger, and more garbage lies about: under load
// the program takes up to this much memory more.
const ballastBytes = 64 << 20

// Ballast has the collector come less often. For the main function of a process
// that serves; a second call changes nothing.
func Ballast() {
	if ballast == nil {
		ballast = make([]byte, ballastBytes)
	}
}
