package settings

import (
	"errors"
	"fmt"
	"io"
	"os"
	"regexp"
	"strings"
)

// maxSecret is the most bytes of a file that holds a secret.
const maxSecret = 64 << 10

// reference is ${NAME}, and $${, which stands for ${ itself.
var reference = regexp.MustCompile(`\$\$\{|\$\{([^}]*)\}?`)

var variable = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*$`)

// refers reports whether a text of a file is not the value itself.
func refers(s *Setting, text string) bool {
	return strings.Contains(text, "${") || s.Secret && strings.HasPrefix(text, "@")
}

// checkReferences says what is wrong with how references are written, or
// nothing.
func checkReferences(text string) string {
	for _, m := range reference.FindAllStringSubmatch(text, -1) {
		if m[0] != "$${" && (!variable.MatchString(m[1]) || !strings.HasSuffix(m[0], "}")) {
			return "a reference is not ${NAME}, with a NAME of letters, digits and _"
		}
	}
	return ""
}

// expand puts the environment's words in the place of references, and names
// those that are not there.
func expand(text string, env func(string) string) (expanded string, missing []string) {
	expanded = reference.ReplaceAllStringFunc(text, func(m string) string {
		if m == "$${" {
			return "${"
		}
		name := strings.Trim(m, "${}")
		word := env(name)
		if word == "" {
			missing = append(missing, name)
		}
		return word
	})
	return expanded, missing
}

// secretIn is what the file behind an @ holds, without the end of its line.
func secretIn(path string) (string, error) {
	f, err := os.Open(path)
	if err != nil {
		return "", plainCause(err)
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, maxSecret+1))
	text := strings.TrimRight(string(b), "\r\n")
	switch {
	case err != nil:
		return "", plainCause(err)
	case len(b) > maxSecret:
		return "", fmt.Errorf("it has more than %d bytes", maxSecret)
	case text == "":
		return "", errors.New("it is empty")
	}
	return text, nil
}
