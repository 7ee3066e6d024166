package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"github.com/attune-automation/attune"
	"github.com/attune-automation/attune/persistence/sqlite"
)

// folder looks at the data folder itself, and who uses it.
func (who *patient) folder(context.Context) []finding {
	stat, err := os.Stat(who.data)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return []finding{trouble(stateWarn, "data folder", who.data+" is not there", "attune dev was never started on it, or another folder is meant", "attune dev makes it; --data DIR names another")}
	case err != nil:
		return []finding{trouble(stateFail, "data folder", err.Error(), "nothing can be read", "run this as the user that runs the node")}
	case !stat.IsDir():
		return []finding{trouble(stateFail, "data folder", who.data+" is no folder", "no node can start on it", "--data DIR")}
	}
	all := []finding{good("data folder", "%s, mode %04o", who.data, stat.Mode().Perm())}
	if stat.Mode().Perm()&0o077 != 0 {
		all[0] = trouble(stateWarn, "data folder", fmt.Sprintf("%s has mode %04o", who.data, stat.Mode().Perm()), "others on this machine may read what actions were given", "chmod 700 "+who.data)
	}
	return append(all, who.lock())
}

// lock tries the lock for a moment, in the way that hinders nobody but a node
// that starts in that very moment.
func (who *patient) lock() finding {
	f, err := os.Open(filepath.Join(who.data, "attune.lock"))
	if errors.Is(err, fs.ErrNotExist) {
		return good("lock", "no node has used the folder yet")
	}
	if err != nil {
		return trouble(stateFail, "lock", err.Error(), "no node can start on the folder", "run this as the user that runs the node; chown the folder to it")
	}
	defer f.Close()
	err = syscall.Flock(int(f.Fd()), syscall.LOCK_SH|syscall.LOCK_NB)
	url, _, _ := FindLocal(who.data)
	switch {
	case errors.Is(err, syscall.EWOULDBLOCK) && url == "":
		return trouble(stateWarn, "lock", "a process uses the folder, and no node says that it does", "a node starts, drains or hangs; or another program holds the lock", "look again in a minute; fuser "+f.Name())
	case errors.Is(err, syscall.EWOULDBLOCK):
		return good("lock", "held by the node at %s", url)
	case url != "":
		return trouble(stateWarn, "lock", "server.json names "+url+", and nobody holds the lock", "another process has the id of a node that was killed", "attune dev, or remove server.json")
	}
	return good("lock", "free: no node runs on the folder")
}

// disk looks at the room for growth.
func (who *patient) disk(context.Context) []finding {
	at := who.data
	if _, err := os.Stat(at); err != nil {
		return nil
	}
	var s syscall.Statfs_t
	if err := syscall.Statfs(at, &s); err != nil {
		return []finding{trouble(stateWarn, "disk", err.Error(), "the room is not known", "df "+at)}
	}
	const nfs, smb, cifs = 0x6969, 0x517b, 0xff534d42
	all := []finding{}
	if kind := uint32(s.Type); kind == nfs || kind == smb || kind == cifs { //nolint:gosec // magic numbers have 32 bits
		all = append(all, trouble(stateFail, "file system", "the folder is on a network", "locks and syncs may not be what they seem: the data can be lost", "use a local disk"))
	}
	free, total := s.Bavail*uint64(s.Bsize), s.Blocks*uint64(s.Bsize) //nolint:gosec // sizes are not negative
	found := fmt.Sprintf("%s of %s free", bytesText(int64(free)), bytesText(int64(total)))
	switch {
	case free < 100<<20:
		return append(all, trouble(stateFail, "disk", found, "the store stops taking writes, and running actions are ended", "make room; attune admin gc --older-than 7d frees room inside the database"))
	case free < 1<<30 || free < total/20:
		return append(all, trouble(stateWarn, "disk", found, "a backup, or a burst of output, may fill it", "make room, or keep less: attune dev --keep, --keep-output"))
	}
	return append(all, good("disk", "%s", found))
}

func bytesText(n int64) string {
	switch {
	case n >= 1<<30:
		return fmt.Sprintf("%.1f GB", float64(n)/(1<<30))
	case n >= 1<<20:
		return fmt.Sprintf("%.1f MB", float64(n)/(1<<20))
	}
	return fmt.Sprintf("%d kB", (n+1023)/1024)
}

// database reads it, and what its ids say of the clock.
func (who *patient) database(ctx context.Context) []finding {
	path := filepath.Join(who.data, sqlite.File)
	c, err := sqlite.Examine(ctx, path, who.thorough)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case err != nil:
		return []finding{trouble(stateFail, "database", err.Error(), "it cannot be read, or is no database", "if the node does not start either: attune admin restore FILE")}
	case len(c.Faults) > 0:
		return []finding{trouble(stateFail, "database", c.Faults[0], "the database is damaged: what is read from it may be wrong", "stop the node, keep the folder, attune admin restore FILE; then look at the disk")}
	case c.Schema > c.Know:
		return []finding{trouble(stateFail, "schema", fmt.Sprintf("version %d, and this program knows %d", c.Schema, c.Know), "this program cannot start on it", "use the newer program")}
	}
	all := []finding{good("database", "%s, of which %s are free for new rows; live executions: %d", bytesText(c.Bytes), bytesText(c.Free), c.Live),
		good("schema", "version %d", c.Schema)}
	if c.Schema < c.Know {
		all[1] = good("schema", "version %d; the next start brings it to %d", c.Schema, c.Know)
	}
	if c.Log > 256<<20 {
		all = append(all, trouble(stateWarn, "log", bytesText(c.Log)+" are not folded in", "a reader holds on to an old state: a backup, or a program that has the file open", "end it; the log shrinks by itself"))
	} else {
		all = append(all, good("log", "%s", bytesText(c.Log)))
	}
	return append(all, who.clock(c.IDHigh))
}

// clock compares the ids that were handed out with the time. They run ahead by
// half a minute at most.
func (who *patient) clock(idHigh int64) finding {
	ahead := attune.MakeID(idHigh, 0, 0).Time().Sub(who.now)
	if idHigh > 0 && ahead > 2*time.Minute {
		return trouble(stateFail, "clock", fmt.Sprintf("ids are %s ahead of the clock", ahead.Truncate(time.Second)),
			"the clock was set back; new work is refused until it has caught up", "set the clock right (timedatectl), then wait")
	}
	return good("clock", "%s; ids are not ahead of it", who.now.UTC().Format(time.RFC3339))
}

// secrets looks at the files that only their owner should read.
func (who *patient) secrets(context.Context) (all []finding) {
	for _, file := range []struct {
		check, name, absent string
		size                int64
	}{{"key", "attune.key", "none: nothing is encrypted yet", 32}, {"token", tokenFile, "none: the next start makes one", 0}} {
		path := filepath.Join(who.data, file.name)
		stat, err := os.Stat(path)
		switch {
		case errors.Is(err, fs.ErrNotExist):
			all = append(all, good(file.check, "%s", file.absent))
		case err != nil:
			all = append(all, trouble(stateFail, file.check, err.Error(), "it cannot be looked at", "run this as the user that runs the node"))
		case stat.Mode().Perm()&0o077 != 0:
			all = append(all, trouble(stateFail, file.check, fmt.Sprintf("%s has mode %04o", path, stat.Mode().Perm()), "others on this machine can read it", "chmod 600 "+path+"; then think of it as known"))
		case file.size > 0 && stat.Size() != file.size:
			all = append(all, trouble(stateFail, file.check, fmt.Sprintf("%s has %d bytes, not %d", path, stat.Size(), file.size), "what is encrypted cannot be read", "put the file of your backup in its place"))
		default:
			all = append(all, good(file.check, "%s, mode %04o", file.name, stat.Mode().Perm()))
		}
	}
	return all
}
