package storetest

import (
	"bytes"
	"fmt"

	"github.com/attune-automation/attune"
	"github.com/attune-automation/attune/persistence"
)

var catalogCases = map[string]func(f *fixture){
	"a definition is kept by its hash, the first for ever": func(f *fixture) {
		d := persistence.Definition{Hash: "h1", Kind: "action", Ref: "core.local", Body: []byte(`{"a": 1}`)}
		other := persistence.Definition{Hash: "h1", Kind: "rule", Ref: "core.other", Body: []byte(`{}`)}
		f.ok(f.s.PutDefinitions(f.ctx, []persistence.Definition{d}))
		f.ok(f.s.PutDefinitions(f.ctx, []persistence.Definition{other, {Hash: "h2", Body: []byte("{}")}}))
		got, err := f.s.Definition(f.ctx, "h1")
		f.ok(err)
		same(f, "definition", got, d)
		_, err = f.s.Definition(f.ctx, "h2")
		f.ok(err)
		_, err = f.s.Definition(f.ctx, "h3")
		f.kind(err, attune.NotFound)
		f.kind(f.s.PutDefinitions(f.ctx, []persistence.Definition{{Hash: "h4", Body: []byte("{")}}), attune.Invalid)
	},
	"an access token is created or replaced": func(f *fixture) {
		a := attune.AccessToken{Name: "b", Kind: attune.RoleAdmin, Roles: []attune.Role{attune.RoleAdmin, attune.RoleViewer}, Hash: "1", Created: at(1)}
		b := attune.AccessToken{Name: "a", Kind: attune.RoleWorker, Hash: "2", Created: at(2)}
		f.ok(f.s.PutAccessToken(f.ctx, a))
		f.ok(f.s.PutAccessToken(f.ctx, b))
		a.Hash, a.Roles = "3", []attune.Role{attune.RoleViewer}
		f.ok(f.s.PutAccessToken(f.ctx, a))
		got, err := f.s.AccessTokens(f.ctx)
		f.ok(err)
		same(f, "tokens", fmt.Sprintf("%+v", got), fmt.Sprintf("%+v", []attune.AccessToken{b, a}))
		a.Name = "\x00"
		f.kind(f.s.PutAccessToken(f.ctx, a), attune.Invalid)
		f.kind(f.s.AddAccessToken(f.ctx, a), attune.Invalid)
	},
	"an access token is added once, and deleted": func(f *fixture) {
		a := attune.AccessToken{Name: "a", Kind: attune.RoleViewer, Roles: []attune.Role{attune.RoleViewer}, Hash: "1", Created: at(1), By: "admin", Expires: at(9)}
		f.ok(f.s.AddAccessToken(f.ctx, a))
		other := a
		other.Hash, other.By = "2", "somebody"
		f.kind(f.s.AddAccessToken(f.ctx, other), attune.Conflict)
		got, err := f.s.AccessTokens(f.ctx)
		f.ok(err)
		same(f, "tokens", got, []attune.AccessToken{a})
		f.ok(f.s.DeleteAccessToken(f.ctx, "a"))
		f.kind(f.s.DeleteAccessToken(f.ctx, "a"), attune.NotFound)
		got, err = f.s.AccessTokens(f.ctx)
		f.ok(err)
		same(f, "how many tokens", len(got), 0)
		f.ok(f.s.AddAccessToken(f.ctx, other))
	},
}

var outputCases = map[string]func(f *fixture){
	"chunks come in any order and are read as a stream": func(f *fixture) {
		token := attune.Token{Execution: f.newExecution(1).ID, Attempt: 1}
		chunk := func(offset int64, data string) persistence.OutputChunk {
			return persistence.OutputChunk{Token: token, Stream: persistence.Stdout, Offset: offset, Data: []byte(data)}
		}
		f.ok(f.s.AppendOutput(f.ctx, []persistence.OutputChunk{chunk(0, "hello ")}))
		f.ok(f.s.AppendOutput(f.ctx, []persistence.OutputChunk{chunk(12, "again")}))
		f.output(token, 0, 100, "hello ") // up to the gap
		f.output(token, 6, 100, "")
		f.ok(f.s.AppendOutput(f.ctx, []persistence.OutputChunk{chunk(6, "world\n"), chunk(0, "hello ")}))
		for _, c := range []struct {
			offset int64
			limit  int
			want   string
		}{{0, 100, "hello world\nagain"}, {3, 100, "lo world\nagain"}, {6, 3, "wor"}, {4, 5, "o wor"}, {17, 10, ""}, {99, 10, ""}, {0, 0, ""}} {
			f.output(token, c.offset, c.limit, c.want)
		}
	},
	"writing a chunk again changes nothing": func(f *fixture) {
		c := persistence.OutputChunk{Token: attune.Token{Execution: 7, Attempt: 1}, Stream: persistence.Stdout, Data: []byte("once")}
		for range 3 {
			f.ok(f.s.AppendOutput(f.ctx, []persistence.OutputChunk{c, c}))
		}
		f.output(c.Token, 0, 100, "once")
		c.Data = nil
		f.ok(f.s.AppendOutput(f.ctx, []persistence.OutputChunk{c}))
		f.output(c.Token, 0, 100, "once")
	},
	"an empty chunk takes no place": func(f *fixture) {
		c := persistence.OutputChunk{Token: attune.Token{Execution: 7, Attempt: 1}, Stream: persistence.Stdout}
		f.ok(f.s.AppendOutput(f.ctx, []persistence.OutputChunk{c}))
		c.Data = []byte("text")
		f.ok(f.s.AppendOutput(f.ctx, []persistence.OutputChunk{c}))
		f.output(c.Token, 0, 100, "text")
	},
	"a stream that was cut anew has no gap": func(f *fixture) {
		token := attune.Token{Execution: 7, Attempt: 1}
		for _, c := range []struct {
			offset int64
			data   string
		}{{0, "abc"}, {0, "abcdef"}, {4, "efgh"}, {6, "ghij"}, {0, "ab"}} {
			f.ok(f.s.AppendOutput(f.ctx, []persistence.OutputChunk{{Token: token, Stream: persistence.Stdout, Offset: c.offset, Data: []byte(c.data)}}))
		}
		f.output(token, 0, 100, "abcdefghij")
	},
	"streams and attempts are apart, and hold any bytes": func(f *fixture) {
		x := attune.ExecutionID(7)
		raw := []byte{0, 255, 1}
		f.ok(f.s.AppendOutput(f.ctx, []persistence.OutputChunk{
			{Token: attune.Token{Execution: x, Attempt: 1}, Stream: persistence.Stdout, Data: raw},
			{Token: attune.Token{Execution: x, Attempt: 1}, Stream: persistence.Stderr, Data: []byte("err")},
			{Token: attune.Token{Execution: x, Attempt: 2}, Stream: persistence.Stdout, Data: []byte("two")},
		}))
		raw[0] = 9 // the store has its own copy
		got, err := f.s.ReadOutput(f.ctx, attune.Token{Execution: x, Attempt: 1}, persistence.Stdout, 0, 10)
		f.ok(err)
		if !bytes.Equal(got, []byte{0, 255, 1}) {
			f.Fatalf("output %v", got)
		}
		f.output(attune.Token{Execution: x, Attempt: 2}, 0, 10, "two")
	},
	"a wrong chunk is invalid": func(f *fixture) {
		f.kind(f.s.AppendOutput(f.ctx, []persistence.OutputChunk{{Stream: persistence.Stdout, Offset: -1}}), attune.Invalid)
		f.kind(f.s.AppendOutput(f.ctx, []persistence.OutputChunk{{Stream: 9}}), attune.Invalid)
	},
	"output is not fenced": func(f *fixture) {
		f.take("node-1", "node-2", true)
		f.ok(f.s.AppendOutput(f.ctx, []persistence.OutputChunk{{Token: attune.Token{Execution: 7, Attempt: 1}, Stream: persistence.Stdout, Data: []byte("x")}}))
	},
}

func (f *fixture) output(token attune.Token, offset int64, limit int, want string) {
	f.Helper()
	got, err := f.s.ReadOutput(f.ctx, token, persistence.Stdout, offset, limit)
	f.ok(err)
	if string(got) != want {
		f.Fatalf("output from %d, %d bytes: %q, want %q", offset, limit, got, want)
	}
}
