package main

import (
	"context"
	"fmt"

	"github.com/attune-automation/attune"
	"github.com/attune-automation/attune/node"
	"github.com/attune-automation/attune/packs"
	"github.com/attune-automation/attune/packs/core"
)

// runDev runs a node with everything in this process until ctx ends, then drains
// it.
func runDev(ctx context.Context, o devOptions) error {
	node.Ballast()
	return runNode(ctx, o.nodeOptions, func(ctx context.Context, at site) (running, error) {
		n, err := node.OpenEmbedded(ctx, node.EmbeddedConfig{Data: o.Data, Packs: []*attune.Pack{packs.LoadFS(core.Files, core.Ref, "")}, Folders: folders(o.nodeOptions),
			PacksChanged: tellChanges(o.Streams.talk), Slots: o.Slots, MaxLive: o.MaxLive, Keep: o.Keep, Version: versionText(), APIURL: at.url,
			KeeperArgs: []string{keeperWord}, Limits: o.Limits, AllowHTTP: o.AllowHTTP, Log: at.log, Traces: at.spans.node()})
		if err != nil {
			return running{}, err
		}
		return running{Opened: n.Opened, admin: n, token: "admin", close: n.Close, describe: func() {
			banner(o.Streams.talk, n.Catalog(), o.nodeOptions, at.url)
			fmt.Fprintf(o.Streams.talk, "next, in another terminal:\n  attune run core.local cmd='echo hi'\n")
		}}, nil
	})
}
