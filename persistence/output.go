package persistence

// outputSlice bounds what one transaction of output writes, so that flushes get
// their turn in between.
const outputSlice = 1 << 20

// InSlices checks all chunks and then calls write with some at a time, for stores
// that have a transaction for each call: much output is several, and an error may
// leave the first chunks written.
func InSlices(chunks []OutputChunk, write func([]OutputChunk) error) error {
	for _, c := range chunks {
		if reason := CheckChunk(c); reason != "" {
			return Unstorable(reason)
		}
	}
	for len(chunks) > 0 {
		n, size := 0, 0
		for n < len(chunks) && (n == 0 || size+len(chunks[n].Data) <= outputSlice) {
			size += len(chunks[n].Data)
			n++
		}
		if err := write(chunks[:n]); err != nil {
			return err
		}
		chunks = chunks[n:]
	}
	return nil
}
