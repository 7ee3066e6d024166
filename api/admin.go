package api

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"

	"github.com/attune-automation/attune"
)

// Admin is what the API asks of the node for those who run it. Methods are safe
// for concurrent use.
type Admin interface {
	// Prune makes a pass of the retention now and returns when it is over.
	Prune(ctx context.Context, r PruneRequest) (PruneReport, error)
	// Backup makes a copy of everything as it is at one moment. Whoever gets it
	// closes it. A node that keeps its data elsewhere refuses.
	Backup(ctx context.Context, r BackupRequest) (BackupArchive, error)
}

// PruneRequest is the body of POST /api/v1/admin/gc.
type PruneRequest struct {
	// OlderThan is an age for executions and output instead of the node's;
	// dedupe keys keep their window.
	OlderThan *time.Duration `json:"-"`
	// Try deletes nothing.
	Try bool `json:"-"`
}

// PruneReport is what a pass deleted, or would.
type PruneReport struct {
	Try    bool          `json:"dry_run"`
	Began  time.Time     `json:"began"`
	Ended  time.Time     `json:"ended"`
	Rows   int64         `json:"rows"`
	Tables []PrunedTable `json:"tables"`
}

// PrunedTable is one table's share.
type PrunedTable struct {
	Table string `json:"table"`
	Rows  int64  `json:"rows"`
}

// BackupRequest says what a backup holds beside the data.
type BackupRequest struct {
	// WithKey adds the key of the data folder: whoever has the backup can read
	// the secrets in it then.
	WithKey bool
}

// BackupArchive is a finished copy, a tar.
type BackupArchive interface {
	io.WriterTo
	io.Closer
}

var errNoAdmin = attune.NewError(attune.Unavailable, "no_administration", "this node is not run by these commands")

// ParseAge reads an age: a duration such as 12h or 90m, or days such as 30d.
func ParseAge(s string) (time.Duration, error) {
	days, isDays := strings.CutSuffix(s, "d")
	n, err := strconv.ParseFloat(days, 64)
	switch {
	case isDays && err == nil && n >= 0 && n <= 36_500:
		return time.Duration(n * float64(24*time.Hour)), nil
	case !isDays:
		if d, err := time.ParseDuration(s); err == nil && d >= 0 {
			return d, nil
		}
	}
	return 0, &attune.Error{Kind: attune.Invalid, Code: "invalid_age", Message: fmt.Sprintf("%q is not an age", s), Try: "30d, 12h or 90m"}
}

type (
	pruneInput struct {
		Body struct {
			OlderThan string `json:"older_than,omitempty" doc:"Age such as 30d or 12h, for executions and output, instead of the node's own"`
			DryRun    bool   `json:"dry_run,omitempty" doc:"Only count"`
		}
	}
	pruneOutput struct{ Body PruneReport }
	backupInput struct {
		WithKey bool `query:"with_key" doc:"With the key of the data folder: the backup tells its secrets then"`
	}
)

// prune may take long: a slow pass is a polite one.
func (s *server) prune(ctx context.Context, in *pruneInput) (*pruneOutput, error) {
	r := PruneRequest{Try: in.Body.DryRun}
	tries(ctx, r.Try)
	if in.Body.OlderThan != "" {
		age, err := ParseAge(in.Body.OlderThan)
		if err != nil {
			return nil, err
		}
		r.OlderThan = &age
	}
	if s.Admin == nil {
		return nil, errNoAdmin
	}
	report, err := s.Admin.Prune(ctx, r)
	report.Try = r.Try
	return &pruneOutput{report}, err
}

// backup sends the archive. One that breaks off has no end, and the connection
// breaks too, so that it cannot be taken for whole.
func (s *server) backup(ctx context.Context, in *backupInput) (*streamOutput, error) {
	if s.Admin == nil {
		return nil, errNoAdmin
	}
	archive, err := s.Admin.Backup(ctx, BackupRequest{WithKey: in.WithKey})
	if err != nil {
		return nil, err
	}
	s.Log.Info("a backup is taken", "principal", principalOf(ctx), "with_key", in.WithKey)
	return &streamOutput{func(hc huma.Context) {
		_, w := humago.Unwrap(hc)
		w.Header().Set("Content-Type", "application/x-tar")
		_, err := archive.WriteTo(w)
		if err = errors.Join(err, archive.Close()); err != nil {
			s.Log.Warn("a backup ended early", "error", err)
			panic(http.ErrAbortHandler)
		}
	}}, nil
}
