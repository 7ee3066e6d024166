package expression

import "github.com/attune-automation/attune/expression/pattern"

// MaxPurse is the work that the renders of one [Purse] may do together; the
// memory they may make together is that of one, MaxMemory. The last of them may
// pass either by what one render may.
const MaxPurse = 2 * MaxSteps

// Purse is what several renders may spend together: many templates, each within
// its own budget, would still take for ever. The zero purse is full. It serves
// one goroutine.
type Purse struct {
	steps, memory int
	// Patience is what their regular expressions may take together, and those
	// beside them.
	Patience pattern.Patience
}

// open says why nothing can be spent any more.
func (p *Purse) open() error {
	switch {
	case p.steps > MaxPurse:
		return budgetFault("the templates together do more than %d steps of work", MaxPurse)
	case p.memory > MaxMemory:
		return budgetFault("the templates together make more than %d bytes of values", MaxMemory)
	}
	return nil
}

func (p *Purse) pay(r *run) {
	p.steps += r.steps
	p.memory += r.memory
}
