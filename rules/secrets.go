package rules

import (
	"slices"

	"github.com/attune-automation/attune"
	"github.com/attune-automation/attune/secret"
)

// untold ends a fault whose reason may quote a secret.
const untold = "; why is not told, since it holds a secret"

// Hidden says what of checked parameters is secret, or nil if nothing is: the
// values of those declared so, defaults that were rendered with one of them, and
// every other value in which the text of one stands. given is what the request
// said, params what [Schema.Check] made of it.
func (s *Schema) Hidden(given, params map[string]any) *secret.Hidden {
	return s.hidden(given, params, nil)
}

// hidden is Hidden; with a link the rule has templates that read parameters.
func (s *Schema) hidden(given, params map[string]any, l *link) *secret.Hidden {
	var searched []string
	texts := slices.Clip(s.action.Hidden)
	for _, name := range s.secret {
		if v := params[name]; v != nil {
			searched = append(searched, name)
			texts = secret.Texts(texts, v)
		}
	}
	if len(searched)+len(s.action.Hidden) == 0 {
		return nil // as good as always, and at once
	}
	h := &secret.Hidden{Searched: searched, Also: s.action.Hidden}
	finder := secret.NewFinder(longEnough(texts))
	for _, name := range s.names {
		p, v := s.fields[name], params[name]
		_, asked := given[name]
		if v != nil && (p.Secret || p.derived && !asked && !l.gives(name) || l.conceals(name) || finder.Within(v)) {
			h.Names = append(h.Names, name)
		}
	}
	return h
}

// longEnough leaves out what is not searched for.
func longEnough(texts []string) []string {
	var all []string
	for _, text := range texts {
		if len(text) >= secret.Shortest {
			all = append(all, text)
		}
	}
	return all
}

// mask masks what is secret of a request in its faults.
func (s *Schema) mask(given, params map[string]any, faults []attune.Fault) {
	texts := slices.Clip(s.action.Hidden)
	for _, name := range s.secret {
		texts = secret.Texts(secret.Texts(secret.Texts(texts, given[name]), params[name]), s.fields[name].Default)
	}
	mask := secret.NewMask(texts)
	for i := range faults {
		faults[i].Message, faults[i].Try = mask.Text(faults[i].Message), mask.Text(faults[i].Try)
	}
}

// conceal takes the reasons out of the faults of a template that gives a secret.
func (s *Schema) conceal(name, message string, faults []attune.Fault) []attune.Fault {
	if s == nil || s.fields[name] == nil || !s.fields[name].Secret {
		return faults
	}
	for i := range faults {
		faults[i].Message, faults[i].Try = message+untold, ""
	}
	return faults
}
