package settings

import (
	"fmt"
	"slices"
	"strings"

	"github.com/attune-automation/attune"
)

// The commands that have settings, as they are typed.
const (
	Dev     = "dev"
	Server  = "server"
	Worker  = "worker start"
	Migrate = "admin migrate"
)

// Commands are all of them.
var Commands = []string{Dev, Server, Worker, Migrate}

// Setting is one thing that can be said.
type Setting struct {
	// Path is its key in the file; a dot leads into a mapping.
	Path string
	// Flag is its flag, without dashes.
	Flag string
	// Kind is what its text may be.
	Kind Kind
	// List takes several: a list in the file, the flag several times, commas
	// in the environment.
	List bool
	// Secret is never shown: of a URL the password, else all of it. It may be
	// @FILE, the file that holds it.
	Secret bool
	// Default is its text when nobody says anything, or empty.
	Default string
	// Fallback says in words what an empty or zero default means.
	Fallback string
	// Doc says what it does, in which unit, and what too little and too much do.
	// Its first sentence is what --help says.
	Doc string
	// Example is what deploy/attune.example.yaml says: text as it stands in
	// YAML. A list may be one line of it.
	Example string
	// Commands are those that take it.
	Commands []string
}

// Env is its variable in the environment.
func (s *Setting) Env() string {
	return "ATTUNE_" + strings.ToUpper(strings.ReplaceAll(s.Path, ".", "_"))
}

// Of reports whether a command takes it.
func (s *Setting) Of(command string) bool { return slices.Contains(s.Commands, command) }

// Find is the setting with a path, or nil.
func Find(path string) *Setting {
	for i := range table {
		if table[i].Path == path {
			return &table[i]
		}
	}
	return nil
}

// All are the settings in the order of the table: what belongs together stands
// together.
func All() []*Setting {
	all := make([]*Setting, len(table))
	for i := range table {
		all[i] = &table[i]
	}
	return all
}

// wanted is what a fault about a text of this setting says: what is wrong and
// what would be right.
func (s *Setting) wanted(text, where string) attune.Fault {
	what, try := fmt.Sprintf("%.60q", text), s.Kind.Sample
	if s.Secret {
		what = "its value"
		if strings.HasPrefix(s.Kind.Name, "URL") {
			try += "; in a password / is written %2F and @ is written %40"
		}
	}
	return attune.Fault{Where: where, Message: fmt.Sprintf("%s: %s is no %s", s.Path, what, s.Kind.Name), Try: try}
}

// mask is a text of this setting as it may be shown.
func (s *Setting) mask(text string) string {
	switch {
	case strings.Contains(text, "://"):
		return MaskURL(text)
	case s.Secret && text != "":
		return Masked
	}
	return text
}

// Usage is the line in the help of a command.
func (s *Setting) Usage() string {
	sentence, _, _ := strings.Cut(s.Doc, ". ")
	sentence = strings.TrimSuffix(sentence, ".")
	if !strings.HasPrefix(sentence, "URL") && !strings.HasPrefix(sentence, "HOST") {
		sentence = strings.ToLower(sentence[:1]) + sentence[1:]
	}
	more := []string{s.Env()}
	if s.Fallback != "" && s.Fallback != "none" {
		word := "else "
		if s.Default == "0" {
			word = "0 is "
		}
		more = append(more, word+s.Fallback)
	}
	if s.Secret {
		more = append(more, "or @FILE that holds it")
	}
	if s.List {
		more = append(more, "may be given several times")
	}
	return strings.ReplaceAll(sentence+" ("+strings.Join(more, "; ")+")", "`", "")
}
