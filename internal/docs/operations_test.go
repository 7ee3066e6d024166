package docs

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"maps"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/attune-automation/attune/messages"
)

// literals are the texts that the product's code holds, one per line.
func literals(t *testing.T) string {
	t.Helper()
	var all strings.Builder
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		name := d.Name()
		switch {
		case err != nil:
			return err
		case d.IsDir() && (name == "test" || name == "internal" || name == "tools" || name == "testdata" || name == "bin" || strings.HasPrefix(name, ".") && len(name) > 2):
			return filepath.SkipDir
		case d.IsDir() || filepath.Ext(name) != ".go" || strings.HasSuffix(name, "_test.go"):
			return nil
		}
		file, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.SkipObjectResolution)
		if err != nil {
			return err
		}
		ast.Inspect(file, func(n ast.Node) bool {
			if l, ok := n.(*ast.BasicLit); ok && l.Kind == token.STRING {
				if text, err := strconv.Unquote(l.Value); err == nil {
					all.WriteString("\n" + strings.ReplaceAll(text, "\n", " "))
				}
			}
			return true
		})
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return all.String() + "\n"
}

var (
	logLine   = regexp.MustCompile("\\blog `([^`]+)`")
	errorCode = regexp.MustCompile("(?:\\bcode|\\b[45]\\d\\d|[45]\\d\\d `\\w+` or|exit 64|exit 5) `([a-z_]+)`")
	alertName = regexp.MustCompile("\\balert `(\\w+)`")
	firstCell = regexp.MustCompile("`([^`]+)`")
)

// What a page says that an operator sees in the log or an answer must come from
// the code: a line is written log `text`, or stands in the table below Logs.
func TestWhatOperatorsSeeIsInTheCode(t *testing.T) {
	texts := literals(t)
	alerts := read(t, "deploy/prometheus/alerts.yaml")
	lines, codes := 0, 0
	for _, p := range pages(t) {
		inLogs := false
		for _, l := range p.prose {
			if heading.MatchString(l.text) {
				inLogs = l.text == "## Logs"
			}
			said := logLine.FindAllStringSubmatch(l.text, -1)
			if cells := strings.Split(l.text, " | "); inLogs && strings.HasPrefix(l.text, "| `") {
				said = append(said, firstCell.FindAllStringSubmatch(cells[0], -1)...)
			}
			for _, m := range said {
				lines++
				if !strings.Contains(texts, m[1]) {
					t.Errorf("%s:%d: no code logs %q", p.path, l.number, m[1])
				}
			}
			for _, m := range errorCode.FindAllStringSubmatch(l.text, -1) {
				codes++
				if !strings.Contains(texts, "\n"+m[1]+"\n") {
					t.Errorf("%s:%d: no code answers %q", p.path, l.number, m[1])
				}
			}
			for _, m := range alertName.FindAllStringSubmatch(l.text, -1) {
				if !strings.Contains(alerts, "alert: "+m[1]+"\n") {
					t.Errorf("%s:%d: there is no alert %s", p.path, l.number, m[1])
				}
			}
		}
	}
	if lines < 30 || codes < 8 {
		t.Errorf("only %d lines of the log and %d codes were found", lines, codes)
	}
}

var (
	drawnExchange = regexp.MustCompile(`\{\{(attune\.[a-z]+)\}\}`)
	drawnQueue    = regexp.MustCompile(`\{\{(attune\.[a-z]+)\}\} --> \w+\[\["queue (attune\.[a-z]+)"\]\]`)
)

func TestTheDrawingOfMessagesIsThatOfTheCode(t *testing.T) {
	_, drawing, _ := strings.Cut(read(t, "docs/operations.md"), "<!-- drawing: messages -->\n")
	drawing, _, _ = strings.Cut(drawing, "\n```\n")
	drawn := map[messages.Exchange]bool{}
	for _, m := range drawnExchange.FindAllStringSubmatch(drawing, -1) {
		drawn[messages.Exchange(m[1])] = true
	}
	there := map[messages.Exchange]bool{}
	for exchange := range messages.Topology {
		there[exchange] = true
	}
	if !maps.Equal(drawn, there) {
		t.Errorf("drawn are the exchanges %v, there are %v", drawn, there)
	}
	queues := map[messages.Queue]messages.Exchange{}
	for _, m := range drawnQueue.FindAllStringSubmatch(drawing, -1) {
		queues[messages.Queue(m[2])] = messages.Exchange(m[1])
	}
	for queue, binding := range messages.Queues {
		if queues[queue] != binding.Exchange {
			t.Errorf("the queue %s is drawn behind %q, and is bound to %s", queue, queues[queue], binding.Exchange)
		}
		for _, key := range binding.Keys {
			if key != "#" && !strings.Contains(drawing, key) {
				t.Errorf("%s is not drawn", key)
			}
		}
	}
	if len(queues) != len(messages.Queues) {
		t.Errorf("drawn are the queues %v", queues)
	}
}
