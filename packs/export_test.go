package packs

import (
	"io/fs"

	"github.com/attune-automation/attune"
)

// LoadWith is LoadFS with settings.
func LoadWith(files fs.FS, ref string, o Settings) *attune.Pack { return load(files, ref, "", ref, o) }
