// Package expression renders Jinja templates: the text between {{ }} and
// {% %} in rule parameters, criteria patterns, dedupe keys and commands.
//
// # The language
//
// It is the part of Jinja 3 that StackStorm's packs use, with StackStorm's
// strictness: a missing name or key is an error, not an empty text, unless it
// meets `default` or `is defined`. A template that is exactly one {{ }} keeps
// the native type of its value; everything else is text as Python prints it
// (None, True, [1], {'a': 1}).
//
//	source -> lexer -> tokens -> parser -> nodes -> run -> value or text
//	                                         |
//	                                         +-> path: a plain look-up such as
//	                                             {{ trigger.body.x }} skips run
//
// Statements: if, for, set, macro, with, filter, raw. Refused by name:
// include, import, from, extends, block (there are no files to read), call,
// do, autoescape, trans, and `for … recursive`.
//
// Of the filters that StackStorm adds all are here but decrypt_kv, which needs a
// data store, and from_yaml_string. They are StackStorm's, with these
// differences: to_yaml_string folds no lines, to_human_time_from_seconds does
// not lose whole months, and regular expressions are as package pattern says.
//
// Left out of Jinja: the filters random, urlize, xmlattr, striptags, pprint,
// filesizeformat and wordwrap; and methods that change a value in place
// (append, update, pop). Values in the scope are never changed.
//
// # Values
//
// Maps are map[string]any, lists []any, numbers int64 or float64 (see
// [DecodeJSON]); other Go maps, slices and number types are converted when
// they are met. Dicts have no order of their own: wherever one is walked or
// printed its keys are sorted, so the same scope always gives the same text.
// Dict keys are text: {1: 'a'} is {'1': 'a'}, and [1] finds it. Tuples are
// lists. Integers are 64 bits wide; what does not fit is an error.
//
// # Why an engine of our own
//
// gonja v2.9.1 was measured first. Its parser drops characters it does not
// know ({{ 1 ; }} is 1), reads {{ 'a' in x|lower }} as ('a' in x)|lower, takes
// 1 < 3 < 2 as true, and has no inline if in parentheses; its evaluator swallows
// a missing name in {{ not missing }}, makes '3' < 4 true and 5 / 0 infinite,
// prints null as nothing, cuts characters into bytes, and leaves a goroutine
// behind for each range that is not read to its end. None of that can be set
// right from outside, nor can its work be counted. testdata/jinja.json holds
// what Jinja 3.1 itself makes of some three hundred templates; this engine
// agrees on all of them; where it differs by intent (sorted dicts, lists for
// tuples, 64-bit integers, {{ d.items }} finding a key of that name) is said here.
//
// # The cage
//
// Nothing here starts a goroutine, reads a clock or needs a deadline. A render
// counts its work instead: every node evaluated, every element walked and
// every 32 bytes of text handled is a step, every byte made is memory, and
// both are limited (limits.go), as are the source, its nesting, `range`, the
// output and the depth of macros. A render that reaches a limit ends with an
// [Error] of kind [Budget]. The same template and scope therefore end the same
// way on every machine; a full budget is used up in roughly 0.1 s. Renders that
// belong together share a [Purse]. One thing
// does not obey this: a filter with a regular expression that only a
// backtracking engine understands, which is stopped by a clock (see package
// pattern).
package expression
