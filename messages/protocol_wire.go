package messages

import "github.com/attune-automation/attune"

// The fields of each message of the worker protocol, with their numbers. A
// number is never used again, and a new field gets the highest yet: builds of
// neighbouring versions read each other's.

func (m *Registered) wire(w *wire) {
	w.text(1, &m.Worker)
	w.text(2, &m.Incarnation)
	w.count(3, &m.Slots)
	w.texts(4, &m.Runners)
	w.labels(5, &m.Labels)
	w.text(6, &m.Zone)
	w.texts(7, &m.Earlier)
	w.duration(8, &m.Sent)
	w.duration(9, &m.Lease)
}

func (m *RegisterAck) wire(w *wire) {
	w.text(1, &m.Worker)
	w.text(2, &m.Incarnation)
	w.duration(3, &m.Sent)
	w.text(4, &m.Refused)
	w.flag(5, &m.Lost)
	w.text(6, &m.Node)
}

func (m *Heartbeat) wire(w *wire) {
	w.text(1, &m.Worker)
	w.text(2, &m.Incarnation)
	w.duration(3, &m.Sent)
	w.count(4, &m.Running)
	w.flag(5, &m.Draining)
}

func (m *HeartbeatAck) wire(w *wire) {
	w.text(1, &m.Worker)
	w.text(2, &m.Incarnation)
	w.duration(3, &m.Sent)
	w.flag(4, &m.Lost)
	w.text(5, &m.Node)
	w.flag(6, &m.Drained)
}

func (m *Draining) wire(w *wire) {
	w.text(1, &m.Worker)
	w.text(2, &m.Incarnation)
	w.flag(3, &m.Left)
}

func (m *Dispatch) wire(w *wire) {
	w.token(1, &m.Token)
	w.text(3, &m.Worker)
	w.text(4, &m.Incarnation)
	w.text(5, &m.Node)
	whole(w, 6, &m.Epoch)
	w.text(7, &m.Action)
	w.text(8, &m.Pack)
	w.text(9, &m.Runner)
	w.text(10, &m.EntryPoint)
	w.text(11, &m.Dir)
	w.bytes(12, &m.Parameters)
	w.texts(13, &m.Positional)
	w.duration(14, &m.Timeout)
	w.duration(15, &m.Grace)
	whole(w, 16, &m.Limits.Memory)
	w.count(17, &m.Limits.Processes)
	w.float(18, &m.Limits.CPU)
	w.text(19, &m.Rule)
	w.text(20, &m.Trigger)
	w.text(21, &m.Traceparent)
	text(w, 22, &m.APIToken)
	w.text(23, &m.PackHash)
}

func (m *Stop) wire(w *wire) {
	w.token(1, &m.Token)
	w.text(3, &m.Worker)
	w.text(4, &m.Incarnation)
	w.text(5, &m.Node)
	whole(w, 6, &m.Epoch)
	w.duration(7, &m.Grace)
}

func (m *StateQuery) wire(w *wire) {
	w.text(1, &m.Worker)
	w.text(2, &m.Node)
	list(w, 3, &m.Asked, func(w *wire, t *TokenAt) {
		w.token(1, &t.Token)
		w.text(3, &t.Incarnation)
		whole(w, 4, &t.Epoch)
	})
}

func (m *Report) wire(w *wire) {
	w.token(1, &m.Token)
	choice(w, 3, &m.Kind, NotMine)
	w.text(4, &m.Worker)
	w.text(5, &m.Incarnation)
	w.duration(6, &m.Elapsed)
	w.bytes(7, &m.Result)
	w.failure(8, &m.Failure)
	w.text(9, &m.Reason)
}

func (m *ReportAck) wire(w *wire) {
	w.text(1, &m.Worker)
	list(w, 2, &m.Tokens, func(w *wire, t *attune.Token) { w.token(1, t) })
}

func (m *Output) wire(w *wire) {
	w.token(1, &m.Token)
	w.text(3, &m.Worker)
	choice(w, 4, &m.Stream, lastStream)
	whole(w, 5, &m.Offset)
	w.bytes(6, &m.Data)
}

func (m *OutputAck) wire(w *wire) {
	w.token(1, &m.Token)
	w.text(3, &m.Worker)
	choice(w, 4, &m.Stream, lastStream)
	whole(w, 5, &m.Through)
}

// lastStream is stderr.
const lastStream = 2
