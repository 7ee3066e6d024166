package main

import (
	"context"
	"log/slog"
	"time"

	"github.com/attune-automation/attune/api"
	"github.com/attune-automation/attune/node"
	"github.com/attune-automation/attune/telemetry"
)

// tracing is where traces go, if anywhere. The zero value records none.
type tracing struct{ tracer *telemetry.Tracer }

// traceWait is how long the end of the program waits for the collector.
const traceWait = 5 * time.Second

func openTraces(ctx context.Context, o nodeOptions, log *slog.Logger) (tracing, error) {
	if o.TraceTo == "" {
		return tracing{}, nil
	}
	tracer, err := telemetry.Open(ctx, telemetry.Config{Endpoint: o.TraceTo, Sample: o.TraceSample, Version: versionText(), Instance: o.Data, Now: time.Now, Log: log})
	return tracing{tracer}, err
}

// node is what a node records with: a nil interface, not one that holds nil,
// where it records nothing.
func (t tracing) node() node.Traces {
	if t.tracer == nil {
		return nil
	}
	return t.tracer
}

func (t tracing) requests() api.Traces {
	if t.tracer == nil {
		return nil
	}
	return t.tracer
}

// close sends what waits, as far as the collector takes it in time.
func (t tracing) close(ctx context.Context, log *slog.Logger) {
	if t.tracer == nil {
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), traceWait)
	defer cancel()
	if err := t.tracer.Close(ctx); err != nil {
		log.Warn("the last traces were not sent", slog.String("error", err.Error()))
	}
}
