// Package settings is what the long-running commands can be told, in one table:
// the key in the file, the flag, the variable of the environment, the type, the
// default, the unit and a sentence each. The reader of files, the environment,
// the flags, attune config, docs/configuration.md and the example in deploy all
// come from it, so that a setting has one name and one meaning everywhere.
//
//	flag  >  environment  >  file  >  default
//
// Each source gives text, and the text of a setting is read in the same way
// wherever it came from. Faults never show the value of a secret.
package settings
