package secret

import (
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/url"
	"strings"
	"unicode/utf16"
)

// longestForm is the length of a text beyond which only the text itself and its
// lines are searched for.
const longestForm = 8 << 10

// forms are the ways in which a text is likely to turn up: as it is, line by
// line, and, where there is room, as JSON, URL, base64 and hexadecimal write it.
func forms(text string, room bool) []string {
	all := append([]string{text}, lines(text)...)
	if len(text) > longestForm || !room {
		return all
	}
	all = append(all, inJSON(text)...)
	all = append(all, inURL(text)...)
	all = append(all, inBase64(text)...)
	lower := hex.EncodeToString([]byte(text))
	return append(all, lower, strings.ToUpper(lower))
}

// inJSON is the text within a string of JSON: as most write it, with <, > and &
// escaped too, and in ASCII alone.
func inJSON(text string) []string {
	plain, err := encode(text)
	if err != nil {
		return nil
	}
	careful, err := json.Marshal(text)
	if err != nil {
		return nil
	}
	all := []string{string(plain[1 : len(plain)-1]), string(careful[1 : len(careful)-1])}
	return append(all, ascii(all[0]))
}

// ascii escapes what is not.
func ascii(text string) string {
	var b strings.Builder
	for _, r := range text {
		switch {
		case r < 0x80:
			b.WriteRune(r)
		case r > 0xFFFF:
			high, low := utf16.EncodeRune(r)
			fmt.Fprintf(&b, `\u%04x\u%04x`, high, low)
		default:
			fmt.Fprintf(&b, `\u%04x`, r)
		}
	}
	return b.String()
}

// inURL is the text within a query and within a path, as Go and as JavaScript
// write it, in large and in small digits.
func inURL(text string) []string {
	query := url.QueryEscape(text)
	percent := strings.ReplaceAll(query, "+", "%20")
	script := strings.NewReplacer("%21", "!", "%27", "'", "%28", "(", "%29", ")", "%2A", "*").Replace(percent)
	all := []string{query, percent, script, url.PathEscape(text)}
	for _, one := range all[:len(all):len(all)] {
		all = append(all, smallDigits(one))
	}
	return all
}

// smallDigits writes %2F as %2f.
func smallDigits(text string) string {
	b := []byte(text)
	for i := 0; i+2 < len(b); i++ {
		if b[i] == '%' {
			copy(b[i+1:], strings.ToLower(string(b[i+1:i+3])))
			i += 2
		}
	}
	return string(b)
}

// shortestInside is the length of the base64 within a longer one below which it
// is no evidence.
const shortestInside = 8

// inBase64 is the text alone, and within a longer one: what stands before it
// shifts it by none, one or two bytes, and only the digits that are the text's
// alone are known.
func inBase64(text string) []string {
	var all []string
	for _, alphabet := range []*base64.Encoding{base64.StdEncoding, base64.URLEncoding} {
		alone := alphabet.EncodeToString([]byte(text))
		all = append(all, alone, strings.TrimRight(alone, "="))
		for shift := range 3 {
			digits := alphabet.EncodeToString(append(make([]byte, shift), text...))
			inside := digits[(shift*8+5)/6 : (shift+len(text))*8/6]
			if len(inside) >= shortestInside {
				all = append(all, inside)
			}
		}
	}
	return all
}
