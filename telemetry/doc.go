// Package telemetry records what happens as spans of distributed traces, and
// sends them to an OpenTelemetry collector. Nothing is recorded unless somebody
// asks for it.
//
//	request          POST /api/v1/webhooks/{url}     below the caller's span
//	└── event        accepted until durable
//	    └── execution    requested until ended
//	        └── attempt  assigned until ended; what the action is told as TRACEPARENT
//
// The ids of spans below the request are derived from the ids of their rows
// ([attune.TraceContext]), so that a parent may be recorded long after its
// children, by another process, and a span that is recorded twice is one.
//
// No span holds a parameter, a result, a payload or the text of an error: they
// may hold secrets. What is recorded is what an operator lists executions by.
package telemetry
