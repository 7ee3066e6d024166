// Package examples types what the documentation says, as it stands, and
// compares what comes back.
//
// Every block of commands on a page of docs is run, in order, in one shell, in
// a fresh folder, with the built program on the PATH. A block of the language
// console has prompts, and what follows a prompt must come back; a block of the
// language sh must succeed. Ids, times and durations may differ, and an id that
// stood for something once stands for it from then on. A line that begins with
// attune dev starts a server and ends the one before.
//
// A block that cannot be run says so in the page, in a comment just before it:
//
//	<!-- not run: it needs another machine -->
package examples
