// Package packs loads packs, folders of definitions in StackStorm's format, and
// joins them into one immutable [Snapshot].
//
//	my_pack/
//	  pack.yaml            name, description, version, author
//	  config.schema.yaml   what an operator may set, in PACK.yaml elsewhere
//	  actions/*.yaml       and beside them the scripts they name
//	  triggers/*.yaml
//	  sensors/*.yaml       only the triggers that they name
//	  rules/*.yaml
//
// A [Library] is the packs of a node: it reads again what has changed, and
// changes those that are installed. A rule can also be read from a file of its
// own, to be tried: [ReadRule].
//
// Metadata is .yaml or .yml, one level deep. The folder's name is the pack's
// ref. Aliases and policies are listed as not used, other folders left alone.
//
// Nothing here fails as a whole: every fault of every file is reported at once
// with file:line:col, a definition with a fault is left out, and the rest
// works. An action whose runner we lack is listed and refused with that reason
// (attune.Action.Refusal); it is not a fault.
//
// A faulty file is: broken YAML, a key written twice, a key we do not know in
// an action, trigger or rule (pack.yaml and schemas are read tolerantly), a
// wrong type, a file over 1 MiB. Unquoted dates are text, and yes, no, on, off
// are booleans, as StackStorm reads them.
//
// Reading YAML happens here and nowhere else.
package packs
