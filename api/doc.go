// Package api is the HTTP face of a node: JSON under /api/v1, webhooks, health,
// metrics, and an OpenAPI document at /openapi.json.
//
// Every route stands in one table (routes.go) with the policy that says who may
// call it; a route without a policy keeps [New] from returning a handler. Every
// error leaves as RFC 9457 problem+json with a stable code; errors.go alone
// knows which kind of error is which HTTP status.
//
// The package asks the node for everything it cannot read itself through
// [Engine], and starts no goroutine: a caller that waits occupies its own
// request, and is released when the request's context ends. Whoever serves the
// handler ends those contexts at shutdown (http.Server.BaseContext).
package api
