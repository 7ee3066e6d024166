package node

import (
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"

	"github.com/attune-automation/attune"
)

func (n *Node) count(s attune.Status) { n.ended[s].Add(1) }

// Metrics is a registry of the node's own: nothing of it is global.
func (n *Node) Metrics() *prometheus.Registry {
	r := prometheus.NewRegistry()
	r.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}), &nodeMetrics{node: n})
	return r
}

// nodeMetrics reads the node at every scrape; between scrapes it costs nothing.
type nodeMetrics struct{ node *Node }

var (
	actorsDesc   = prometheus.NewDesc("attune_actors", "Living actors by kind.", []string{"kind"}, nil)
	mailboxDesc  = prometheus.NewDesc("attune_mailbox_messages", "Messages waiting in mailboxes by kind of actor.", []string{"kind"}, nil)
	oldestDesc   = prometheus.NewDesc("attune_mailbox_oldest_seconds", "Age of the oldest waiting message by kind of actor.", []string{"kind"}, nil)
	panicsDesc   = prometheus.NewDesc("attune_actor_panics_total", "Panics of all actors.", nil, nil)
	endedDesc    = prometheus.NewDesc("attune_executions_ended_total", "Executions that ended, by status.", []string{"status"}, nil)
	windowDesc   = prometheus.NewDesc("attune_admissions_in_flight", "Requests that are not yet durable.", nil, nil)
	overdueDesc  = prometheus.NewDesc("attune_oldest_overdue_seconds", "How overdue the oldest due moment of a live execution is.", nil, nil)
	liveDesc     = prometheus.NewDesc("attune_live_executions", "Executions that have not ended.", nil, nil)
	commitsDesc  = prometheus.NewDesc("attune_store_commits_total", "Transactions that wrote.", nil, nil)
	rowsDesc     = prometheus.NewDesc("attune_store_rows_total", "Rows written.", nil, nil)
	bytesDesc    = prometheus.NewDesc("attune_store_bytes_total", "Bytes of the values written.", nil, nil)
	drainingDesc = prometheus.NewDesc("attune_draining", "1 while the node takes no more work.", nil, nil)
)

// Describe implements prometheus.Collector.
func (m *nodeMetrics) Describe(c chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{actorsDesc, mailboxDesc, oldestDesc, panicsDesc, endedDesc, windowDesc, overdueDesc, liveDesc, commitsDesc, rowsDesc, bytesDesc, drainingDesc} {
		c <- d
	}
}

// Collect implements prometheus.Collector.
func (m *nodeMetrics) Collect(c chan<- prometheus.Metric) {
	n := m.node
	now := n.parts.Clock.Now()
	gauge := func(d *prometheus.Desc, v float64, labels ...string) {
		c <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, v, labels...)
	}
	counter := func(d *prometheus.Desc, v int64, labels ...string) {
		c <- prometheus.MustNewConstMetric(d, prometheus.CounterValue, float64(v), labels...)
	}
	count, waiting, oldest := map[string]int{}, map[string]int{}, map[string]float64{}
	for _, a := range n.tree.Census().List(now) {
		count[a.Kind]++
		waiting[a.Kind] += a.Mailbox
		oldest[a.Kind] = max(oldest[a.Kind], a.OldestAge.Seconds())
	}
	for kind := range count {
		gauge(actorsDesc, float64(count[kind]), kind)
		gauge(mailboxDesc, float64(waiting[kind]), kind)
		gauge(oldestDesc, oldest[kind], kind)
	}
	counter(panicsDesc, n.tree.Panics())
	for _, s := range attune.Statuses() {
		if s.Terminal() {
			counter(endedDesc, n.ended[s].Load(), s.String())
		}
	}
	gauge(windowDesc, float64(len(n.window)))
	gauge(overdueDesc, n.owned.overdue(now).Seconds())
	gauge(liveDesc, float64(n.owned.total.Load()))
	stats := n.parts.Store.Stats()
	counter(commitsDesc, stats.Commits)
	counter(rowsDesc, stats.Rows)
	counter(bytesDesc, stats.Bytes)
	draining := 0.0
	if n.tree.Draining() {
		draining = 1
	}
	gauge(drainingDesc, draining)
}
