// Package apitest holds the engine and the store that tests of the API and of
// the command line speak to, made by hand: rows are put there by the test, a
// function field decides where an answer matters, and an execution changes only
// when the test says so.
package apitest
