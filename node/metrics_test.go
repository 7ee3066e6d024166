package node_test

import (
	"errors"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	dto "github.com/prometheus/client_model/go"

	"github.com/attune-automation/attune"
	"github.com/attune-automation/attune/api"
)

// value is the sum of the samples of a metric that have all the labels, given as
// name and value in turn; of a histogram the number of its values.
func value(t *testing.T, r *rig, name string, labels ...string) float64 {
	t.Helper()
	f := gathered(t, r)[name]
	if f == nil {
		t.Fatalf("no node has %s", name)
	}
	sum := 0.0
	for _, m := range f.GetMetric() {
		have := map[string]string{}
		for _, l := range m.GetLabel() {
			have[l.GetName()] = l.GetValue()
		}
		fits := true
		for i := 0; i < len(labels); i += 2 {
			fits = fits && have[labels[i]] == labels[i+1]
		}
		if fits {
			sum += m.GetGauge().GetValue() + m.GetCounter().GetValue() + float64(m.GetHistogram().GetSampleCount())
		}
	}
	return sum
}

// expect compares metrics: name, labels, and the value wanted.
type expect struct {
	name   string
	labels []string
	want   float64
}

func (r *rig) metrics(when string, all ...expect) {
	r.Helper()
	for _, e := range all {
		if got := value(r.T, r, e.name, e.labels...); got != e.want {
			r.Errorf("%s %s%v is %v, not %v", when, e.name, e.labels, got, e.want)
		}
	}
}

func TestEveryOutcomeAndQueueIsCounted(t *testing.T) {
	inBubble(t, func(r *rig) {
		r.work("w", 1)
		event := func(trigger, payload, dedupe string) error {
			_, err := r.OfferEvent(r.Context(), api.EventOffer{Trigger: trigger, Payload: []byte(payload), Dedupe: dedupe})
			return err
		}
		if err := errors.Join(event(one, `{"ms":2000}`, "k"), event(one, `{"ms":2000}`, "k"), event(none, `{"level":"low"}`, "")); err != nil {
			t.Fatal(err)
		}
		waits, fails := r.must(settings{MS: 10}), r.must(settings{MS: 10, Fail: true})
		synctest.Wait()
		r.metrics("while one runs",
			expect{"attune_events_total", []string{"outcome", "accepted"}, 2},
			expect{"attune_events_total", []string{"outcome", "duplicate"}, 1},
			expect{"attune_events_total", []string{"outcome", "refused"}, 0},
			expect{"attune_rule_evaluations_total", []string{"outcome", "matched"}, 2},
			expect{"attune_rule_evaluations_total", []string{"outcome", "missed"}, 1},
			expect{"attune_enforcements_total", []string{"status", "created"}, 1},
			expect{"attune_enforcements_total", []string{"status", "failed"}, 0},
			expect{"attune_admission_seconds", nil, 5},
			expect{"attune_runs_waiting", nil, 2},
			expect{"attune_worker_slots", []string{"worker", "w"}, 1},
			expect{"attune_worker_slots_taken", []string{"worker", "w"}, 1},
			expect{"attune_executions_ended_total", nil, 0},
			expect{"attune_writes_pending", nil, 0},
			expect{"attune_admissions_in_flight", nil, 0})
		r.reaches(waits, attune.Completed, 10*time.Second)
		r.reaches(fails, attune.Failed, 10*time.Second)
		r.allOnce(time.Second)
		r.metrics("in the end",
			expect{"attune_executions_ended_total", []string{"status", "completed"}, 2},
			expect{"attune_executions_ended_total", []string{"status", "failed"}, 1},
			expect{"attune_executions_announced_total", nil, 3},
			expect{"attune_execution_wait_seconds", nil, 3},
			expect{"attune_execution_run_seconds", nil, 3},
			expect{"attune_runs_waiting", nil, 0},
			expect{"attune_worker_slots_taken", []string{"worker", "w"}, 0},
			expect{"attune_bundles_total", []string{"outcome", "lost"}, 0},
			expect{"attune_store_failures_total", nil, 0})
		if value(t, r, "attune_flush_seconds") == 0 || value(t, r, "attune_bundles_total", "outcome", "sent") == 0 {
			t.Error("no flush or bundle was counted")
		}
		r.kill("w")
		r.until("its worker is lost", 30*time.Second, func() bool { return r.workerNamed("w").State == attune.WorkerLost })
		r.metrics("without a worker", expect{"attune_workers_lost_total", nil, 1}, expect{"attune_worker_slots", nil, 0})
	})
}

func TestARouteThatIsNoneMakesNoName(t *testing.T) {
	inBubble(t, func(r *rig) {
		for _, route := range []string{"", "/", "GET /healthz"} {
			r.ObserveRequest(route, 404, time.Second)
		}
		r.metrics("after three requests", expect{"attune_http_request_seconds", []string{"route", "none"}, 2},
			expect{"attune_http_request_seconds", []string{"route", "GET /healthz", "status", "404"}, 1})
	})
}

// gathered are the metrics of a node, by name.
func gathered(t *testing.T, r *rig) map[string]*dto.MetricFamily {
	t.Helper()
	families, err := r.Metrics().Gather()
	if err != nil {
		t.Fatal(err)
	}
	all := map[string]*dto.MetricFamily{}
	for _, f := range families {
		all[f.GetName()] = f
	}
	return all
}

var (
	metricName = regexp.MustCompile(`\battune_[a-z_]*[a-z]\b`)
	labelUse   = regexp.MustCompile(`(attune_[a-z_]*[a-z])\{([^}]*)\}`)
	labelName  = regexp.MustCompile(`([a-z_]+) *(?:=~|!~|!=|=)`)
)

// stored is the family that a name in a query belongs to.
func stored(all map[string]*dto.MetricFamily, name string) *dto.MetricFamily {
	if f := all[name]; f != nil {
		return f
	}
	for _, suffix := range []string{"_bucket", "_sum", "_count"} {
		if base, ok := strings.CutSuffix(name, suffix); ok {
			if f := all[base]; f != nil && f.GetType() == dto.MetricType_HISTOGRAM {
				return f
			}
		}
	}
	return nil
}

func TestAlertsAndDashboardAskForMetricsThatANodeHas(t *testing.T) {
	var all map[string]*dto.MetricFamily
	inBubble(t, func(r *rig) {
		r.work("w", 1)
		r.ObserveRequest("GET /healthz", 200, time.Millisecond)
		all = gathered(t, r)
	})
	for _, file := range []string{"../deploy/prometheus/alerts.yaml", "../deploy/grafana/attune.json"} {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		asked := map[string]bool{}
		for _, name := range metricName.FindAllString(string(text), -1) {
			asked[name] = true
			if stored(all, name) == nil {
				t.Errorf("%s asks for %s, which no node has", file, name)
			}
		}
		if len(asked) < 8 {
			t.Errorf("%s asks for %d metrics only", file, len(asked))
		}
		for _, use := range labelUse.FindAllStringSubmatch(strings.ReplaceAll(string(text), `\"`, `"`), -1) {
			for _, label := range labelName.FindAllStringSubmatch(use[2], -1) {
				if !labelled(stored(all, use[1]), label[1]) {
					t.Errorf("%s asks %s for the label %s", file, use[1], label[1])
				}
			}
		}
	}
}

func TestPrometheusTakesTheAlerts(t *testing.T) {
	promtool, err := exec.LookPath("promtool")
	if err != nil {
		t.Skip("left out: promtool: it is not installed")
	}
	if out, err := exec.Command(promtool, "check", "rules", "../deploy/prometheus/alerts.yaml").CombinedOutput(); err != nil {
		t.Errorf("%v: %s", err, out)
	}
}

// labelled reports whether a family has a label; instance and job are set by
// Prometheus.
func labelled(f *dto.MetricFamily, label string) bool {
	if label == "instance" || label == "job" {
		return true
	}
	for _, m := range f.GetMetric() {
		for _, l := range m.GetLabel() {
			if l.GetName() == label {
				return true
			}
		}
	}
	return false
}
