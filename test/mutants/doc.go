// Package mutants breaks the product on purpose, one promise at a time, and
// proves that the tests notice: each mutant is one change of one source file,
// compiled through go test -overlay, and the test or the seeds it names must turn
// red. A mutant whose text is no longer found in its file is red itself, so that
// none dies unnoticed.
//
// They take minutes, so that go test ./... leaves them out. make mutants runs
// them; it sets ATTUNE_MUTANTS, the only thing this package looks at.
package mutants
