package examples

import (
	"fmt"
	"regexp"
	"strings"
)

// what varies in an answer: ids, times, durations, and what the page leaves
// out.
var varies = regexp.MustCompile(`\b(?:ev|en|ex|iq)-[0-9a-z]{13}\b` + // an id
	`|\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?Z` + // a time
	`|\b\d+(?:\.\d+)?(?:ns|µs|ms|s|m|h)\b(?:\d+(?:\.\d+)?(?:ms|s|m))*` + // a duration
	`|…` + // anything
	`|\b(?:scheduling|scheduled|running)\b` + // it may be further by now
	`| +`)

var (
	idForm = regexp.MustCompile(`\b(?:ev|en|ex|iq)-[0-9a-z]{13}\b`)
	// progress are lines that a faster or slower machine leaves out.
	progress = regexp.MustCompile(`^(?:ex-[0-9a-z]{13}|\d{4}-\S+Z ex-[0-9a-z]{13} \S+) (?:scheduling|scheduled|running)\b`)
)

// names are what the ids of a page stand for.
type names map[string]string

// typed is a command with the real ids in it. An id that was never answered
// stands for what unknown says.
func (n names) typed(command string, unknown func(id string) string) string {
	return idForm.ReplaceAllStringFunc(command, func(id string) string {
		if n[id] == "" {
			n[id] = unknown(id)
		}
		return n[id]
	})
}

// compare holds an answer against what the page says, and learns ids from it.
func (n names) compare(want, got []string) error {
	want, got = solid(want), solid(got)
	for i, line := range want {
		if strings.TrimSpace(line) == "…" && i == len(want)-1 {
			return nil
		}
		if i >= len(got) {
			return fmt.Errorf("it ends before %q", line)
		}
		if err := n.line(line, got[i]); err != nil {
			return err
		}
	}
	if len(got) > len(want) {
		return fmt.Errorf("it goes on with %q", got[len(want)])
	}
	return nil
}

// solid are the lines of an answer that every machine shows, without blanks at
// the ends.
func solid(lines []string) []string {
	var kept []string
	for _, line := range lines {
		if line = strings.TrimRight(line, " \r"); !progress.MatchString(line) && line != "" {
			kept = append(kept, line)
		}
	}
	return kept
}

func (n names) line(want, got string) error {
	pattern, learned, open := "", []string(nil), false
	last := 0
	for _, at := range varies.FindAllStringIndex(want, -1) {
		pattern += regexp.QuoteMeta(want[last:at[0]])
		last = at[1]
		switch word := want[at[0]:at[1]]; {
		case idForm.MatchString(word) && n[word] != "":
			pattern += regexp.QuoteMeta(n[word])
		case idForm.MatchString(word):
			pattern += "(" + word[:3] + `[0-9a-z]{13})`
			learned = append(learned, word)
		case word == "…":
			pattern += ".*"
		case strings.HasPrefix(word, " "):
			pattern += " *"
		case word[0] >= '0' && word[0] <= '9' && strings.HasSuffix(word, "Z"):
			pattern += `\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?Z`
		case word[0] >= '0' && word[0] <= '9':
			pattern += `\d+(?:\.\d+)?(?:ns|µs|ms|s|m|h)(?:\d+(?:\.\d+)?(?:ms|s|m))*`
		default:
			pattern += "(?:scheduling|scheduled|running|completed)"
			open = true
		}
	}
	pattern += regexp.QuoteMeta(want[last:])
	if open { // how long it took, or why it waits
		pattern += ".*"
	}
	found := regexp.MustCompile("^" + pattern + "$").FindStringSubmatch(got)
	if found == nil {
		return fmt.Errorf("%q came, where the page has %q", got, want)
	}
	for i, id := range learned {
		n[id] = found[i+1]
	}
	return nil
}
