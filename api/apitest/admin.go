package apitest

import (
	"context"
	"io"
	"sync/atomic"

	"github.com/attune-automation/attune/api"
)

// Admin answers as its fields say; set them before it is asked. It implements api.Admin.
type Admin struct {
	// Pass is Prune.
	Pass func(api.PruneRequest) (api.PruneReport, error)
	// Archive is the content of a backup; Broken is why its sending ends early.
	Archive string
	Broken  error
	// Refusal is why there is no backup.
	Refusal error
	// Asked is the last request for one, Closed counts the archives closed.
	Asked  api.BackupRequest
	Closed atomic.Int32
}

// Prune asks Pass.
func (a *Admin) Prune(_ context.Context, r api.PruneRequest) (api.PruneReport, error) {
	return a.Pass(r)
}

// Backup is Archive.
func (a *Admin) Backup(_ context.Context, r api.BackupRequest) (api.BackupArchive, error) {
	if a.Refusal != nil {
		return nil, a.Refusal
	}
	a.Asked = r
	return &sending{a}, nil
}

type sending struct{ of *Admin }

// WriteTo implements io.WriterTo.
func (s *sending) WriteTo(w io.Writer) (int64, error) {
	n, err := io.WriteString(w, s.of.Archive)
	if err == nil {
		err = s.of.Broken
	}
	return int64(n), err
}

// Close counts.
func (s *sending) Close() error {
	s.of.Closed.Add(1)
	return nil
}
