package attune

import (
	"fmt"
	"math"
	"strconv"
	"strings"
)

// Resources limit what all processes of one attempt may use together. Zero is
// no limit. Which of them hold is the machine's affair: the worker says so in
// its labels.
type Resources struct {
	// Memory is in bytes, swap included: there is none.
	Memory int64 `json:"memory,omitempty"`
	// Processes counts threads too, as the kernel does.
	Processes int `json:"processes,omitempty"`
	// CPU is in processors: 1.5 is the time of one and a half.
	CPU float64 `json:"cpu,omitempty"`
}

// The least that a limit may be: below, nothing could run at all.
const (
	LeastMemory = 1 << 20
	LeastCPU    = 0.01
)

// Check says what is wrong with a limit, in the words of its key.
func (r Resources) Check() error {
	switch {
	case r.Memory != 0 && r.Memory < LeastMemory:
		return invalidResource("memory", "it is below 1MiB", "512MiB")
	case r.Processes < 0 || r.Processes > 1<<22:
		return invalidResource("processes", "it is no number from 1 to 4194304", "64")
	case r.CPU != 0 && (math.IsNaN(r.CPU) || r.CPU < LeastCPU || r.CPU > 1<<16):
		return invalidResource("cpu", "it is no number of processors from 0.01 on", "1.5")
	}
	return nil
}

func invalidResource(key, message, example string) error {
	return &Error{Kind: Invalid, Code: "invalid_limit", Message: message, Where: "limits." + key, Try: "for instance " + example}
}

// Within is the smaller of each limit.
func (r Resources) Within(most Resources) Resources {
	r.Memory = smaller(r.Memory, most.Memory)
	r.Processes = smaller(r.Processes, most.Processes)
	r.CPU = smaller(r.CPU, most.CPU)
	return r
}

// smaller is the smaller of two limits, of which zero is none.
func smaller[T int | int64 | float64](a, b T) T {
	if a == 0 || b != 0 && b < a {
		return b
	}
	return a
}

// sizeUnits are what a size may end with, the longer first.
var sizeUnits = []struct {
	name string
	of   float64
}{
	{"kib", 1 << 10}, {"mib", 1 << 20}, {"gib", 1 << 30}, {"tib", 1 << 40},
	{"kb", 1e3}, {"mb", 1e6}, {"gb", 1e9}, {"tb", 1e12},
	{"k", 1 << 10}, {"m", 1 << 20}, {"g", 1 << 30}, {"t", 1 << 40}, {"b", 1}, {"", 1},
}

// ParseSize reads a number of bytes: 512MiB, 1.5GB, 64k (which is 64KiB),
// 1048576. Upper and lower case are the same.
func ParseSize(s string) (int64, error) {
	text := strings.ToLower(strings.TrimSpace(s))
	for _, unit := range sizeUnits {
		digits, ok := strings.CutSuffix(text, unit.name)
		if !ok {
			continue
		}
		digits = strings.TrimSpace(digits)
		n, err := strconv.ParseFloat(digits, 64)
		if err != nil || strings.Trim(digits, "0123456789.") != "" || n*unit.of >= 1<<62 {
			break
		}
		return int64(n * unit.of), nil
	}
	return 0, &Error{Kind: Invalid, Code: "invalid_size", Message: fmt.Sprintf("%.40q is no number of bytes", s), Try: "512MiB, or 1GiB"}
}
