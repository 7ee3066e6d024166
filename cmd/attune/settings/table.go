package settings

var (
	// nodes are the commands that run a node, actions those that run actions,
	// running all that go on for long.
	nodes   = []string{Dev, Server}
	actions = []string{Dev, Worker}
	running = []string{Dev, Server, Worker}
)

// table is every setting; docs/configuration.md and the example in deploy are
// written from it.
var table = []Setting{
	{Path: "name", Flag: "name", Kind: Text, Fallback: "name of the machine", Commands: []string{Server, Worker}, Example: "attune-1",
		Doc: "What the others call this process. Two servers, or two workers, of one name do not run at a time."},
	{Path: "data", Flag: "data", Kind: Folder, Fallback: "`$XDG_DATA_HOME/attune`, else `~/.local/share/attune`", Commands: running, Example: "/var/lib/attune",
		Doc: "Folder for what the process keeps: its key, its admin token, installed packs, a worker's journal. On a local disk, and of this process alone."},
	{Path: "key", Flag: "key", Kind: Path, Fallback: "`attune.key` in the data folder", Commands: []string{Server, Worker}, Example: "/etc/attune/attune.key",
		Doc: "File with the key that secret parameters are sealed with. Servers and those workers that may open secrets have the same; without it nobody reads them again."},

	{Path: "listen", Flag: "listen", Kind: Address, Default: "127.0.0.1:9370", Commands: nodes, Example: "0.0.0.0:9370",
		Doc: "HOST:PORT to listen on; port 0 takes any. Where other machines reach it, TLS is needed."},
	{Path: "tls.certificate", Flag: "tls-cert", Kind: Path, Fallback: "none", Commands: []string{Server}, Example: "/etc/attune/tls/tls.crt",
		Doc: "File with the certificate of the API, and those between it and its authority. Read again when it changes."},
	{Path: "tls.key", Flag: "tls-key", Kind: Path, Fallback: "none", Commands: []string{Server}, Example: "/etc/attune/tls/tls.key",
		Doc: "File with the private key of that certificate."},
	{Path: "url", Flag: "url", Kind: URL("https://attune-1.example:9370", "https", "http"), Fallback: "made of the address that is listened on", Commands: []string{Server}, Example: "https://attune-1.example:9370",
		Doc: "URL under which others reach the API, and the commands on this machine."},
	{Path: "insecure_plaintext_listen", Flag: "insecure-plaintext-listen", Kind: Switch, Default: "false", Commands: nodes, Example: "false",
		Doc: "Listen where other machines can reach it, without TLS. Only behind something that adds TLS: tokens cross the network readable."},

	{Path: "database", Flag: "database", Kind: URL("postgres://attune@db.example/attune", "postgres", "postgresql"), Secret: true, Fallback: "none", Commands: []string{Server, Migrate},
		Example: `"postgres://attune:${ATTUNE_DB_PASSWORD}@db.example:5432/attune?sslmode=verify-full"`,
		Doc:     "The PostgreSQL that holds the truth. With sslmode=verify-full its certificate is checked."},
	{Path: "migrate", Flag: "migrate", Kind: Switch, Default: "false", Commands: []string{Server}, Example: "false",
		Doc: "Bring the schema of the database up to date at the start. Without it an older schema is refused, and attune admin migrate brings it up to date when you choose."},
	{Path: "broker", Flag: "broker", Kind: URL("amqps://attune@mq.example/attune", "amqp", "amqps"), Secret: true, Fallback: "none", Commands: []string{Server, Worker},
		Example: `"amqps://attune:${ATTUNE_MQ_PASSWORD}@mq.example:5671/attune"`,
		Doc:     "The RabbitMQ that carries the work, with its virtual host."},
	{Path: "announce_statuses", Flag: "announce-statuses", Kind: Switch, Default: "false", Commands: []string{Server}, Example: "false",
		Doc: "Announce every stored change of an execution's status on the broker, and not only its end. Costs two or three messages more for each."},

	{Path: "packs", Flag: "packs", Kind: Folder, List: true, Fallback: "none", Commands: running, Example: "[/etc/attune/packs]",
		Doc: "Folder of packs, watched for changes."},
	{Path: "configs", Flag: "configs", Kind: Folder, List: true, Fallback: "none", Commands: nodes, Example: "[/etc/attune/configs]",
		Doc: "Folder of pack configurations, PACK.yaml. They go before those in `configs` of the data folder."},
	{Path: "any_payload", Flag: "any-payload", Kind: Switch, Default: "false", Commands: nodes, Example: "false",
		Doc: "Take events that do not fit the payload_schema of their trigger."},
	{Path: "max_live", Flag: "max-live", Kind: Whole, Default: "0", Fallback: "1,000,000", Commands: nodes, Example: "1000000",
		Doc: "How many executions may wait and run. Beyond it requests get 429; each that waits costs 300 bytes of memory."},

	{Path: "slots", Flag: "slots", Kind: Whole, Default: "0", Fallback: "4 per core", Commands: actions, Example: "16",
		Doc: "How many actions run at a time. With too few work waits, with too many they starve each other."},
	{Path: "labels", Flag: "labels", Kind: Label, List: true, Fallback: "none", Commands: []string{Worker}, Example: "{disk: ssd}",
		Doc: "What is special about this worker, NAME=VALUE. In the file it is a mapping, or a list of such texts."},
	{Path: "zone", Flag: "zone", Kind: Text, Fallback: "none", Commands: []string{Worker}, Example: "eu-1",
		Doc: "Where this worker stands."},
	{Path: "server", Flag: "server", Kind: URL("https://attune-1.example:9370", "https", "http"), List: true, Fallback: "none", Commands: []string{Worker}, Example: `["https://attune-1.example:9370"]`,
		Doc: "URLs of the servers that the worker speaks to while the broker is away, and has packs from."},
	{Path: "token", Flag: "token", Kind: Text, Secret: true, Fallback: "none", Commands: []string{Worker}, Example: `"@/etc/attune/worker.token"`,
		Doc: "Secret of the worker's token, of kind worker."},
	{Path: "ca", Flag: "ca", Kind: Path, Fallback: "those of the system", Commands: []string{Server, Worker}, Example: "/etc/attune/tls/ca.crt",
		Doc: "File with the authorities that the certificates of servers, and of a broker at amqps, are checked against, besides those of the system. Commands go by the same variable, and so do actions on a worker that has it."},
	{Path: "lease", Flag: "lease", Kind: Span, Default: "10s", Commands: []string{Worker}, Example: "10s",
		Doc: "How long this worker runs on unheard. Too short, and a slow network ends running actions; too long, and what a dead worker had waits that long."},

	{Path: "max_memory", Flag: "max-memory", Kind: Size, Fallback: "no limit", Commands: actions, Example: "1GiB",
		Doc: "The most memory of one attempt, such as 512MiB."},
	{Path: "max_processes", Flag: "max-processes", Kind: Whole, Default: "0", Fallback: "no limit", Commands: actions, Example: "256",
		Doc: "The most processes and threads of one attempt."},
	{Path: "max_cpu", Flag: "max-cpu", Kind: Decimal, Default: "0", Fallback: "no limit", Commands: actions, Example: "1.5",
		Doc: "The most processors of one attempt."},
	{Path: "allow_http", Flag: "allow-http", Kind: Network, List: true, Fallback: "none", Commands: actions, Example: "[10.1.0.0/16]",
		Doc: "Network, or one address, that http-request may reach although it is private."},

	{Path: "keep.executions", Flag: "keep", Kind: Age, Default: "30d", Commands: nodes, Example: "30d",
		Doc: "How long events and executions are kept after their end. Longer costs disk."},
	{Path: "keep.output", Flag: "keep-output", Kind: Age, Default: "14d", Commands: nodes, Example: "14d",
		Doc: "How long what actions printed is kept, at most as long as its execution."},
	{Path: "keep.audit", Flag: "keep-audit", Kind: Age, Default: "90d", Commands: nodes, Example: "90d",
		Doc: "How long the audit is kept: who did what by request."},
	{Path: "keep.dedupe", Flag: "keep-dedupe", Kind: Age, Default: "7d", Commands: nodes, Example: "7d",
		Doc: "How long a dedupe key makes repetitions one. Shorter than senders try again, and they are taken twice."},

	{Path: "log.format", Flag: "log-format", Kind: Word("auto", "json", "text"), Default: "auto", Commands: running, Example: "json",
		Doc: "The form of the log: auto is text on a terminal, else json."},
	{Path: "trace.to", Flag: "trace-to", Kind: URL("http://127.0.0.1:4318", "http", "https"), Fallback: "`OTEL_EXPORTER_OTLP_ENDPOINT`, else none", Commands: nodes, Example: "https://collector.example:4318",
		Doc: "URL of an OpenTelemetry collector to send traces to."},
	{Path: "trace.sample", Flag: "trace-sample", Kind: Share, Default: "1", Commands: nodes, Example: "0.1",
		Doc: "Share of traces to send. One that a caller began is sent if the caller sends it."},
}
