package sqlite

import (
	"embed"
	"fmt"
	"strings"

	"github.com/attune-automation/attune/persistence"
)

// migrations are applied in the order of their names, each in a transaction of
// its own. A file that was released never changes.
//
//go:embed migrations/*.sql
var migrations embed.FS

// migrate brings the schema to this program's version. A newer one is refused,
// and nothing is changed.
func migrate(s *session) error {
	files, err := migrations.ReadDir("migrations")
	if err != nil {
		return err
	}
	have, err := schemaVersion(s)
	if err != nil {
		return err
	}
	for version := have + 1; version <= len(files); version++ {
		script, err := migrations.ReadFile("migrations/" + files[version-1].Name())
		if err != nil {
			return err
		}
		if err := s.script(fmt.Sprintf("BEGIN IMMEDIATE;\n%s\nINSERT INTO schema (version) VALUES (%d);\nCOMMIT;", strings.TrimSpace(string(script)), version)); err != nil {
			return fmt.Errorf("migration %s: %w", files[version-1].Name(), err)
		}
	}
	return nil
}

// schemaVersion is 0 for an empty database; it creates the table that says so.
func schemaVersion(s *session) (int, error) {
	if err := s.script("CREATE TABLE IF NOT EXISTS schema (version INTEGER PRIMARY KEY)"); err != nil {
		return 0, err
	}
	return s.count("SELECT coalesce(max(version), 0) FROM schema")
}

// refuseNewer looks at a database that is there already through a connection
// that cannot write.
func refuseNewer(path string) error {
	s, err := openSession("file:" + escape(path) + "?mode=ro&_pragma=busy_timeout(5000)")
	if err != nil {
		return err
	}
	defer s.close()
	tables, err := s.count("SELECT count(*) FROM sqlite_schema WHERE name = 'schema'")
	if err != nil || tables == 0 {
		return err
	}
	have, err := s.count("SELECT coalesce(max(version), 0) FROM schema")
	if err != nil {
		return err
	}
	files, err := migrations.ReadDir("migrations")
	if err == nil && have > len(files) {
		err = &persistence.ErrNewer{Have: have, Know: len(files)}
	}
	return err
}
