package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/url"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/attune-automation/attune"
	"github.com/attune-automation/attune/api"
	"github.com/attune-automation/attune/api/client"
	"github.com/attune-automation/attune/worker/keeper"
)

// machine looks at what the kernel offers.
func (who *patient) machine(context.Context) (all []finding) {
	if err := keeper.Probe(); err != nil {
		all = append(all, trouble(stateWarn, "control groups", err.Error(), "an action's processes are found and ended one by one, not in one step", "cgroup v2, and Delegate=yes in the unit of systemd; it works without"))
	} else {
		all = append(all, good("control groups", "cgroup v2, writable"))
	}
	fd, err := unix.PidfdOpen(unix.Getpid(), 0)
	if err != nil {
		all = append(all, trouble(stateFail, "pidfd", err.Error(), "processes cannot be followed safely; actions do not start", "Linux 5.4 or newer; a sandbox must allow pidfd_open"))
	} else {
		all = append(all, good("pidfd", "there"))
		_ = unix.Close(fd)
	}
	var files syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &files); err == nil {
		f := good("open files", "up to %d", files.Max)
		if files.Max < 4096 {
			f = trouble(stateWarn, "open files", fmt.Sprintf("up to %d", files.Max), "many callers, or many running actions, are refused", "LimitNOFILE=65536 in the unit, or ulimit -Hn")
		}
		all = append(all, f)
	}
	return all
}

// nodeWait bounds each question to the node.
const nodeWait = 10 * time.Second

// node asks the node, if one runs.
func (who *patient) node(ctx context.Context) []finding {
	if who.client == nil {
		if who.named || attune.KindOf(who.absent) != attune.Unavailable {
			return []finding{trouble(stateFail, "node", who.absent.Error(), "nothing can be asked", "--server URL")}
		}
		return []finding{good("node", "none runs here"), port()}
	}
	ctx, cancel := context.WithTimeout(ctx, 3*nodeWait)
	defer cancel()
	health, err := who.client.Health(ctx)
	if err != nil {
		var e *attune.Error
		if errors.As(err, &e) && e.Code != client.CodeUnreachable {
			return []finding{trouble(stateFail, "node", err.Error(), "it takes no work", "wait, if it starts or drains; else its log says why")}
		}
		return []finding{trouble(stateFail, "node", "no answer from "+who.client.Server(), "it is down, or hangs", "its log; start it again")}
	}
	all := []finding{good("node", "%s takes work", who.client.Server())}
	for _, p := range health.Parts {
		if p.State == api.PartDegraded {
			all = append(all, trouble(stateWarn, p.Part, p.Reason, "work goes on without it, for now", "its log, and that of the node; docs/operations.md says what each failure looks like"))
		}
	}
	for _, look := range []func(context.Context) finding{who.overdue, who.workers, who.packs} {
		all = append(all, look(ctx))
	}
	return all
}

// port says whether the next node could listen.
func port() finding {
	l, err := net.Listen("tcp", defaultListen)
	if err != nil {
		return trouble(stateWarn, "port", err.Error(), "attune dev cannot listen there", "end what listens there, or attune dev --listen HOST:PORT")
	}
	_ = l.Close()
	return good("port", "%s is free", defaultListen)
}

// unanswered is the finding of a question that was not answered.
func unanswered(check string, err error) finding {
	return trouble(stateFail, check, err.Error(), "it is not known", "is the token good? attune actor list shows what is stuck")
}

func (who *patient) overdue(ctx context.Context) finding {
	seconds, err := who.client.Metric(ctx, "attune_oldest_overdue_seconds")
	found := fmt.Sprintf("the oldest due moment is %.1f s overdue", seconds)
	switch {
	case err != nil:
		return unanswered("overdue", err)
	case seconds > 60:
		return trouble(stateFail, "overdue", found, "something is stuck", "attune actor list: a growing MAILBOX or OLDEST; restart the node")
	case seconds > 5:
		return trouble(stateWarn, "overdue", found, "the node does not keep up, or something is stuck", "look again; attune actor list; the disk")
	}
	return good("overdue", "nothing")
}

func (who *patient) workers(ctx context.Context) finding {
	all, err := client.All[api.WorkerAnswer](ctx, who.client, "/workers", url.Values{})
	if err != nil {
		return unanswered("workers", err)
	}
	alive, slots, lost := 0, 0, []string{}
	for _, w := range all {
		switch w.State {
		case attune.WorkerAlive.String():
			alive, slots = alive+1, slots+w.Slots
		case attune.WorkerLost.String():
			lost = append(lost, w.Name)
		}
	}
	switch {
	case alive == 0:
		return trouble(stateFail, "workers", "none is alive", "nothing runs; what is asked for waits", "attune worker list; the log of the node")
	case len(lost) > 0:
		return trouble(stateWarn, "workers", "lost: "+strings.Join(lost, ", "), "what they ran was abandoned", "attune execution list --status abandoned; start them again")
	}
	return good("workers", "alive: %d, slots: %d", alive, slots)
}

func (who *patient) packs(ctx context.Context) finding {
	all, err := client.All[api.PackView](ctx, who.client, "/packs", url.Values{})
	if err != nil {
		return unanswered("packs", err)
	}
	faulty := []string{}
	for _, k := range all {
		if len(k.Faults) > 0 {
			faulty = append(faulty, k.Ref)
		}
	}
	if len(faulty) > 0 {
		return trouble(stateWarn, "packs", "with faults: "+strings.Join(faulty, ", "), "what is faulty in them does not exist for the node", "attune pack check DIR says what is wrong, and where")
	}
	return good("packs", "%d, without faults", len(all))
}
