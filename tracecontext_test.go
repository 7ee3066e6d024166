package attune_test

import (
	"strings"
	"testing"

	"github.com/attune-automation/attune"
)

const traceparent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"

func TestATraceparentIsReadAndWrittenAlike(t *testing.T) {
	for _, good := range []string{traceparent, "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-00"} {
		c, ok := attune.ParseTraceparent(good)
		if !ok || c.String() != good {
			t.Errorf("%s came back as %s, %v", good, c, ok)
		}
	}
	for name, wrong := range map[string]string{
		"nothing":          "",
		"cut":              traceparent[:54],
		"longer":           traceparent + "0",
		"capital digits":   strings.ToUpper(traceparent),
		"no hex":           strings.Replace(traceparent, "0af7", "0xf7", 1),
		"a dash too many":  strings.Replace(traceparent, "0af7", "0a-7", 1),
		"no trace":         "00-00000000000000000000000000000000-b7ad6b7169203331-01",
		"no span":          "00-0af7651916cd43dd8448eb211c80319c-0000000000000000-01",
		"forbidden ff":     "ff" + traceparent[2:],
		"dashes elsewhere": strings.ReplaceAll(traceparent, "-", "_"),
	} {
		if c, ok := attune.ParseTraceparent(wrong); ok {
			t.Errorf("%s is taken for %s", name, c)
		}
	}
}

func TestAChainKeepsTheCallersTraceOrHasItsOwn(t *testing.T) {
	caller := attune.Chain{Correlation: "ev-1", Traceparent: traceparent}
	if got := caller.Trace().String(); got != traceparent {
		t.Errorf("the caller's place became %s", got)
	}
	own, again, other := attune.Chain{Correlation: "ev-1"}, attune.Chain{Correlation: "ev-1", Principal: "x"}, attune.Chain{Correlation: "ev-2"}
	if own.Trace() != again.Trace() || own.Trace().Trace == other.Trace().Trace {
		t.Error("a trace of its own is not that of the correlation")
	}
	if own.Trace().Sampled {
		t.Error("a trace that nobody began is recorded")
	}
}

func TestEveryRowAndAttemptHasAPlaceOfItsOwn(t *testing.T) {
	root := attune.Chain{Traceparent: traceparent}.Trace()
	seen := map[[8]byte]string{root.Span: "the caller"}
	add := func(what string, c attune.TraceContext) {
		if before := seen[c.Span]; before != "" {
			t.Errorf("%s and %s are one span", before, what)
		}
		if c.Trace != root.Trace || c.Sampled != root.Sampled || c.Span == [8]byte{} {
			t.Errorf("%s left the trace: %s", what, c)
		}
		seen[c.Span] = what
	}
	for n := range 1000 {
		id := attune.MakeID(1000, n%8, n)
		add("row "+attune.ExecutionID(id).String(), root.In(id))
		for attempt := range 5 {
			token := attune.Token{Execution: attune.ExecutionID(id), Attempt: attempt + 1}
			add(token.String(), root.Attempt(token))
		}
	}
}
