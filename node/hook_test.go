package node_test

import "sync/atomic"

// hook is a function that a test changes while others call it.
type hook[F any] struct{ f atomic.Pointer[F] }

func (h *hook[F]) set(f F) { h.f.Store(&f) }

func (h *hook[F]) clear() { h.f.Store(nil) }

// get returns false when there is none.
func (h *hook[F]) get() (f F, ok bool) {
	if p := h.f.Load(); p != nil {
		return *p, true
	}
	return f, false
}
