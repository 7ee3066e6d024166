package packs

import (
	"strings"

	"github.com/attune-automation/attune"
	"github.com/attune-automation/attune/rules"
)

var (
	triggerKeys = []string{"name", "ref", "pack", "description", "payload_schema", "parameters_schema", "tags", "uid", "id", "metadata_file", "webhook"}
	webhookKeys = []string{"url", "split", "dedupe"}
)

func (l *loading) trigger(s *source, v *value) {
	o := s.object(v, "a trigger", triggerKeys)
	if o == nil {
		return
	}
	t := l.newTrigger(s, o, v)
	if w := o.get("webhook"); w != nil {
		if h := s.object(w, "webhook", webhookKeys); h != nil {
			t.Webhook = &attune.Webhook{
				URL:    strings.Trim(h.need("url", "webhook"), "/"),
				Split:  h.text("split"),
				Dedupe: h.text("dedupe"),
			}
			if _, faults := rules.CompileWebhook(t); len(faults) > 0 {
				for _, f := range faults {
					s.fault(w.at, f.Try, "%s", f.Message)
				}
			}
		}
	}
	l.file.Ref = t.Ref
	if l.accept(s, "trigger", t.Ref, v.at) {
		l.pack.Triggers = append(l.pack.Triggers, t)
	}
}

// newTrigger is what trigger files and the trigger types of a sensor share.
func (l *loading) newTrigger(s *source, o *object, v *value) *attune.Trigger {
	t := &attune.Trigger{Pack: l.pack.Ref, Description: o.text("description"), At: v.at, AnyPayload: l.anyPayload}
	t.Ref = t.Pack + "." + l.name(o, "a trigger")
	t.PayloadSchema = s.whole(o, "payload_schema")
	t.ParametersSchema = s.whole(o, "parameters_schema")
	t.Hash = contentHash(t.Ref, v)
	return t
}
