package persistence

import (
	"encoding/json"
	"time"

	"github.com/attune-automation/attune"
)

// workerBody is the column body of a worker.
type workerBody struct {
	Incarnation string            `json:"incarnation"`
	State       uint8             `json:"state"`
	Runners     []string          `json:"runners,omitempty"`
	Slots       int               `json:"slots"`
	Labels      map[string]string `json:"labels,omitempty"`
	Zone        string            `json:"zone,omitempty"`
	Registered  int64             `json:"registered"`
	Changed     int64             `json:"changed"`
	Lease       int64             `json:"lease,omitempty"`
	Drained     bool              `json:"drained,omitempty"`
}

// EncodeWorker is what a store keeps of a worker beside its name and version.
func EncodeWorker(w *attune.Worker) ([]byte, error) {
	return json.Marshal(workerBody{w.Incarnation, uint8(w.State), w.Runners, w.Slots, w.Labels, w.Zone, Millis(w.Registered), Millis(w.Changed),
		w.Lease.Milliseconds(), w.Drained})
}

// DecodeWorker reads what [EncodeWorker] wrote.
func DecodeWorker(body []byte, w *attune.Worker) error {
	var b workerBody
	if err := json.Unmarshal(body, &b); err != nil {
		return ErrEncoding
	}
	if b.State > uint8(attune.WorkerLeft) {
		return unknown("state", b.State)
	}
	w.Incarnation, w.State, w.Runners, w.Slots, w.Labels, w.Zone = b.Incarnation, attune.WorkerState(b.State), b.Runners, b.Slots, b.Labels, b.Zone
	w.Registered, w.Changed = FromMillis(b.Registered), FromMillis(b.Changed)
	w.Lease, w.Drained = time.Duration(b.Lease)*time.Millisecond, b.Drained
	return nil
}
