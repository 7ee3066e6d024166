// Package output is the actor that carries what attempts print into the store:
// chunks of many attempts in one write, acknowledged when they are durable. It
// is not fenced and shares nothing with the writer.
package output

import (
	"context"
	"log/slog"
	"time"

	"github.com/asynkron/protoactor-go/actor"

	"github.com/attune-automation/attune"
	"github.com/attune-automation/attune/actors"
	"github.com/attune-automation/attune/messages"
	"github.com/attune-automation/attune/persistence"
)

// Output is the actor. Workers repeat what it drops.
type Output struct {
	tree    *actors.Tree
	store   persistence.Output
	changed func(attune.ExecutionID)
	pending []*messages.Output
	bytes   int
	writing *write // nil when the store is free
}

const (
	// maxPending bounds what waits, in bytes: over it chunks are dropped, and
	// come again.
	maxPending = 32 << 20
	maxWrite   = 4 << 20
	retry      = 500 * time.Millisecond
)

// New is a node's output actor. changed is called for executions with new
// output; it must not block.
func New(tree *actors.Tree, store persistence.Output, changed func(attune.ExecutionID)) *Output {
	return &Output{tree: tree, store: store, changed: changed}
}

// Kind implements actors.Actor.
func (o *Output) Kind() string { return "output" }

// State implements actors.Actor.
func (o *Output) State() string {
	if o.writing != nil {
		return "writing"
	}
	return "idle"
}

// Detail implements actors.Actor.
func (o *Output) Detail() any {
	return map[string]any{"pending_chunks": len(o.pending), "pending_bytes": o.bytes}
}

type (
	// write is one call of the store.
	write struct{ chunks []*messages.Output }
	// written answers it; one that an actor before a restart made is dropped:
	// its chunks come again.
	written struct {
		write *write
		err   error
	}
	again struct{ write *write }
)

// Receive implements actor.Actor.
func (o *Output) Receive(ctx actor.Context) {
	switch m := ctx.Message().(type) {
	case *messages.Output:
		o.take(m)
		o.write()
	case *written:
		if m.write == o.writing {
			o.written(m.err)
		}
	case *again:
		if m.write == o.writing {
			o.send()
		}
	}
	o.tree.Meters.OutputPending.Store(int64(o.bytes))
}

// take keeps a chunk to be written, unless too much waits or no store can hold it:
// one that is refused would keep all others from being stored.
func (o *Output) take(m *messages.Output) {
	if o.bytes+len(m.Data) > maxPending || persistence.CheckChunk(chunkOf(m)) != "" {
		o.tree.Meters.OutputDropped.Add(int64(len(m.Data)))
		return
	}
	o.pending, o.bytes = append(o.pending, m), o.bytes+len(m.Data)
}

func chunkOf(m *messages.Output) persistence.OutputChunk {
	return persistence.OutputChunk{Token: m.Token, Stream: persistence.Stream(m.Stream), Offset: m.Offset, Data: m.Data}
}

func (o *Output) write() {
	if o.writing != nil || len(o.pending) == 0 {
		return
	}
	n, size := 0, 0
	for n < len(o.pending) && (n == 0 || size+len(o.pending[n].Data) <= maxWrite) {
		size += len(o.pending[n].Data)
		n++
	}
	o.writing = &write{o.pending[:n:n]}
	o.pending, o.bytes = o.pending[n:], o.bytes-size
	o.send()
}

func (o *Output) send() {
	under := o.writing
	chunks := make([]persistence.OutputChunk, len(under.chunks))
	for i, m := range under.chunks {
		chunks[i] = chunkOf(m)
	}
	tree, store := o.tree, o.store
	tree.Lend(func() { tree.Tell(tree.Output, &written{under, store.AppendOutput(context.Background(), chunks)}) })
}

func (o *Output) written(err error) {
	switch {
	case attune.KindOf(err) == attune.Invalid: // again it would be refused again
		o.tree.Log.Error("the store refused output, it is dropped", slog.String("error", err.Error()))
		for _, m := range o.writing.chunks {
			o.tree.Meters.OutputDropped.Add(int64(len(m.Data)))
		}
		o.writing = nil
		o.write()
		return
	case err != nil:
		o.tree.Log.Error("storing output failed, trying again", slog.String("error", err.Error()))
		under := o.writing
		o.tree.Clock.AfterFunc(retry, func() { o.tree.Tell(o.tree.Output, &again{under}) })
		return
	}
	for _, m := range o.writing.chunks {
		o.tree.Meters.OutputStored.Add(int64(len(m.Data)))
		o.tree.Tell(o.tree.Broker, &messages.ToWorker{Worker: m.Worker, Item: messages.OutputAck{Token: m.Token, Worker: m.Worker,
			Stream: m.Stream, Through: m.Offset + int64(len(m.Data))}})
		o.changed(m.Token.Execution)
	}
	o.writing = nil
	o.write()
}
