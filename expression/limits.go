package expression

// The cage. Each limit ends a compile or a render with an Error of kind
// Budget; none depends on time or on the machine.
const (
	// MaxSource is the longest template, in bytes.
	MaxSource = 64 << 10
	// MaxOutput is the longest text that a render, or any operation within
	// it, may produce, in bytes.
	MaxOutput = 1 << 20
	// MaxMemory is the sum of all texts, list and dict entries one render may
	// make, in bytes, whether they are still in use or not.
	MaxMemory = 16 << 20
	// MaxSteps is the work of one render: nodes evaluated, elements walked and
	// blocks of 32 bytes handled.
	MaxSteps = 1_000_000
	// MaxRange is the longest list that range() gives.
	MaxRange = 10_000
	// MaxNesting is how deeply parentheses, operators and statements may be
	// nested in a source, and how deeply a printed or returned value may be.
	MaxNesting = 100
	// MaxChain is how many operators, look-ups or filters may follow each
	// other in one expression without parentheses.
	MaxChain = 500
	// MaxMacroDepth is how deeply macros may call each other.
	MaxMacroDepth = 32
)

const (
	bytesPerStep  = 32 // text handled for one step
	bytesPerEntry = 16 // memory charged for a list or dict entry
)
