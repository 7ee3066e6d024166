package main

import (
	"strings"
	"testing"

	"github.com/attune-automation/attune"
)

func TestNetworksThatRequestsMayReach(t *testing.T) {
	got, err := networks([]string{"10.1.2.3/16", "127.0.0.1", "::1", "fd00::/8"})
	var texts []string
	for _, n := range got {
		texts = append(texts, n.String())
	}
	if want := "10.1.0.0/16 127.0.0.1/32 ::1/128 fd00::/8"; err != nil || strings.Join(texts, " ") != want {
		t.Errorf("%v, %v, want %s", texts, err, want)
	}
	for _, text := range []string{"", "localhost", "10.0.0.0/33", "10.0.0.0/8,::1", "fe80::1%eth0", "::ffff:10.0.0.0/104", "::ffff:10.0.0.1"} {
		if got, err := networks([]string{text}); err == nil || exitCode(err) != 64 {
			t.Errorf("%q is %v, %v", text, got, err)
		}
	}
}

func TestFlagsOfLimits(t *testing.T) {
	o := actionOptions{memory: "1.5GiB", Limits: attune.Resources{Processes: 9, CPU: 1.5}}
	if err := o.check(); err != nil || o.Limits != (attune.Resources{Memory: 3 << 29, Processes: 9, CPU: 1.5}) {
		t.Errorf("%+v, %v", o.Limits, err)
	}
	for _, o := range []actionOptions{{memory: "much"}, {memory: "4k"}, {Limits: attune.Resources{CPU: -1}}, {memory: "1GB", Limits: attune.Resources{Processes: -1}}, {Slots: -1}} {
		if err := o.check(); err == nil || exitCode(err) != 64 {
			t.Errorf("%q, %+v: %v", o.memory, o.Limits, err)
		}
	}
}
