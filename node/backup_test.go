package node_test

import (
	"archive/tar"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/attune-automation/attune"
	"github.com/attune-automation/attune/api"
	"github.com/attune-automation/attune/node"
	"github.com/attune-automation/attune/packs"
	"github.com/attune-automation/attune/packs/core"
)

// takeBackup runs a node on a folder with packs and a key, with one execution
// that has ended and, on its one slot, one that runs and two that wait.
func takeBackup(t *testing.T, withKey bool) (file string, config node.EmbeddedConfig, ids []attune.ExecutionID) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	config = node.EmbeddedConfig{Data: t.TempDir(), Packs: []*attune.Pack{packs.LoadFS(core.Files, core.Ref, "")}, Slots: 1, KeeperArgs: []string{"keeper"}, Mode: contained(t)}
	for name, text := range map[string]string{"packs/p/pack.yaml": "name: p\n", "configs/p.yaml": "a: 1\n", "worker/other": "not this"} {
		must(t, os.MkdirAll(filepath.Dir(filepath.Join(config.Data, name)), 0o700))
		must(t, os.WriteFile(filepath.Join(config.Data, name), []byte(text), 0o600))
	}
	must(t, os.Symlink("pack.yaml", filepath.Join(config.Data, "packs", "p", "link")))
	if _, err := node.OpenKey(config.Data); err != nil {
		t.Fatal(err)
	}
	must(t, os.WriteFile(filepath.Join(config.Data, "attune.key.old-1"), bytes.Repeat([]byte{1}, 32), 0o600))
	e := open(ctx, t, config)
	defer e.close(ctx)
	ask := func(cmd string) {
		r, err := e.RequestExecution(ctx, api.ExecutionRequest{Action: "core.local", Parameters: map[string]any{"cmd": cmd}, Chain: attune.Chain{Principal: "me"}})
		must(t, err)
		ids = append(ids, r.ID)
	}
	ask("echo hello")
	e.wait(ctx, ids[0])
	ask("sleep 1")
	ask("echo waited")
	ask("echo waited too")
	a, err := e.Backup(ctx, api.BackupRequest{WithKey: withKey})
	must(t, err)
	var b bytes.Buffer
	_, err = a.WriteTo(&b)
	must(t, errors.Join(err, a.Close()))
	if left, _ := filepath.Glob(filepath.Join(config.Data, ".backup-*")); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
	file = filepath.Join(t.TempDir(), "backup.tar")
	must(t, os.WriteFile(file, b.Bytes(), 0o600))
	return file, config, ids
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// What ended is there with its output, what ran is abandoned and not run again,
// what waited runs; or, if that is wanted, is cancelled.
func TestARestoredNodeGoesOnWhereItsBackupWas(t *testing.T) {
	file, config, ids := takeBackup(t, true)
	for name, c := range map[string]struct {
		cancel bool
		want   []attune.Status
	}{
		"what waited runs":       {false, []attune.Status{attune.Completed, attune.Abandoned, attune.Completed, attune.Completed}},
		"what waited is stopped": {true, []attune.Status{attune.Completed, attune.Abandoned, attune.Cancelled, attune.Cancelled}},
	} {
		t.Run(name, func(t *testing.T) {
			ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
			defer cancel()
			config := config
			config.Data = filepath.Join(t.TempDir(), "new", "data")
			r, err := node.Restore(ctx, node.RestoreConfig{File: file, Data: config.Data, CancelWaiting: c.cancel, Now: time.Now})
			if err != nil || r.Live != 3 || r.Key != "backup" || r.Cancelled != map[bool]int{true: 2}[c.cancel] {
				t.Fatalf("%+v, %v", r, err)
			}
			if _, err := os.Stat(filepath.Join(config.Data, "worker")); err == nil {
				t.Error("the worker's folder was in the backup")
			}
			if text, err := os.ReadFile(filepath.Join(config.Data, "packs", "p", "link")); err != nil || string(text) != "name: p\n" {
				t.Errorf("the packs are %q, %v", text, err)
			}
			if _, err := node.OpenKey(config.Data); err != nil {
				t.Error(err)
			}
			if old, err := node.OldKeys(config.Data); err != nil || len(old) != 1 {
				t.Errorf("%d keys from before, %v", len(old), err)
			}
			e := open(ctx, t, config)
			defer e.close(ctx)
			for i, id := range ids {
				if x := e.wait(ctx, id); x.Status != c.want[i] || i == 1 && x.Attempt != 1 {
					t.Errorf("execution %d is %s after %d attempts: %s", i, x.Status, x.Attempt, x.Reason)
				}
			}
			if next, err := e.RequestExecution(ctx, api.ExecutionRequest{Action: "core.noop", Chain: attune.Chain{Principal: "me"}}); err != nil || attune.ID(next.ID).Time().Before(time.Now()) {
				t.Errorf("the next id is %s, %v: it may have been made after the backup", next.ID, err)
			}
		})
	}
}

// A backup that is cut short anywhere, or changed anywhere, is refused, and
// nothing is left of it.
func TestABackupThatIsNotWholeIsRefused(t *testing.T) {
	file, _, _ := takeBackup(t, false)
	whole, err := os.ReadFile(file)
	must(t, err)
	parent := t.TempDir()
	try := func(what string, content []byte) error {
		t.Helper()
		bad := filepath.Join(t.TempDir(), "bad.tar")
		must(t, os.WriteFile(bad, content, 0o600))
		_, err := node.Restore(t.Context(), node.RestoreConfig{File: bad, Data: filepath.Join(parent, "data"), Now: time.Now})
		if err == nil { // the change was between the files
			must(t, os.RemoveAll(filepath.Join(parent, "data")))
		}
		if entries, _ := os.ReadDir(parent); len(entries) > 0 {
			t.Fatalf("%s: %s is left", what, entries[0].Name())
		}
		return err
	}
	for n := 0; n < len(whole)-1024; n += 1 + len(whole)/40 { // the last two blocks are empty
		if err := try("cut", whole[:n]); err == nil || attune.KindOf(err) != attune.Invalid {
			t.Errorf("cut at %d of %d: %v", n, len(whole), err)
		}
	}
	changed := 0
	for n := 700; n < len(whole)-2048; n += len(whole) / 25 {
		content := bytes.Clone(whole)
		content[n] ^= 0xff
		if err := try("changed", content); err != nil {
			changed++
		}
	}
	if changed < 20 {
		t.Errorf("only %d of 25 changes were noticed", changed)
	}
	for name, c := range map[string]struct{ files [][2]string }{
		"of a newer program":           {[][2]string{{"attune-backup.json", `{"format": 99}`}}},
		"that is none":                 {[][2]string{{"hello", "world"}}},
		"without a database":           {[][2]string{{"attune-backup.json", `{"format": 1}`}}},
		"that leaves the folder":       {[][2]string{{"attune-backup.json", `{"format": 1}`}, {"../out", "x"}}},
		"that leaves it through root":  {[][2]string{{"attune-backup.json", `{"format": 1}`}, {"/out", "x"}}},
		"with a database that is none": {[][2]string{{"attune-backup.json", `{"format": 1}`}, {"attune.db", strings.Repeat("no database", 1000)}}},
	} {
		if err := try(name, forge(t, c.files)); err == nil {
			t.Errorf("a backup %s was restored", name)
		}
	}
}

// forge is an archive with right sums.
func forge(t *testing.T, files [][2]string) []byte {
	t.Helper()
	var b bytes.Buffer
	w, sums := tar.NewWriter(&b), ""
	add := func(name, text string) {
		must(t, w.WriteHeader(&tar.Header{Name: name, Size: int64(len(text)), Mode: 0o600, Typeflag: tar.TypeReg}))
		_, err := io.WriteString(w, text)
		must(t, err)
		sum := sha256.Sum256([]byte(text))
		sums += fmt.Sprintf("%s  %s\n", hex.EncodeToString(sum[:]), name)
	}
	for _, f := range files {
		add(f[0], f[1])
	}
	add("SHA256SUMS", sums)
	must(t, w.Close())
	return b.Bytes()
}

// A folder that is used, or not empty, is not touched; by force it is moved
// aside, and gives its key.
func TestARestoreHarmsNoFolder(t *testing.T) {
	file, config, _ := takeBackup(t, false)
	before, err := os.ReadFile(filepath.Join(config.Data, "attune.key"))
	must(t, err)
	restore := func(force bool) (node.Restored, error) {
		return node.Restore(t.Context(), node.RestoreConfig{File: file, Data: config.Data, Force: force, Now: time.Now})
	}
	var e *attune.Error
	if _, err := restore(false); !errors.As(err, &e) || e.Code != "data_folder_not_empty" {
		t.Errorf("over a folder that is not empty: %v", err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	running := open(ctx, t, config)
	if _, err := restore(true); !errors.As(err, &e) || e.Code != "data_folder_in_use" {
		t.Errorf("over a folder that is used: %v", err)
	}
	running.close(ctx)
	r, err := restore(true)
	must(t, err)
	for _, dir := range []string{r.Aside, r.Data} {
		if key, err := os.ReadFile(filepath.Join(dir, "attune.key")); err != nil || !bytes.Equal(key, before) {
			t.Errorf("the key in %s is %d bytes, %v", dir, len(key), err)
		}
	}
	if r.Key != "folder before" {
		t.Errorf("%+v", r)
	}
}
