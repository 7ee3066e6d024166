package main

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/attune-automation/attune/cmd/attune/settings"
	"github.com/attune-automation/attune/packs"
)

const deploy = "../../deploy"

func readDeploy(t *testing.T, name string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(deploy, name))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// typedLine holds a command line without its first word against the program,
// and returns the command's name among those with settings, if it is one.
func typedLine(words []string) (string, error) {
	root := (&program{}).root()
	c, rest, err := root.Find(words)
	if err != nil {
		return "", err
	}
	if c == root || c.HasSubCommands() {
		return "", errors.New("attune " + strings.Join(words, " ") + " is no command")
	}
	if err := c.ParseFlags(rest); err != nil {
		return "", err
	}
	return settingsOf(c), nil
}

// ofSettings holds variables against the table, as the command reads them.
func ofSettings(t *testing.T, where, command string, env map[string]string) {
	t.Helper()
	for name := range env {
		if !strings.HasPrefix(name, "ATTUNE_") || name == configVariable {
			continue
		}
		if !slices.ContainsFunc(settings.All(), func(s *settings.Setting) bool { return s.Env() == name && (command == "" || s.Of(command)) }) {
			t.Errorf("%s: attune %s does not know %s", where, command, name)
		}
	}
	if command == "" {
		return
	}
	_, faults := settings.Resolve(command, settings.Sources{Env: func(name string) string { return env[name] }})
	for _, f := range faults {
		if !strings.Contains(f.Message, "no such file") { // of a container
			t.Errorf("%s: %s", where, f)
		}
	}
}

// unit is a file of systemd: its lines by key.
func unit(t *testing.T, name string) map[string][]string {
	t.Helper()
	all := map[string][]string{}
	for line := range strings.Lines(readDeploy(t, "systemd/"+name)) {
		if key, value, ok := strings.Cut(strings.TrimSpace(line), "="); ok && !strings.HasPrefix(key, "#") {
			all[key] = append(all[key], value)
		}
	}
	return all
}

func TestUnitsRunWhatThereIs(t *testing.T) {
	for _, name := range []string{"attune-server.service", "attune-worker.service"} {
		u := unit(t, name)
		words := strings.Fields(u["ExecStart"][0])
		command, err := typedLine(words[1:])
		if err != nil || command == "" || words[0] != "/usr/local/bin/attune" {
			t.Errorf("%s: %v is no command with settings: %v", name, words, err)
		}
		env := map[string]string{}
		for one := range strings.FieldsSeq(strings.Join(u["Environment"], " ")) {
			key, value, _ := strings.Cut(one, "=")
			env[key] = value
		}
		ofSettings(t, name, command, env)
		if env["ATTUNE_DATA"] != "/var/lib/"+u["StateDirectory"][0] || env[configVariable] == "" {
			t.Errorf("%s: %v, and its folder is %s", name, env, u["StateDirectory"])
		}
		stop, err := time.ParseDuration(u["TimeoutStopSec"][0])
		if err != nil || stop < drainWait+shutdownWait+10*time.Second {
			t.Errorf("%s: TimeoutStopSec=%s is no time for a drain of %s", name, u["TimeoutStopSec"], drainWait)
		}
		if u["KillMode"][0] != "mixed" || u["Restart"][0] != "always" || u["RestartPreventExitStatus"][0] != "64" {
			t.Errorf("%s: does not leave the keeper alone, or does not come back", name)
		}
		if !strings.Contains(readDeploy(t, "systemd/attune.sysusers.conf"), "\nu "+u["User"][0]+" ") {
			t.Errorf("%s: nobody makes the user %s", name, u["User"])
		}
	}
}

// What would take from the keeper or from actions what they need.
func TestTheWorkersUnitLeavesActionsWhatTheyNeed(t *testing.T) {
	u := unit(t, "attune-worker.service")
	if !slices.Equal(u["Delegate"], []string{"yes"}) || !slices.Equal(u["OOMPolicy"], []string{"continue"}) {
		t.Errorf("Delegate=%v, OOMPolicy=%v", u["Delegate"], u["OOMPolicy"])
	}
	for _, key := range []string{"ProtectControlGroups", "PrivateTmp", "ProtectHome", "ProtectSystem", "NoNewPrivileges", "MemoryDenyWriteExecute", "SystemCallFilter", "RestrictNamespaces", "CapabilityBoundingSet"} {
		if len(u[key]) > 0 {
			t.Errorf("%s=%v holds for every action", key, u[key])
		}
	}
}

func TestSystemdTakesTheUnits(t *testing.T) {
	if _, err := exec.LookPath("systemd-analyze"); err != nil {
		t.Skip("left out: systemd-analyze: it is not installed")
	}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	verify := func(name, text string) string {
		file := filepath.Join(dir, name)
		if err := os.WriteFile(file, []byte(strings.ReplaceAll(text, "/usr/local/bin/attune", self)), 0o600); err != nil {
			t.Fatal(err)
		}
		out, err := exec.Command("systemd-analyze", "verify", "--man=no", file).CombinedOutput()
		if err != nil {
			return err.Error() + ": " + string(out)
		}
		return string(out)
	}
	for _, name := range []string{"attune-server.service", "attune-worker.service"} {
		if said := verify(name, readDeploy(t, "systemd/"+name)); strings.Contains(said, name) {
			t.Errorf("%s: %s", name, said)
		}
	}
	if said := verify("attune-wrong.service", strings.Replace(readDeploy(t, "systemd/attune-worker.service"), "Delegate=", "Delegated=", 1)); !strings.Contains(said, "Delegated") {
		t.Errorf("a wrong key is not told: %s", said)
	}
}

// composed is compose.yaml as the test looks at it.
type composed struct{ root *packs.Node }

func (c composed) at(n *packs.Node, path ...string) *packs.Node {
	for _, name := range path {
		if n == nil {
			return nil
		}
		var next *packs.Node
		for _, f := range n.Fields {
			if f.Name == name {
				next = f.Value
			}
		}
		n = next
	}
	return n
}

func texts(n *packs.Node) []string {
	var all []string
	if n != nil {
		for _, one := range n.List {
			all = append(all, one.Text)
		}
	}
	return all
}

var (
	composeVariable = regexp.MustCompile(`\$\{([A-Z_]+)[^}]*\}`)
	scriptLine      = regexp.MustCompile(`^\s*attune (.*?)(?: 2?>.*| \|\|.*)?$`)
)

func TestTheComposeFileRunsWhatThereIs(t *testing.T) {
	text := readDeploy(t, "compose.yaml")
	root, faults := packs.ReadYAML("compose.yaml", []byte(text))
	if len(faults) > 0 {
		t.Fatal(faults)
	}
	c := composed{root}
	services := c.at(root, "services")
	volumes := c.at(root, "volumes")
	if len(services.Fields) < 4 {
		t.Fatal("it has hardly any services")
	}
	for _, f := range services.Fields {
		t.Run(f.Name, func(t *testing.T) {
			s := f.Value
			if need := c.at(s, "depends_on"); need != nil {
				for _, one := range need.Fields {
					if c.at(services, one.Name) == nil {
						t.Errorf("it waits for %s, which is not there", one.Name)
					}
					if c.at(one.Value, "condition").Text == "service_healthy" && c.at(services, one.Name, "healthcheck") == nil {
						t.Errorf("it waits for the health of %s, which has no check", one.Name)
					}
				}
			}
			for _, v := range texts(c.at(s, "volumes")) {
				if f.Name == "worker" && (strings.HasPrefix(v, "private:") || strings.HasPrefix(v, "server:")) {
					t.Errorf("actions could read the server's certificate key or the token of an admin: %s", v)
				}
				if name, _, _ := strings.Cut(v, ":"); !strings.HasPrefix(name, ".") && !strings.HasPrefix(name, "/") && !slices.ContainsFunc(volumes.Fields, func(v packs.NodeField) bool { return v.Name == name }) {
					t.Errorf("there is no volume %s", name)
				}
			}
			if c.at(s, "build") == nil {
				return
			}
			if _, err := os.Stat(filepath.Join(deploy, c.at(s, "build", "context").Text, c.at(s, "build", "dockerfile").Text)); err != nil {
				t.Error(err)
			}
			c.ofOurs(t, s)
		})
	}
	if key := c.at(services, "server", "environment", "ATTUNE_TLS_KEY"); key == nil || !strings.HasPrefix(key.Text, "/private/") {
		t.Error("the key of the server's certificate is not in the volume private")
	}
	for _, m := range composeVariable.FindAllStringSubmatch(text, -1) {
		if !strings.Contains(text, m[1]+"=%s") {
			t.Errorf("its first lines do not say where %s is from", m[1])
		}
	}
}

// ofOurs checks a service that runs the program.
func (c composed) ofOurs(t *testing.T, s *packs.Node) {
	t.Helper()
	env := map[string]string{}
	if e := c.at(s, "environment"); e != nil {
		for _, f := range e.Fields {
			env[f.Name] = composeVariable.ReplaceAllString(f.Value.Text, "word")
		}
	}
	command := ""
	if c.at(s, "entrypoint") == nil {
		var err error
		if command, err = typedLine(texts(c.at(s, "command"))); err != nil || command == "" {
			t.Errorf("%v is no command with settings: %v", texts(c.at(s, "command")), err)
		}
	} else {
		for line := range strings.Lines(strings.Join(texts(c.at(s, "command")), "\n")) {
			if m := scriptLine.FindStringSubmatch(strings.TrimSpace(line)); m != nil {
				if _, err := typedLine(strings.Fields(m[1])); err != nil {
					t.Error(err)
				}
			}
		}
	}
	ofSettings(t, "environment", command, env)
	if words := texts(c.at(s, "healthcheck", "test")); len(words) > 1 {
		if _, err := typedLine(words[2:]); err != nil || words[1] != "attune" {
			t.Errorf("%v: %v", words, err)
		}
	}
	if patience, err := time.ParseDuration(c.at(s, "stop_grace_period").Text); err != nil || patience < drainWait+shutdownWait+10*time.Second {
		t.Errorf("it is killed while it drains, after %s: %v", patience, err)
	}
}

func TestDockerTakesTheComposeFile(t *testing.T) {
	if exec.Command("docker", "compose", "version").Run() != nil {
		t.Skip("left out: docker compose: it is not installed")
	}
	cmd := exec.Command("docker", "compose", "-f", filepath.Join(deploy, "compose.yaml"), "config", "--quiet")
	cmd.Env = append(os.Environ(), "ATTUNE_DB_PASSWORD=a", "ATTUNE_MQ_PASSWORD=b")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Errorf("%v: %s", err, out)
	}
}

func TestTheDockerfileCopiesWhatThereIs(t *testing.T) {
	text := readDeploy(t, "Dockerfile")
	copies, env := 0, map[string]string{}
	for line := range strings.Lines(text) {
		words := strings.Fields(line)
		if len(words) < 2 {
			continue
		}
		switch words[0] {
		case "COPY":
			if strings.HasPrefix(words[1], "--from=build") {
				if !strings.Contains(text, "-o "+words[2]+" ./cmd/attune") {
					t.Errorf("nothing builds %s", words[2])
				}
				continue
			}
			for _, source := range words[1 : len(words)-1] {
				copies++
				if _, err := os.Stat(filepath.Join("../..", source)); err != nil {
					t.Error(err)
				}
			}
		case "ENV":
			name, value, _ := strings.Cut(words[1], "=")
			env[name] = value
		case "CMD":
			if command, err := typedLine([]string{strings.Trim(words[1], `[]"`)}); err != nil || command == "" {
				t.Errorf("%s: %v", line, err)
			}
		}
	}
	ofSettings(t, "Dockerfile", "", env)
	module, err := os.ReadFile("../../go.mod")
	if err != nil {
		t.Fatal(err)
	}
	version := regexp.MustCompile(`\ngo (\d+\.\d+)`).FindStringSubmatch(string(module))
	if copies < 2 || version == nil || !strings.Contains(text, "FROM golang:"+version[1]+" ") {
		t.Errorf("%d copies; go.mod says Go %v", copies, version)
	}
}
