package attune_test

import (
	"fmt"
	"testing"

	"github.com/attune-automation/attune"
)

func TestTriggerKey(t *testing.T) {
	for _, c := range []struct {
		parameters map[string]string
		want       string
	}{
		{nil, "core.webhook"},
		{map[string]string{}, "core.webhook"},
		{map[string]string{"url": "alertmanager"}, "core.webhook?url=alertmanager"},
		{map[string]string{"url": "a/b c&d=e?"}, "core.webhook?url=a%2Fb+c%26d%3De%3F"},
		{map[string]string{"b": "2", "a": "1", "c": ""}, "core.webhook?a=1&b=2&c="},
	} {
		if got := attune.TriggerKey("core.webhook", c.parameters); got != c.want {
			t.Errorf("%v: %q, want %q", c.parameters, got, c.want)
		}
	}
}

func TestTriggerKeyDoesNotDependOnOrder(t *testing.T) {
	names := make([]string, 20)
	for i := range names {
		names[i] = fmt.Sprintf("p%d", i)
	}
	keys := map[string]bool{}
	for turn := range 200 { // maps are filled in another order, and range in a random one
		parameters := map[string]string{}
		for i := range names {
			n := names[(i+turn)%len(names)]
			parameters[n] = "v" + n
		}
		keys[attune.TriggerKey("core.t", parameters)] = true
	}
	if len(keys) != 1 {
		t.Errorf("the same parameters have %d keys", len(keys))
	}
}

func TestTriggerKeysOfDifferentParametersDiffer(t *testing.T) {
	keys := map[string]map[string]string{}
	for _, p := range []map[string]string{nil, {"a": "b&c=d"}, {"a": "b", "c": "d"}, {"a&c": "b=d"}, {"a": ""}, {"": "a"}, {"a=": ""}} {
		key := attune.TriggerKey("t", p)
		if other, twice := keys[key]; twice {
			t.Errorf("%v and %v have the key %q", p, other, key)
		}
		keys[key] = p
	}
}

func TestPositionText(t *testing.T) {
	for want, p := range map[string]attune.Position{"a.yaml": {File: "a.yaml"}, "b.yaml:3": {File: "b.yaml", Line: 3}, "c.yaml:3:9": {File: "c.yaml", Line: 3, Column: 9}, "d.yaml": {File: "d.yaml", Column: 9}} {
		if p.String() != want {
			t.Errorf("%+v is %q, want %q", p, p.String(), want)
		}
	}
}
