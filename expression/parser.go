package expression

import (
	"slices"
	"strings"
)

// parser builds the nodes of one template by recursive descent.
type parser struct {
	source string
	tokens []token
	next   int
	depth  int
	bound  []string        // names that statements around this place define
	free   map[string]bool // names read from the scope
}

func (p *parser) peek() token { return p.tokens[p.next] }

// after is the token behind the next one.
func (p *parser) after() token { return p.tokens[min(p.next+1, len(p.tokens)-1)] }

func (p *parser) take() token {
	t := p.tokens[p.next]
	if t.kind != tokenEnd {
		p.next++
	}
	return t
}

func (p *parser) is(kind tokenKind, text string) bool {
	t := p.peek()
	return t.kind == kind && t.text == text
}

func (p *parser) operator(text string) bool {
	if p.is(tokenOperator, text) {
		p.next++
		return true
	}
	return false
}

func (p *parser) word(text string) bool {
	if p.is(tokenName, text) {
		p.next++
		return true
	}
	return false
}

// fail reports a syntax error at a token.
func (p *parser) fail(t token, try, format string, args ...any) error {
	f := syntaxFault(format, args...)
	f.try = try
	return locate(p.source, t.pos, f)
}

func (p *parser) unexpected(wanted string) error {
	t := p.peek()
	found := quote(t.text)
	switch t.kind {
	case tokenEnd:
		found = "the end of the template"
	case tokenText:
		found = "text"
	}
	return p.fail(t, "", "expected %s, found %s", wanted, found)
}

func (p *parser) expect(text string) error {
	if !p.operator(text) {
		return p.unexpected(quote(text))
	}
	return nil
}

func (p *parser) identifier(what string) (string, error) {
	if p.peek().kind != tokenName {
		return "", p.unexpected(what)
	}
	return p.take().text, nil
}

func (p *parser) blockEnd() error {
	if p.peek().kind != tokenBlockEnd {
		return p.unexpected("'%}'")
	}
	p.take()
	return nil
}

// enter guards against nesting that would exhaust the stack.
func (p *parser) enter() error {
	p.depth++
	if p.depth > MaxNesting {
		return locate(p.source, p.peek().pos, budgetFault("nested more than %d deep", MaxNesting))
	}
	return nil
}

func (p *parser) leave() { p.depth-- }

// body reads statements up to one of the blocks named, and returns that name;
// the block itself is left open, behind its name.
func (p *parser) body(ends ...string) ([]statement, string, error) {
	if err := p.enter(); err != nil {
		return nil, "", err
	}
	defer p.leave()
	var out []statement
	for {
		switch t := p.take(); t.kind {
		case tokenEnd:
			if len(ends) > 0 {
				return nil, "", p.fail(t, "close the block", "expected {%% %s %%}, found the end of the template", strings.Join(ends, " %} or {% "))
			}
			return out, "", nil
		case tokenText:
			out = append(out, &output{place: place(t.pos), text: t.text})
		case tokenOutput:
			value, err := p.tuple()
			if err != nil {
				return nil, "", err
			}
			if p.peek().kind != tokenOutputEnd {
				return nil, "", p.unexpected("'}}'")
			}
			p.take()
			out = append(out, &output{place: place(t.pos), value: value})
		case tokenBlock:
			if slices.Contains(ends, p.peek().text) {
				return out, p.take().text, nil
			}
			s, err := p.block()
			if err != nil {
				return nil, "", err
			}
			out = append(out, s)
		default:
			p.next--
			return nil, "", p.unexpected("text or a block")
		}
	}
}

func (p *parser) block() (statement, error) {
	t := p.peek()
	keyword, err := p.identifier("a statement")
	if err != nil {
		return nil, err
	}
	at := place(t.pos)
	switch keyword {
	case "if":
		return p.ifBlock(at)
	case "for":
		return p.forBlock(at)
	case "set":
		return p.setBlock(at)
	case "macro":
		return p.macroBlock(at)
	case "with":
		return p.withBlock(at)
	case "filter":
		return p.filterBlock(at)
	case "include", "import", "from", "extends", "block":
		return nil, p.fail(t, "write it out here, or use a macro", "%s is not allowed: templates have no files", keyword)
	case "call", "do", "autoescape", "trans", "break", "continue":
		return nil, p.fail(t, "see the package documentation for what is", "statement %s is not supported", keyword)
	}
	return nil, p.fail(t, "statements are if, for, set, macro, with, filter and raw", "unknown statement %s", quote(keyword))
}

// scoped parses a body whose new names end with it.
func (p *parser) scoped(names []string, ends ...string) ([]statement, string, error) {
	mark := len(p.bound)
	defer func() { p.bound = p.bound[:mark] }()
	p.bound = append(p.bound, names...)
	return p.body(ends...)
}

func (p *parser) ifBlock(at place) (statement, error) {
	s := &ifStatement{place: at}
	for keyword := "if"; ; {
		if keyword != "else" {
			test, err := p.tuple()
			if err != nil {
				return nil, err
			}
			s.tests = append(s.tests, test)
		}
		if err := p.blockEnd(); err != nil {
			return nil, err
		}
		ends := []string{"endif", "elif", "else"}
		if keyword == "else" {
			ends = ends[:1]
		}
		body, end, err := p.scoped(nil, ends...)
		if err != nil {
			return nil, err
		}
		s.bodies = append(s.bodies, body)
		if end == "endif" {
			return s, p.blockEnd()
		}
		keyword = end
	}
}

func (p *parser) forBlock(at place) (statement, error) {
	s := &forStatement{place: at}
	var err error
	if s.targets, err = p.targets(); err != nil {
		return nil, err
	}
	if !p.word("in") {
		return nil, p.unexpected("'in'")
	}
	if s.in, err = p.tupleOf(p.or); err != nil {
		return nil, err
	}
	mark := len(p.bound)
	p.bound = append(append(p.bound, s.targets...), "loop")
	if p.word("if") {
		if s.filter, err = p.expression(); err != nil {
			return nil, err
		}
	}
	if t := p.peek(); p.word("recursive") {
		return nil, p.fail(t, "use a macro that calls itself", "recursive loops are not supported")
	}
	if err := p.blockEnd(); err != nil {
		return nil, err
	}
	var end string
	if s.body, end, err = p.scoped(nil, "endfor", "else"); err != nil {
		return nil, err
	}
	p.bound = p.bound[:mark]
	if end == "else" {
		if err := p.blockEnd(); err != nil {
			return nil, err
		}
		if s.empty, _, err = p.scoped(nil, "endfor"); err != nil {
			return nil, err
		}
	}
	return s, p.blockEnd()
}

// targets reads `a`, `a, b` or `(a, b)`.
func (p *parser) targets() ([]string, error) {
	closing := p.operator("(")
	var out []string
	for {
		n, err := p.identifier("a name")
		if err != nil {
			return nil, err
		}
		out = append(out, n)
		if !p.operator(",") {
			break
		}
	}
	if closing {
		return out, p.expect(")")
	}
	return out, nil
}

func (p *parser) setBlock(at place) (statement, error) {
	s := &setStatement{place: at}
	var err error
	if s.targets, err = p.targets(); err != nil {
		return nil, err
	}
	if len(s.targets) == 1 && p.operator(".") {
		if s.member, err = p.identifier("a name"); err != nil {
			return nil, err
		}
	}
	defer func() {
		if s.member == "" {
			p.bound = append(p.bound, s.targets...)
		}
	}()
	if p.operator("=") {
		if s.value, err = p.tuple(); err != nil {
			return nil, err
		}
		return s, p.blockEnd()
	}
	if len(s.targets) > 1 {
		return nil, p.unexpected("'='")
	}
	if err := p.blockEnd(); err != nil {
		return nil, err
	}
	if s.body, _, err = p.scoped(nil, "endset"); err != nil {
		return nil, err
	}
	return s, p.blockEnd()
}

func (p *parser) macroBlock(at place) (statement, error) {
	s := &macroStatement{place: at}
	var err error
	if s.name, err = p.identifier("the macro's name"); err != nil {
		return nil, err
	}
	p.bound = append(p.bound, s.name)
	if err := p.expect("("); err != nil {
		return nil, err
	}
	for !p.operator(")") {
		if len(s.params) > 0 {
			if err := p.expect(","); err != nil {
				return nil, err
			}
		}
		param, err := p.identifier("a parameter")
		if err != nil {
			return nil, err
		}
		var value node
		if p.operator("=") {
			if value, err = p.expression(); err != nil {
				return nil, err
			}
		} else if len(s.defaults) > 0 && s.defaults[len(s.defaults)-1] != nil {
			return nil, p.fail(p.peek(), "", "parameter %s without a default follows one with a default", quote(param))
		}
		s.params, s.defaults = append(s.params, param), append(s.defaults, value)
	}
	if err := p.blockEnd(); err != nil {
		return nil, err
	}
	if s.body, _, err = p.scoped(s.params, "endmacro"); err != nil {
		return nil, err
	}
	p.word(s.name)
	return s, p.blockEnd()
}

func (p *parser) withBlock(at place) (statement, error) {
	s := &withStatement{place: at}
	for p.peek().kind != tokenBlockEnd {
		if len(s.names) > 0 {
			if err := p.expect(","); err != nil {
				return nil, err
			}
		}
		n, err := p.identifier("a name")
		if err != nil {
			return nil, err
		}
		if err := p.expect("="); err != nil {
			return nil, err
		}
		value, err := p.expression()
		if err != nil {
			return nil, err
		}
		s.names, s.values = append(s.names, n), append(s.values, value)
	}
	p.take()
	var err error
	if s.body, _, err = p.scoped(s.names, "endwith"); err != nil {
		return nil, err
	}
	return s, p.blockEnd()
}

func (p *parser) filterBlock(at place) (statement, error) {
	s := &filterStatement{place: at, text: &captured{at}}
	s.chain = s.text
	for first := true; first || p.operator("|"); first = false {
		var err error
		if s.chain, err = p.filter(s.chain); err != nil {
			return nil, err
		}
	}
	if err := p.blockEnd(); err != nil {
		return nil, err
	}
	var err error
	if s.body, _, err = p.scoped(nil, "endfilter"); err != nil {
		return nil, err
	}
	return s, p.blockEnd()
}
