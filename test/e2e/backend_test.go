package e2e_test

import (
	"context"
	"database/sql"
	"flag"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	_ "github.com/jackc/pgx/v5/stdlib" // the database is read without the store

	"github.com/attune-automation/attune/api"
	"github.com/attune-automation/attune/internal/servers/mqtest"
	"github.com/attune-automation/attune/internal/servers/pgtest"
)

var backend = flag.String("backend", "embedded", "what attune runs on: embedded, which is attune dev; or servers, which is attune server and a worker on PostgreSQL and RabbitMQ")

func onServers() bool { return *backend == "servers" }

// embeddedOnly leaves a test out on servers, because of what it is about.
func embeddedOnly(t *testing.T, why string) {
	t.Helper()
	if onServers() {
		t.Skip("left out: on servers: " + why)
	}
}

// serversOnly leaves a test out where there are none.
func serversOnly(t *testing.T) {
	t.Helper()
	if !onServers() {
		t.Skip("left out: on attune dev: make e2e BACKEND=servers does it")
	}
}

// servers are what a world on servers has for itself.
type servers struct {
	database, broker string
	// listen is where the node listens at each of its starts: the worker goes on
	// meanwhile, and knows it by that.
	listen string
	// worker is the one that runs, with its flags.
	worker *process
	flags  []string
	// node is the newest.
	node *process
}

// needServers gives the world a database, a virtual host and a port.
func (w *world) needServers() {
	w.t.Helper()
	w.servers = &servers{database: pgtest.URL(w.t), broker: mqtest.URL(w.t)}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	must(w.t, err)
	w.servers.listen = l.Addr().String()
	must(w.t, l.Close())
}

// end ends the worker while its node is there to take its last reports; without
// one it is not asked for more than to end.
func (s *servers) end() {
	if s == nil || s.worker == nil || !s.worker.running() {
		return
	}
	s.worker.signal(syscall.SIGTERM)
	if !s.node.running() {
		s.worker.says(s.worker.talk, "draining")
		s.worker.signal(syscall.SIGTERM)
	}
	s.worker.endsWithin(patience)
}

// environment is what every command finds of the servers.
func (s *servers) environment() []string {
	if s == nil {
		return nil
	}
	return []string{"ATTUNE_DATABASE=" + s.database, "ATTUNE_BROKER=" + s.broker}
}

// ofWorkers are flags of attune dev that are those of a worker elsewhere.
var ofWorkers = []string{"--slots", "--max-memory", "--max-processes", "--max-cpu", "--allow-http"}

// split parts flags, all with a value, into those of a node and of a worker.
func split(flags []string) (node, worker []string) {
	for i := 0; i < len(flags); i++ {
		switch {
		case slices.Contains(ofWorkers, flags[i]):
			worker = append(worker, flags[i], flags[i+1])
			i++
		default:
			node = append(node, flags[i])
		}
	}
	return node, worker
}

// nodeCommand is the command line of the world's node.
func (w *world) nodeCommand(flags []string) []string {
	if w.servers == nil {
		return append([]string{"dev", "--listen", "127.0.0.1:0"}, flags...)
	}
	node, worker := split(flags)
	w.servers.flags = worker
	if !slices.Contains(node, "--listen") {
		node = append([]string{"--listen", w.servers.listen}, node...)
	}
	return append([]string{"server", "--name", "dev", "--migrate"}, node...)
}

// needWorker starts the worker unless it runs with these flags already, and
// returns when the node knows it.
func (w *world) needWorker(d *dev) {
	w.t.Helper()
	s := w.servers
	if s == nil {
		return
	}
	s.node = d.process
	if s.worker == nil || !s.worker.running() || !strings.HasSuffix(s.worker.String(), strings.Join(s.flags, " ")) {
		if s.worker != nil {
			s.worker.stop()
		}
		w.startWorker(d)
	}
	await(w.t, "the worker to be known", func() bool {
		if !s.worker.running() {
			w.t.Fatalf("%s ended with %d:\n%s", s.worker, s.worker.code, tail(s.worker.talk.String()))
		}
		for _, known := range all[api.WorkerAnswer](d, "/workers", nil) {
			if known.Name == "local" && known.State == "alive" {
				return true
			}
		}
		return false
	})
}

// startWorker starts a worker that has a token and the URL of the node, and the
// broker's in its environment.
func (w *world) startWorker(d *dev) {
	w.t.Helper()
	file := filepath.Join(w.dir, "local.token")
	if !exists(file) {
		secret := w.run("token", "create", "local", "--kind", "worker").exits(0).line()
		must(w.t, os.WriteFile(file, []byte(secret+"\n"), 0o600))
	}
	w.servers.worker = w.start(append([]string{"worker", "start", "--name", "local", "--data", filepath.Join(w.dir, "worker"),
		"--key", filepath.Join(w.data, "attune.key"), "--server", d.url, "--token", "@" + file}, w.servers.flags...)...)
}

// openDatabase opens the database for reading, once nothing that a dead node sent
// is still on its way.
func (w *world) openDatabase() *sql.DB {
	w.t.Helper()
	db, err := sql.Open("pgx", w.servers.database)
	must(w.t, err)
	db.SetMaxOpenConns(1)
	await(w.t, "the sessions of the dead node to end", func() bool {
		others := -1
		must(w.t, db.QueryRowContext(context.Background(), "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid() AND backend_type = 'client backend'").Scan(&others))
		return others == 0
	})
	return db
}

// keyIn is the member key of a column of JSON.
func keyIn(column string) string {
	if onServers() {
		return column + "->>'key'"
	}
	return fmt.Sprintf("json_extract(%s, '$.key')", column)
}

// lookInDatabase reads all that the database holds.
func (c canary) lookInDatabase(t *testing.T, w *world, when string) {
	t.Helper()
	db, err := sql.Open("pgx", w.servers.database)
	must(t, err)
	defer db.Close()
	tables := query(t, db, "SELECT c.oid::regclass::text, 0 FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE c.relkind = 'r' AND n.nspname NOT IN ('pg_catalog', 'information_schema')")
	rows := 0
	for name := range tables {
		for _, text := range texts(t, db, name) {
			rows++
			c.unseen(t, "the table "+name+" "+when, text)
		}
	}
	if len(tables) < 10 || rows < 100 {
		t.Errorf("%d tables with %d rows were looked at", len(tables), rows)
	}
}

// texts are the rows of a table as text; what is bytes is read as such.
func texts(t *testing.T, db *sql.DB, name string) (all []string) {
	t.Helper()
	rows, err := db.Query("SELECT * FROM " + name)
	must(t, err)
	defer rows.Close()
	columns, err := rows.Columns()
	must(t, err)
	for rows.Next() {
		values, row := make([]any, len(columns)), ""
		for i := range values {
			values[i] = new(any)
		}
		must(t, rows.Scan(values...))
		for _, v := range values {
			switch v := (*v.(*any)).(type) {
			case []byte:
				row += string(v) + " "
			default:
				row += fmt.Sprint(v) + " "
			}
		}
		all = append(all, row)
	}
	must(t, rows.Err())
	return all
}
