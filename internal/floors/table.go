package floors

// A row gives one folder, with all below it that has no row of its own, its floor.
// A package imports only from lower floors and from its own row. Test files may also
// import from other rows of their own floor (a contract suite, an in-memory store),
// never from above.
type row struct {
	folder string
	floor  int
	apart  bool // its sub-folders never import each other
	below  bool // an implementation: only node, cmd, test and _test files import it
}

// house is the attic: programs and tests about the repository that nothing imports.
const house = 7

var rows = []row{
	{folder: ".", floor: 0},
	{folder: "messages", floor: 1},
	{folder: "expression", floor: 1},
	{folder: "secret", floor: 1},
	{folder: "rules", floor: 2},
	{folder: "workflow", floor: 2},
	{folder: "cluster", floor: 3},
	{folder: "persistence", floor: 3},
	{folder: "persistence/memory", floor: 3, below: true},
	{folder: "persistence/postgres", floor: 3, below: true},
	{folder: "persistence/sqlite", floor: 3, below: true},
	{folder: "messages/memory", floor: 3, below: true},
	{folder: "messages/rabbitmq", floor: 3, below: true},
	{folder: "messages/https", floor: 3, below: true},
	{folder: "worker", floor: 3},
	{folder: "telemetry", floor: 3},
	{folder: "packs", floor: 3},
	{folder: "actors", floor: 4, apart: true},
	{folder: "api", floor: 4},
	{folder: "node", floor: 5},
	{folder: "cmd", floor: 6},
	{folder: "test", floor: 6},
	{folder: "internal", floor: house},
	{folder: "internal/servers", floor: 0, below: true}, // real servers for tests of every floor
}

// wires are the rows that know every implementation.
var wires = []string{"node", "cmd", "test"}

// A home says which folders may import a library. Packages below test are guests
// everywhere: they drive things from outside.
type home struct {
	library string
	folders []string
	alone   bool // one package only, whichever comes first
	never   bool // nobody at all, tests included
}

const protoactor = "github.com/asynkron/protoactor-go"

// homes is read from the top; the first library that fits decides.
var homes = []home{
	{library: protoactor + "/cluster", never: true}, // stays split after a freeze, serves one identity twice
	{library: protoactor + "/plugin", never: true},  // leaks a goroutine per actor
	{library: protoactor + "/remote", folders: []string{"cluster"}},
	{library: protoactor, folders: []string{"actors", "node", "cluster"}}, // cluster: remote speaks in actor's types
	{library: "github.com/hashicorp/memberlist", folders: []string{"cluster"}},
	{library: "github.com/jackc", folders: []string{"persistence/postgres", "internal/servers"}}, // pgtest makes databases
	{library: "modernc.org/sqlite", folders: []string{"persistence/sqlite"}},
	{library: "github.com/rabbitmq/amqp091-go", folders: []string{"messages/rabbitmq"}},
	{library: "go.opentelemetry.io/otel", folders: []string{"telemetry"}},
	{library: "github.com/danielgtaylor/huma", folders: []string{"api"}},
	{library: "github.com/spf13/cobra", folders: []string{"cmd"}},
	{library: "github.com/nikolalohinski/gonja", folders: []string{"expression"}},
	{library: "github.com/dlclark/regexp2", folders: []string{"expression", "rules"}, alone: true},
	{library: "go.yaml.in/yaml", folders: []string{"packs", "rules", "expression"}, alone: true},
	{library: "github.com/santhosh-tekuri/jsonschema", folders: []string{"rules"}},
	{library: "gopkg.in/yaml", never: true},            // go.yaml.in/yaml instead: all errors at once, with column
	{library: "sigs.k8s.io/yaml", never: true},         // likewise
	{library: "github.com/goccy/go-yaml", never: true}, // likewise
}

// spawners are the folders that may start goroutines, each with an owner that waits
// for its end.
var spawners = []string{"node", "worker", "cluster", "messages/memory", "messages/rabbitmq", "messages/https", "cmd", "test", "internal/servers"}

// Budgets, in lines that are neither blank nor only a comment.
const (
	maxFileLines     = 600
	maxFuncLines     = 80
	maxTestFuncLines = 160 // a table of cases is long without being deep
	maxMethods       = 12
)

// vague are the words that say nothing about a file or folder.
var vague = []string{"manager", "helper", "util", "common", "base", "data", "info", "impl", "processor"}
