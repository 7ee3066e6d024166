package api

import (
	"context"
	"fmt"

	"github.com/attune-automation/attune"
)

// WorkerAnswer is a worker as the API shows it.
type WorkerAnswer struct {
	Name        string            `json:"name"`
	Incarnation string            `json:"incarnation"`
	State       string            `json:"state"`
	Runners     []string          `json:"runners"`
	Slots       int               `json:"slots"`
	Running     int               `json:"running"`
	Labels      map[string]string `json:"labels,omitempty"`
	Zone        string            `json:"zone,omitempty"`
	Registered  string            `json:"registered"`
	Changed     string            `json:"changed,omitempty"`
	LastHeard   string            `json:"last_heard,omitempty"`
}

func viewWorker(w WorkerView) WorkerAnswer {
	return WorkerAnswer{Name: w.Name, Incarnation: w.Incarnation, State: w.State.String(), Runners: w.Runners, Slots: w.Slots, Running: w.Running,
		Labels: w.Labels, Zone: w.Zone, Registered: stamp(w.Registered), Changed: stamp(w.Changed), LastHeard: stamp(w.LastHeard)}
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
