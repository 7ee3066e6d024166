package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"regexp"
	"slices"
	"strings"
)

// writeYAML writes v as YAML, in the order and with the names of its JSON form.
// All text but the plainest is quoted as in JSON, which is YAML too, so that
// nothing is read back as another type.
func writeYAML(w io.Writer, v any) error {
	b, err := json.Marshal(v)
	if err != nil {
		return err
	}
	d := json.NewDecoder(bytes.NewReader(b))
	d.UseNumber()
	doc, err := ordered(d)
	if err != nil {
		return err
	}
	var out strings.Builder
	yamlValue(&out, doc, "")
	_, err = io.WriteString(w, strings.TrimLeft(out.String(), "\n "))
	return err
}

// field is a member of an object, in its place.
type field struct {
	name  string
	value any
}

// ordered reads one JSON value; objects become []field.
func ordered(d *json.Decoder) (any, error) {
	token, err := d.Token()
	if err != nil {
		return nil, err
	}
	switch token {
	case json.Delim('{'):
		fields := []field{}
		for d.More() {
			name, err := d.Token()
			if err != nil {
				return nil, err
			}
			value, err := ordered(d)
			if err != nil {
				return nil, err
			}
			fields = append(fields, field{name.(string), value})
		}
		_, err = d.Token()
		return fields, err
	case json.Delim('['):
		list := []any{}
		for d.More() {
			value, err := ordered(d)
			if err != nil {
				return nil, err
			}
			list = append(list, value)
		}
		_, err = d.Token()
		return list, err
	}
	return token, nil
}

// plain is text that no YAML reader takes for anything but text.
var plain = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_./@-]*$`)

// notText are plain words that some reader takes for something else.
var notText = []string{"null", "true", "false", "yes", "no", "on", "off", "y", "n"}

func yamlText(s string) string {
	if plain.MatchString(s) && !slices.Contains(notText, strings.ToLower(s)) {
		return s
	}
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	_ = enc.Encode(s) // of a string
	return strings.TrimSuffix(b.String(), "\n")
}

// yamlValue writes a value behind "key:" or "-": on the same line if it is
// short, else from the next line on.
func yamlValue(out *strings.Builder, v any, indent string) {
	switch v := v.(type) {
	case []field:
		if len(v) == 0 {
			out.WriteString(" {}\n")
			return
		}
		out.WriteString("\n")
		for _, f := range v {
			out.WriteString(indent + yamlText(f.name) + ":")
			yamlValue(out, f.value, indent+"  ")
		}
	case []any:
		if len(v) == 0 {
			out.WriteString(" []\n")
			return
		}
		out.WriteString("\n")
		for _, one := range v {
			var item strings.Builder
			yamlValue(&item, one, indent+"  ")
			text := item.String()
			if strings.HasPrefix(text, "\n") { // begin on the line of the dash
				text = " " + strings.TrimPrefix(text, "\n"+indent+"  ")
			}
			out.WriteString(indent + "-" + text)
		}
	case string:
		out.WriteString(" " + yamlText(v) + "\n")
	case nil:
		out.WriteString(" null\n")
	default:
		fmt.Fprintf(out, " %v\n", v)
	}
}
