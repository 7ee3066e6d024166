// Package node wires one node: its clock, its store, its broker and its tree of
// actors. It is the only package that knows every implementation.
//
// The same constructors build the node of a server, of `attune dev` and of the
// seeded simulation; they differ only in the [Parts] they are given.
package node
