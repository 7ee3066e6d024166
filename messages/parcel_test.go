package messages_test

import (
	"reflect"
	"strings"
	"testing"

	"github.com/attune-automation/attune"
	"github.com/attune-automation/attune/messages"
)

func parcels(n int) []messages.Parcel {
	all := make([]messages.Parcel, n)
	for i := range all {
		all[i] = messages.Parcel{Exchange: messages.Reports, Key: strings.Repeat("n", i), Message: messages.Bundle{From: "w", Items: []any{messages.Draining{Worker: "w", Left: i%2 == 0}}}}
	}
	return all
}

func TestParcelsComeAsTheyWent(t *testing.T) {
	for _, n := range []int{0, 1, 3, messages.MaxParcels} {
		body, err := messages.EncodeParcels(parcels(n))
		if err != nil {
			t.Fatal(err)
		}
		got, err := messages.DecodeParcels(body)
		if err != nil || len(got) != n || n > 0 && !reflect.DeepEqual(got, parcels(n)) {
			t.Errorf("%d: %v, got %+v", n, err, got)
		}
	}
}

func TestParcelsThatAreNone(t *testing.T) {
	good, err := messages.EncodeParcels(parcels(2))
	if err != nil {
		t.Fatal(err)
	}
	many, err := messages.EncodeParcels(parcels(messages.MaxParcels + 1))
	if err != nil {
		t.Fatal(err)
	}
	for name, body := range map[string][]byte{
		"nothing": nil, "another version": {2}, "cut off": good[:len(good)-1], "a length beyond the end": {1, 0xff, 0xff, 0xff, 0xff, 0x0f}, "too many": many,
		"another content": {1, 1, 'x', 1, 'k', 1, 't', 0},
	} {
		t.Run(name, func(t *testing.T) {
			if all, err := messages.DecodeParcels(body); attune.KindOf(err) != attune.Invalid || all != nil {
				t.Errorf("%v, %v", all, err)
			}
		})
	}
}

// Whatever a worker brings: no panic, and what is read can be written and read
// again alike.
func FuzzParcels(f *testing.F) {
	for _, n := range []int{0, 2} {
		body, err := messages.EncodeParcels(parcels(n))
		if err != nil {
			f.Fatal(err)
		}
		f.Add(body)
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		all, err := messages.DecodeParcels(body)
		if err != nil {
			if attune.KindOf(err) != attune.Invalid {
				t.Fatal(err)
			}
			return
		}
		again, err := messages.EncodeParcels(all)
		if err != nil {
			t.Fatal(err)
		}
		twice, err := messages.DecodeParcels(again)
		if err != nil || !reflect.DeepEqual(all, twice) {
			t.Fatalf("%v: %+v became %+v", err, all, twice)
		}
	})
}
