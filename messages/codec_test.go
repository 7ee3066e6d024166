package messages_test

import (
	"errors"
	"flag"
	"go/ast"
	"go/parser"
	"go/token"
	"math/rand/v2"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/encoding/protowire"

	"github.com/attune-automation/attune"
	"github.com/attune-automation/attune/messages"
)

var update = flag.Bool("update", false, "write the golden files")

// travellers are the messages of the worker protocol.
var travellers = []any{
	messages.Registered{}, messages.RegisterAck{}, messages.Heartbeat{}, messages.HeartbeatAck{}, messages.Draining{},
	messages.Dispatch{}, messages.Stop{}, messages.StateQuery{}, messages.Report{}, messages.ReportAck{},
	messages.Output{}, messages.OutputAck{},
}

// parts of the protocol are no messages of their own.
var parts = map[string]bool{"TokenAt": true}

func TestEveryMessageOfTheProtocolTravels(t *testing.T) {
	known := map[string]bool{}
	for _, m := range travellers {
		known[reflect.TypeOf(m).Name()] = true
	}
	f, err := parser.ParseFile(token.NewFileSet(), "protocol.go", nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	ast.Inspect(f, func(n ast.Node) bool {
		if spec, ok := n.(*ast.TypeSpec); ok && spec.Name.IsExported() {
			if _, ok := spec.Type.(*ast.StructType); ok && !known[spec.Name.Name] && !parts[spec.Name.Name] {
				t.Errorf("%s is no traveller: give it fields in protocol_wire.go, an item in codec.go, and a place in this test", spec.Name.Name)
			}
		}
		return true
	})
}

// fill gives every field a value that is not its zero, or at times its zero.
func fill(v reflect.Value, r *rand.Rand, all bool) {
	if !all && r.IntN(4) == 0 {
		return
	}
	text := func() string { return strings.Repeat("aé\x00", r.IntN(3)) + "." }
	switch v.Interface().(type) {
	case messages.ReportKind:
		v.SetUint(uint64(1 + r.IntN(int(messages.NotMine))))
		return
	case time.Duration:
		v.SetInt(r.Int64() - r.Int64())
		return
	}
	switch v.Kind() {
	case reflect.Struct:
		for i := range v.NumField() {
			fill(v.Field(i), r, all)
		}
	case reflect.String:
		v.SetString(text())
	case reflect.Int:
		v.SetInt(1 + int64(r.Int32N(1<<31-1)))
	case reflect.Int64:
		v.SetInt(r.Int64() - r.Int64())
	case reflect.Uint8: // a stream
		v.SetUint(uint64(1 + r.IntN(2)))
	case reflect.Bool:
		v.SetBool(true)
	case reflect.Float64:
		v.SetFloat(r.NormFloat64())
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		fill(v.Elem(), r, all)
	case reflect.Map:
		v.Set(reflect.ValueOf(map[string]string{"": "x", text(): text(), "é": ""}))
	case reflect.Slice:
		if v.Type().Elem().Kind() == reflect.Uint8 {
			v.SetBytes([]byte(strings.Repeat("\x00\xff", r.IntN(100))))
			return
		}
		for range 1 + r.IntN(3) {
			e := reflect.New(v.Type().Elem()).Elem()
			fill(e, r, all)
			v.Set(reflect.Append(v, e))
		}
	default:
		panic("fill: a field of kind " + v.Kind().String())
	}
}

// valid sets what a message always has.
func valid(v reflect.Value) {
	if k := v.FieldByName("Kind"); k.IsValid() && k.IsZero() {
		k.SetUint(1)
	}
	if s := v.FieldByName("Stream"); s.IsValid() && s.IsZero() {
		s.SetUint(1)
	}
}

func some(m any, r *rand.Rand, all bool) any {
	v := reflect.New(reflect.TypeOf(m)).Elem()
	for i := range v.NumField() {
		fill(v.Field(i), r, all)
	}
	valid(v)
	return v.Interface()
}

func trip(t *testing.T, b messages.Bundle) messages.Bundle {
	t.Helper()
	contentType, body, err := messages.Encode(b)
	if err != nil {
		t.Fatal(err)
	}
	got, err := messages.Decode(contentType, body)
	if err != nil {
		t.Fatalf("%v\n%#v\n%x", err, b, body)
	}
	return got.(messages.Bundle)
}

func TestWhatWasSentIsReadInEveryField(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for _, m := range travellers {
		t.Run(reflect.TypeOf(m).Name(), func(t *testing.T) {
			for i := range 500 {
				b := messages.Bundle{From: "n", Items: []any{some(m, r, i%2 == 0), some(m, r, false)}}
				if got := trip(t, b); !reflect.DeepEqual(got, b) {
					t.Fatalf("sent %#v\nread %#v", b, got)
				}
			}
		})
	}
}

func TestManyKindsTravelInOneBundleInTheirOrder(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	for range 200 {
		b := messages.Bundle{From: "w-1"}
		for range 1 + r.IntN(messages.MaxBundle) {
			b.Items = append(b.Items, some(travellers[r.IntN(len(travellers))], r, r.IntN(2) == 0))
		}
		if got := trip(t, b); !reflect.DeepEqual(got, b) {
			t.Fatalf("sent %#v\nread %#v", b, got)
		}
	}
}

// None and empty differ where it means something: no result is not an empty one.
func TestEmptyAndAbsent(t *testing.T) {
	for _, c := range []struct {
		name       string
		sent, read messages.Report
	}{
		{"no result and no failure", messages.Report{Kind: messages.Finished}, messages.Report{Kind: messages.Finished}},
		{"an empty result", messages.Report{Kind: messages.Finished, Result: []byte{}}, messages.Report{Kind: messages.Finished, Result: []byte{}}},
		{"an empty failure", messages.Report{Kind: messages.FailedRun, Failure: &attune.Failure{}}, messages.Report{Kind: messages.FailedRun, Failure: &attune.Failure{}}},
	} {
		t.Run(c.name, func(t *testing.T) {
			got := trip(t, messages.Bundle{Items: []any{c.sent}})
			if !reflect.DeepEqual(got.Items[0], c.read) {
				t.Fatalf("read %#v", got.Items[0])
			}
		})
	}
	if got := trip(t, messages.Bundle{Items: []any{messages.Registered{Runners: []string{}, Labels: map[string]string{}}}}); !reflect.DeepEqual(got.Items[0], messages.Registered{}) {
		t.Fatalf("an empty list is as good as none: %#v", got.Items[0])
	}
	if got := trip(t, messages.Bundle{}); !reflect.DeepEqual(got, messages.Bundle{}) {
		t.Fatalf("an empty bundle: %#v", got)
	}
}

func TestOnlyWhatTravelsIsEncoded(t *testing.T) {
	for _, m := range []any{nil, 1, "x", messages.Heartbeat{}, messages.Bundle{Items: []any{1}}, messages.Bundle{Items: []any{&messages.Heartbeat{}}}, messages.Bundle{Items: make([]any, messages.MaxBundle+1)}} {
		if _, body, err := messages.Encode(m); err == nil {
			t.Errorf("%#v is encoded: %x", m, body)
		}
	}
}

// The fields that the bundles of later builds may have.
func TestWhatIsNewerIsSkipped(t *testing.T) {
	_, old, _ := messages.Encode(messages.Bundle{From: "n", Items: []any{messages.Heartbeat{Worker: "w"}}})
	item := func(number protowire.Number, content []byte) []byte {
		return protowire.AppendBytes(protowire.AppendTag(nil, number, protowire.BytesType), content)
	}
	var dispatch []byte
	dispatch = append(dispatch, item(3, []byte("w"))...)
	dispatch = append(dispatch, item(22, []byte("secret"))...)
	dispatch = protowire.AppendVarint(protowire.AppendTag(dispatch, 100, protowire.VarintType), 7)
	dispatch = append(dispatch, item(101, []byte("newer"))...)
	report := protowire.AppendVarint(protowire.AppendTag(nil, 3, protowire.VarintType), 99)
	for _, c := range []struct {
		name  string
		added []byte
		want  []any
	}{
		{"a field of a message", item(21, dispatch), []any{messages.Dispatch{Worker: "w", APIToken: "secret"}}},
		{"a message", item(1000, []byte("anything")), nil},
		{"a field of the bundle", protowire.AppendVarint(protowire.AppendTag(nil, 15, protowire.VarintType), 1), nil},
		{"a kind of report", item(24, report), nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, err := messages.Decode(messages.BundleType, append(old[:len(old):len(old)], c.added...))
			if err != nil {
				t.Fatal(err)
			}
			want := messages.Bundle{From: "n", Items: append([]any{messages.Heartbeat{Worker: "w"}}, c.want...)}
			if !reflect.DeepEqual(got, want) {
				t.Fatalf("read %#v, want %#v", got, want)
			}
		})
	}
}

func TestWhatCannotBeReadIsInvalid(t *testing.T) {
	many := []byte{8, 1}
	for range messages.MaxBundle + 1 {
		many = append(many, 0x92, 1, 0) // an empty heartbeat
	}
	_, good, _ := messages.Encode(messages.Bundle{From: "n", Items: []any{messages.Dispatch{Worker: "w", Parameters: []byte("{}")}}})
	for _, c := range []struct {
		name, contentType string
		body              []byte
	}{
		{"nothing", messages.BundleType, nil},
		{"another content type", "application/json", []byte("{}")},
		{"a newer version", messages.BundleType, []byte{8, 2}},
		{"more items than a bundle has", messages.BundleType, many},
		{"a length beyond the end", messages.BundleType, []byte{8, 1, 0x92, 1, 0xff, 0xff, 0xff, 0xff, 0x0f}},
		{"a bundle that is cut", messages.BundleType, good[:len(good)-1]},
		{"a field out of order", messages.BundleType, []byte{8, 1, 0x92, 1, 6, 18, 1, 'a', 10, 1, 'b'}},
		{"a field of another kind", messages.BundleType, []byte{8, 1, 0x92, 1, 2, 8, 1}},
		{"a count below zero", messages.BundleType, []byte{8, 1, 0x92, 1, 11, 32, 255, 255, 255, 255, 255, 255, 255, 255, 255, 1}},
	} {
		t.Run(c.name, func(t *testing.T) {
			m, err := messages.Decode(c.contentType, c.body)
			var typed *attune.Error
			if !errors.As(err, &typed) || typed.Kind != attune.Invalid || m != nil {
				t.Fatalf("%#v, %v", m, err)
			}
		})
	}
}

// A bundle as version 1 wrote it: every later build reads it.
func TestBundlesOfTheFirstVersionAreRead(t *testing.T) {
	r := rand.New(rand.NewPCG(5, 6))
	want := messages.Bundle{From: "n-0123"}
	for _, m := range travellers {
		want.Items = append(want.Items, some(m, r, true))
	}
	golden := filepath.Join("testdata", "bundle-1.bin")
	_, body, err := messages.Encode(want)
	if err != nil {
		t.Fatal(err)
	}
	if *update {
		if err := os.WriteFile(golden, body, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	kept, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	got, err := messages.Decode(messages.BundleType, kept)
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Fatalf("%v\nread %#v\nwant %#v", err, got, want)
	}
	if string(body) != string(kept) {
		t.Error("the same bundle is written in other bytes: if a field was added, give it to version 1's readers in a file of its own")
	}
}

// Whatever arrives: no panic; what is read, can be written and read again alike.
func FuzzDecode(f *testing.F) {
	r := rand.New(rand.NewPCG(7, 8))
	for _, m := range travellers {
		_, body, err := messages.Encode(messages.Bundle{From: "n", Items: []any{some(m, r, true), some(m, r, false)}})
		if err != nil {
			f.Fatal(err)
		}
		f.Add(body)
	}
	f.Add([]byte{8, 1})
	f.Fuzz(func(t *testing.T, body []byte) {
		m, err := messages.Decode(messages.BundleType, body)
		if err != nil {
			if attune.KindOf(err) != attune.Invalid || m != nil {
				t.Fatalf("%#v, %v", m, err)
			}
			return
		}
		_, again, err := messages.Encode(m)
		if err != nil {
			t.Fatalf("what was read is not written: %v", err)
		}
		back, err := messages.Decode(messages.BundleType, again)
		if err != nil {
			t.Fatalf("what was written is not read: %v", err)
		}
		_, third, err := messages.Encode(back)
		if err != nil || string(third) != string(again) { // bytes: NaN is not equal to itself
			t.Fatalf("%#v\n%#v, %v", m, back, err)
		}
		for _, item := range m.(messages.Bundle).Items {
			if report, ok := item.(messages.Report); ok {
				_ = report.Kind.String()
			}
		}
	})
}

// dispatches is a full bundle as a node sends it.
func dispatches() messages.Bundle {
	b := messages.Bundle{From: "n-5f0c2f1e9a7b4c3d"}
	for i := range messages.MaxBundle {
		b.Items = append(b.Items, messages.Dispatch{
			Token:  attune.Token{Execution: attune.ExecutionID(attune.MakeID(60_000_000_000, 17, i)), Attempt: 1},
			Worker: "worker-1", Incarnation: "worker-1-5f0c2f1e", Node: "n-5f0c2f1e9a7b4c3d", Epoch: 12,
			Action: "core.echo", Pack: "core", Runner: "process", EntryPoint: "echo.py", Dir: "/var/lib/attune/packs/core/actions",
			Parameters: []byte(`{"message":"a text of some length, as parameters are","n":12345}`), Positional: []string{"message", "n"},
			Timeout: time.Minute, Grace: 10 * time.Second, Limits: attune.Resources{Memory: 1 << 29},
			Rule: "core.on_event", Trigger: "core.event", Traceparent: "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
			APIToken: "ex-06yk1nr080403.1.4bf92f3577b34da6a3ce929d0e0e4736",
		})
	}
	return b
}

func reports() messages.Bundle {
	b := messages.Bundle{From: "worker-1-5f0c2f1e"}
	for i := range messages.MaxBundle {
		b.Items = append(b.Items, messages.Report{
			Token: attune.Token{Execution: attune.ExecutionID(attune.MakeID(60_000_000_000, 17, i)), Attempt: 1},
			Kind:  messages.Finished, Worker: "worker-1", Incarnation: "worker-1-5f0c2f1e", Elapsed: 12 * time.Millisecond,
			Result: []byte(`{"stdout":"a text of some length","exit_code":0,"succeeded":true}`),
		})
	}
	return b
}

func BenchmarkCodec(b *testing.B) {
	for _, c := range []struct {
		name   string
		bundle messages.Bundle
	}{{"dispatches", dispatches()}, {"reports", reports()}} {
		_, body, err := messages.Encode(c.bundle)
		if err != nil {
			b.Fatal(err)
		}
		b.Run("encode 50 "+c.name, func(b *testing.B) {
			b.ReportAllocs()
			var m any = c.bundle
			for b.Loop() {
				_, _, _ = messages.Encode(m)
			}
			b.ReportMetric(float64(len(body)), "bytes/bundle")
		})
		b.Run("decode 50 "+c.name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				_, _ = messages.Decode(messages.BundleType, body)
			}
		})
	}
}
