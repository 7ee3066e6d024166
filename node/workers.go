package node

import (
	"context"
	"fmt"
	"time"

	"github.com/attune-automation/attune"
	"github.com/attune-automation/attune/api"
	"github.com/attune-automation/attune/messages"
	"github.com/attune-automation/attune/packs"
)

// LinkWorker implements api.WorkerKeeper.
func (n *Node) LinkWorker(ctx context.Context, worker, session string, brought []messages.Parcel, wait time.Duration) ([]messages.Parcel, error) {
	return n.desk.Call(ctx, worker, session, brought, wait)
}

// DrainWorker implements api.WorkerKeeper.
func (n *Node) DrainWorker(ctx context.Context, name string, on bool) (api.WorkerView, error) {
	return n.order(ctx, name, func(reply func(*attune.Worker, error)) any {
		return &messages.DrainWorker{Worker: name, On: on, Reply: reply}
	})
}

// RemoveWorker implements api.WorkerKeeper.
func (n *Node) RemoveWorker(ctx context.Context, name string) (api.WorkerView, error) {
	return n.order(ctx, name, func(reply func(*attune.Worker, error)) any {
		return &messages.RemoveWorker{Worker: name, Reply: reply}
	})
}

// order tells the workers something and answers with the worker as it is then.
func (n *Node) order(ctx context.Context, name string, say func(reply func(*attune.Worker, error)) any) (api.WorkerView, error) {
	type answer struct {
		row *attune.Worker
		err error
	}
	answers := make(chan answer, 1)
	n.tree.Tell(n.tree.Workers, say(func(row *attune.Worker, err error) { answers <- answer{row, err} }))
	a, err := await(ctx, n, answers)
	if err == nil {
		err = a.err
	}
	if err != nil {
		return api.WorkerView{}, err
	}
	all, err := n.Workers(ctx)
	if err != nil {
		return api.WorkerView{}, err
	}
	for _, v := range all {
		if v.Name == name {
			return v, nil
		}
	}
	return api.WorkerView{Worker: *a.row}, nil
}

// packContent is what the folder of a pack held when it was read, or empty.
func (n *Node) packContent(ref string) string {
	if p := n.catalog.Load().Pack(ref); p != nil {
		return p.Content
	}
	return ""
}

// PackContent implements api.WorkerKeeper. A pack whose files are others by now
// is read again, so that the next dispatch asks for what there is.
func (n *Node) PackContent(ctx context.Context, ref, content string) ([]byte, error) {
	p := n.catalog.Load().Pack(ref)
	switch {
	case p == nil:
		return nil, &attune.Error{Kind: attune.NotFound, Code: "unknown_pack", Message: fmt.Sprintf("there is no pack %q", ref), Try: "attune pack list"}
	case p.Dir == "":
		return nil, &attune.Error{Kind: attune.NotFound, Code: "unsendable_pack", Message: "the pack " + ref + " is in no folder"}
	}
	archive, err := packs.Archive(p.Dir)
	if err != nil {
		return nil, err
	}
	have, err := packs.ContentOf(archive)
	if err != nil {
		return nil, err
	}
	if have != content {
		if p.Content != have {
			if _, err := n.ReloadPacks(ctx, ref); err != nil {
				n.tree.Log.Warn("a pack has changed and cannot be read again", "pack", ref, "error", err)
			}
		}
		return nil, &attune.Error{Kind: attune.Conflict, Code: "pack_changed", Message: "the pack " + ref + " holds something else by now", Where: have, Try: "again: the next dispatch asks for that"}
	}
	return archive, nil
}
