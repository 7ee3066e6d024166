package runners_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/attune-automation/attune/messages"
)

// tellArguments prints what the script was given, one argument in brackets a
// line.
const tellArguments = "#!/bin/sh\nfor a; do printf '[%s]\\n' \"$a\"; done\n"

func TestHowParametersReachAScript(t *testing.T) {
	t.Parallel()
	p, pack := open(t, t.TempDir()), t.TempDir()
	for name, mode := range map[string]os.FileMode{"args.sh": 0o755, "plain.sh": 0o644} {
		if err := os.WriteFile(filepath.Join(pack, name), []byte(tellArguments), mode); err != nil {
			t.Fatal(err)
		}
	}
	const hostile = "$(touch x); `id` 'a' \"b\" \\ * ~ $HOME\n--c=d\t|&>"
	for n, c := range []struct {
		name       string
		parameters string
		positional []string
		want       string // the arguments, each behind a bar
	}{
		{"nothing", `{}`, nil, ""},
		{"named, in order of name", `{"b":"2","a":"x y"}`, nil, "|--a=x y|--b=2"},
		{"null and empty are left out", `{"a":null,"b":"","c":"0"}`, nil, "|--c=0"},
		{"true is a bare flag, false is left out", `{"on":true,"off":false}`, nil, "|--on"},
		{"numbers as they were written", `{"i":12345678901234567890,"f":1.50,"z":0}`, nil, "|--f=1.50|--i=12345678901234567890|--z=0"},
		{"lists and objects as JSON", `{"l":["<a>",1],"o":{"k":null},"e":[]}`, nil, `|--e=[]|--l=["<a>",1]|--o={"k":null}`},
		{"its runner's own are none", `{"cwd":"/","env":{"A":"b"},"timeout":60,"kwarg_op":"--","sudo":false,"sudo_password":"x","a":1}`, []string{"timeout"}, "|--a=1"},
		{"ENV and Sudo are its own affair", `{"ENV":"prod","Sudo":true,"Kwarg_Op":"+"}`, nil, "|--ENV=prod|--Kwarg_Op=+|--Sudo"},
		{"another operator", `{"kwarg_op":"-","a":1,"b":true}`, nil, "|-a=1|-b"},
		{"no operator", `{"kwarg_op":"","a":1,"b":true}`, nil, "|a=1|b"},
		{"null is the usual operator", `{"kwarg_op":null,"a":1}`, nil, "|--a=1"},
		{"places behind names", `{"z":"last","p":"one","q":2}`, []string{"q", "p"}, "|--z=last|2|one"},
		{"those behind a gap keep their place", `{"c":"x","b":null}`, []string{"a", "b", "c", "d"}, "|||x|"},
		{"booleans with a place", `{"a":true,"b":false}`, []string{"a", "b"}, "|1|0"},
		{"lists and objects with a place", `{"l":["a",1,null,true,{"k":1}],"o":{"k":"v w"},"e":[]}`, []string{"l", "o", "e"}, `|a,1,,true,{"k":1}|{"k":"v w"}|`},
		{"hostile, named", marshal(object{"a": hostile}), nil, "|--a=" + hostile},
		{"hostile, with a place", marshal(object{"a": hostile}), []string{"a"}, "|" + hostile},
	} {
		for i, entry := range []string{"args.sh", "plain.sh"} {
			d := dispatch(2*n+i+1, nil)
			d.Parameters, d.Positional, d.EntryPoint, d.Dir = []byte(c.parameters), c.positional, entry, pack
			e := start(t, p.Script(), d).ended()
			var lines strings.Builder
			for _, a := range strings.Split(c.want, "|")[1:] {
				lines.WriteString("[" + a + "]\n")
			}
			if c.name[0] == 'h' {
				lines.Reset()
				lines.WriteString("[" + c.want[1:] + "]\n")
			}
			want := marshal(object{"stdout": strings.TrimSuffix(lines.String(), "\n"), "stderr": "", "return_code": 0, "succeeded": true, "failed": false})
			if e.End != messages.Finished || marshal(decoded(t, e.Result)) != want {
				t.Errorf("%s, %s: %s (%s)\ngot  %s\nwant %s", c.name, entry, e.End, e.Reason, e.Result, want)
			}
		}
	}
	if files, err := os.ReadDir(pack); err != nil || len(files) != 2 {
		t.Errorf("a value became a command: %v %v", files, err)
	}
}

func marshal(v any) string {
	b, err := json.Marshal(v)
	if err != nil {
		panic(err)
	}
	return string(b)
}

func decoded(t *testing.T, document []byte) (o object) {
	t.Helper()
	if err := json.Unmarshal(document, &o); err != nil {
		t.Errorf("%s: %v", document, err)
	}
	return o
}

func TestTheEndOfAScript(t *testing.T) {
	t.Parallel()
	p, pack := open(t, t.TempDir()), t.TempDir()
	script := "#!/bin/sh\n[ \"$1\" = --size ] && { echo ${#2}; exit; }\necho \"{\\\"dir\\\": \\\"$PWD\\\", \\\"a\\\": \\\"$A\\\", \\\"pack\\\": \\\"$ST2_ACTION_PACK_NAME\\\"}\"\nexit 3\n"
	for name, text := range map[string]string{"s.sh": script, "none": "echo"} {
		if err := os.WriteFile(filepath.Join(pack, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	long := strings.Repeat("x", 128<<10-1)
	const bad = `,"stderr":"","return_code":3,"succeeded":false,"failed":true,"error":"the exit code is 3"}`
	for n, c := range []struct {
		name, entry string
		parameters  object
		end         messages.ReportKind
		result      string
	}{
		{"its document, folder and environment", "s.sh", object{"env": object{"A": "x y"}}, messages.FailedRun, `{"stdout":{"dir":"` + pack + `","a":"x y","pack":"p"}` + bad},
		{"another folder", "s.sh", object{"cwd": "/usr"}, messages.FailedRun, `{"stdout":{"dir":"/usr","a":"","pack":"p"}` + bad},
		{"the longest argument", "s.sh", object{"size": true, "p": long}, messages.Finished, `{"stdout":131071,"stderr":"","return_code":0,"succeeded":true,"failed":false}`},
		{"a longer one", "s.sh", object{"p": long + "x"}, messages.RefusedRun, ""},
		{"a NUL", "s.sh", object{"a": "x\x00y"}, messages.RefusedRun, ""},
		{"an environment that is none", "s.sh", object{"env": "A=b"}, messages.RefusedRun, ""},
		{"no program", "none", object{}, messages.RefusedRun, ""},
		{"outside of its pack", "../s.sh", object{}, messages.RefusedRun, ""},
		{"missing", "nothing", object{}, messages.RefusedRun, ""},
	} {
		d := dispatch(n+1, c.parameters)
		d.EntryPoint, d.Dir, d.Positional = c.entry, pack, []string{"p"}
		e := start(t, p.Script(), d).ended()
		if e.End != c.end || string(e.Result) != c.result || (e.End == messages.RefusedRun) != (e.Reason != "") || len(e.Reason) > 500 {
			t.Errorf("%s: %s (%s)\ngot  %s\nwant %s", c.name, e.End, e.Reason, e.Result, c.result)
		}
	}
}
