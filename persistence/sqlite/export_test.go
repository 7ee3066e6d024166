package sqlite

// Script runs SQL on the writing connection.
func (s *Store) Script(sql string) error { return s.w.script(sql) }
