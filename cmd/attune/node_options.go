package main

import (
	"github.com/spf13/cobra"

	"github.com/attune-automation/attune/actors/retention"
)

// defaultListen is where a node listens unless told otherwise.
const defaultListen = "127.0.0.1:9370"

// nodeOptions are the flags that attune dev and attune server share, defaults
// applied.
type nodeOptions struct {
	// Data is the absolute data folder.
	Data string
	// Listen is HOST:PORT; AllowPlaintext lets it be one that other machines
	// reach, without TLS.
	Listen         string
	AllowPlaintext bool
	// URL is where others reach the API; empty is made of the address that is
	// listened on.
	URL string
	// TLS is what the API proves itself by; without files it speaks plain HTTP.
	TLS tlsOptions
	// Reload has SIGHUP read the certificate again; otherwise it ends the process.
	Reload bool
	// Packs are folders of packs, besides the built-in ones.
	Packs []string
	// Configs are folders of configurations, besides configs in the data folder.
	Configs []string
	// AnyPayload takes events that are not what their trigger says.
	AnyPayload bool
	// MaxLive is how many executions may live; 0 is the node's own default.
	MaxLive int
	// TraceTo is the URL of an OpenTelemetry collector, or empty; TraceSample
	// the share of traces it gets.
	TraceTo     string
	TraceSample float64
	// Keep says how long what is kept.
	Keep retention.Ages
	// LogFormat is auto, json or text.
	LogFormat string
	// Streams is where the banner (talk) and the log go.
	Streams streams
}

// tlsOptions are files in PEM.
type tlsOptions struct {
	// Certificate is the chain, the server's own first; Key its private key.
	Certificate, Key string
}

func newNodeOptions() nodeOptions { return nodeOptions{Keep: retention.Ages{}.WithDefaults()} }

// flags makes them flags of a command.
func (o *nodeOptions) flags(c *cobra.Command) {
	f := c.Flags()
	f.StringVar(&o.Listen, "listen", defaultListen, "HOST:PORT to listen on; port 0 takes any")
	f.BoolVar(&o.AllowPlaintext, "insecure-plaintext-listen", false, "listen where other machines can reach it, without TLS")
	f.StringArrayVar(&o.Packs, "packs", nil, "folder of packs, watched for changes; may be given several times")
	f.StringArrayVar(&o.Configs, "configs", nil, "folder of pack configurations, PACK.yaml; may be given several times")
	f.BoolVar(&o.AnyPayload, "any-payload", false, "take events that do not fit the payload_schema of their trigger")
	f.IntVar(&o.MaxLive, "max-live", 0, "how many executions may wait and run; 0 is 1,000,000")
	f.Var(ageFlag{&o.Keep.Executions}, "keep", "how long events and executions are kept after their end: 30d, 12h, forever")
	f.Var(ageFlag{&o.Keep.Output}, "keep-output", "how long output is kept, at most as long as its execution")
	f.Var(ageFlag{&o.Keep.Audit}, "keep-audit", "how long the audit is kept")
	f.Var(ageFlag{&o.Keep.Dedupe}, "keep-dedupe", "how long a dedupe key makes repetitions one")
	f.StringVar(&o.LogFormat, "log-format", "auto", "auto, json or text; auto is text on a terminal")
	f.StringVar(&o.TraceTo, "trace-to", "", "URL of an OpenTelemetry collector to send traces to; else that in OTEL_EXPORTER_OTLP_ENDPOINT; else none are sent")
	f.Float64Var(&o.TraceSample, "trace-sample", 1, "share of traces to send, 0 to 1; one that a caller began is sent if the caller sends it")
}

// check takes from the program what no flag of its own says, and refuses what
// cannot be.
func (o *nodeOptions) check(p *program) (err error) {
	if o.Data, err = dataFolder(p.data, p.env); err != nil {
		return err
	}
	switch o.LogFormat {
	case "auto", "json", "text":
	default:
		return usage("--log-format "+o.LogFormat+" is no format of logs", "--log-format auto|json|text")
	}
	if o.MaxLive < 0 {
		return usage("--max-live is below zero", "--max-live 1000000")
	}
	if o.TraceTo == "" {
		o.TraceTo = collector(p.env)
	}
	o.Streams = p.streams
	return nil
}

// collector is where the environment wants traces sent, or empty.
func collector(env func(string) string) string {
	if endpoint := env("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT"); endpoint != "" {
		return endpoint
	}
	return env("OTEL_EXPORTER_OTLP_ENDPOINT")
}
