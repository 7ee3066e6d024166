package expression

import "strconv"

// node is one part of an expression. at is its byte offset in the source.
// eval may return *undefined, which only a few callers may accept; use
// run.value unless you are one of them.
type node interface {
	at() int
	eval(r *run) (any, error)
}

// statement is one part of a template's body.
type statement interface {
	at() int
	exec(r *run) error
}

type place int

func (p place) at() int { return int(p) }

type (
	// constant is a literal.
	constant struct {
		place
		value any
	}
	// name is a variable of the template or of its scope.
	name struct {
		place
		name string
	}
	// lookup is a.key, a['key'] or a[0] with a literal key.
	lookup struct {
		place
		of  node
		key key
	}
	// subscript is a[expression].
	subscript struct {
		place
		of, key node
	}
	// slicing is a[start:stop:step]; each bound may be nil.
	slicing struct {
		place
		of, start, stop, step node
	}
	// call is f(x) or value.method(x).
	call struct {
		place
		target node
		args   argumentNodes
	}
	// filtered is of|name(args).
	filtered struct {
		place
		of     node
		name   string
		filter *filter
		args   argumentNodes
	}
	// tested is `of is name(args)`.
	tested struct {
		place
		of   node
		name string
		test *test
		args argumentNodes
	}
	// negation is `not of`.
	negation struct {
		place
		of node
	}
	// sign is -of or +of.
	sign struct {
		place
		of       node
		negative bool
	}
	// binary is an arithmetic operation or ~.
	binary struct {
		place
		operator    string
		left, right node
	}
	// logic is and, or.
	logic struct {
		place
		or          bool
		left, right node
	}
	// comparison is a chain such as 1 < x <= 3.
	comparison struct {
		place
		first     node
		operators []string
		rest      []node
	}
	// conditional is `yes if test else no`; no may be nil.
	conditional struct {
		place
		test, yes, no node
	}
	// sequence is a list or a tuple.
	sequence struct {
		place
		items []node
		tuple bool
	}
	// mapping is a dict literal.
	mapping struct {
		place
		keys, values []node
	}
)

type argumentNodes struct {
	list  []node
	named []namedNode
}

type namedNode struct {
	name  string
	value node
}

// key is what one look-up asks for: a name, or an index.
type key struct {
	name    string
	index   int64
	isIndex bool
}

func (k key) String() string {
	if k.isIndex {
		return strconv.FormatInt(k.index, 10)
	}
	return quote(k.name)
}

// pathOf writes an expression as its author would, for messages.
func pathOf(n node) string {
	switch n := n.(type) {
	case *name:
		return n.name
	case *lookup:
		of := pathOf(n.of)
		if !n.key.isIndex && isIdentifier(n.key.name) {
			return of + "." + n.key.name
		}
		return of + "[" + n.key.String() + "]"
	case *subscript:
		return pathOf(n.of) + "[" + pathOf(n.key) + "]"
	case *call:
		return pathOf(n.target) + "(…)"
	case *filtered:
		return pathOf(n.of) + "|" + n.name
	case *constant:
		if text, ok := n.value.(string); ok {
			return quote(text)
		}
	}
	return "(…)"
}

func isIdentifier(s string) bool {
	for i := range len(s) {
		c := s[i]
		if c != '_' && (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') && (i == 0 || !isDigit(c)) {
			return false
		}
	}
	return s != ""
}

type (
	// output is text or {{ expression }}.
	output struct {
		place
		text  string
		value node // nil for text
	}
	ifStatement struct {
		place
		tests  []node
		bodies [][]statement // one more than tests when there is an else
	}
	forStatement struct {
		place
		targets []string
		in      node
		filter  node // may be nil
		body    []statement
		empty   []statement
	}
	// setStatement is {% set a = x %}, {% set a, b = x %}, {% set ns.a = x %}
	// or, with a body, {% set a %}…{% endset %}.
	setStatement struct {
		place
		targets []string
		member  string // the key of a namespace, or ""
		value   node
		body    []statement
	}
	macroStatement struct {
		place
		name     string
		params   []string
		defaults []node // nil where there is none
		body     []statement
	}
	withStatement struct {
		place
		names  []string
		values []node
		body   []statement
	}
	filterStatement struct {
		place
		chain node // ends in a *captured
		text  *captured
		body  []statement
	}
)

// captured stands for the text of a filter block's body.
type captured struct{ place }
