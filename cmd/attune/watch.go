package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net/url"
	"os"
	"os/signal"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"github.com/attune-automation/attune"
	"github.com/attune-automation/attune/api"
	"github.com/attune-automation/attune/api/client"
)

const (
	// redraw is how often a table is drawn at most when something changed, and
	// tick how often anyway: ages grow.
	redraw = 100 * time.Millisecond
	tick   = time.Second
)

// watching is one call of execution watch.
type watching struct {
	*program
	client *client.Client
	board  *board
	// query narrows the list and the stream; what may change in the life of an
	// execution, the board decides.
	query url.Values
	limit int
	// failed is why there is no more news; it is set before their channel is
	// closed.
	failed error
}

func (p *program) watchCommand() *cobra.Command {
	filters := map[string]*string{}
	var limit int
	c := &cobra.Command{
		Use: "watch [ID]...", Short: "Show executions as they change",
		Long: `Show executions as they change.

Without ids: the newest executions, until Ctrl-C. With ids: those, until all have
ended; the exit code is 0 if all completed, else that of one that did not.
On a terminal it is a table that is drawn anew; elsewhere, and with -o json, yaml
or name, each change is written as it comes, -o json as one document per line.`,
		RunE: func(c *cobra.Command, ids []string) error {
			cl, err := p.connect()
			if err != nil {
				return err
			}
			defer cl.Close()
			if limit < 1 || limit > 1000 {
				return usage(fmt.Sprintf("--limit %d is not from 1 to 1000", limit), "--limit 50")
			}
			for i, text := range ids {
				id, err := attune.ParseExecutionID(text)
				if err != nil {
					return err
				}
				ids[i] = id.String()
			}
			w := &watching{program: p, client: cl, limit: limit, query: url.Values{}, board: newBoard(ids, *filters["status"], *filters["worker"], limit)}
			if w.board.status != "" {
				if _, err := attune.ParseStatus(w.board.status); err != nil {
					return usage(err.Error(), "attune execution list --help")
				}
			}
			for _, name := range []string{"action", "rule", "trigger", "event", "parent"} {
				if *filters[name] != "" {
					w.query.Set(name, *filters[name])
				}
			}
			return w.run(c.Context())
		},
	}
	c.Flags().IntVar(&limit, "limit", 50, "how many executions to keep in view")
	for _, name := range []string{"action", "status", "rule", "trigger", "worker", "event", "parent"} {
		filters[name] = c.Flags().String(name, "", "only with this "+name)
	}
	return c
}

// news are rows as they stand.
type news []api.ChangeView

// run shows news until the watched executions have ended, or ctx has.
func (w *watching) run(ctx context.Context) error {
	reading, stop := context.WithCancel(ctx)
	found, ended := make(chan news, 16), make(chan struct{})
	go func() {
		defer close(ended)
		w.failed = w.read(reading, found)
		close(found)
	}()
	defer func() { stop(); <-ended }()
	var s *screen
	if w.format == "table" {
		s = screenOf(w.out, w.env)
	}
	if s == nil {
		return w.writeLines(found)
	}
	return w.drawTable(s, found)
}

// writeLines writes each change as it comes.
func (w *watching) writeLines(found <-chan news) error {
	for rows := range found {
		for _, row := range rows {
			if w.board.put(row) {
				if err := w.writeNews(row); err != nil {
					return err
				}
			}
		}
		if w.board.ended() {
			return w.outcome()
		}
	}
	return w.failed
}

func (w *watching) writeNews(row api.ChangeView) (err error) {
	switch w.format {
	case "json":
		err = json.NewEncoder(w.out).Encode(row)
	case "yaml":
		if _, err = fmt.Fprintln(w.out, "---"); err == nil {
			err = writeYAML(w.out, row)
		}
	case "name":
		_, err = fmt.Fprintln(w.out, row.ID)
	default:
		_, err = fmt.Fprintln(w.out, newsLine(row))
	}
	return err
}

// drawTable keeps a table on the terminal.
func (w *watching) drawTable(s *screen, found <-chan news) error {
	resized := make(chan os.Signal, 1)
	signal.Notify(resized, syscall.SIGWINCH)
	defer signal.Stop(resized)
	often, anyway := time.NewTicker(redraw), time.NewTicker(tick)
	defer often.Stop()
	defer anyway.Stop()
	lines := func() []string {
		width, height := s.size()
		return w.board.draw(width, height, time.Now())
	}
	defer func() { s.leave(lines()) }()
	dirty := true
	for {
		select {
		case rows, more := <-found:
			if !more {
				return w.failed
			}
			for _, row := range rows {
				w.board.put(row)
			}
			if dirty = true; w.board.ended() {
				return w.outcome()
			}
			continue
		case <-anyway.C:
		case <-resized:
		case <-often.C:
			if !dirty {
				continue
			}
		}
		if err := s.draw(lines()); err != nil {
			return err
		}
		dirty = false
	}
}

// outcome is the exit code of the watched executions: that of the first that did
// not complete.
func (w *watching) outcome() error {
	for _, id := range w.board.ids {
		if err := outcome(api.ExecutionView{Status: w.board.rows[id].Status}); err != nil {
			return err
		}
	}
	return nil
}

// read follows the stream, and lists where it has a gap: at the beginning, and
// when the server says so. A connection that breaks is made again behind what
// was received.
func (w *watching) read(ctx context.Context, found chan<- news) error {
	query := url.Values{"kind": {api.ChangeOfExecution}}
	for name, values := range w.query {
		query[name] = values
	}
	if len(w.board.ids) > 0 {
		query.Set("execution", strings.Join(w.board.ids, ","))
	}
	tell := func(n news) {
		select {
		case found <- n:
		case <-ctx.Done():
		}
	}
	var p retries
	last := ""
	for {
		before := last
		err := w.follow(ctx, query, &last, tell)
		if last != before {
			p = retries{}
		}
		if err = p.again(ctx, err); err != nil {
			return err
		}
	}
}

// follow reads one connection of the stream until it breaks.
func (w *watching) follow(ctx context.Context, query url.Values, last *string, tell func(news)) error {
	fresh := *last == ""
	stream, err := w.client.Changes(ctx, query, *last)
	if err != nil {
		return err
	}
	defer stream.Close()
	for {
		m, err := stream.Next()
		if err != nil {
			*last = stream.Last()
			return err
		}
		switch m.Event {
		case api.StreamOpen, api.StreamReset:
			if m.Event == api.StreamReset || fresh {
				rows, err := w.list(ctx)
				if err != nil { // the place is not kept: the next try lists, too
					*last = ""
					return err
				}
				tell(rows)
			}
		case api.ChangeOfExecution:
			var v api.ChangeView
			if err := m.Into(&v); err != nil {
				return err
			}
			tell(news{v})
		case api.StreamEnd:
			if err := client.Ended(m); err != nil {
				*last = stream.Last()
				return err
			}
		}
		*last = stream.Last()
	}
}

// list reads how everything stands, the oldest first.
func (w *watching) list(ctx context.Context) ([]api.ChangeView, error) {
	var rows []api.ChangeView
	for _, id := range w.board.ids {
		x, err := w.client.Execution(ctx, id)
		if err != nil {
			return nil, err
		}
		rows = append(rows, rowOf(x))
	}
	if len(w.board.ids) > 0 {
		return rows, nil
	}
	q := url.Values{"limit": {strconv.Itoa(w.limit)}}
	for name, values := range w.query {
		q[name] = values
	}
	for name, value := range map[string]string{"status": w.board.status, "worker": w.board.worker} {
		if value != "" {
			q.Set(name, value)
		}
	}
	l, err := client.Fetch[api.List[api.ExecutionView]](ctx, w.client, "/executions", q)
	if err != nil {
		return nil, err
	}
	for i := len(l.Items) - 1; i >= 0; i-- {
		rows = append(rows, rowOf(l.Items[i]))
	}
	return rows, nil
}
