package main

import (
	"net/netip"

	"github.com/spf13/cobra"

	"github.com/attune-automation/attune"
	"github.com/attune-automation/attune/actors/retention"
	"github.com/attune-automation/attune/cmd/attune/settings"
)

// defaultListen is where attune dev listens unless told otherwise.
const defaultListen = "127.0.0.1:9370"

// devOptions are the flags of attune dev, defaults applied.
type devOptions struct {
	// Data is the absolute data folder.
	Data string
	// Listen is HOST:PORT; AllowPlaintext lets it be one that other machines
	// reach.
	Listen         string
	AllowPlaintext bool
	// Packs are folders of packs, besides the built-in ones.
	Packs []string
	// Configs are folders of configurations, besides configs in the data folder.
	Configs []string
	// AnyPayload takes events that are not what their trigger says.
	AnyPayload bool
	// Slots is how many attempts the built-in worker runs at a time; 0 is its
	// own default.
	Slots int
	// MaxLive is how many executions may live; 0 is the node's own default.
	MaxLive int
	// TraceTo is the URL of an OpenTelemetry collector, or empty; TraceSample
	// the share of traces it gets.
	TraceTo     string
	TraceSample float64
	// Limits are the most that one attempt may use.
	Limits attune.Resources
	// AllowHTTP are networks that http-request may reach although they lead
	// inside.
	AllowHTTP []netip.Prefix
	// Keep says how long what is kept.
	Keep retention.Ages
	// LogFormat is auto, json or text.
	LogFormat string
	// Streams is where the banner (talk) and the log go.
	Streams streams
}

func (p *program) devCommand() *cobra.Command {
	o := devOptions{Keep: retention.Ages{}.WithDefaults()}
	var memory string
	var allow []string
	c := &cobra.Command{
		Use: "dev", Short: "Run everything in one process, on a data folder", Args: cobra.NoArgs,
		Long: "Run everything in one process, on a data folder: nothing else is needed. Other\ncommands on this machine find it by that folder. The first Ctrl-C drains, a\nsecond ends at once.",
		RunE: func(c *cobra.Command, _ []string) error {
			data, err := dataFolder(p.data, p.env)
			if err != nil {
				return err
			}
			switch o.LogFormat {
			case "auto", "json", "text":
			default:
				return usage("--log-format "+o.LogFormat+" is no format of logs", "--log-format auto|json|text")
			}
			if o.Slots < 0 {
				return usage("--slots is below zero", "--slots 8")
			}
			if o.MaxLive < 0 {
				return usage("--max-live is below zero", "--max-live 1000000")
			}
			if o.TraceTo == "" {
				o.TraceTo = collector(p.env)
			}
			if err := o.limits(memory); err != nil {
				return err
			}
			if o.AllowHTTP, err = networks(allow); err != nil {
				return err
			}
			o.Data, o.Streams = data, p.streams
			return runDev(c.Context(), o)
		},
	}
	f := c.Flags()
	f.StringVar(&o.Listen, "listen", defaultListen, "HOST:PORT to listen on; port 0 takes any")
	f.BoolVar(&o.AllowPlaintext, "insecure-plaintext-listen", false, "listen where other machines can reach it, without TLS")
	f.StringArrayVar(&o.Packs, "packs", nil, "folder of packs, watched for changes; may be given several times")
	f.StringArrayVar(&o.Configs, "configs", nil, "folder of pack configurations, PACK.yaml; may be given several times")
	f.BoolVar(&o.AnyPayload, "any-payload", false, "take events that do not fit the payload_schema of their trigger")
	f.IntVar(&o.Slots, "slots", 0, "how many actions run at a time; 0 chooses by the machine")
	f.IntVar(&o.MaxLive, "max-live", 0, "how many executions may wait and run; 0 is 1,000,000")
	f.StringVar(&memory, "max-memory", "", "the most memory of one attempt, such as 512MiB; none without")
	f.IntVar(&o.Limits.Processes, "max-processes", 0, "the most processes and threads of one attempt; 0 is no limit")
	f.Float64Var(&o.Limits.CPU, "max-cpu", 0, "the most processors of one attempt, such as 1.5; 0 is no limit")
	f.StringArrayVar(&allow, "allow-http", nil, "`network`, such as 10.1.0.0/16, that http-request may reach although it is private; may be given several times")
	f.Var(ageFlag{&o.Keep.Executions}, "keep", "how long events and executions are kept after their end: 30d, 12h, forever")
	f.Var(ageFlag{&o.Keep.Output}, "keep-output", "how long output is kept, at most as long as its execution")
	f.Var(ageFlag{&o.Keep.Audit}, "keep-audit", "how long the audit is kept")
	f.Var(ageFlag{&o.Keep.Dedupe}, "keep-dedupe", "how long a dedupe key makes repetitions one")
	f.StringVar(&o.LogFormat, "log-format", "auto", "auto, json or text; auto is text on a terminal")
	f.StringVar(&o.TraceTo, "trace-to", "", "URL of an OpenTelemetry collector to send traces to; else that in OTEL_EXPORTER_OTLP_ENDPOINT; else none are sent")
	f.Float64Var(&o.TraceSample, "trace-sample", 1, "share of traces to send, 0 to 1; one that a caller began is sent if the caller sends it")
	return c
}

// collector is where the environment wants traces sent, or empty.
func collector(env func(string) string) string {
	if endpoint := env("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT"); endpoint != "" {
		return endpoint
	}
	return env("OTEL_EXPORTER_OTLP_ENDPOINT")
}

// limits reads and checks what the flags --max-… say.
func (o *devOptions) limits(memory string) (err error) {
	if memory != "" {
		if o.Limits.Memory, err = attune.ParseSize(memory); err != nil {
			return usage("--max-memory "+memory+" is no number of bytes", "--max-memory 512MiB")
		}
	}
	if err := o.Limits.Check(); err != nil {
		return usage("--max-memory, --max-processes or --max-cpu: "+err.Error(), "--max-memory 512MiB --max-processes 256 --max-cpu 1.5")
	}
	return nil
}

// networks reads networks; an address alone is a network of one.
func networks(texts []string) ([]netip.Prefix, error) {
	var all []netip.Prefix
	for _, text := range texts {
		n, err := settings.ParseNetwork(text)
		if err != nil {
			return nil, usage("--allow-http "+text+" is no network", "--allow-http 10.1.0.0/16, or --allow-http 10.1.2.3")
		}
		all = append(all, n)
	}
	return all, nil
}
