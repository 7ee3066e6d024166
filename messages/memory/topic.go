package memory

import "strings"

// matches reports whether an AMQP topic pattern fits a key: words are separated
// by dots, * is one word, # any number of them, none included. An empty pattern
// takes everything.
func matches(pattern, key string) bool {
	return pattern == "" || pattern == key || matchWords(strings.Split(pattern, "."), strings.Split(key, "."))
}

func matchWords(pattern, key []string) bool {
	for i, word := range pattern {
		if word == "#" {
			for skip := range len(key) - i + 1 {
				if matchWords(pattern[i+1:], key[i+skip:]) {
					return true
				}
			}
			return false
		}
		if i >= len(key) || word != "*" && word != key[i] {
			return false
		}
	}
	return len(pattern) == len(key)
}
