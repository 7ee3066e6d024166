package api

import (
	"net/http"

	"github.com/danielgtaylor/huma/v2"
)

// route is one line of the table.
type route struct {
	method, path string
	policy       policy
	// status is that of success; 0 is 200.
	status int
	// summary says what it does; its words make the operation id.
	summary  string
	register func(huma.API, huma.Operation)
	// anyBody leaves it to the handler what a body may be.
	anyBody bool
}

// routes is every route there is, with who may call it.
func (s *server) routes() []route {
	const get, post, remove, v1 = http.MethodGet, http.MethodPost, http.MethodDelete, "/api/v1"
	metrics := viewing
	if s.MetricsOpen {
		metrics = open
	}
	return []route{
		{get, "/healthz", open, 0, "Health", on(s, s.health), false},
		{get, "/readyz", open, 0, "Readiness", on(s, s.ready), false},
		{get, "/metrics", metrics, 0, "Metrics", on(s, s.metrics), false},
		{get, v1 + "/node", viewing, 0, "Get node", on(s, s.node), false},

		{post, v1 + "/webhooks/{url}", operating.onRows(), http.StatusAccepted, "Receive webhook", on(s, s.webhook), true},
		{get, v1 + "/events", viewing.andExecutions(), 0, "List events", on(s, s.listEvents), false},
		{post, v1 + "/events", operating.onRows().andExecutions(), http.StatusCreated, "Send event", on(s, s.sendEvent), false},
		{get, v1 + "/events/{id}", viewing.andExecutions(), 0, "Get event", on(s, s.getEvent), false},
		{get, v1 + "/events/{id}/evaluations", viewing, 0, "List evaluations of event", on(s, s.evaluations), false},
		{get, v1 + "/events/{id}/explain", viewing, 0, "Explain event", on(s, s.explain), false},
		{get, v1 + "/enforcements", viewing.andExecutions(), 0, "List enforcements", on(s, s.listEnforcements), false},
		{get, v1 + "/enforcements/{id}", viewing.andExecutions(), 0, "Get enforcement", on(s, s.getEnforcement), false},
		{post, v1 + "/enforcements/{id}/rerun", operating, http.StatusCreated, "Rerun enforcement", on(s, s.rerunEnforcement), false},
		{get, v1 + "/executions", viewing.andExecutions(), 0, "List executions", on(s, s.listExecutions), false},
		{post, v1 + "/executions", operating.onRows().andExecutions(), http.StatusCreated, "Request execution", on(s, s.requestExecution), false},
		{get, v1 + "/executions/{id}", viewing.andExecutions(), 0, "Get execution", on(s, s.getExecution), false},
		{post, v1 + "/executions/{id}/cancel", operating, 0, "Cancel execution", on(s, s.cancel), false},
		{post, v1 + "/executions/{id}/rerun", operating, http.StatusCreated, "Rerun execution", on(s, s.rerunExecution), false},
		{get, v1 + "/executions/{id}/wait", viewing.andExecutions().lasting(), 0, "Wait for execution", on(s, s.wait), false},
		{get, v1 + "/executions/{id}/output", viewing.andExecutions().lasting(), 0, "Read output of execution", on(s, s.output), false},
		{get, v1 + "/executions/{id}/logs", viewing.andExecutions().lasting(), 0, "Read logs of execution", on(s, s.logs), false},
		{get, v1 + "/stream", viewing.lasting(), 0, "Stream changes", on(s, s.stream), false},
		{get, v1 + "/trace/{id}", viewing, 0, "Trace", on(s, s.trace), false},

		{get, v1 + "/actions", viewing, 0, "List actions", on(s, s.listActions), false},
		{get, v1 + "/actions/{ref}", viewing, 0, "Get action", on(s, s.getAction), false},
		{get, v1 + "/rules", viewing, 0, "List rules", on(s, s.listRules), false},
		{get, v1 + "/rules/{ref}", viewing, 0, "Get rule", on(s, s.getRule), false},
		{http.MethodPut, v1 + "/rules/{ref}", administering, 0, "Apply rule", on(s, s.applyRule), false},
		{http.MethodDelete, v1 + "/rules/{ref}", administering, http.StatusNoContent, "Delete rule", on(s, s.deleteRule), false},
		{post, v1 + "/rules/{ref}/enable", operating, 0, "Enable rule", on(s, s.enableRule), false},
		{post, v1 + "/rules/{ref}/disable", operating, 0, "Disable rule", on(s, s.disableRule), false},
		{post, v1 + "/rules/test", operating.onRows(), 0, "Test rule", on(s, s.testRule), false},
		{get, v1 + "/triggers", viewing, 0, "List triggers", on(s, s.listTriggers), false},
		{get, v1 + "/triggers/{ref}", viewing, 0, "Get trigger", on(s, s.getTrigger), false},
		{get, v1 + "/packs", viewing, 0, "List packs", on(s, s.listPacks), false},
		{get, v1 + "/packs/{ref}", viewing, 0, "Get pack", on(s, s.getPack), false},
		{post, v1 + "/packs/reload", operating, 0, "Reload packs", on(s, s.reloadPacks), false},
		{post, v1 + "/packs/{ref}/reload", operating, 0, "Reload pack", on(s, s.reloadPack), false},
		{post, v1 + "/packs/{ref}/install", administering, 0, "Install pack", on(s, s.installPack), true},
		{post, v1 + "/packs/{ref}/remove", administering, 0, "Remove pack", on(s, s.removePack), false},
		{get, v1 + "/packs/{ref}/content/{content}", working, 0, "Get content of pack", on(s, s.packContent), false},

		{get, v1 + "/workers", viewing, 0, "List workers", on(s, s.listWorkers), false},
		{get, v1 + "/workers/{name}", viewing, 0, "Get worker", on(s, s.getWorker), false},
		{post, v1 + "/workers/{name}/drain", operating, 0, "Drain worker", on(s, s.drainWorker), false},
		{post, v1 + "/workers/{name}/resume", operating, 0, "Resume worker", on(s, s.resumeWorker), false},
		{remove, v1 + "/workers/{name}", operating, 0, "Remove worker", on(s, s.removeWorker), false},
		{post, v1 + "/workers/{name}/link", working.onRows(), 0, "Link worker", on(s, s.linkWorker), true},
		{get, v1 + "/actors", viewing, 0, "List actors", on(s, s.listActors), false},
		{get, v1 + "/actors/{path}", viewing, 0, "Get actor", on(s, s.getActor), false},

		{get, v1 + "/deadletters", viewing, 0, "List dead letters", on(s, s.listDeadLetters), false},
		{get, v1 + "/deadletters/{id}", operating.inAudit(), 0, "Get dead letter", on(s, s.getDeadLetter), false},
		{post, v1 + "/deadletters/{id}/replay", operating, 0, "Replay dead letter", on(s, s.replayDeadLetter), false},
		{remove, v1 + "/deadletters/{id}", operating, 0, "Drop dead letter", on(s, s.dropDeadLetter), false},

		{get, v1 + "/tokens", administering, 0, "List tokens", on(s, s.listTokens), false},
		{post, v1 + "/tokens", administering, http.StatusCreated, "Create token", on(s, s.createToken), false},
		{remove, v1 + "/tokens/{name}", administering, 0, "Revoke token", on(s, s.revokeToken), false},
		{get, v1 + "/audit", administering, 0, "List audit", on(s, s.listAudit), false},
		{post, v1 + "/admin/gc", administering, 0, "Delete what is over its age", on(s, s.prune), false},
		{get, v1 + "/admin/backup", administering.lasting().inAudit(), 0, "Back up", on(s, s.backup), false},
	}
}
