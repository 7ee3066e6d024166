package rules_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/attune-automation/attune"
	"github.com/attune-automation/attune/rules"
)

func TestFire(t *testing.T) {
	headers := map[string]string{"X-Request-Id": "7", "Authorization": "Bearer x", "COOKIE": "a=b"}
	for _, c := range []struct {
		name, split, dedupe, body string
		want                      []string // payload and key of each event, or the error
	}{
		{"one event", "", "", `{"a": 1}`, []string{`{"body":{"a":1},"headers":{"x-request-id":"7"}} `}},
		{"one event with a key", "", "{{ body.a }}", `{"a": 1}`, []string{`{"body":{"a":1},"headers":{"x-request-id":"7"}} 1`}},
		{"a list is split and left out", "{{ body.l }}", "{{ item.i }}-{{ index }}", `{"l": [{"i": 1}, {"i": 2}], "x": 1}`, []string{
			`{"body":{"x":1},"headers":{"x-request-id":"7"},"index":0,"item":{"i":1}} 1-0`,
			`{"body":{"x":1},"headers":{"x-request-id":"7"},"index":1,"item":{"i":2}} 2-1`}},
		{"a list deep within", "body.a['l']", "", `{"a": {"l": [1], "m": 2}}`, []string{`{"body":{"a":{"m":2}},"headers":{"x-request-id":"7"},"index":0,"item":1} `}},
		{"the body is the list", "{{ body }}", "", `[1]`, []string{`{"body":null,"headers":{"x-request-id":"7"},"index":0,"item":1} `}},
		{"a list that is computed", "{{ body.l | list }}", "", `{"l": [1]}`, []string{`{"body":{"l":[1]},"headers":{"x-request-id":"7"},"index":0,"item":1} `}},
		{"an empty list", "{{ body.l }}", "", `{"l": []}`, nil},
		{"no list", "{{ body.l }}", "", `{"l": "x"}`, []string{"invalid: p.t: the split of its webhook must give a list, not a text"}},
		{"no such key", "{{ body.l }}", "", `{}`, []string{"invalid: p.t: the split of its webhook cannot be rendered; webhook.split: "}},
		{"too many", "{{ body.l }}", "", `{"l": [` + strings.Repeat("1,", 1000) + `1]}`, []string{"too large: p.t: the list has 1001 items"}},
		{"too much", "{{ body.l }}", "", `{"x": "` + strings.Repeat("x", 500_000) + `", "l": [` + strings.Repeat("1,", 99) + `1]}`, []string{"too large: p.t: item "}},
		{"a key that fails", "{{ body.l }}", "{{ item.x }}", `{"l": [{"x": 1}, {}]}`, []string{"invalid: p.t: the dedupe key of its webhook cannot be rendered for item 1; webhook.dedupe: "}},
		{"a key that is too long", "", "{{ body.a * 600 }}", `{"a": "x"}`, []string{"invalid: p.t: the dedupe key of its webhook has 600 bytes"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			trigger := &attune.Trigger{Ref: "p.t", Webhook: &attune.Webhook{URL: "x", Split: c.split, Dedupe: c.dedupe}}
			body := decode(t, c.body)
			firings, err := rules.Fire(trigger, headers, body)
			var got []string
			for _, f := range firings {
				got = append(got, string(f.Payload)+" "+f.Dedupe)
			}
			if err != nil {
				got = []string{fmt.Sprintf("%s: %v", attune.KindOf(err), err)}
			}
			if len(got) != len(c.want) {
				t.Fatalf("got %q", got)
			}
			for i := range got {
				if got[i] != c.want[i] && !(err != nil && strings.HasPrefix(got[i], c.want[i])) {
					t.Errorf("got  %s\nwant %s", got[i], c.want[i])
				}
			}
			if string(rules.AppendJSON(nil, body)) != string(rules.AppendJSON(nil, decode(t, c.body))) {
				t.Error("the body was changed")
			}
		})
	}
}

func TestAWebhookWithFaultsNamesThemAll(t *testing.T) {
	_, faults := rules.CompileWebhook(&attune.Trigger{Ref: "p.t", Webhook: &attune.Webhook{Split: "{{ ( }}", Dedupe: "{{ item."}})
	if len(faults) != 2 || faults[0].Where != "webhook.split" || faults[1].Where != "webhook.dedupe" {
		t.Errorf("got %v", faults)
	}
}
