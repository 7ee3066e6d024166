package e2e_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// built are the programs under test, built once for all tests.
var built struct{ attune, action string }

func TestMain(m *testing.M) { os.Exit(withPrograms(m.Run)) }

func withPrograms(run func() int) int {
	dir, err := os.MkdirTemp("", "attune-e2e-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(dir)
	built.attune, built.action = filepath.Join(dir, "attune"), filepath.Join(dir, "action")
	for program, folder := range map[string]string{built.attune: "../../cmd/attune", built.action: "./action"} {
		c := exec.Command("go", "build", "-o", program, folder)
		c.Env = append(os.Environ(), "CGO_ENABLED=0")
		if out, err := c.CombinedOutput(); err != nil {
			fmt.Fprintf(os.Stderr, "build %s: %v\n%s", folder, err, out)
			return 1
		}
	}
	return run()
}
