// Package deploy starts what deploy and docs/operations.md tell operators to
// start, as they say it: the configurations of the page, the commands and
// variables of the units, the permissions of the page on a real broker, TLS.
// It has nothing but tests.
package deploy
