package rules

import (
	"fmt"
	"math/big"
	"slices"
	"strconv"
	"strings"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"github.com/santhosh-tekuri/jsonschema/v6/kind"
)

// collection gathers what a validator found, in our words.
type collection struct {
	value  any
	hide   bool // shows no value
	faults []ShapeFault
}

// add takes an error apart: what only groups others is left out.
func (c *collection) add(e *jsonschema.ValidationError) {
	switch k := e.ErrorKind.(type) {
	case *kind.AnyOf:
		c.none(e)
	case *kind.OneOf:
		if len(k.Subschemas) > 0 {
			c.fault(e, "", "fits more than one of its alternatives, where it must fit exactly one")
			return
		}
		c.none(e)
	case *kind.Required:
		for _, name := range k.Missing {
			c.at(append(slices.Clone(e.InstanceLocation), name), "", "is missing")
		}
	case *kind.AdditionalProperties:
		for _, name := range k.Properties {
			c.at(append(slices.Clone(e.InstanceLocation), name), "leave it out", "is not known here")
		}
	default:
		if len(e.Causes) > 0 {
			for _, cause := range e.Causes {
				c.add(cause)
			}
			return
		}
		c.fault(e, "", "%s", c.say(e))
	}
}

// none is a value that fits no alternative. The only one of its type is the one
// that was meant.
func (c *collection) none(e *jsonschema.ValidationError) {
	var meant []*jsonschema.ValidationError
	for _, cause := range e.Causes {
		if !otherType(cause, len(e.InstanceLocation)) {
			meant = append(meant, cause)
		}
	}
	if len(meant) == 1 {
		c.add(meant[0])
		return
	}
	c.fault(e, c.alternatives(e), "fits none of its alternatives")
}

// otherType tells that an alternative wants another type at this depth.
func otherType(e *jsonschema.ValidationError, depth int) bool {
	if _, is := e.ErrorKind.(*kind.Type); is {
		return len(e.InstanceLocation) == depth
	}
	return slices.ContainsFunc(e.Causes, func(cause *jsonschema.ValidationError) bool { return otherType(cause, depth) })
}

// alternatives says what each alternative first wants.
func (c *collection) alternatives(e *jsonschema.ValidationError) string {
	var wants []string
	for _, cause := range e.Causes {
		one := &collection{value: c.value, hide: c.hide}
		one.add(cause)
		if len(one.faults) > 0 && len(wants) < 4 {
			f := one.faults[0]
			place := strings.TrimPrefix(f.Where, c.where(e.InstanceLocation))
			wants = append(wants, strings.TrimSpace(strings.TrimPrefix(place, ".")+" "+f.Message))
		}
	}
	return strings.Join(wants, "; or ")
}

func (c *collection) fault(e *jsonschema.ValidationError, try, format string, args ...any) {
	c.at(e.InstanceLocation, try, format, args...)
}

func (c *collection) at(path []string, try, format string, args ...any) {
	if len(c.faults) < maxShapeFaults {
		c.faults = append(c.faults, ShapeFault{Path: slices.Clone(path), Where: c.where(path), Message: fmt.Sprintf(format, args...), Try: try})
	}
}

// where writes a path: members with a dot, items in brackets.
func (c *collection) where(path []string) string {
	var b strings.Builder
	at := c.value
	for _, step := range path {
		switch v := at.(type) {
		case []any:
			i, _ := strconv.Atoi(step)
			at = nil
			if i >= 0 && i < len(v) {
				at = v[i]
			}
			b.WriteString("[" + step + "]")
		case map[string]any:
			at = v[step]
			b.WriteString("." + step)
		default:
			at = nil
			b.WriteString("." + step)
		}
	}
	return b.String()
}

// find is the value at a path, or nil.
func find(value any, path []string) any {
	for _, step := range path {
		switch v := value.(type) {
		case []any:
			i, err := strconv.Atoi(step)
			if err != nil || i < 0 || i >= len(v) {
				return nil
			}
			value = v[i]
		case map[string]any:
			value = v[step]
		default:
			return nil
		}
	}
	return value
}

// say is one fault in words that end a sentence about the value.
func (c *collection) say(e *jsonschema.ValidationError) string {
	not := ", not " + show(find(c.value, e.InstanceLocation))
	if c.hide {
		not = ""
	}
	switch k := e.ErrorKind.(type) {
	case *kind.Type:
		words := make([]string, len(k.Want))
		for i, one := range k.Want {
			words[i] = typeWord(one)
			if one == "null" {
				words[i] = one
			}
		}
		return "must be " + strings.Join(words, " or ") + not
	case *kind.Enum:
		all := make([]string, len(k.Want))
		for i, one := range k.Want {
			all[i] = string(AppendJSON(nil, one))
		}
		return "must be one of " + strings.Join(all, ", ") + not
	case *kind.Pattern:
		return fmt.Sprintf("must match %s%s", k.Want, not)
	case *kind.Minimum:
		return "must be at least " + rational(k.Want) + not
	case *kind.Maximum:
		return "must be at most " + rational(k.Want) + not
	case *kind.ExclusiveMinimum:
		return "must be more than " + rational(k.Want) + not
	case *kind.ExclusiveMaximum:
		return "must be less than " + rational(k.Want) + not
	case *kind.MultipleOf:
		return "must be a multiple of " + rational(k.Want) + not
	case *kind.Not:
		return "is what it must not be"
	case *kind.UniqueItems:
		return fmt.Sprintf("has the same item twice, at %d and %d", k.Duplicates[0], k.Duplicates[1])
	case *kind.AdditionalItems:
		return fmt.Sprintf("has %d items too many", k.Count)
	case *kind.Dependency:
		return fmt.Sprintf("with %s it also needs %s", k.Prop, strings.Join(k.Missing, ", "))
	case *kind.Format:
		return fmt.Sprintf("is no %s: %v", k.Want, k.Err)
	}
	return sayCount(e.ErrorKind)
}

// sayCount is a fault of a length or a number of items.
func sayCount(e jsonschema.ErrorKind) string {
	switch k := e.(type) {
	case *kind.MinLength:
		return fmt.Sprintf("must have at least %d characters, and has %d", k.Want, k.Got)
	case *kind.MaxLength:
		return fmt.Sprintf("must have at most %d characters, and has %d", k.Want, k.Got)
	case *kind.MinItems:
		return fmt.Sprintf("must have at least %d items, and has %d", k.Want, k.Got)
	case *kind.MaxItems:
		return fmt.Sprintf("must have at most %d items, and has %d", k.Want, k.Got)
	case *kind.MinProperties:
		return fmt.Sprintf("must have at least %d members, and has %d", k.Want, k.Got)
	case *kind.MaxProperties:
		return fmt.Sprintf("must have at most %d members, and has %d", k.Want, k.Got)
	}
	return "does not fit its schema: " + strings.Join(e.KeywordPath(), ".")
}

// rational is a number as people write it.
func rational(r *big.Rat) string {
	if r.IsInt() {
		return r.Num().String()
	}
	f, _ := r.Float64()
	return strconv.FormatFloat(f, 'g', -1, 64)
}
