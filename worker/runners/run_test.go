package runners

import (
	"strings"
	"testing"

	"github.com/attune-automation/attune"
	"github.com/attune-automation/attune/messages"
	"github.com/attune-automation/attune/worker/keeper"
)

func TestWhatTheEndOfAProcessMeans(t *testing.T) {
	limits := attune.Resources{Memory: 1 << 20, Processes: 7}
	for _, c := range []struct {
		name   string
		event  keeper.Event
		limits attune.Resources
		end    messages.ReportKind
		code   string
		said   string
		number int
	}{
		{"success", keeper.Event{}, limits, messages.Finished, "", "", 0},
		{"an exit code", keeper.Event{ExitCode: 3}, limits, messages.FailedRun, "exit_code", "3", 3},
		{"a kill by somebody", keeper.Event{ExitCode: -1, Signal: 9}, limits, messages.FailedRun, "signal", "9", -9},
		{"a kill at the limit of memory", keeper.Event{ExitCode: -1, Signal: 9, MemoryKills: 2}, limits, messages.FailedRun, "out_of_memory", "1048576 bytes", -9},
		{"a kill of a machine without memory", keeper.Event{ExitCode: -1, Signal: 9, MemoryKills: 1}, attune.Resources{}, messages.FailedRun, "out_of_memory", "the machine", -9},
		{"success in spite of a kill", keeper.Event{MemoryKills: 1}, limits, messages.Finished, "", "", 0},
		{"forks refused", keeper.Event{ExitCode: 2, RefusedForks: 4}, limits, messages.FailedRun, "too_many_processes", "at most 7 processes", 2},
		{"success in spite of it", keeper.Event{RefusedForks: 4}, limits, messages.Finished, "", "", 0},
		{"a timeout of one that met its limit", keeper.Event{Cause: keeper.CauseTimeout, Signal: 9, MemoryKills: 1}, limits, messages.TimedOutRun, "timeout", "", -9},
		{"a stop", keeper.Event{Cause: keeper.CauseStop, ExitCode: -1, Signal: 15, RefusedForks: 1}, limits, messages.StoppedRun, "stopped", "", -15},
		{"the end of the lease", keeper.Event{Cause: keeper.CauseLease, Signal: 9}, limits, messages.LostRun, "", "", -9},
	} {
		if c.event.Cause == "" {
			c.event.Cause = keeper.CauseNone
		}
		o := judge(c.event, c.limits)
		code, said := "", ""
		if o.failure != nil {
			code, said = o.failure.Code, o.failure.Message
		}
		if o.end != c.end || code != c.code || !strings.Contains(said, c.said) || o.returnCode != c.number {
			t.Errorf("%s: %s %q (%s) with %d", c.name, o.end, code, said, o.returnCode)
		}
	}
}
