package keeper

import (
	"reflect"
	"testing"
)

// FuzzMessage reads bytes as a message of the wire between worker and keeper.
// What is one is written and read back as the same, and tells the worker an
// event or an error.
func FuzzMessage(f *testing.F) {
	for _, m := range []*message{
		{verb: sayClose}, {verb: sayHello, token: "cgroup", text: "why", args: []string{"memory", "cpu"}}, {verb: sayLease, numbers: []int64{1 << 62}},
		{verb: sayStart, token: "1", text: "/", args: []string{"/bin/sh", "-c", ""}, env: []string{"A=\xff\x00"}, numbers: []int64{-1, 2, 3, 4, 5}},
		{verb: sayStarted, token: "ä", numbers: []int64{1, 2}}, {verb: sayRefused, token: "x", text: "no", args: []string{"lease"}, numbers: []int64{1}},
		{verb: sayEnded, token: "x", text: "none", numbers: []int64{1, 2, 3, 4, 5, 6, 7, 8}}, {verb: sayStop, token: "x", numbers: []int64{-1}},
	} {
		f.Add(m.appendTo(nil))
	}
	f.Add([]byte{})
	f.Add([]byte{byte(sayStart), 0, 0, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1})
	f.Fuzz(func(t *testing.T, b []byte) {
		m, err := parseMessage(b)
		if err != nil {
			if m != nil {
				t.Errorf("%x is %+v and %v", b, m, err)
			}
			return
		}
		again, err := parseMessage(m.appendTo(nil))
		if err != nil || !reflect.DeepEqual(m, again) {
			t.Errorf("%x is %+v, and read back %+v, %v", b, m, again, err)
		}
		if e, err := toEvent(m); err == nil && m.verb != sayHello && (e.Kind == "" || e.Token != m.token) {
			t.Errorf("%+v tells %+v", m, e)
		}
	})
}
