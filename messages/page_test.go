package messages_test

import (
	"encoding/json"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"reflect"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/attune-automation/attune"
	"github.com/attune-automation/attune/messages"
)

const (
	page  = "../docs/messages.md"
	begin = "<!-- generated: messages -->\n"
	end   = "<!-- generated: end of messages -->\n"
)

// TestThePageOfMessages keeps the page true: its schemas and examples are those
// of the Go types.
//
//	go test ./messages -run TestThePageOfMessages -update
func TestThePageOfMessages(t *testing.T) {
	was, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	head, rest, ok := strings.Cut(string(was), begin)
	_, tail, ok2 := strings.Cut(rest, end)
	if !ok || !ok2 {
		t.Fatalf("%s has not the markers %q and %q", page, begin, end)
	}
	is := head + begin + generated(t) + end + tail
	if is == string(was) {
		return
	}
	if !*update {
		t.Fatalf("%s is not what the types say; rewrite it with: go test ./messages -run TestThePageOfMessages -update", page)
	}
	if err := os.WriteFile(page, []byte(is), 0o644); err != nil {
		t.Fatal(err)
	}
}

// TestTheExamplesOfThePageAreRead takes the page as a client's author would.
func TestTheExamplesOfThePageAreRead(t *testing.T) {
	text, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	read := map[string]bool{}
	for _, block := range regexp.MustCompile("(?s)```json\n(.*?)```").FindAllSubmatch(text, -1) {
		var e struct {
			Type string `json:"message_type"`
		}
		if json.Unmarshal(block[1], &e) != nil || e.Type == "" {
			continue // a schema
		}
		if _, err := messages.ReadEnvelope(e.Type, messages.Outside{ContentType: messages.JSONType, Body: block[1]}); err != nil {
			t.Errorf("%s: %v", e.Type, err)
		}
		read[e.Type] = true
	}
	for _, e := range examples() {
		if !read[e.MessageType] {
			t.Errorf("the page has no example of %s", e.MessageType)
		}
	}
}

func generated(t *testing.T) string {
	c := comments(t)
	var b strings.Builder
	b.WriteString("## Envelope\n\n" + block(t, c.schema(reflect.TypeFor[messages.Envelope]())))
	for i, m := range messages.Contract {
		payload := m.New()
		kind := reflect.TypeOf(payload).Elem()
		who := "you publish it"
		if !m.Taken {
			who = "you bind to it"
		}
		fmt.Fprintf(&b, "\n## %s\n\nExchange `%s`, version %d: %s. %s\n\nIts payload:\n\n%s\nAn example:\n\n%s",
			strings.ReplaceAll(m.Type, "<", `\<`), m.Exchange, m.Version, who, c.text(kind.Name(), ""), block(t, c.schema(kind)), block(t, examples()[i]))
	}
	return b.String()
}

func block(t *testing.T, v any) string {
	var b strings.Builder
	e := json.NewEncoder(&b)
	e.SetIndent("", "  ")
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		t.Fatal(err)
	}
	return "```json\n" + b.String() + "```\n"
}

// documented is what the source says of types and their fields, by type.field.
type documented map[string]string

func comments(t *testing.T) documented {
	found := documented{}
	for _, file := range []string{"envelope.go", "contract.go", "announcements.go"} {
		f, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.ParseComments)
		if err != nil {
			t.Fatal(err)
		}
		for _, d := range f.Decls {
			g, ok := d.(*ast.GenDecl)
			if !ok {
				continue
			}
			for _, s := range g.Specs {
				s, ok := s.(*ast.TypeSpec)
				if !ok {
					continue
				}
				found[s.Name.Name+"."] = g.Doc.Text()
				if fields, ok := s.Type.(*ast.StructType); ok {
					found.take(s.Name.Name, fields)
				}
			}
		}
	}
	return found
}

// take notes the comments of fields; one without goes with the one before.
func (d documented) take(name string, fields *ast.StructType) {
	before := ""
	for _, f := range fields.Fields.List {
		if f.Doc != nil {
			before = f.Doc.Text()
		}
		for _, n := range f.Names {
			d[name+"."+n.Name] = before
		}
	}
}

// text is a comment in one line, its references without brackets.
func (d documented) text(typeName, field string) string {
	text := strings.Join(strings.Fields(d[typeName+"."+field]), " ")
	if field == "" {
		text = strings.TrimPrefix(text, typeName+" ")
		text = strings.ToUpper(text[:1]) + text[1:]
	}
	return strings.NewReplacer("[", "", "]", "").Replace(text)
}

type schema struct {
	Type        string        `json:"type,omitempty"`
	Format      string        `json:"format,omitempty"`
	Pattern     string        `json:"pattern,omitempty"`
	Enum        []string      `json:"enum,omitempty"`
	MaxLength   int           `json:"maxLength,omitempty"`
	Minimum     *int          `json:"minimum,omitempty"`
	Description string        `json:"description,omitempty"`
	Required    []string      `json:"required,omitempty"`
	Properties  orderedFields `json:"properties,omitempty"`
}

// orderedFields are written in the order of the struct.
type orderedFields []property

type property struct {
	name string
	of   *schema
}

func (o orderedFields) MarshalJSON() ([]byte, error) {
	var b strings.Builder
	for i, p := range o {
		one, err := json.Marshal(p.of)
		if err != nil {
			return nil, err
		}
		fmt.Fprintf(&b, "%s%q:%s", map[bool]string{true: ","}[i > 0], p.name, one)
	}
	return []byte("{" + b.String() + "}"), nil
}

var atMost = regexp.MustCompile(`At most (\d+) bytes`)

func (d documented) schema(t reflect.Type) *schema {
	s := &schema{Type: "object"}
	for i := range t.NumField() {
		f := t.Field(i)
		name, options, _ := strings.Cut(f.Tag.Get("json"), ",")
		if name == "-" || name == "" {
			continue
		}
		one := d.field(f)
		if one.Description = inJSON(t, d.text(t.Name(), f.Name)); one.Description == "" {
			panic(t.Name() + "." + f.Name + " has no comment")
		}
		if m := atMost.FindStringSubmatch(one.Description); m != nil {
			one.MaxLength, _ = strconv.Atoi(m[1])
		}
		if !strings.HasPrefix(options, "omit") {
			s.Required = append(s.Required, name)
		}
		s.Properties = append(s.Properties, property{name, one})
	}
	return s
}

// inJSON says the names of fields as JSON does.
func inJSON(t reflect.Type, text string) string {
	for i := range t.NumField() {
		f := t.Field(i)
		name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
		text = strings.ReplaceAll(text, "At most", "\x00")
		text = regexp.MustCompile(`\b`+f.Name+`\b`).ReplaceAllString(text, name)
		text = strings.ReplaceAll(text, "\x00", "At most")
	}
	return text
}

func (d documented) field(f reflect.StructField) *schema {
	id := func(prefix string) *schema {
		return &schema{Type: "string", Pattern: "^" + prefix + "-[0-9a-hjkmnp-tv-z]{13}$"}
	}
	switch f.Type {
	case reflect.TypeFor[time.Time]():
		return &schema{Type: "string", Format: "date-time"}
	case reflect.TypeFor[attune.EventID]():
		return id("ev")
	case reflect.TypeFor[attune.ExecutionID]():
		return id("ex")
	case reflect.TypeFor[attune.Status]():
		s := &schema{Type: "string"}
		for _, status := range attune.Statuses() {
			if f.Name != "Status" || status.Terminal() {
				s.Enum = append(s.Enum, status.String())
			}
		}
		return s
	case reflect.TypeFor[messages.Headers]():
		return d.schema(f.Type)
	case reflect.TypeFor[messages.Payload](), reflect.TypeFor[*attune.Failure]():
		return &schema{Type: "object"}
	case reflect.TypeFor[json.RawMessage]():
		if f.Name == "Parameters" {
			return &schema{Type: "object"}
		}
		return &schema{} // anything
	}
	if f.Type.Kind() == reflect.String {
		if f.Name == "MessageID" {
			return &schema{Type: "string", Format: "uuid"}
		}
		return &schema{Type: "string"}
	}
	least := 0
	if f.Name == "Version" {
		least = 1
	}
	return &schema{Type: "integer", Minimum: &least}
}
