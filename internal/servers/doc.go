// Package servers says where tests get real servers from, and what stands
// between a test and one. Each kind has a folder below: pgtest and mqtest find
// or start a server and give a test a database or a virtual host of its own,
// proxy is a TCP connection that breaks on demand.
//
// A server is looked for in this order: the environment variable
// (ATTUNE_TEST_POSTGRES, ATTUNE_TEST_RABBITMQ, a URL whose user may create
// databases or virtual hosts), its default port on this machine, a private one
// from installed binaries. Private servers have their own port, folder and node
// name, and end with the test program that began them.
package servers
