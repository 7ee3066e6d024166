package main

import (
	"github.com/spf13/cobra"
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
	// Slots is how many attempts the built-in worker runs at a time; 0 is its
	// own default.
	Slots int
	// MaxLive is how many executions may live; 0 is the node's own default.
	MaxLive int
	// TraceTo is the URL of an OpenTelemetry collector, or empty; TraceSample
	// the share of traces it gets.
	TraceTo     string
	TraceSample float64
	// LogFormat is auto, json or text.
	LogFormat string
	// Streams is where the banner (talk) and the log go.
	Streams streams
}

func (p *program) devCommand() *cobra.Command {
	var o devOptions
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
			o.Data, o.Streams = data, p.streams
			return runDev(c.Context(), o)
		},
	}
	f := c.Flags()
	f.StringVar(&o.Listen, "listen", defaultListen, "HOST:PORT to listen on; port 0 takes any")
	f.BoolVar(&o.AllowPlaintext, "insecure-plaintext-listen", false, "listen where other machines can reach it, without TLS")
	f.StringArrayVar(&o.Packs, "packs", nil, "folder of packs; may be given several times")
	f.IntVar(&o.Slots, "slots", 0, "how many actions run at a time; 0 chooses by the machine")
	f.IntVar(&o.MaxLive, "max-live", 0, "how many executions may wait and run; 0 is 1,000,000")
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
