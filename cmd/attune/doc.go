// Command attune is the whole of Attune in one program: the server
// (attune dev) and the command line that speaks to one.
//
// A file here is one noun or one idea. Commands write data to standard output
// and talk to standard error; what they return decides the exit code, in
// exit.go alone. docs/cli.md is the overview for users.
package main
