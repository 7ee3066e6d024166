package node

import (
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"

	"github.com/attune-automation/attune"
	"github.com/attune-automation/attune/actors"
	"github.com/attune-automation/attune/messages"
	"github.com/attune-automation/attune/messages/rabbitmq"
	"github.com/attune-automation/attune/persistence"
)

// Metrics is a registry of the node's own: nothing of it is global.
func (n *Node) Metrics() *prometheus.Registry {
	r := prometheus.NewRegistry()
	r.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}), &nodeMetrics{node: n}, n.requests)
	return r
}

// newRequests times the answers of the API.
func newRequests() *prometheus.HistogramVec {
	return prometheus.NewHistogramVec(prometheus.HistogramOpts{Name: "attune_http_request_seconds",
		Help: "How long requests took, waits and streams included.", Buckets: []float64{0.001, 0.004, 0.016, 0.064, 0.25, 1, 4, 16, 64}},
		[]string{"route", "status"})
}

// ObserveRequest counts an answer of the API. A route is a pattern, never a
// path, so that nobody can make names without end.
func (n *Node) ObserveRequest(route string, status int, took time.Duration) {
	if route == "" || route == "/" {
		route = "none"
	}
	n.requests.WithLabelValues(route, strconv.Itoa(status)).Observe(took.Seconds())
}

// nodeMetrics reads the node at every scrape; between scrapes it costs nothing
// beyond the meters of the actors.
type nodeMetrics struct{ node *Node }

func desc(name, help string, labels ...string) *prometheus.Desc {
	return prometheus.NewDesc(name, help, labels, nil)
}

var (
	actorsDesc   = desc("attune_actors", "Living actors by kind.", "kind")
	mailboxDesc  = desc("attune_mailbox_messages", "Messages waiting in mailboxes by kind of actor.", "kind")
	oldestDesc   = desc("attune_mailbox_oldest_seconds", "Age of the oldest waiting message by kind of actor.", "kind")
	restartsDesc = desc("attune_actor_restarts", "Restarts of the living actors by kind.", "kind")
	panicsDesc   = desc("attune_actor_panics_total", "Panics of all actors.")

	eventsDesc       = desc("attune_events_total", "Events that were offered, by what became of them.", "outcome")
	evaluationsDesc  = desc("attune_rule_evaluations_total", "Rules held against events, by what came of it.", "outcome")
	enforcementsDesc = desc("attune_enforcements_total", "Enforcements stored, by status.", "status")
	endedDesc        = desc("attune_executions_ended_total", "Executions that ended, by status.", "status")
	announcedDesc    = desc("attune_executions_announced_total", "Ends given to the broker; some more than once.")
	admissionDesc    = desc("attune_admission_seconds", "How long requests took until they were durable.")
	queuedDesc       = desc("attune_execution_wait_seconds", "How long executions waited from their request to the start of their newest attempt.")
	ranDesc          = desc("attune_execution_run_seconds", "How long the newest attempt of executions ran.")

	windowDesc  = desc("attune_admissions_in_flight", "Requests that are not yet durable.")
	waitingDesc = desc("attune_runs_waiting", "Runs that wait for a free slot.")
	liveDesc    = desc("attune_live_executions", "Executions that have not ended.")
	overdueDesc = desc("attune_oldest_overdue_seconds", "How overdue the oldest due moment of a live execution is.")

	slotsDesc   = desc("attune_worker_slots", "Slots of the workers that are there.", "worker")
	takenDesc   = desc("attune_worker_slots_taken", "Taken slots by worker.", "worker")
	lostDesc    = desc("attune_workers_lost_total", "Workers that were declared lost.")
	bundlesDesc = desc("attune_bundles_total", "Bundles to workers, by what became of them.", "outcome")

	brokerUpDesc   = desc("attune_broker_up", "1 while the broker takes messages.")
	carriedDesc    = desc("attune_broker_messages_total", "Messages of RabbitMQ, by what became of them.", "outcome")
	reconnectsDesc = desc("attune_broker_reconnects_total", "Connections to RabbitMQ that stood and broke.")

	messagesDesc = desc("attune_messages_total", "Messages from outside, by how they were settled.", "outcome")
	heldDesc     = desc("attune_messages_held", "Messages from outside that wait for the node.")
	doubtedDesc  = desc("attune_announcement_losses_total", "Times the broker may have lost announcements, which were made again.")

	outputPendingDesc = desc("attune_output_pending_bytes", "Output of attempts that waits to be stored.")
	outputDesc        = desc("attune_output_bytes_total", "Output of attempts, by what became of it; what was dropped comes again.", "outcome")

	pendingDesc  = desc("attune_writes_pending", "Operations that wait for the next flush.")
	flushDesc    = desc("attune_flush_seconds", "How long flushes took, all tries of one together.")
	failuresDesc = desc("attune_store_failures_total", "Flushes that the store refused and that were tried again.")
	commitsDesc  = desc("attune_store_commits_total", "Transactions that wrote.")
	rowsDesc     = desc("attune_store_rows_total", "Rows written.")
	bytesDesc    = desc("attune_store_bytes_total", "Bytes of the values written.")

	prunedDesc = desc("attune_retention_rows_total", "Rows deleted because they were over their age, by table.", "table")
	agedDesc   = desc("attune_retention_oldest_seconds", "Age of the oldest row by table, as of the last pass.", "table")
	passedDesc = desc("attune_retention_last_pass_timestamp_seconds", "When the last pass of the retention ended.")

	drainingDesc = desc("attune_draining", "1 while the node takes no more work.")
)

// Describe implements prometheus.Collector.
func (m *nodeMetrics) Describe(c chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{actorsDesc, mailboxDesc, oldestDesc, restartsDesc, panicsDesc,
		eventsDesc, evaluationsDesc, enforcementsDesc, endedDesc, announcedDesc, admissionDesc, queuedDesc, ranDesc,
		windowDesc, waitingDesc, overdueDesc, liveDesc, slotsDesc, takenDesc, lostDesc, bundlesDesc, brokerUpDesc, carriedDesc, reconnectsDesc, messagesDesc, heldDesc, doubtedDesc, outputPendingDesc, outputDesc,
		pendingDesc, flushDesc, failuresDesc, commitsDesc, rowsDesc, bytesDesc,
		prunedDesc, agedDesc, passedDesc, drainingDesc} {
		c <- d
	}
}

// sample writes the metrics of one scrape.
type sample chan<- prometheus.Metric

func (c sample) gauge(d *prometheus.Desc, v float64, labels ...string) {
	c <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, v, labels...)
}

func (c sample) counter(d *prometheus.Desc, v int64, labels ...string) {
	c <- prometheus.MustNewConstMetric(d, prometheus.CounterValue, float64(v), labels...)
}

func (c sample) distribution(d *prometheus.Desc, from *actors.Distribution) {
	count, sum, below := from.Read()
	c <- prometheus.MustNewConstHistogram(d, count, sum, below)
}

// Collect implements prometheus.Collector.
func (m *nodeMetrics) Collect(to chan<- prometheus.Metric) {
	c, n := sample(to), m.node
	c.actors(n)
	c.outcomes(n)
	c.queues(n)
	c.broker(n)
	c.store(n)
	c.retention(n)
	draining := 0.0
	if n.tree.Draining() {
		draining = 1
	}
	c.gauge(drainingDesc, draining)
}

func (c sample) actors(n *Node) {
	type sums struct {
		living, waiting, restarts int
		oldest                    float64
	}
	kinds := map[string]*sums{}
	for _, a := range n.tree.Census().List(n.parts.Clock.Now()) {
		s := kinds[a.Kind]
		if s == nil {
			s = &sums{}
			kinds[a.Kind] = s
		}
		s.living++
		s.waiting += a.Mailbox
		s.restarts += a.Restarts
		s.oldest = max(s.oldest, a.OldestAge.Seconds())
	}
	for kind, s := range kinds {
		c.gauge(actorsDesc, float64(s.living), kind)
		c.gauge(mailboxDesc, float64(s.waiting), kind)
		c.gauge(restartsDesc, float64(s.restarts), kind)
		c.gauge(oldestDesc, s.oldest, kind)
	}
	c.counter(panicsDesc, n.tree.Panics())
}

func (c sample) outcomes(n *Node) {
	m := n.tree.Meters
	c.counter(eventsDesc, m.Events.Accepted.Load(), "accepted")
	c.counter(eventsDesc, m.Events.Duplicate.Load(), "duplicate")
	c.counter(eventsDesc, m.Events.Refused.Load(), "refused")
	c.counter(evaluationsDesc, m.Evaluations.Matched.Load(), "matched")
	c.counter(evaluationsDesc, m.Evaluations.Missed.Load(), "missed")
	c.counter(enforcementsDesc, m.Enforcements.Created.Load(), attune.EnforcementCreated.String())
	c.counter(enforcementsDesc, m.Enforcements.Failed.Load(), attune.EnforcementFailed.String())
	for _, s := range attune.Statuses() {
		if s.Terminal() {
			c.counter(endedDesc, n.ended[s].Load(), s.String())
		}
	}
	c.counter(announcedDesc, m.Announced.Load())
	c.distribution(admissionDesc, &m.Admission)
	c.distribution(queuedDesc, &m.Queued)
	c.distribution(ranDesc, &m.Ran)
}

func (c sample) queues(n *Node) {
	m := n.tree.Meters
	c.gauge(windowDesc, float64(len(n.window)))
	c.gauge(waitingDesc, float64(m.Waiting.Load()))
	c.gauge(overdueDesc, n.owned.overdue(n.parts.Clock.Now()).Seconds())
	c.gauge(liveDesc, float64(n.owned.total.Load()))
	m.Slots.Each(func(worker string, v int64) { c.gauge(slotsDesc, float64(v), worker) })
	m.Taken.Each(func(worker string, v int64) { c.gauge(takenDesc, float64(v), worker) })
	c.counter(lostDesc, m.WorkersLost.Load())
	c.counter(bundlesDesc, m.Bundles.Sent.Load(), "sent")
	c.counter(bundlesDesc, m.Bundles.Lost.Load(), "lost")
	c.counter(messagesDesc, m.Messages.Stored.Load(), "stored")
	c.counter(messagesDesc, m.Messages.Returned.Load(), "returned")
	c.counter(messagesDesc, m.Messages.Dead.Load(), "dead")
	c.gauge(heldDesc, float64(m.MessagesHeld.Load()))
	c.counter(doubtedDesc, m.AnnounceLosses.Load())
	c.gauge(outputPendingDesc, float64(m.OutputPending.Load()))
	c.counter(outputDesc, m.OutputStored.Load(), "stored")
	c.counter(outputDesc, m.OutputDropped.Load(), "dropped")
}

func (c sample) broker(n *Node) {
	up := 1.0
	if link, ok := n.parts.Broker.(messages.Linked); ok && !link.Up() {
		up = 0
	}
	c.gauge(brokerUpDesc, up)
	if b, ok := n.parts.Broker.(*rabbitmq.Broker); ok {
		s := b.Stats()
		for outcome, count := range map[string]uint64{"published": s.Published, "delivered": s.Delivered, "lost": s.Lost, "returned": s.Returned, "unreadable": s.Unreadable} {
			c.counter(carriedDesc, int64(count), outcome)
		}
		c.counter(reconnectsDesc, int64(s.Reconnects))
	}
}

func (c sample) store(n *Node) {
	m := n.tree.Meters
	c.gauge(pendingDesc, float64(m.Pending.Load()))
	c.distribution(flushDesc, &m.Flush)
	c.counter(failuresDesc, m.StoreFailures.Load())
	stats := n.parts.Store.Stats()
	c.counter(commitsDesc, stats.Commits)
	c.counter(rowsDesc, stats.Rows)
	c.counter(bytesDesc, stats.Bytes)
}

func (c sample) retention(n *Node) {
	for i, table := range persistence.Tables() {
		c.counter(prunedDesc, n.kept.rows[i].Load(), string(table))
		if oldest := n.kept.oldest[i].Load(); oldest != 0 {
			c.gauge(agedDesc, time.Duration(n.parts.Clock.Now().UnixNano()-oldest).Seconds(), string(table))
		}
	}
	if at := n.kept.passed.Load(); at != 0 {
		c.gauge(passedDesc, time.Duration(at).Seconds())
	}
}
