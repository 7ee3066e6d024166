// Package memory keeps everything in maps. It is the model that the other
// stores are compared with, and the store of the seeded simulation: it starts
// no goroutine, reads no clock but the one it is given, and answers in the same
// order for the same calls.
//
// [Faulty] wraps any store in the faults of a real one. [Store.Rows] shows a
// checker all there is.
package memory
