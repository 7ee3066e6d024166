// Package client speaks the API of a node for programs written in Go, above all
// for the command line. It knows routes and errors, and keeps no state: every
// method is one request, nothing is tried again.
package client
