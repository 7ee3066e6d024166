// Package pattern is Python's regular expressions, which packs are written for:
// of criteria (regex, iregex, matchregex) and of StackStorm's filters (regex_*).
//
// There are two engines:
//
//   - A pattern that means the same to Go's engine runs there: linear time, no
//     clock, the same answer always. Those are nearly all.
//   - A pattern with lookaround, back-references or another thing that Go lacks
//     runs in a backtracking engine, which may need exponential time and is
//     therefore stopped after 100 ms. That alone depends on the machine: a
//     search that hits the limit is an error, [ErrTooLong]. For the limit the
//     library runs a goroutine that reads a coarse clock and ends by itself
//     about a second after the last search; it is started by nothing else. A
//     test that looks for leaked goroutines, or runs in a synctest bubble, must
//     not search with such patterns.
//
// Of patterns that may match nothing, such as x*, [Regex.Replace] and
// [Regex.FindAll] ask the second engine for the whole sequence of matches. It
// gives Python's, but for a pattern that prefers nothing over something at the
// same place, such as (|a): Python tries there again, and this one goes on.
package pattern
