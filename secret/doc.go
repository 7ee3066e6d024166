// Package secret keeps the values of secret parameters from being read.
//
//	request ──▶ checked ──▶ [Box.Seal] ──▶ row, queue, journal, log, view
//	                                            │
//	          output, result, failure ◀── [Mask] ◀── [Box.Open] in the worker
//
// Between the check of a request and the start of its runner a value is sealed:
// nobody there can read it, and nobody needs to. Behind the runner a [Mask]
// replaces it wherever it turns up again, before anything leaves the worker.
//
// The package is pure but for the random source of a [Box]. It knows no clock,
// no file and no lock.
package secret
