package rules

import (
	"strings"
	"unicode"
)

// lower is Python's str.lower(), which is neither strings.ToLower (it knows the
// two letters that İ becomes, and that Σ ends a word as ς) nor
// strings.EqualFold (to which ſ is s).
func lower(s string) string {
	if !strings.ContainsAny(s, "İΣ") {
		return strings.ToLower(s)
	}
	var b strings.Builder
	chars := []rune(s)
	for i, c := range chars {
		switch {
		case c == 'İ':
			b.WriteString("i̇")
		case c == 'Σ' && besideLetter(chars[:i], true) && !besideLetter(chars[i+1:], false):
			b.WriteRune('ς')
		default:
			b.WriteRune(unicode.ToLower(c))
		}
	}
	return b.String()
}

// besideLetter tells that the nearest character that counts is a letter with
// case: marks and the signs within words do not count.
func besideLetter(chars []rune, before bool) bool {
	for i := range chars {
		c := chars[i]
		if before {
			c = chars[len(chars)-1-i]
		}
		if unicode.In(c, unicode.Mn, unicode.Me, unicode.Cf, unicode.Lm, unicode.Sk) || strings.ContainsRune("'.:·’", c) {
			continue
		}
		return unicode.In(c, unicode.Lu, unicode.Ll, unicode.Lt)
	}
	return false
}
