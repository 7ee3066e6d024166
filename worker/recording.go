package worker

import "github.com/attune-automation/attune/messages"

// probe asks whether a journal that failed can be written again.
func (w *Worker) probe() {
	if !w.broken {
		return
	}
	generation := w.generation
	w.config.Journal.Append(nil, func(err error) {
		w.post(func() {
			if err == nil && generation == w.generation && w.broken {
				w.broken = false
				w.config.Log.Info("worker's journal can be written again", "worker", w.config.Name)
			}
		})
	})
}

// write gives the journal what the turn has for it.
func (w *Worker) write() {
	if len(w.entries) == 0 {
		return
	}
	starting := w.starting
	w.config.Journal.Append(w.entries, func(err error) {
		if len(starting) > 0 || err != nil {
			w.post(func() { w.journalled(starting, err) })
		}
	})
	w.entries, w.starting = nil, nil
}

// journalled starts what the journal now has.
func (w *Worker) journalled(starting []*attempt, err error) {
	if err != nil && !w.broken {
		w.broken = true
		w.config.Log.Error("worker's journal cannot be written", "worker", w.config.Name, "error", err)
	}
	for _, a := range starting {
		if a.phase != waiting {
			continue // its incarnation has ended meanwhile
		}
		a.journalled = true
		switch {
		case err != nil:
			w.giveBack(a, "the worker cannot write its journal")
		case a.stopped:
			w.giveBack(a, "it was stopped before it started")
		case w.state == serving && w.alive(w.leaseUntil):
			w.launch(a)
		}
	}
}

// giveBack returns an attempt that holds a slot and was not started.
func (w *Worker) giveBack(a *attempt, reason string) {
	w.busy--
	report := messages.Report{Kind: messages.Returned, Reason: reason}
	w.close(a, report)
	w.entries = append(w.entries, Entry{Kind: EntryEnded, Token: a.token, Node: a.node, Report: a.report})
}
