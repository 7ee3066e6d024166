package expression

import (
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/attune-automation/attune/expression/jsonpath"
	"github.com/attune-automation/attune/expression/pattern"
)

// stackStormFilters are those that StackStorm adds to Jinja and that need
// nothing but their arguments; JSON's are in json.go, the paths' in filters.go.
func stackStormFilters() map[string]filter {
	return map[string]filter{
		"regex_match": on("pattern ignorecase", func(r *run, s string, args []any) (any, error) {
			return r.matches(s, args, true)
		}),
		"regex_search": on("pattern ignorecase", func(r *run, s string, args []any) (any, error) {
			return r.matches(s, args, false)
		}),
		"regex_replace":              on("pattern replacement ignorecase", regexReplace),
		"regex_substring":            on("pattern result_index ignorecase", regexSubstring),
		"jsonpath_query":             {params: params("query"), call: jsonpathQuery},
		"to_human_time_from_seconds": {call: humanTime},
		"to_yaml_string":             {params: params("indent"), call: toYAML},
	}
}

// The price of regular expressions, in steps: of compiling one, and of a search
// that may backtrack. The linear engine does workPerStep instructions for one.
const (
	stepsPerPattern   = 500
	stepsPerBacktrack = 20_000
	workPerStep       = 64
)

// regex compiles a pattern once for each render, and counts the search of text
// for one match, or for all.
func (r *run) regex(text string, source, ignoreCase any, anchored, all bool) (*pattern.Regex, error) {
	s, ok := source.(string)
	if !ok {
		return nil, typeFault("a regular expression is a str, not a %s", typeName(source))
	}
	o := pattern.Options{IgnoreCase: flag(ignoreCase), Anchored: anchored}
	key := compiled{s, o}
	re := r.patterns[key]
	if re == nil {
		if err := r.spend(stepsPerPattern + 10*len(s)); err != nil {
			return nil, err
		}
		var err error
		if re, err = pattern.Compile(s, o); err != nil {
			return nil, typeFault("%v", err)
		}
		re = re.With(r.patience)
		if r.patterns == nil {
			r.patterns = map[compiled]*pattern.Regex{}
		}
		r.patterns[key] = re
		if err := r.spend(4 * re.Size()); err != nil {
			return nil, err
		}
	}
	steps := len(text) * (re.Size() + 8) / workPerStep
	if all && !re.LinearAll(text) || !re.Linear(text) {
		steps += stepsPerBacktrack
	}
	return re, r.spend(steps)
}

// compiled names a regular expression of a render.
type compiled struct {
	source  string
	options pattern.Options
}

func (r *run) matches(s string, args []any, anchored bool) (any, error) {
	re, err := r.regex(s, args[0], args[1], anchored, false)
	if err != nil {
		return nil, err
	}
	found, err := re.Match(s)
	if err != nil {
		return nil, typeFault("%v", err)
	}
	return found, nil
}

func regexReplace(r *run, s string, args []any) (any, error) {
	re, err := r.regex(s, args[0], args[2], false, true)
	if err != nil {
		return nil, err
	}
	replacement, ok := args[1].(string)
	if !ok {
		return nil, typeFault("a replacement is a str, not a %s", typeName(args[1]))
	}
	out, ok, err := re.Replace(s, replacement, MaxOutput)
	switch {
	case err != nil:
		return nil, typeFault("%v", err)
	case !ok:
		return nil, r.make(MaxOutput + 1)
	}
	return r.made(out)
}

// regexSubstring is one of what re.findall gives.
func regexSubstring(r *run, s string, args []any) (any, error) {
	re, err := r.regex(s, args[0], args[2], false, true)
	if err != nil {
		return nil, err
	}
	index, err := intArgument(args[1], 0)
	if err != nil {
		return nil, err
	}
	all, err := re.FindAll(s)
	if err != nil {
		return nil, typeFault("%v", err)
	}
	if err := r.entries(len(all)); err != nil {
		return nil, err
	}
	if index < 0 {
		index += len(all)
	}
	if index < 0 || index >= len(all) {
		return nil, typeFault("the regular expression matches %d times, and there is no match %v", len(all), index)
	}
	if len(all[index]) == 1 {
		return all[index][0], nil
	}
	out := make([]any, len(all[index]))
	for i, group := range all[index] {
		out[i] = group
	}
	return out, r.entries(len(out))
}

// jsonpathQuery is the list of all that a path finds, or null.
func jsonpathQuery(r *run, in any, args []any) (any, error) {
	query, err := textArgument(args[0], "")
	if err != nil {
		return nil, err
	}
	path, err := jsonpath.Parse(query)
	if err != nil {
		return nil, typeFault("%v", err)
	}
	found, looked, ok := path.All(in, MaxSteps)
	if err := r.spend(looked); err != nil || !ok {
		return nil, err
	}
	if len(found) == 0 {
		return nil, nil
	}
	return found, r.entries(len(found))
}

// humanTime is 1h3m5s. A part of a second is called µs, as StackStorm has it.
func humanTime(_ *run, in any, _ []any) (any, error) {
	if !isNumber(in) {
		return nil, typeFault("seconds are a number, not a %s", typeName(in))
	}
	seconds := float(in)
	switch {
	case seconds == 0:
		return "0s", nil
	case seconds < 1:
		if i, whole := integer(in); whole {
			return strconv.FormatInt(i, 10) + "μs", nil
		}
		return floatText(seconds) + "μs", nil
	case !(seconds < 9000*365*86400):
		return nil, typeFault("%v seconds are too many", floatText(seconds))
	}
	start := time.Date(1, 1, 1, 0, 0, 0, 0, time.UTC)
	total := int64(math.RoundToEven(seconds))
	end := start.AddDate(0, 0, int(total/86400)).Add(time.Duration(total%86400) * time.Second)
	var b strings.Builder
	for i, n := range []int{end.Year() - 1, end.YearDay() - 1, end.Hour(), end.Minute(), end.Second()} {
		if b.Len() > 0 || n > 0 || i == 4 {
			b.WriteString(strconv.Itoa(n))
			b.WriteByte("ydhms"[i])
		}
	}
	return b.String(), nil
}
