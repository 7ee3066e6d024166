package rules

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/attune-automation/attune"
	"github.com/attune-automation/attune/expression/pattern"
)

// search is the operator that holds criteria against the items of a list. Its
// criterion says how in its type: "search any2all".
const search = "search"

// Bounds of one search.
const (
	// maxSearchDepth is how deeply searches may be nested.
	maxSearchDepth = 5
	// maxSearchWork is how many times a search holds a criterion against an
	// item.
	maxSearchWork = 100_000
)

// searchConditions are how many items have to match, and of an item how many
// criteria.
var searchConditions = map[string]struct{ allItems, allCriteria bool }{
	"all":     {true, true},
	"any":     {false, true},
	"all2any": {true, false},
	"any2any": {false, false},
}

var errSearchWork = fmt.Errorf("the list is too long: a search compares at most %d times", maxSearchWork)

// SearchType is the type of a criterion that searches by a condition, which
// StackStorm keeps beside the type.
func SearchType(condition string) string { return strings.TrimSpace(search + " " + condition) }

// compileSearch compiles a search. Its pattern is criteria by path, each path
// beginning with item.
func compileSearch(c attune.Criterion, condition string) (test, []attune.Fault) {
	where := c.At.String()
	how, known := searchConditions[condition]
	if !known {
		return nil, []attune.Fault{{Where: where, Message: fmt.Sprintf("the search of %s has the condition %q", c.Path, condition), Try: "known are all, any, all2any, any2any"}}
	}
	if c.Pattern == nil {
		return nil, nil
	}
	children, ok := c.Pattern.(map[string]any)
	if !ok {
		return nil, []attune.Fault{{Where: where, Message: fmt.Sprintf("the pattern of %s must be criteria by path, not %s", c.Path, typeOf(c.Pattern)), Try: "write item.name: {type: equals, pattern: x}"}}
	}
	if depthOf(c.Pattern) > maxSearchDepth {
		return nil, []attune.Fault{{Where: where, Message: fmt.Sprintf("the search of %s is nested more than %d deep", c.Path, maxSearchDepth)}}
	}
	var compiled []criterion
	var faults []attune.Fault
	for _, path := range slices.Sorted(maps.Keys(children)) {
		one, wrong := compileChild(path, children[path], c)
		compiled, faults = append(compiled, one), append(faults, wrong...)
	}
	return func(left any, on *occasion) (bool, error) {
		items, isList := left.([]any)
		if object, ok := left.(map[string]any); ok {
			items, isList = []any{object}, true
		}
		if !isList {
			return false, fmt.Errorf("%s cannot be searched", typeOf(left))
		}
		s := searching{criteria: compiled, on: on, allCriteria: how.allCriteria}
		return s.search(items, how.allItems)
	}, faults
}

// depthOf is how many searches are within each other.
func depthOf(pattern any) int {
	children, _ := pattern.(map[string]any)
	deepest := 0
	for _, child := range children {
		if c, ok := child.(map[string]any); ok && deepest <= maxSearchDepth {
			deepest = max(deepest, depthOf(c["pattern"]))
		}
	}
	return deepest + 1
}

func compileChild(path string, v any, parent attune.Criterion) (criterion, []attune.Fault) {
	where := parent.At.String()
	fields, ok := v.(map[string]any)
	if !ok {
		return criterion{}, []attune.Fault{{Where: where, Message: fmt.Sprintf("the criterion %s of the search of %s must be a mapping, not %s", path, parent.Path, typeOf(v))}}
	}
	child := attune.Criterion{Path: path, Pattern: fields["pattern"], At: parent.At}
	child.Type, _ = fields["type"].(string)
	if strings.EqualFold(child.Type, search) {
		condition, _ := fields["condition"].(string)
		child.Type = SearchType(condition)
	}
	return compileCriterion(child, "item")
}

// searching is one search under way.
type searching struct {
	criteria    []criterion
	on          *occasion
	allCriteria bool
	prepared    []preparedTest // of criteria, made when first needed
	failed      error          // the first that kept an item from matching
}

type preparedTest struct {
	test test
	err  error
	done bool
}

// search tells whether all items match, or any. A criterion that fails on an
// item does not match it; when the search does not pass, it says why.
func (s *searching) search(items []any, all bool) (bool, error) {
	s.prepared = make([]preparedTest, len(s.criteria))
	passed := all
	for i, item := range items {
		matches, err := s.matches(i, item)
		if err != nil {
			return false, err
		}
		if matches != all {
			passed = matches
			break
		}
	}
	if !passed {
		return false, s.failed
	}
	return true, nil
}

// matches holds the criteria against one item. Its error ends the search.
func (s *searching) matches(i int, item any) (bool, error) {
	for n := range s.criteria {
		c, p := &s.criteria[n], &s.prepared[n]
		if !p.done {
			_, p.test, p.err = c.prepare(s.on)
			p.done = true
		}
		if s.on.searched++; s.on.searched > maxSearchWork {
			return false, errSearchWork
		}
		left, _ := c.path.First(item)
		passed, err := false, p.err
		if err == nil && p.test != nil {
			passed, err = p.test(left, s.on)
		}
		if errors.Is(err, errSearchWork) || errors.Is(err, pattern.ErrTooLong) {
			return false, err
		}
		if err != nil && s.failed == nil {
			s.failed = fmt.Errorf("item %d: %s: %w", i, c.Path, err)
		}
		if passed = passed && err == nil; passed != s.allCriteria {
			return passed, nil
		}
	}
	return s.allCriteria, nil
}
