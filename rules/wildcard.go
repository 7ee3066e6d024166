package rules

import (
	"fmt"
	"unicode/utf8"
)

// maxWildcard bounds the work of one comparison, in characters that are held
// against each other.
const maxWildcard = 20_000_000

// wildcard is Python's fnmatchcase over the whole text: * is anything, ? one
// character, [a-z] and [!a-z] one of a set; nothing is escaped. After a
// mismatch only the last * takes one more character, so the work is at most the
// product of both lengths; too much of it is an error.
func wildcard(text, glob string) (bool, error) {
	t, g, left := 0, 0, maxWildcard
	lastText, lastGlob := 0, -1 // where to go on after a mismatch
	for t < len(text) {
		if left < 0 {
			return false, fmt.Errorf("the text has %d bytes, too many for this wildcard", len(text))
		}
		left--
		c, size := utf8.DecodeRuneInString(text[t:])
		if g < len(glob) && glob[g] == '*' {
			g++
			lastText, lastGlob = t, g
			continue
		}
		if g < len(glob) {
			ok, width := matchOne(c, glob[g:])
			if left -= 4 * width; ok { // of a set every character is looked at, several times
				t, g = t+size, g+width
				continue
			}
		}
		if lastGlob < 0 {
			return false, nil
		}
		_, skipped := utf8.DecodeRuneInString(text[lastText:])
		lastText += skipped
		t, g = lastText, lastGlob
	}
	for g < len(glob) && glob[g] == '*' {
		g++
	}
	return g == len(glob), nil
}

// matchOne holds a character against the head of a glob, which is width bytes.
func matchOne(c rune, glob string) (ok bool, width int) {
	switch glob[0] {
	case '?':
		return true, 1
	case '[':
		if set, width := setOf(glob); width > 0 {
			return inSet(c, set), width
		}
	}
	head, width := utf8.DecodeRuneInString(glob)
	return c == head, width
}

// setOf is what is between the brackets; a [ that is never closed is a letter.
func setOf(glob string) (set string, width int) {
	i := 1
	if i < len(glob) && glob[i] == '!' {
		i++
	}
	if i < len(glob) && glob[i] == ']' { // the first ] is a letter
		i++
	}
	for ; i < len(glob); i++ {
		if glob[i] == ']' {
			return glob[1:i], i + 1
		}
	}
	return "", 0
}

// inSet knows ranges; one whose end is before its beginning holds nothing.
func inSet(c rune, set string) bool {
	negated := set[0] == '!'
	chars := []rune(set)
	if negated {
		chars = chars[1:]
	}
	found := false
	for i := 0; i < len(chars); i++ {
		if i+2 < len(chars) && chars[i+1] == '-' {
			found = found || chars[i] <= c && c <= chars[i+2]
			i += 2
			continue
		}
		found = found || chars[i] == c
	}
	return found != negated
}
