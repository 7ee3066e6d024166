package api

import (
	"context"
	"fmt"
	"net/http"
	"time"

	"github.com/attune-automation/attune"
	"github.com/attune-automation/attune/messages"
)

// WorkerKeeper is what the API asks of the node for workers, and about them.
type WorkerKeeper interface {
	// LinkWorker takes what a worker brings and answers with what there is for
	// it; where there is nothing it waits, up to wait. session tells processes
	// apart that call under the worker's name.
	LinkWorker(ctx context.Context, worker, session string, brought []messages.Parcel, wait time.Duration) ([]messages.Parcel, error)
	// DrainWorker stores the operator's word that a worker is given nothing more,
	// or takes it back, and returns the worker. It is idempotent, and outlives
	// the worker's process.
	DrainWorker(ctx context.Context, name string, on bool) (WorkerView, error)
	// RemoveWorker forgets a worker that is lost or has left; one that is alive,
	// and one whose executions have yet to go on without it, is a Conflict.
	RemoveWorker(ctx context.Context, name string) (WorkerView, error)
	// PackContent is the archive of a pack with that content; Conflict where it
	// holds something else by now.
	PackContent(ctx context.Context, ref, content string) ([]byte, error)
}

// WorkerAnswer is a worker as the API shows it.
type WorkerAnswer struct {
	Name        string `json:"name"`
	Incarnation string `json:"incarnation"`
	State       string `json:"state"`
	// Drained is the operator's word: it is given nothing more.
	Drained    bool              `json:"drained,omitempty"`
	Runners    []string          `json:"runners"`
	Slots      int               `json:"slots"`
	Running    int               `json:"running"`
	Labels     map[string]string `json:"labels,omitempty"`
	Zone       string            `json:"zone,omitempty"`
	Registered string            `json:"registered"`
	Changed    string            `json:"changed,omitempty"`
	LastHeard  string            `json:"last_heard,omitempty"`
	// Lease is how long it runs things unheard.
	Lease string `json:"lease,omitempty"`
}

func viewWorker(w WorkerView) WorkerAnswer {
	return WorkerAnswer{Name: w.Name, Incarnation: w.Incarnation, State: w.State.String(), Runners: w.Runners, Slots: w.Slots, Running: w.Running,
		Labels: w.Labels, Zone: w.Zone, Registered: stamp(w.Registered), Changed: stamp(w.Changed), LastHeard: stamp(w.LastHeard),
		Drained: w.Drained, Lease: span(w.Lease)}
}

type (
	workersInput struct{ Page }
	workerInput  struct {
		Name string `path:"name"`
	}
	workerList   struct{ Body List[WorkerAnswer] }
	workerOutput struct{ Body WorkerAnswer }
)

func (s *server) listWorkers(ctx context.Context, in *workersInput) (*workerList, error) {
	all, err := s.Engine.Workers(ctx)
	if err != nil {
		return nil, err
	}
	return &workerList{after(in.Page, all, func(w WorkerView) string { return w.Name }, viewWorker)}, nil
}

func (s *server) getWorker(ctx context.Context, in *workerInput) (*workerOutput, error) {
	all, err := s.Engine.Workers(ctx)
	if err != nil {
		return nil, err
	}
	for _, w := range all {
		if w.Name == in.Name {
			return &workerOutput{viewWorker(w)}, nil
		}
	}
	return nil, &attune.Error{Kind: attune.NotFound, Code: "unknown_worker", Message: fmt.Sprintf("there is no worker %s", in.Name), Try: "attune worker list"}
}

func (s *server) drainWorker(ctx context.Context, in *workerInput) (*workerOutput, error) {
	return s.ordered(s.Engine.DrainWorker(ctx, in.Name, true))
}

func (s *server) resumeWorker(ctx context.Context, in *workerInput) (*workerOutput, error) {
	return s.ordered(s.Engine.DrainWorker(ctx, in.Name, false))
}

func (s *server) removeWorker(ctx context.Context, in *workerInput) (*workerOutput, error) {
	return s.ordered(s.Engine.RemoveWorker(ctx, in.Name))
}

func (s *server) ordered(w WorkerView, err error) (*workerOutput, error) {
	if err != nil {
		return nil, err
	}
	return &workerOutput{viewWorker(w)}, nil
}

// maxLink bounds what a worker brings with one request: a result may have 1 MiB,
// and what waited while no node was there comes together.
const maxLink = 16 << 20

// linkBody tells the route by which workers bring what they have to say.
func linkBody(method, path string) bool {
	return method == http.MethodPost && path == "/api/v1/workers/{name}/link"
}

type (
	linkInput struct {
		Name    string `path:"name"`
		Session string `query:"session" required:"true" maxLength:"64" doc:"Tells processes apart that call as this worker"`
		Wait    int    `query:"wait" minimum:"0" maximum:"10" doc:"How many seconds to wait while there is nothing for the worker"`
		RawBody []byte `contentType:"application/vnd.attune.parcels"`
	}
	linkOutput struct {
		Type string `header:"Content-Type"`
		Body []byte `contentType:"application/vnd.attune.parcels"`
	}
	contentInput struct {
		Ref     string `path:"ref"`
		Content string `path:"content" doc:"The content that a dispatch named"`
	}
	contentOutput struct {
		Type string `header:"Content-Type"`
		Body []byte `contentType:"application/gzip"`
	}
)

// linkWorker is the second way of a worker's messages. Its token is for the
// worker of its own name: nobody speaks for another.
func (s *server) linkWorker(ctx context.Context, in *linkInput) (*linkOutput, error) {
	if own := principalOf(ctx); own != in.Name {
		return nil, &attune.Error{Kind: attune.Denied, Code: "foreign_worker", Message: "the token " + own + " is not that of the worker " + in.Name,
			Try: "attune token create " + in.Name + " --kind worker"}
	}
	brought, err := messages.DecodeParcels(in.RawBody)
	if err != nil {
		return nil, err
	}
	all, err := s.Engine.LinkWorker(ctx, in.Name, in.Session, brought, time.Duration(in.Wait)*time.Second)
	if err != nil {
		return nil, err
	}
	body, err := messages.EncodeParcels(all)
	if err != nil {
		return nil, fmt.Errorf("encode what is for the worker %s: %w", in.Name, err)
	}
	return &linkOutput{Type: messages.ParcelsType, Body: body}, nil
}

// packContent sends a pack to a worker that has to run an action of it.
func (s *server) packContent(ctx context.Context, in *contentInput) (*contentOutput, error) {
	archive, err := s.Engine.PackContent(ctx, in.Ref, in.Content)
	if err != nil {
		return nil, err
	}
	return &contentOutput{Type: "application/gzip", Body: archive}, nil
}
