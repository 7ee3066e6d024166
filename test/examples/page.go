package examples

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
)

// Block is a block of commands on a page.
type Block struct {
	// Line is where it begins.
	Line int
	// Steps are its commands, with what they answer.
	Steps []Step
	// Checked means that answers are compared.
	Checked bool
	// NotRun is why it is not run, or empty.
	NotRun string
}

// Step is what is typed at once, and what comes back.
type Step struct {
	Line   int
	Typed  string
	Answer []string
}

var notRun = regexp.MustCompile(`^<!-- not run: (.+) -->$`)

// Parse finds the blocks of a page.
func Parse(text string) ([]Block, error) {
	var blocks []Block
	language, why, fenced := "", "", false
	var lines []string
	begin := 0
	for i, line := range strings.Split(text, "\n") {
		mark := strings.TrimSpace(line)
		switch {
		case strings.HasPrefix(mark, "```") && !fenced:
			fenced, language, lines, begin = true, strings.TrimPrefix(mark, "```"), nil, i+1
		case strings.HasPrefix(mark, "```"):
			fenced = false
			if language == "sh" || language == "console" {
				b, err := block(language, begin, lines)
				if err != nil {
					return nil, err
				}
				b.NotRun = why
				blocks = append(blocks, b)
			}
			why = ""
		case fenced:
			lines = append(lines, line)
		case notRun.MatchString(mark):
			why = notRun.FindStringSubmatch(mark)[1]
		case mark != "":
			why = ""
		}
	}
	if fenced {
		return nil, fmt.Errorf("line %d: the block has no end", begin)
	}
	return blocks, nil
}

func block(language string, begin int, lines []string) (Block, error) {
	b := Block{Line: begin, Checked: language == "console"}
	if !b.Checked {
		b.Steps = script(begin, lines)
		return b, nil
	}
	for i, line := range lines {
		switch command, prompt := strings.CutPrefix(line, "$ "); {
		case prompt:
			b.Steps = append(b.Steps, Step{Line: begin + i + 1, Typed: command})
		case b.Steps == nil:
			return b, fmt.Errorf("line %d: an answer without a prompt", begin+i+1)
		default:
			s := &b.Steps[len(b.Steps)-1]
			s.Answer = append(s.Answer, line)
		}
	}
	return b, nil
}

// script cuts a block without prompts where a server starts: that is typed in a
// terminal of its own.
func script(begin int, lines []string) []Step {
	var steps []Step
	from := 0
	end := func(to int) {
		if text := strings.Join(lines[from:to], "\n"); strings.TrimSpace(text) != "" {
			steps = append(steps, Step{Line: begin + from + 1, Typed: text})
		}
	}
	for i, line := range lines {
		if startsServer(line) {
			end(i)
			from = i
			end(i + 1)
			from = i + 1
		}
	}
	end(len(lines))
	return steps
}

// startsServer reports whether a command starts a server that goes on.
func startsServer(command string) bool {
	words := strings.Fields(command)
	return len(words) >= 2 && words[0] == "attune" && words[1] == "dev" && !slices.Contains(words, "--help")
}
