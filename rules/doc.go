// Package rules decides which rules match an event, and with which parameters
// their actions run.
//
//	attune.Rule + attune.Action --Compile--> Rule --NewSet--> Set
//	event of a trigger --Set.For--> rules --Judge--> Match: the evaluation and,
//	  if it matched, the checked parameters or the reason of the failure
//	POST to a webhook --Webhook.Fire--> payloads and dedupe keys
//
// It also holds what a request of an action is checked against: [Schema].
//
// Everything here is pure: the same rule and event give the same match on every
// node, with one exception that stands in regex.go (a pattern with lookaround
// or back-references that runs into its time limit). Compiled values never
// change and are safe for concurrent use.
//
// # What is a template
//
// Only definitions are: the parameters and patterns of a rule, the defaults of
// an action, the split and dedupe of a webhook. What they render to, what an
// event carries and what a caller sends is data and never rendered again.
//
// # Criteria
//
// Operators are equals (eq), exists, contains, regex and in (inside), with
// Python's semantics: 1 equals 1.0 and true but not "1"; contains on null is
// an error, and an error is no match. The value at a missing path is null. A
// pattern of null never passes, except with exists. A criterion without a type
// never passes. Without a payload nothing passes. Criteria are tried in the
// order of the file, up to the first that fails.
package rules
