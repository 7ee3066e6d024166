package main

import (
	"io"
	"os"
	"path/filepath"
	"testing"
)

func TestLocalServerIsFound(t *testing.T) {
	data := filepath.Join(t.TempDir(), "new")
	if url, token, err := FindLocal(data); url != "" || token != "" || err != nil {
		t.Errorf("in no folder: %q, %q, %v", url, token, err)
	}
	if err := WriteLocal(data, "http://127.0.0.1:1", "secret"); err != nil {
		t.Fatal(err)
	}
	if url, token, err := FindLocal(data); url != "http://127.0.0.1:1" || token != "secret" || err != nil {
		t.Errorf("%q, %q, %v", url, token, err)
	}
	if stat, err := os.Stat(filepath.Join(data, tokenFile)); err != nil || stat.Mode().Perm() != 0o600 {
		t.Errorf("the token may be read by others: %v, %v", stat.Mode(), err)
	}
	for range 2 {
		if err := RemoveLocal(data); err != nil {
			t.Error(err)
		}
	}
	if url, token, _ := FindLocal(data); url != "" || token != "secret" {
		t.Errorf("after its end: %q, %q", url, token)
	}
}

func TestAServerThatWasKilledIsNotFound(t *testing.T) {
	data := t.TempDir()
	if err := os.WriteFile(filepath.Join(data, localFile), []byte(`{"url":"http://127.0.0.1:1","pid":2147483646}`), 0o600); err != nil {
		t.Fatal(err)
	}
	if url, _, err := FindLocal(data); url != "" || err != nil {
		t.Errorf("%q, %v", url, err)
	}
}

func TestDataFolder(t *testing.T) {
	env := map[string]string{}
	get := func(name string) string { return env[name] }
	if _, err := dataFolder("", get); err == nil {
		t.Error("a folder out of nothing")
	}
	for _, c := range [][3]string{{"HOME", "/h", "/h/.local/share/attune"}, {"XDG_DATA_HOME", "/x", "/x/attune"}, {"ATTUNE_DATA", "/d", "/d"}} {
		env[c[0]] = c[1]
		if got, err := dataFolder("", get); got != c[2] || err != nil {
			t.Errorf("%s: %q, %v", c[0], got, err)
		}
	}
	if got, _ := dataFolder("/f", get); got != "/f" {
		t.Errorf("the flag comes first: %q", got)
	}
}

// The token of a folder is for the server of that folder alone.
func TestTheLocalTokenGoesNowhereElse(t *testing.T) {
	w := scene(t)
	data := t.TempDir()
	if err := WriteLocal(data, w.URL, w.Operator); err != nil {
		t.Fatal(err)
	}
	run := func(env map[string]string, args ...string) int {
		return execute(t.Context(), append(args, "event", "list"), streams{out: io.Discard, talk: io.Discard, env: func(name string) string { return env[name] }})
	}
	if code := run(map[string]string{"ATTUNE_DATA": data}); code != exitOK {
		t.Errorf("local: %d", code)
	}
	if code := run(nil, "--data", data, "--server", w.URL); code != exitOK {
		t.Errorf("local by name: %d", code)
	}
	other := scene(t)
	if code := run(map[string]string{"ATTUNE_DATA": data, "ATTUNE_SERVER": other.URL}); code != exitDenied {
		t.Errorf("elsewhere: %d", code)
	}
	if err := RemoveLocal(data); err != nil {
		t.Fatal(err)
	}
	if code := run(map[string]string{"ATTUNE_DATA": data}); code != exitUnreachable {
		t.Errorf("none runs: %d", code)
	}
}

// A command within an action speaks for that action: it uses its token, not that
// of the data folder which it could find, and only for its server.
func TestACommandWithinAnActionUsesItsToken(t *testing.T) {
	w := scene(t)
	data := t.TempDir()
	if err := WriteLocal(data, w.URL, "attune_admin_wrong"); err != nil {
		t.Fatal(err)
	}
	other := scene(t)
	for _, c := range []struct {
		name string
		env  map[string]string
		args []string
		code int
	}{
		{"both are given", map[string]string{"ATTUNE_API_URL": w.URL, "ATTUNE_API_TOKEN": w.Viewer}, nil, exitOK},
		{"no token is given", map[string]string{"ATTUNE_API_URL": w.URL}, nil, exitDenied},
		{"a server is named", map[string]string{"ATTUNE_API_URL": w.URL, "ATTUNE_API_TOKEN": w.Viewer}, []string{"--server", other.URL}, exitDenied},
		{"a token is named", map[string]string{"ATTUNE_API_URL": other.URL, "ATTUNE_API_TOKEN": w.Viewer, "ATTUNE_TOKEN": other.Viewer}, nil, exitOK},
		{"a data folder is named", map[string]string{"ATTUNE_API_URL": w.URL, "ATTUNE_API_TOKEN": w.Viewer}, []string{"--data", data}, exitDenied},
	} {
		env := func(name string) string {
			if name == "ATTUNE_DATA" {
				return data
			}
			return c.env[name]
		}
		if code := execute(t.Context(), append(c.args, "event", "list"), streams{out: io.Discard, talk: io.Discard, env: env}); code != c.code {
			t.Errorf("%s: %d, want %d", c.name, code, c.code)
		}
	}
}
