package packs

import (
	"crypto/sha256"
	"fmt"
	"hash"
	"os"
	"path/filepath"
	"syscall"
)

// stamp tells whether the files of a pack are the same as before, without
// reading them: their names, sizes, modes, and the number and change time that
// the file system keeps of each. A file that was saved has another.
type stamp [sha256.Size]byte

// stampFolders are the folders whose files count. Scripts count with them,
// since an action is refused while its entry point is missing.
var stampFolders = []string{".", "actions", "triggers", "rules", "sensors", "aliases", "policies"}

// stampOf looks at the pack in a folder, and at its configuration.
func stampOf(dir string, configs []string) stamp {
	sum := sha256.New()
	for _, folder := range stampFolders {
		entries, err := os.ReadDir(filepath.Join(dir, folder))
		fmt.Fprintf(sum, "%s %t\n", folder, err == nil)
		for _, e := range entries {
			if !e.IsDir() {
				stampFile(sum, filepath.Join(dir, folder, e.Name()))
			}
		}
	}
	for _, config := range configs {
		for _, ext := range []string{".yaml", ".yml"} {
			stampFile(sum, filepath.Join(config, refOf(dir)+ext))
		}
	}
	return stamp(sum.Sum(nil))
}

func stampFile(sum hash.Hash, file string) {
	stat, err := os.Stat(file) // of a link, the file it leads to
	if err != nil {
		return
	}
	fmt.Fprintf(sum, "%s %d %v %d", file, stat.Size(), stat.Mode(), stat.ModTime().UnixNano())
	if own, ok := stat.Sys().(*syscall.Stat_t); ok {
		fmt.Fprintf(sum, " %d %d", own.Ino, own.Ctim.Nano())
	}
	sum.Write([]byte{'\n'})
}
