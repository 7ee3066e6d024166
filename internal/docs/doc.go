// Package docs keeps README.md and the pages in docs true in what a machine can
// check: links lead somewhere, targets of make exist, command lines name
// commands and flags of the program, metrics are those of a node, the drawing
// of the actors is that of the code. It has nothing but tests.
//
// A command line is a line of a code block that begins with attune, behind a
// prompt if the block has any; blocks of other languages than the shell's, such
// as text, are not looked at. So a page may speak in running text of what is
// not there yet.
package docs
