package docs

import (
	"regexp"
	"slices"
	"strings"
	"unicode"
)

// page is one file of Markdown.
type page struct {
	path string // below the root
	text string
	// prose is the text outside of code blocks.
	prose []line
	// shell are the lines of code blocks that a shell would run.
	shell []line
}

type line struct {
	number int
	text   string
}

// shells are the languages of blocks that hold commands.
var shells = []string{"", "sh", "bash", "console"}

// parse takes a page apart. A block with prompts holds output, too: then only
// what stands behind a prompt is a command.
func parse(path, text string) *page {
	p := &page{path: path, text: text}
	var block []line
	fenced, language := false, ""
	number := 0
	for l := range strings.Lines(text) {
		number++
		l = strings.TrimRight(l, "\r\n")
		switch mark := strings.TrimSpace(l); {
		case strings.HasPrefix(mark, "```") && !fenced:
			fenced, language, block = true, strings.TrimPrefix(mark, "```"), nil
		case strings.HasPrefix(mark, "```"):
			fenced = false
			if slices.Contains(shells, language) {
				p.shell = append(p.shell, typed(block)...)
			}
		case fenced:
			block = append(block, line{number, l})
		default:
			p.prose = append(p.prose, line{number, l})
		}
	}
	return p
}

func typed(block []line) []line {
	var prompted []line
	for _, l := range block {
		if command, ok := strings.CutPrefix(l.text, "$ "); ok {
			prompted = append(prompted, line{l.number, command})
		}
	}
	if prompted != nil {
		return prompted
	}
	return block
}

var heading = regexp.MustCompile(`^#{1,6} +(.*)$`)

// anchors are what links may name behind #, as GitHub makes them.
func (p *page) anchors() map[string]bool {
	all := map[string]bool{}
	for _, l := range p.prose {
		if m := heading.FindStringSubmatch(l.text); m != nil {
			all[anchor(m[1])] = true
		}
	}
	return all
}

func anchor(heading string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r == ' ':
			return '-'
		case r == '-' || r == '_' || unicode.IsLetter(r) || unicode.IsDigit(r):
			return unicode.ToLower(r)
		}
		return -1
	}, heading)
}

// calls are the command lines of the program in one line of a shell: the words
// behind its name. Pipes, lists and substitutions are taken apart.
func calls(text string) [][]string {
	var all [][]string
	for _, part := range split(text) {
		for i, word := range part {
			if word == "attune" || strings.HasSuffix(word, "/attune") {
				all = append(all, part[i+1:])
				break
			}
			if !strings.Contains(word, "=") && word != "exec" && word != "time" {
				break // another command
			}
		}
	}
	return all
}

// split makes words of a line, and parts at what ends a command. Quoted text is
// one word, or part of one; what is substituted within is a part of its own.
func split(text string) [][]string {
	parts, word, quote, begun := [][]string{nil}, "", rune(0), false
	end := func() {
		if begun {
			last := len(parts) - 1
			parts[last] = append(parts[last], word)
		}
		word, begun = "", false
	}
	for i, r := range text {
		switch {
		case quote == '\'' && r != '\'':
			word += string(r)
		case r == '\'' && quote != '"', r == '"' && quote != '\'':
			begun = true
			if quote == 0 {
				quote = r
			} else {
				quote = 0
			}
		case r == '(' && i > 0 && text[i-1] == '$':
			end()
			parts = append(parts, nil)
			quote = 0
		case quote == '"':
			word += string(r)
		case r == ' ' || r == '\t':
			end()
		case r == '#' && !begun:
			return parts
		case strings.ContainsRune("|;&()", r):
			end()
			parts = append(parts, nil)
		default:
			word, begun = word+string(r), true
		}
	}
	end()
	return parts
}
