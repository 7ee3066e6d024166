package expression

import (
	"fmt"
	"strings"

	"github.com/attune-automation/attune/expression/pattern"
)

// run is one render: its variables and what is left of its budget.
type run struct {
	source string
	scope  Scope
	frame  *frame
	out    *strings.Builder
	steps  int
	memory int
	macros int // macro calls under way
	// patterns are the regular expressions compiled so far, bounded by what
	// compiling one costs.
	patterns map[compiled]*pattern.Regex
	// patience is what their searches share.
	patience *pattern.Patience
}

// frame holds the variables of one loop turn, macro call or template. An inner
// frame sees the outer ones and never changes them.
type frame struct {
	vars  map[string]any
	outer *frame
}

func (f *frame) set(name string, value any) {
	if f.vars == nil {
		f.vars = map[string]any{}
	}
	f.vars[name] = value
}

// undefined is a look-up that found nothing. It is a value only for as long as
// `default` and `is defined` need it.
type undefined struct {
	path string
	why  string
	// lenient is an inline if without an else: it prints as nothing.
	lenient bool
}

func (u *undefined) fault() error {
	message := u.path + " is not defined"
	if u.why != "" {
		message += ": " + u.why
	}
	return &fault{kind: Undefined, message: message, path: u.path, try: "check the name, or give a default as in {{ name | default('') }}"}
}

func newRun(source string, scope Scope, purse *Purse) *run {
	return &run{source: source, scope: scope, frame: &frame{}, out: &strings.Builder{}, patience: &purse.Patience}
}

// spend counts work, see MaxSteps.
func (r *run) spend(steps int) error {
	r.steps += steps
	if r.steps > MaxSteps || steps < 0 {
		return budgetFault("the template does more than %d steps of work", MaxSteps)
	}
	return nil
}

// read counts the handling of n bytes of text.
func (r *run) read(n int) error { return r.spend(n / bytesPerStep) }

// make counts n bytes that an operation is about to make. Call it before.
func (r *run) make(n int) error {
	if n > MaxOutput || n < 0 {
		return budgetFault("a value would be larger than %d bytes", MaxOutput)
	}
	r.memory += n
	if r.memory > MaxMemory {
		return budgetFault("the template makes more than %d bytes of values", MaxMemory)
	}
	return r.read(n)
}

// entries counts n list or dict entries about to be made.
func (r *run) entries(n int) error {
	if n > MaxOutput/bytesPerEntry || n < 0 {
		return budgetFault("a list would have more than %d entries", MaxOutput/bytesPerEntry)
	}
	if err := r.make(n * bytesPerEntry); err != nil {
		return err
	}
	return r.spend(n)
}

// made counts a text that an operation has just made, when its size was
// bounded by what was counted already.
func (r *run) made(text string) (any, error) { return text, r.make(len(text)) }

// raw evaluates n; the result may be *undefined.
func (r *run) raw(n node) (any, error) {
	err := r.spend(1)
	if err == nil {
		var v any
		if v, err = n.eval(r); err == nil {
			if v, err = normal(v); err == nil {
				return v, nil
			}
		}
	}
	return nil, locate(r.source, n.at(), err)
}

// value evaluates n; a missing value is an error.
func (r *run) value(n node) (any, error) {
	v, err := r.raw(n)
	if err != nil {
		return nil, err
	}
	return r.present(v, n)
}

// present refuses a missing value.
func (r *run) present(v any, n node) (any, error) {
	u, missing := v.(*undefined)
	switch {
	case !missing:
		return v, nil
	case u.lenient:
		return "", nil
	}
	return nil, locate(r.source, n.at(), u.fault())
}

// find looks a variable up: the template's own first, then the scope's.
func (r *run) find(name string) (any, bool) {
	for f := r.frame; f != nil; f = f.outer {
		if v, ok := f.vars[name]; ok {
			return v, true
		}
	}
	if v, ok := r.scope[name]; ok {
		return v, true
	}
	f, ok := functions[name]
	return f, ok
}

func (r *run) write(text string) error {
	if r.out.Len()+len(text) > MaxOutput {
		return budgetFault("the text would be longer than %d bytes", MaxOutput)
	}
	r.out.WriteString(text)
	return r.read(len(text))
}

// body executes statements in a frame of their own, or in the present one.
func (r *run) body(list []statement, own *frame) error {
	if own != nil {
		outer := r.frame
		r.frame = own
		defer func() { r.frame = outer }()
	}
	for _, s := range list {
		err := r.spend(1)
		if err == nil {
			err = s.exec(r)
		}
		if err != nil {
			return locate(r.source, s.at(), err)
		}
	}
	return nil
}

// capture executes statements and returns what they write.
func (r *run) capture(list []statement, own *frame) (string, error) {
	outer := r.out
	r.out = &strings.Builder{}
	defer func() { r.out = outer }()
	if err := r.body(list, own); err != nil {
		return "", err
	}
	text := r.out.String()
	return text, r.make(len(text))
}

func (s *output) exec(r *run) error {
	if s.value == nil {
		return r.write(s.text)
	}
	v, err := r.value(s.value)
	if err != nil {
		return err
	}
	text, err := r.text(v)
	if err != nil {
		return locate(r.source, s.value.at(), err)
	}
	return r.write(text)
}

func (s *ifStatement) exec(r *run) error {
	for i, test := range s.tests {
		v, err := r.value(test)
		if err != nil {
			return err
		}
		if truth(v) {
			return r.body(s.bodies[i], nil)
		}
	}
	if len(s.bodies) > len(s.tests) {
		return r.body(s.bodies[len(s.tests)], nil)
	}
	return nil
}

func (s *forStatement) exec(r *run) error {
	in, err := r.value(s.in)
	if err != nil {
		return err
	}
	items, err := r.iterate(in)
	if err != nil {
		return locate(r.source, s.in.at(), err)
	}
	outer := r.frame
	defer func() { r.frame = outer }()
	if s.filter != nil {
		var kept []any
		for _, item := range items {
			r.frame = &frame{outer: outer}
			if err := r.assign(s.targets, item); err != nil {
				return err
			}
			v, err := r.value(s.filter)
			if err != nil {
				return err
			}
			if truth(v) {
				kept = append(kept, item)
			}
		}
		items = kept
	}
	if len(items) == 0 {
		r.frame = outer
		return r.body(s.empty, &frame{outer: outer})
	}
	state := &loop{items: items}
	for i, item := range items {
		state.index = i
		turn := &frame{outer: outer}
		r.frame = turn
		if err := r.assign(s.targets, item); err != nil {
			return err
		}
		turn.set("loop", state)
		if err := r.spend(1); err != nil {
			return err
		}
		if err := r.body(s.body, nil); err != nil {
			return err
		}
	}
	return nil
}

// assign sets one name to a value, or several to its items.
func (r *run) assign(targets []string, value any) error {
	if len(targets) == 1 {
		r.frame.set(targets[0], value)
		return nil
	}
	items, err := r.iterate(value)
	if err != nil {
		return err
	}
	if len(items) != len(targets) {
		return typeFault("%d names cannot take %d values", len(targets), len(items))
	}
	for i, target := range targets {
		r.frame.set(target, items[i])
	}
	return nil
}

func (s *setStatement) exec(r *run) error {
	var v any
	var err error
	if s.value != nil {
		v, err = r.value(s.value)
	} else {
		v, err = r.capture(s.body, &frame{outer: r.frame})
	}
	if err != nil {
		return err
	}
	if s.member == "" {
		return r.assign(s.targets, v)
	}
	target, _ := r.find(s.targets[0])
	ns, ok := target.(*namespace)
	if !ok {
		return typeFault("%s is not a namespace", s.targets[0])
	}
	ns.vars[s.member] = v
	return r.entries(1)
}

func (s *macroStatement) exec(r *run) error {
	r.frame.set(s.name, &macro{s, r.frame})
	return nil
}

func (s *withStatement) exec(r *run) error {
	own := &frame{outer: r.frame}
	for i, n := range s.names {
		v, err := r.value(s.values[i])
		if err != nil {
			return err
		}
		own.set(n, v)
	}
	return r.body(s.body, own)
}

func (s *filterStatement) exec(r *run) error {
	text, err := r.capture(s.body, &frame{outer: r.frame})
	if err != nil {
		return err
	}
	own := &frame{outer: r.frame}
	own.set(capturedName, text)
	return r.body([]statement{&output{place: s.place, value: s.chain}}, own)
}

// capturedName cannot be written in a template.
const capturedName = "|"

func (c *captured) eval(r *run) (any, error) {
	v, _ := r.find(capturedName)
	return v, nil
}

// macro is a macro with the frame it was made in.
type macro struct {
	*macroStatement
	home *frame
}

func (m *macro) call(r *run, args arguments) (any, error) {
	if r.macros++; r.macros > MaxMacroDepth {
		return nil, budgetFault("macros call each other more than %d deep", MaxMacroDepth)
	}
	defer func() { r.macros-- }()
	values, err := args.bind(m.name, m.params)
	if err != nil {
		return nil, err
	}
	outer := r.frame
	defer func() { r.frame = outer }()
	r.frame = &frame{outer: m.home}
	for i, param := range m.params {
		v := values[i]
		if v == absent {
			v = &undefined{path: param, why: fmt.Sprintf("macro %s was called without it", m.name)}
			if m.defaults[i] != nil {
				if v, err = r.value(m.defaults[i]); err != nil {
					return nil, err
				}
			}
		}
		r.frame.set(param, v)
	}
	return r.capture(m.body, nil)
}
