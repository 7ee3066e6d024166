// Package core holds the pack that every node has: core.echo, core.http,
// core.noop, core.local, core.local_sudo, core.pause and the trigger core.st2.webhook.
package core

import "embed"

// Ref is the pack's ref.
const Ref = "core"

// Files are the pack, for packs.LoadFS. None of its actions has an entry
// point, so that it needs no folder.
//
//go:embed pack.yaml actions triggers
var Files embed.FS
