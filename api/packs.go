package api

import (
	"context"
	"net/http"

	"github.com/attune-automation/attune"
	"github.com/attune-automation/attune/packs"
	"github.com/attune-automation/attune/secret"
)

// PackKeeper is what the API asks of the node to change its packs. What is under
// way keeps the definitions it began with.
type PackKeeper interface {
	// ReloadPacks reads the packs again whose files have changed, and in any
	// case those that are named.
	ReloadPacks(ctx context.Context, refs ...string) ([]packs.Change, error)
	// InstallPack puts a pack in place, tar.gz as packs.Archive makes it.
	InstallPack(ctx context.Context, order PackOrder) (packs.Change, error)
	// RemovePack takes an installed pack away. Archive is unused.
	RemovePack(ctx context.Context, order PackOrder) (packs.Change, error)
}

// PackOrder asks for one change of an installed pack.
type PackOrder struct {
	Ref     string
	Archive []byte
	// Force makes the change although the pack has faults, or breaks rules of
	// others.
	Force bool
	// DryRun changes nothing, and answers what would be.
	DryRun bool
}

// PackView is a pack with the refs of what it holds.
type PackView struct {
	*attune.Pack
	// Status is loaded, degraded or broken.
	Status   attune.PackStatus `json:"status"`
	Actions  []string          `json:"actions"`
	Triggers []string          `json:"triggers"`
	Rules    []string          `json:"rules"`
	// Config is the configuration, its secrets masked, and Files what became of
	// each file. Both are left out of lists.
	Config map[string]any    `json:"config,omitempty"`
	Files  []attune.PackFile `json:"files,omitempty"`
}

func viewPack(p *attune.Pack) PackView {
	return PackView{Pack: p, Status: p.Status(),
		Actions:  refs(p.Actions, func(a *attune.Action) string { return a.Ref }),
		Triggers: refs(p.Triggers, func(t *attune.Trigger) string { return t.Ref }),
		Rules:    refs(p.Rules, func(r *attune.Rule) string { return r.Ref })}
}

type (
	packList     struct{ Body List[PackView] }
	packOutput   struct{ Body PackView }
	changeOutput struct{ Body PackChange }
	changesList  struct{ Body List[PackChange] }
)

// PackChange is what became of a pack.
type PackChange struct {
	packs.Change
	// DryRun says that it did not happen.
	DryRun bool `json:"dry_run,omitempty"`
	// Pack is the pack afterwards; left out for one that is gone.
	Pack *PackView `json:"pack,omitempty"`
}

type packsInput struct{ Page }

func (s *server) listPacks(_ context.Context, in *packsInput) (*packList, error) {
	return &packList{after(in.Page, s.Engine.Catalog().Packs(), func(p *attune.Pack) string { return p.Ref }, viewPack)}, nil
}

func (s *server) getPack(_ context.Context, in *refInput) (*packOutput, error) {
	p, err := s.pack(in.Ref)
	if err != nil {
		return nil, err
	}
	v := viewPack(p)
	v.Config, v.Files = packs.ShownConfig(p, secret.Stars), p.Files
	return &packOutput{v}, nil
}

func (s *server) pack(ref string) (*attune.Pack, error) {
	all := s.Engine.Catalog().Packs()
	for _, p := range all {
		if p.Ref == ref {
			return p, nil
		}
	}
	return nil, unknown("pack", ref, refs(all, func(p *attune.Pack) string { return p.Ref }))
}

type reloadInput struct{}

// reloadPacks reads again what has changed.
func (s *server) reloadPacks(ctx context.Context, _ *reloadInput) (*changesList, error) {
	return s.reloaded(ctx)
}

// reloadPack reads one pack again.
func (s *server) reloadPack(ctx context.Context, in *refInput) (*changesList, error) {
	if _, err := s.pack(in.Ref); err != nil {
		return nil, err
	}
	return s.reloaded(ctx, in.Ref)
}

func (s *server) reloaded(ctx context.Context, refs ...string) (*changesList, error) {
	changes, err := s.Engine.ReloadPacks(ctx, refs...)
	if err != nil {
		return nil, err
	}
	out := &changesList{List[PackChange]{Items: []PackChange{}}}
	for _, c := range changes {
		out.Body.Items = append(out.Body.Items, NewPackChange(c, s.Engine.Catalog()))
	}
	return out, nil
}

// NewPackChange shows a change with the pack as it is now, where it is there.
func NewPackChange(c packs.Change, now *packs.Snapshot) PackChange {
	v := PackChange{Change: c}
	for _, p := range now.Packs() {
		if p.Ref == c.Ref {
			view := viewPack(p)
			view.Files = p.Files
			v.Pack = &view
			break // another of this ref is left out
		}
	}
	return v
}

// changed answers a change, or what it would be.
func (s *server) changed(c packs.Change, dry bool) *changeOutput {
	if dry {
		return &changeOutput{PackChange{Change: c, DryRun: true}}
	}
	return &changeOutput{NewPackChange(c, s.Engine.Catalog())}
}

// PackQuery is part of the input of every change of an installed pack.
type PackQuery struct {
	Ref    string `path:"ref"`
	Force  bool   `query:"force" doc:"Change it although it has faults, or breaks rules of others"`
	DryRun bool   `query:"dry_run" doc:"Change nothing, answer what would be"`
}

type installInput struct {
	PackQuery
	RawBody []byte `contentType:"application/gzip"`
}

// packBody tells the routes that take a packed pack.
func packBody(method, path string) bool {
	return method == http.MethodPost && path == "/api/v1/packs/{ref}/install"
}

func (s *server) installPack(ctx context.Context, in *installInput) (*changeOutput, error) {
	tries(ctx, in.DryRun)
	c, err := s.Engine.InstallPack(ctx, PackOrder{Ref: in.Ref, Archive: in.RawBody, Force: in.Force, DryRun: in.DryRun})
	if err != nil {
		return nil, err
	}
	return s.changed(c, in.DryRun), nil
}

type removeInput struct{ PackQuery }

func (s *server) removePack(ctx context.Context, in *removeInput) (*changeOutput, error) {
	tries(ctx, in.DryRun)
	c, err := s.Engine.RemovePack(ctx, PackOrder{Ref: in.Ref, Force: in.Force, DryRun: in.DryRun})
	if err != nil {
		return nil, err
	}
	return s.changed(c, in.DryRun), nil
}
