package pattern

import (
	"regexp"
	"strconv"
	"strings"
)

// translation is a Python pattern in the words of the two engines.
type translation struct {
	// goForm is for Go's regexp and means the same only if plain is set.
	goForm string
	plain  bool
	// ascii: goForm means the same only for texts of ASCII.
	ascii bool
	// netForm is for the backtracking engine, which speaks .NET's dialect.
	netForm string
	// groups is how many groups there are, names the numbers of the named ones.
	groups int
	names  map[string]int
	// verbose: a # may begin a comment up to the end of the line.
	verbose bool
}

// frame is the form within flags, and bound to the beginning of the text.
func (t translation) frame(form string, o Options) string {
	end := ")"
	if t.verbose {
		end = "\n)" // white space there, and the end of a comment
	}
	if o.Anchored {
		form = `\A(?:` + form + end
	}
	flags := ""
	if o.IgnoreCase {
		flags += "i"
	}
	if o.DotAll {
		flags += "s"
	}
	if flags != "" {
		form = "(?" + flags + ")" + form
	}
	return form
}

// classes are Python's, spelled out: Go's are ASCII, and .NET's \w is another.
var classes = map[byte]string{
	'd': `\p{Nd}`,
	'w': `_\p{L}\p{N}`,
	's': `\t\n\v\f\r \x1c-\x1f\x85\p{Z}`,
}

// asciiNegated are Go's forms of \D, \W and \S within [...].
var asciiNegated = map[byte]string{'D': `\D`, 'W': `\W`, 'S': `\x00-\x08\x0e-\x1b\x21-\x7f`}

// verboseFlag sets the flag x.
var verboseFlag = regexp.MustCompile(`\(\?[a-zA-Z]*x`)

// inlineFlags are the groups that set flags which both engines share.
var inlineFlags = regexp.MustCompile(`^\(\?[is]+\)`)

// upTo is a repetition without a lower bound, which only Python has.
var upTo = regexp.MustCompile(`^\{,\d*\}`)

// translator walks a pattern once and writes both forms.
type translator struct {
	rest    string
	net, re strings.Builder
	out     translation
	// number gives each group its number in .NET, which would count those with
	// a name last.
	number bool
	// negated are the classes \D, \W and \S met within [...].
	negated []string
}

// translate never fails: a pattern that is wrong is refused by the engines.
func translate(pattern string) translation {
	t := &translator{rest: pattern, number: strings.Contains(pattern, "(?P<"), out: translation{plain: true, names: map[string]int{}, verbose: verboseFlag.MatchString(pattern)}}
	if flags := inlineFlags.FindString(pattern); flags != "" {
		t.both(flags, flags)
	}
	for t.rest != "" {
		switch t.rest[0] {
		case '\\':
			t.escape(false)
		case '[':
			t.class()
		case '(':
			t.group()
		case '{':
			if upTo.MatchString(t.rest) {
				t.both("{,", "{0,")
			} else {
				t.both("{", "{")
			}
		case '$': // in Python also before a newline at the end
			if t.rest != "$" {
				t.out.plain = false
			}
			t.write("$", "$", `(?:\n?\z)`)
		default:
			t.both(t.rest[:1], t.rest[:1])
		}
	}
	t.out.netForm, t.out.goForm = t.net.String(), t.re.String()
	return t.out
}

// write consumes a token and writes its form in .NET and in Go.
func (t *translator) write(token, net, re string) {
	t.rest = t.rest[len(token):]
	t.net.WriteString(net)
	t.re.WriteString(re)
}

func (t *translator) both(token, form string) { t.write(token, form, form) }

// onlyNet consumes a token that Go's engine lacks or reads differently.
func (t *translator) onlyNet(token, net string) {
	t.out.plain = false
	t.write(token, net, "")
}

func (t *translator) escape(inClass bool) {
	if len(t.rest) < 2 {
		t.onlyNet(`\`, `\`)
		return
	}
	token := t.rest[:2]
	class := classes[token[1]|0x20] // the small letter
	switch c := token[1]; {
	case class != "" && c >= 'a' && inClass:
		t.both(token, class)
	case class != "" && c >= 'a':
		t.both(token, "["+class+"]")
	case class != "" && inClass:
		t.negated = append(t.negated, "[^"+class+"]")
		t.out.ascii = true
		t.write(token, "", asciiNegated[c])
	case class != "":
		t.both(token, "[^"+class+"]")
	case (c == 'b' || c == 'B') && !inClass:
		t.out.ascii = true
		t.both(token, token)
	case c == 'A' && !inClass:
		t.both(token, token)
	case c == 'Z' && !inClass: // in .NET also before a newline at the end
		t.both(token, `\z`)
	case c == '_': // a backslash is too much for .NET
		t.both(token, "_")
	case strings.IndexByte("nrtfva", c) >= 0, c > ' ' && c < '0', c > '9' && c < 'A', c > 'Z' && c < 'a', c > 'z' && c < 0x7f, c == ' ':
		t.both(token, token)
	default: // back-references, \x.., \u....: not worth telling apart
		t.onlyNet(token, token)
	}
}

// class translates [...]; an inner [ is a letter in Python, and the begin of a
// subtraction or of a named class elsewhere. The backtracking engine forgets
// what follows a negated class within [...], so that [\Wa] becomes (?:\W|[a]).
func (t *translator) class() {
	open := "["
	if strings.HasPrefix(t.rest, "[^") {
		open = "[^"
	}
	before := t.net.String()
	t.net.Reset()
	t.negated = nil
	t.write(open, "", open)
	for first := true; t.rest != "" && (first || t.rest[0] != ']'); first = false {
		switch c := t.rest[0]; c {
		case ']', '[':
			t.both(t.rest[:1], `\`+string(c))
		case '\\':
			t.escape(true)
		default:
			t.both(t.rest[:1], t.rest[:1])
		}
	}
	end := ""
	if t.rest != "" {
		end = "]"
		t.write(end, "", end)
	} else {
		t.out.plain = false // never closed: the engines say so
	}
	inner := t.net.String()
	t.net.Reset()
	t.net.WriteString(before)
	if len(t.negated) == 0 {
		t.net.WriteString(open + inner + end)
		return
	}
	parts := strings.Join(t.negated, "|")
	if inner != "" {
		parts += "|[" + inner + end
	}
	if open == "[^" {
		t.net.WriteString("(?:(?!" + parts + `)[\s\S])`)
	} else {
		t.net.WriteString("(?:" + parts + ")")
	}
}

func (t *translator) group() {
	switch {
	case strings.HasPrefix(t.rest, "(?P<"):
		t.out.groups++
		if end := strings.IndexByte(t.rest, '>'); end > 0 {
			token := t.rest[:end+1]
			t.out.names[token[len("(?P<"):end]] = t.out.groups
			t.write(token, t.numbered(), token)
			return
		}
		t.onlyNet("(?P<", "(?P<") // never closed: the engine says so
	case strings.HasPrefix(t.rest, "(?:"):
		t.both("(?:", "(?:")
	case strings.HasPrefix(t.rest, "(?P="), strings.HasPrefix(t.rest, "(?("):
		t.named(t.rest[:3] == "(?P")
	case strings.HasPrefix(t.rest, "(?"):
		t.onlyNet("(?", "(?") // lookaround, comment, flags
	default:
		t.out.groups++
		t.write("(", t.numbered(), "(")
	}
}

// numbered opens the group that was counted last.
func (t *translator) numbered() string {
	if !t.number {
		return "("
	}
	return "(?<" + strconv.Itoa(t.out.groups) + ">"
}

// named translates what names a group: (?P=x), and the condition (?(x)a|b).
func (t *translator) named(reference bool) {
	const size = len("(?P=")
	if end := strings.IndexByte(t.rest, ')'); end > size-1 {
		name := t.rest[size-1 : end]
		name = strings.TrimPrefix(name, "=")
		number, known := t.out.names[name]
		switch token := t.rest[:end+1]; {
		case known && reference:
			t.onlyNet(token, `\k<`+strconv.Itoa(number)+">")
			return
		case known:
			t.onlyNet(token, "(?("+strconv.Itoa(number)+")")
			return
		}
	}
	t.onlyNet("(?", "(?")
}
