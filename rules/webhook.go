package rules

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/attune-automation/attune"
	"github.com/attune-automation/attune/expression"
)

// Bounds of one request to a webhook.
const (
	// MaxSplit is the most events one request may become.
	MaxSplit = 1000
	// MaxPayload limits the payload of one event, in bytes.
	MaxPayload = 1 << 20
	// maxPayloads limits all payloads of one request together, since each
	// repeats what was not split.
	maxPayloads = 16 << 20
	// maxDedupe limits a dedupe key, in bytes.
	maxDedupe = 512
)

// private are the headers that never reach an event: they hold keys.
var private = []string{"authorization", "proxy-authorization", "cookie", "x-auth-token", "st2-api-key"}

// Webhook is the compiled webhook of a trigger.
type Webhook struct {
	// Trigger is what it fires; its Ref is the key its events carry.
	Trigger *attune.Trigger

	split  *expression.Template // or nil
	list   []string             // the path of the list in body
	inBody bool                 // list is known; empty means body itself
	dedupe *expression.Template // or nil
}

// Firing is one event that a request asks for.
type Firing struct {
	// Payload is its JSON document.
	Payload []byte
	// Dedupe is its dedupe key, or empty.
	Dedupe string
}

// CompileWebhook compiles the webhook of a trigger that has one. Faults name
// the key: webhook.split.
func CompileWebhook(trigger *attune.Trigger) (*Webhook, []attune.Fault) {
	w := &Webhook{Trigger: trigger}
	var faults []attune.Fault
	compile := func(key, source string) *expression.Template {
		if source == "" {
			return nil
		}
		t, err := expression.Compile(source)
		if err != nil {
			f := templateFault("webhook."+key, err)
			f.Message = f.Where + ": " + f.Message
			faults = append(faults, f)
		}
		return t
	}
	if split := strings.TrimSpace(trigger.Webhook.Split); split != "" {
		if !strings.Contains(split, "{{") {
			split = "{{ " + split + " }}"
		}
		w.split = compile("split", split)
		w.list, w.inBody = bodyPath(split)
	}
	w.dedupe = compile("dedupe", trigger.Webhook.Dedupe)
	if len(faults) > 0 {
		return nil, faults
	}
	return w, nil
}

// Fire is [Webhook.Fire] for a trigger whose webhook nobody keeps.
func Fire(trigger *attune.Trigger, headers map[string]string, body any) ([]Firing, error) {
	w, faults := CompileWebhook(trigger)
	if len(faults) > 0 {
		return nil, invalid(trigger, "invalid_webhook", "its webhook has faults", faults...)
	}
	return w.Fire(headers, body)
}

// Fire turns a request into events: one, or one for each item of the split
// list, in its order. Header names become lower case, and those that hold keys
// are left out. body is decoded JSON and only read. Errors are *attune.Error:
// invalid when the split is no list or a template fails, too large beyond the
// bounds; then nothing fires.
func (w *Webhook) Fire(headers map[string]string, body any) ([]Firing, error) {
	shown := make(map[string]any, len(headers))
	for _, name := range sortedNames(headers) {
		if lower := strings.ToLower(name); !slices.Contains(private, lower) {
			shown[lower] = headers[name]
		}
	}
	scope := expression.Scope{"headers": shown, "body": body}
	if w.split == nil {
		return w.one(scope)
	}
	purse := &expression.Purse{}
	v, err := w.split.RenderFrom(scope, purse)
	if err != nil {
		return nil, invalid(w.Trigger, "split_failed", "the split of its webhook cannot be rendered", templateFault("webhook.split", err))
	}
	list, ok := v.([]any)
	if !ok {
		return nil, invalid(w.Trigger, "split_failed", "the split of its webhook must give a list, not "+typeOf(v))
	}
	if len(list) > MaxSplit {
		return nil, tooLarge(w.Trigger, "the list has %d items, at most %d are allowed", len(list), MaxSplit)
	}
	if w.inBody {
		scope["body"] = without(body, w.list)
	}
	head := append(AppendJSON([]byte(`{"body":`), scope["body"]), `,"headers":`...)
	head = append(AppendJSON(head, shown), `,"index":`...)
	firings := make([]Firing, 0, len(list))
	total := 0
	for i, item := range list {
		payload := append(make([]byte, 0, len(head)+256), head...)
		payload = append(strconv.AppendInt(payload, int64(i), 10), `,"item":`...)
		payload = append(AppendJSON(payload, item), '}')
		total += len(payload)
		if len(payload) > MaxPayload || total > maxPayloads {
			return nil, tooLarge(w.Trigger, "item %d makes the payload too large: one has at most %d bytes, all of a request %d", i, MaxPayload, maxPayloads)
		}
		scope["item"], scope["index"] = item, int64(i)
		key, err := w.key(scope, purse)
		if err != nil {
			return nil, err
		}
		firings = append(firings, Firing{payload, key})
	}
	return firings, nil
}

func (w *Webhook) one(scope expression.Scope) ([]Firing, error) {
	payload := AppendJSON(nil, scope)
	if len(payload) > MaxPayload {
		return nil, tooLarge(w.Trigger, "the payload has %d bytes, at most %d are allowed", len(payload), MaxPayload)
	}
	key, err := w.key(scope, &expression.Purse{})
	if err != nil {
		return nil, err
	}
	return []Firing{{payload, key}}, nil
}

// key renders the dedupe key. All those of a request share a budget.
func (w *Webhook) key(scope expression.Scope, purse *expression.Purse) (string, error) {
	if w.dedupe == nil {
		return "", nil
	}
	at := ""
	if i, split := scope["index"]; split {
		at = fmt.Sprintf(" for item %d", i)
	}
	key, err := w.dedupe.RenderTextFrom(scope, purse)
	if err != nil {
		return "", invalid(w.Trigger, "dedupe_failed", "the dedupe key of its webhook cannot be rendered"+at, templateFault("webhook.dedupe", err))
	}
	if len(key) > maxDedupe {
		return "", invalid(w.Trigger, "dedupe_failed", fmt.Sprintf("the dedupe key of its webhook has %d bytes%s, at most %d are allowed", len(key), at, maxDedupe))
	}
	return key, nil
}

// without is body without what is at the path; body itself is not changed.
func without(body any, path []string) any {
	if len(path) == 0 {
		return nil
	}
	object, ok := body.(map[string]any)
	if !ok {
		return body
	}
	rest := make(map[string]any, len(object))
	for k, v := range object {
		switch {
		case k != path[0]:
			rest[k] = v
		case len(path) > 1:
			rest[k] = without(v, path[1:])
		}
	}
	return rest
}

func sortedNames(m map[string]string) []string {
	names := make([]string, 0, len(m))
	for n := range m {
		names = append(names, n)
	}
	slices.Sort(names)
	return names
}

func invalid(t *attune.Trigger, code, message string, faults ...attune.Fault) error {
	e := attune.NewError(attune.Invalid, code, t.Ref+": "+message)
	e.Faults = faults
	return e
}

func tooLarge(t *attune.Trigger, format string, args ...any) error {
	return attune.NewError(attune.TooLarge, "too_large", t.Ref+": "+fmt.Sprintf(format, args...))
}
