package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"strings"
)

// assignments reads parameters from the command line: a JSON object from
// --json or from an argument @file, then name=text and name:=JSON over it. The
// server casts text to the type that is declared.
func (p *program) assignments(document string, args []string) (json.RawMessage, error) {
	values := map[string]json.RawMessage{}
	var whole json.RawMessage
	for _, source := range append([]string{document}, args...) {
		if source == "" || source != document && !strings.HasPrefix(source, "@") {
			continue
		}
		doc, err := p.document(source)
		if err != nil {
			return nil, err
		}
		whole = doc
		if err := json.Unmarshal(doc, &values); err != nil || values == nil {
			values = nil
		}
	}
	for _, a := range args {
		if strings.HasPrefix(a, "@") {
			continue
		}
		name, value, ok := strings.Cut(a, "=")
		typed := strings.HasSuffix(name, ":")
		name = strings.TrimSuffix(name, ":")
		if !ok || name == "" {
			return nil, usage(fmt.Sprintf("%q is not name=value", a), "name=text, or name:=JSON for a number, list or object")
		}
		if values == nil {
			return nil, usage("name=value needs a JSON object to go into", "an object in --json")
		}
		if !typed {
			values[name], _ = json.Marshal(value) // of a string
		} else if values[name] = json.RawMessage(value); !json.Valid(values[name]) {
			return nil, usage(fmt.Sprintf("%s is not JSON: %s", name, value), fmt.Sprintf("%s=%s for text", name, value))
		}
	}
	if values == nil {
		return whole, nil
	}
	return json.Marshal(values)
}

// document is JSON as it was typed, from @file, or with @- from standard input.
func (p *program) document(source string) (json.RawMessage, error) {
	b := []byte(source)
	var err error
	if name, ok := strings.CutPrefix(source, "@"); ok {
		if name == "-" {
			b, err = io.ReadAll(p.in)
		} else {
			b, err = os.ReadFile(name)
		}
		if err != nil {
			return nil, usage(err.Error(), "@FILE, or @- for standard input")
		}
	} else {
		source = "--json"
	}
	b = bytes.TrimSpace(b)
	var doc any
	if err := json.Unmarshal(b, &doc); err != nil {
		return nil, usage(fmt.Sprintf("%s is not JSON: %v", source, err), `{"name": "value"}`)
	}
	return b, nil
}
