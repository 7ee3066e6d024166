package main

import (
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"

	"github.com/attune-automation/attune"
)

// Files in the data folder by which commands find the attune dev that runs
// there.
const (
	localFile = "server.json"
	tokenFile = "token"
)

const defaultDataHint = "$XDG_DATA_HOME/attune, ~/.local/share/attune"

// localServer is the content of server.json.
type localServer struct {
	URL string `json:"url"`
	PID int    `json:"pid"`
}

// WriteLocal makes a server that runs on a data folder findable. The token is
// readable by this user only. Remove it again with [RemoveLocal].
func WriteLocal(data, url, token string) error {
	if err := os.MkdirAll(data, 0o700); err != nil {
		return err
	}
	if err := replaceFile(filepath.Join(data, tokenFile), []byte(token+"\n"), 0o600); err != nil {
		return err
	}
	b, err := json.Marshal(localServer{URL: url, PID: os.Getpid()})
	if err != nil {
		return err
	}
	return replaceFile(filepath.Join(data, localFile), append(b, '\n'), 0o644)
}

// RemoveLocal says that the server is gone. The token stays.
func RemoveLocal(data string) error {
	err := os.Remove(filepath.Join(data, localFile))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}

// FindLocal is the URL of the server that runs on a data folder, and the token
// kept there. The URL is empty where none runs, the token where none is kept.
func FindLocal(data string) (url, token string, err error) {
	b, err := os.ReadFile(filepath.Join(data, tokenFile))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return "", "", err
	}
	token = strings.TrimSpace(string(b))
	b, err = os.ReadFile(filepath.Join(data, localFile))
	if errors.Is(err, fs.ErrNotExist) {
		return "", token, nil
	}
	var l localServer
	if err == nil {
		err = json.Unmarshal(b, &l)
	}
	if err != nil {
		return "", token, err
	}
	if l.PID > 0 && errors.Is(syscall.Kill(l.PID, 0), syscall.ESRCH) {
		return "", token, nil // left behind by one that was killed
	}
	return l.URL, token, nil
}

// replaceFile writes a file so that a reader sees the old or the new one, and
// nobody ever sees it with other rights.
func replaceFile(path string, content []byte, mode fs.FileMode) error {
	f, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+"-*")
	if err != nil {
		return err
	}
	_, err = f.Write(content)
	err = errors.Join(err, f.Chmod(mode), f.Close())
	if err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		_ = os.Remove(f.Name())
	}
	return err
}

// dataFolder is where attune dev keeps everything: what was asked for, else
// what the environment says, else the default of the system.
func dataFolder(flag string, env func(string) string) (string, error) {
	switch {
	case flag != "":
		return filepath.Abs(flag)
	case env("ATTUNE_DATA") != "":
		return filepath.Abs(env("ATTUNE_DATA"))
	case env("XDG_DATA_HOME") != "":
		return filepath.Join(env("XDG_DATA_HOME"), "attune"), nil
	case env("HOME") != "":
		return filepath.Join(env("HOME"), ".local", "share", "attune"), nil
	}
	return "", &attune.Error{Kind: attune.Invalid, Code: "no_data_folder", Message: "no data folder is known", Try: "--data DIR"}
}
