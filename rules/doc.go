// Package rules decides which rules match an event, and with which parameters
// their actions run.
//
//	attune.Rule + attune.Action --Compile--> Rule --NewSet--> Set
//	event of a trigger --Set.Judge--> a Match for each rule: the evaluation and,
//	  if it matched, the checked parameters or the reason of the failure
//	POST to a webhook --Webhook.Fire--> payloads and dedupe keys
//
// It also holds what a request of an action is checked against: [Schema].
//
// Everything here is pure: the same rule and event give the same match on every
// node and at any time, with one exception that stands in package pattern (a
// regular expression with lookaround or back-references that runs into its time
// limit). The present of td_lt and td_gt is the moment at which the event was
// accepted, which its id carries. Compiled values never change and are safe for
// concurrent use.
//
// # What is a template
//
// Only definitions are: the parameters and patterns of a rule, its when, the
// defaults of an action, the split and dedupe of a webhook. What they render to,
// what an event carries and what a caller sends is data and never rendered again.
//
// # Criteria
//
// Operators are StackStorm's 33, with Python's semantics: 1 equals 1.0 and true
// but not "1"; contains on null is an error, and an error is no match, for the
// negated operators too. The value at a missing path is null; of several values
// the first counts. With a pattern of null only nequals, exists and nexists can
// pass. A criterion without a type never passes. Without a payload nothing
// passes. Criteria are tried in the order of the file, up to the first that
// fails; then when. What can never work, such as a number as regular expression,
// is a fault of the rule.
//
// A search compares at most 100,000 times per event. A criterion that fails on
// an item does not match that item.
//
// Rules of the type backstop are judged after all others of their trigger, and
// match only if none of those did: see [Set.Judge].
package rules
