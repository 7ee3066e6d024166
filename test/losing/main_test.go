package losing_test

import (
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"
)

var seed = flag.Uint64("seed", 0, "of the load, and of the moments at which things are lost; 0 takes a new one")

// built are the programs, built once for all tests.
var built struct{ attune, action string }

func TestMain(m *testing.M) {
	flag.Parse()
	os.Exit(withPrograms(m.Run))
}

func withPrograms(run func() int) int {
	if os.Getenv(wanted) == "" {
		return run() // nothing that needs them
	}
	dir, err := os.MkdirTemp("", "attune-losing-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(dir)
	built.attune, built.action = filepath.Join(dir, "attune"), filepath.Join(dir, "action")
	for program, folder := range map[string]string{built.attune: "../../cmd/attune", built.action: "../e2e/action"} {
		c := exec.Command("go", "build", "-o", program, folder)
		c.Env = append(os.Environ(), "CGO_ENABLED=0")
		if out, err := c.CombinedOutput(); err != nil {
			fmt.Fprintf(os.Stderr, "build %s: %v\n%s", folder, err, out)
			return 1
		}
	}
	if *seed == 0 {
		*seed = uint64(time.Now().UnixNano()) % 1_000_000
	}
	return run()
}
