// Package mqtest gives tests a real RabbitMQ: [URL] a virtual host of their own
// on a server that all tests of a program share, [Private] a server of their
// own, to be killed and started again.
//
// The shared server is the one ATTUNE_TEST_RABBITMQ names, else the one on this
// machine's default port, else a private one from installed binaries; where
// there is none the test is left out. A found server must have the management
// plugin, and a user who may create virtual hosts; its API is looked for 10,000
// ports above the port of AMQP, or at ?management=URL of the variable.
//
// A private server is Erlang, started without the wrapper scripts and with only
// the libraries it needs on its path: most of a boot is looking for modules. It
// takes 4 to 6 s on an idle machine with two cores. A shell holds it and ends it
// with the pipe that leads to the program: so nothing is left behind, also by a
// test that is killed.
package mqtest
