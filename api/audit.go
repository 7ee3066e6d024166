package api

import (
	"context"
	"log/slog"
	"net"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/attune-automation/attune"
	"github.com/attune-automation/attune/persistence"
)

const (
	// auditWait bounds the writing of one entry.
	auditWait = 5 * time.Second
	// deniedAMinute is how many denied requests are kept within a minute:
	// whoever guesses tokens must not fill the store.
	deniedAMinute = 60
	// maxTarget bounds what is kept of a target.
	maxTarget = 200
)

// AuditView is one request of the audit.
type AuditView struct {
	At string `json:"at"`
	// Principal is the name of the token, left out where there was no valid
	// one; Kind is the token's.
	Principal string `json:"principal,omitempty"`
	Kind      string `json:"kind,omitempty"`
	From      string `json:"from"`
	// Action is the operation id of the route, Target what it was about.
	Action string `json:"action"`
	Target string `json:"target,omitempty"`
	// Status is the HTTP status, Code that of the error.
	Status int    `json:"status"`
	Code   string `json:"code,omitempty"`
}

// note keeps a request in the audit and in the log: one that is to change
// something, unless its rows tell of it, whatever came of it; and one that was
// denied. It is called when the request has been handled.
func (s *server) note(r route, action string, req *http.Request, w http.ResponseWriter, who *principal) {
	status := statusOf(w)
	if status == 0 {
		status = http.StatusInternalServerError // a panic, which is answered later
	}
	denied := status == http.StatusUnauthorized || status == http.StatusForbidden
	changes := r.policy.kept || req.Method != http.MethodGet && req.Method != http.MethodHead && !r.policy.rows && !who.tries
	if !changes && !denied || denied && !s.denials.one(s.Now()) {
		return
	}
	from, _, err := net.SplitHostPort(req.RemoteAddr)
	if err != nil {
		from = req.RemoteAddr
	}
	e := persistence.AuditEntry{At: s.Now(), Principal: who.token.Name, Kind: who.token.Kind, From: from, Action: action,
		Target: targetOf(r.path, req, who), Status: status, Code: who.code}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(req.Context()), auditWait)
	defer cancel()
	said := []any{"principal", e.Principal, "from", e.From, "action", e.Action, "target", e.Target, "status", e.Status, "code", e.Code}
	if err := s.Store.AppendAudit(ctx, e); err != nil {
		s.Log.Error("a request is not in the audit", append(said, slog.Any("error", err))...)
		return
	}
	s.Log.Info("request kept in the audit", said...)
}

// targetOf is what a request is about: what its handler says, else the
// parameters of its path.
func targetOf(path string, r *http.Request, who *principal) string {
	target := who.target
	if target == "" {
		var values []string
		for segment := range strings.SplitSeq(path, "/") {
			if name, ok := strings.CutPrefix(segment, "{"); ok {
				values = append(values, r.PathValue(strings.TrimSuffix(name, "}")))
			}
		}
		target = strings.Join(values, " ")
	}
	if len(target) > maxTarget {
		target = target[:maxTarget]
	}
	return strings.ToValidUTF8(strings.ReplaceAll(target, "\x00", ""), "")
}

// about says what a request is about, for the audit.
func about(ctx context.Context, target string) {
	if who := principalIn(ctx); who != nil {
		who.target = target
	}
}

// tries says that a request only asks what would change: nobody is to read in
// the audit that it did.
func tries(ctx context.Context, dry bool) {
	if who := principalIn(ctx); who != nil {
		who.tries = dry
	}
}

// statusOf is the status of an answer so far, or 0.
func statusOf(w http.ResponseWriter) int {
	if seen, ok := w.(*witness); ok {
		return int(seen.status.Load())
	}
	return 0
}

// denials bounds how many denied requests are kept. It is safe for concurrent
// use.
type denials struct {
	log *slog.Logger

	mu    sync.Mutex
	since time.Time // guarded by mu, as is count
	count int
}

// one counts a denied request and says whether it is to be kept.
func (d *denials) one(now time.Time) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	if age := now.Sub(d.since); age < 0 || age >= time.Minute {
		d.since, d.count = now, 0
	}
	if d.count++; d.count == deniedAMinute+1 {
		d.log.Warn("many requests are denied: the rest of this minute's are not kept", "kept", deniedAMinute)
	}
	return d.count <= deniedAMinute
}

type auditInput struct {
	Limit     int    `query:"limit" minimum:"1" maximum:"1000" default:"50" doc:"Size of the page"`
	Cursor    string `query:"cursor" doc:"The field next of the page before"`
	Principal string `query:"principal"`
	Action    string `query:"action" doc:"Operation id of a route"`
	Since     string `query:"since" doc:"RFC 3339 time"`
}

type auditOutput struct{ Body List[AuditView] }

func (s *server) listAudit(ctx context.Context, in *auditInput) (*auditOutput, error) {
	narrow, err := Page{Limit: in.Limit}.query(in.Since)
	if err != nil {
		return nil, err
	}
	q := persistence.AuditQuery{Limit: in.Limit, Principal: in.Principal, Action: in.Action, Since: narrow.Since}
	if in.Cursor != "" {
		if q.Before, err = strconv.ParseInt(in.Cursor, 10, 64); err != nil || q.Before < 1 {
			return nil, &attune.Error{Kind: attune.Invalid, Code: "invalid_cursor", Message: "it is no cursor of this list", Where: "query.cursor"}
		}
	}
	entries, err := s.Store.AuditEntries(ctx, q)
	if err != nil {
		return nil, err
	}
	out := &auditOutput{List[AuditView]{Items: []AuditView{}}}
	for _, e := range entries {
		out.Body.Items = append(out.Body.Items, AuditView{At: stamp(e.At), Principal: e.Principal, Kind: string(e.Kind), From: e.From,
			Action: e.Action, Target: e.Target, Status: e.Status, Code: e.Code})
	}
	if len(entries) == q.Limit && entries[len(entries)-1].Number > 1 { // perhaps there are more: then the next page says
		out.Body.Next = strconv.FormatInt(entries[len(entries)-1].Number, 10)
	}
	return out, nil
}
