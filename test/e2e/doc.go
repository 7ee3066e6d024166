// Package e2e holds the promises to users against the built program: real
// processes of attune, driven by its command line and its HTTP API, killed by
// their ids. It uses nothing of the product but its client; what the store and
// the actions' own ledger say is read without the product's help.
//
// Each test has a world of its own: a folder that is HOME to everything it
// starts, with the data folder, the packs and a link to the program in it. So
// every process of a test is known by that folder, and at the end of each none
// may be left.
package e2e
