// Package examples holds the sample pack: alerts of Prometheus Alertmanager
// that call whoever is on call, and a webhook that says hello. Its files are
// also a folder to load and to copy from.
package examples

import "embed"

// Ref is the pack's ref.
const Ref = "examples"

// Files are the pack, for packs.LoadFS. An action has a script as entry point:
// write them into a folder first, with packs.Materialise.
//
//go:embed pack.yaml actions triggers rules etc
var Files embed.FS
