package expression

import (
	"slices"
	"strconv"
)

// The grammar, loosest first; each rule calls the next:
//
//	conditional  a if b else c
//	or, and, not
//	compare      == != < <= > >= in, not in; chains
//	add          + -
//	concat       ~
//	multiply     * / // %
//	power        **, from left to right as in Jinja
//	unary        - +
//	primary      literal, name, (…), […], {…}
//	postfix      .x [x] (x), then |filter and `is test`

// tuple parses an expression, or several with commas as a list.
func (p *parser) tuple() (node, error) { return p.tupleOf(p.expression) }

func (p *parser) tupleOf(rule func() (node, error)) (node, error) {
	at := place(p.peek().pos)
	first, err := rule()
	if err != nil || !p.is(tokenOperator, ",") {
		return first, err
	}
	list := &sequence{place: at, items: []node{first}, tuple: true}
	for p.operator(",") {
		if k := p.peek().kind; k == tokenOutputEnd || k == tokenBlockEnd || p.is(tokenOperator, ")") {
			break
		}
		item, err := rule()
		if err != nil {
			return nil, err
		}
		list.items = append(list.items, item)
	}
	return list, nil
}

func (p *parser) expression() (node, error) {
	if err := p.enter(); err != nil {
		return nil, err
	}
	defer p.leave()
	value, err := p.or()
	if err != nil {
		return nil, err
	}
	if !p.is(tokenName, "if") {
		return value, nil
	}
	c := &conditional{place: place(p.take().pos), yes: value}
	if c.test, err = p.or(); err != nil {
		return nil, err
	}
	if p.word("else") {
		if c.no, err = p.expression(); err != nil {
			return nil, err
		}
	}
	// `a if b if c` means `(a if b) if c`; nobody writes it.
	return c, nil
}

// chain parses `next (operator next)*` into a left-leaning tree.
func (p *parser) chain(next func() (node, error), build func(at place, operator string, left, right node) node, isOperator func(token) bool) (node, error) {
	left, err := next()
	for links := 0; err == nil && isOperator(p.peek()); links++ {
		t := p.take()
		if err := p.link(links, t); err != nil {
			return nil, err
		}
		var right node
		if right, err = next(); err == nil {
			left = build(place(t.pos), t.text, left, right)
		}
	}
	return left, err
}

func (p *parser) link(links int, t token) error {
	if links >= MaxChain {
		return locate(p.source, t.pos, budgetFault("more than %d operators, look-ups or filters in a row", MaxChain))
	}
	return nil
}

func (p *parser) logic(next func() (node, error), word string) (node, error) {
	return p.chain(next, func(at place, operator string, left, right node) node {
		return &logic{at, operator == "or", left, right}
	}, func(t token) bool { return t.kind == tokenName && t.text == word })
}

func (p *parser) or() (node, error)  { return p.logic(p.and, "or") }
func (p *parser) and() (node, error) { return p.logic(p.not, "and") }

func (p *parser) not() (node, error) {
	t := p.peek()
	if !p.word("not") {
		return p.compare()
	}
	if err := p.enter(); err != nil {
		return nil, err
	}
	defer p.leave()
	of, err := p.not()
	return &negation{place(t.pos), of}, err
}

func (p *parser) compare() (node, error) {
	first, err := p.add()
	if err != nil {
		return nil, err
	}
	out := &comparison{first: first}
	for {
		t, operator := p.peek(), ""
		switch {
		case t.kind == tokenOperator && slices.Contains([]string{"==", "!=", "<", "<=", ">", ">="}, t.text):
			operator = p.take().text
		case p.word("in"):
			operator = "in"
		case p.is(tokenName, "not") && p.after().kind == tokenName && p.after().text == "in":
			p.next += 2
			operator = "not in"
		}
		if operator == "" {
			break
		}
		if err := p.link(len(out.rest), t); err != nil {
			return nil, err
		}
		right, err := p.add()
		if err != nil {
			return nil, err
		}
		if len(out.rest) == 0 {
			out.place = place(t.pos)
		}
		out.operators, out.rest = append(out.operators, operator), append(out.rest, right)
	}
	if len(out.rest) == 0 {
		return first, nil
	}
	return out, nil
}

func (p *parser) arithmetic(next func() (node, error), operators ...string) (node, error) {
	return p.chain(next, func(at place, operator string, left, right node) node {
		return &binary{at, operator, left, right}
	}, func(t token) bool { return t.kind == tokenOperator && slices.Contains(operators, t.text) })
}

func (p *parser) add() (node, error)      { return p.arithmetic(p.concat, "+", "-") }
func (p *parser) concat() (node, error)   { return p.arithmetic(p.multiply, "~") }
func (p *parser) multiply() (node, error) { return p.arithmetic(p.power, "*", "/", "//", "%") }
func (p *parser) power() (node, error) {
	return p.arithmetic(func() (node, error) { return p.unary(true) }, "**")
}

func (p *parser) unary(filters bool) (node, error) {
	t := p.peek()
	var value node
	var err error
	if minus := p.operator("-"); minus || p.operator("+") {
		if err := p.enter(); err != nil {
			return nil, err
		}
		defer p.leave()
		var of node
		of, err = p.unary(false)
		value = &sign{place(t.pos), of, minus}
	} else {
		value, err = p.primary()
	}
	if err == nil {
		value, err = p.postfix(value)
	}
	if err == nil && filters {
		value, err = p.filters(value)
	}
	return value, err
}

func (p *parser) primary() (node, error) {
	t := p.peek()
	at := place(t.pos)
	switch t.kind {
	case tokenName:
		p.take()
		switch t.text {
		case "true", "True":
			return &constant{at, true}, nil
		case "false", "False":
			return &constant{at, false}, nil
		case "none", "None":
			return &constant{at, nil}, nil
		case "and", "or", "if", "else", "in", "is", "not":
			p.next--
			return nil, p.unexpected("a value")
		}
		if !slices.Contains(p.bound, t.text) {
			p.free[t.text] = true
		}
		return &name{at, t.text}, nil
	case tokenString:
		text := p.take().text
		for p.peek().kind == tokenString {
			text += p.take().text
		}
		return &constant{at, text}, nil
	case tokenInt:
		i, err := strconv.ParseInt(p.take().text, 0, 64)
		if err != nil {
			if i, err = strconv.ParseInt(t.text, 10, 64); err != nil {
				return nil, p.fail(t, "integers have 64 bits", "%s is not an integer", t.text)
			}
		}
		return &constant{at, i}, nil
	case tokenFloat:
		f, err := strconv.ParseFloat(p.take().text, 64)
		if err != nil {
			return nil, p.fail(t, "", "%s is not a number", t.text)
		}
		return &constant{at, f}, nil
	case tokenOperator:
		switch {
		case p.operator("("):
			if p.operator(")") {
				return &sequence{place: at, tuple: true}, nil
			}
			value, err := p.tuple()
			if err != nil {
				return nil, err
			}
			return value, p.expect(")")
		case p.operator("["):
			return p.list(at)
		case p.operator("{"):
			return p.dict(at)
		}
	}
	return nil, p.unexpected("a value")
}

func (p *parser) list(at place) (node, error) {
	out := &sequence{place: at}
	for !p.operator("]") {
		if len(out.items) > 0 {
			if err := p.expect(","); err != nil {
				return nil, err
			}
			if p.operator("]") {
				break
			}
		}
		item, err := p.expression()
		if err != nil {
			return nil, err
		}
		out.items = append(out.items, item)
	}
	return out, nil
}

func (p *parser) dict(at place) (node, error) {
	out := &mapping{place: at}
	for !p.operator("}") {
		if len(out.keys) > 0 {
			if err := p.expect(","); err != nil {
				return nil, err
			}
			if p.operator("}") {
				break
			}
		}
		k, err := p.expression()
		if err != nil {
			return nil, err
		}
		if err := p.expect(":"); err != nil {
			return nil, err
		}
		v, err := p.expression()
		if err != nil {
			return nil, err
		}
		out.keys, out.values = append(out.keys, k), append(out.values, v)
	}
	return out, nil
}

func (p *parser) postfix(value node) (node, error) {
	for links := 0; ; links++ {
		t := p.peek()
		at := place(t.pos)
		if err := p.link(links, t); err != nil {
			return nil, err
		}
		var err error
		switch {
		case p.operator("."):
			switch attribute := p.take(); attribute.kind {
			case tokenName:
				value = &lookup{at, value, key{name: attribute.text}}
			case tokenInt:
				i, failed := strconv.ParseInt(attribute.text, 10, 64)
				if failed != nil {
					return nil, p.fail(attribute, "", "%s is not an index", attribute.text)
				}
				value = &lookup{at, value, key{index: i, isIndex: true}}
			default:
				return nil, p.fail(attribute, "write ['key'] when the key is not a name", "expected a name after '.'")
			}
		case p.operator("["):
			value, err = p.subscript(at, value)
		case p.operator("("):
			var args argumentNodes
			args, err = p.arguments()
			value = &call{at, value, args}
		default:
			return value, nil
		}
		if err != nil {
			return nil, err
		}
	}
}

func (p *parser) subscript(at place, of node) (node, error) {
	bound := func() (node, error) {
		if p.is(tokenOperator, ":") || p.is(tokenOperator, "]") {
			return nil, nil
		}
		return p.expression()
	}
	start, err := bound()
	if err != nil {
		return nil, err
	}
	if !p.is(tokenOperator, ":") {
		if start == nil {
			return nil, p.unexpected("an index")
		}
		if k, ok := literalKey(start); ok {
			return &lookup{at, of, k}, p.expect("]")
		}
		return &subscript{at, of, start}, p.expect("]")
	}
	p.take()
	s := &slicing{place: at, of: of, start: start}
	if s.stop, err = bound(); err != nil {
		return nil, err
	}
	if p.operator(":") {
		if s.step, err = bound(); err != nil {
			return nil, err
		}
	}
	return s, p.expect("]")
}

// literalKey is the key of a['x'], a[1] and a[-1].
func literalKey(n node) (key, bool) {
	if minus, ok := n.(*sign); ok && minus.negative {
		if literal, ok := minus.of.(*constant); ok {
			i, ok := literal.value.(int64)
			return key{index: -i, isIndex: true}, ok
		}
	}
	if literal, ok := n.(*constant); ok {
		k, err := keyOf(literal.value)
		return k, err == nil
	}
	return key{}, false
}

// arguments parses the rest of a call, behind its parenthesis.
func (p *parser) arguments() (argumentNodes, error) {
	var out argumentNodes
	for first := true; !p.operator(")"); first = false {
		if !first {
			if err := p.expect(","); err != nil {
				return out, err
			}
			if p.operator(")") {
				break
			}
		}
		t := p.peek()
		if p.is(tokenOperator, "*") || p.is(tokenOperator, "**") {
			return out, p.fail(t, "name each argument", "%s arguments are not supported", t.text)
		}
		if following := p.after(); t.kind == tokenName && following.kind == tokenOperator && following.text == "=" {
			p.next += 2
			value, err := p.expression()
			if err != nil {
				return out, err
			}
			out.named = append(out.named, namedNode{t.text, value})
			continue
		}
		value, err := p.expression()
		if err != nil {
			return out, err
		}
		if len(out.named) > 0 {
			return out, p.fail(t, "", "an argument without a name follows one with a name")
		}
		out.list = append(out.list, value)
	}
	return out, nil
}

func (p *parser) filters(value node) (node, error) {
	for links := 0; ; links++ {
		t := p.peek()
		if err := p.link(links, t); err != nil {
			return nil, err
		}
		var err error
		switch {
		case p.operator("|"):
			value, err = p.filter(value)
		case p.word("is"):
			value, err = p.test(place(t.pos), value)
		default:
			return value, nil
		}
		if err != nil {
			return nil, err
		}
	}
}

func (p *parser) filter(of node) (node, error) {
	t := p.peek()
	n, err := p.identifier("the name of a filter")
	if err != nil {
		return nil, err
	}
	f, ok := filters()[n]
	if !ok {
		return nil, p.fail(t, suggest(n, filters()), "unknown filter %s", quote(n))
	}
	out := &filtered{place: place(t.pos), of: of, name: n, filter: &f}
	if p.operator("(") {
		out.args, err = p.arguments()
	}
	return out, err
}

func (p *parser) test(at place, of node) (node, error) {
	not := p.word("not")
	t := p.peek()
	n, err := p.identifier("the name of a test")
	if err != nil {
		return nil, err
	}
	f, ok := tests()[n]
	if !ok {
		return nil, p.fail(t, suggest(n, tests()), "unknown test %s", quote(n))
	}
	out := &tested{place: at, of: of, name: n, test: &f}
	following := p.peek()
	switch {
	case p.operator("("):
		out.args, err = p.arguments()
	case following.kind == tokenString || following.kind == tokenInt || following.kind == tokenFloat,
		following.kind == tokenName && !slices.Contains([]string{"else", "or", "and", "if", "is", "in", "not"}, following.text),
		following.kind == tokenOperator && (following.text == "[" || following.text == "{"):
		var arg node
		if arg, err = p.primary(); err == nil {
			arg, err = p.postfix(arg)
		}
		out.args.list = []node{arg}
	}
	if not {
		return &negation{at, out}, err
	}
	return out, err
}
