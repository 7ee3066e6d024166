package check

import "time"

// Input is everything that is judged. Moments are virtual time since the begin
// of the run; Seq numbers order everything that was noted, across all parts.
type Input struct {
	// Plan is what the run was to hold, Counts what it held, by word.
	Plan   Plan
	Counts map[string]int
	// Rules are the rules the events were judged by.
	Rules []Rule
	// Limits are those of each action, by its ref; a rule or an offer may have
	// others.
	Limits map[string]Limits

	// What clients did and were told.
	Offers  []Offer
	Cancels []Cancel

	// The rows at the end.
	Events       []Event
	Enforcements []Enforcement
	Executions   []Execution
	Partitions   []Partition

	// Versions is every stored state of an execution, in the order of commits;
	// EventSeq when an event's row was first stored.
	Versions []Version
	EventSeq map[int64]int64
	// Flushes and TakeOvers say who wrote, and whose lease was made dead.
	Flushes   []Flush
	TakeOvers []TakeOver

	// Runs is the ledger: what really ran.
	Runs []Run
	// Announced is what a listener of execution.completed heard.
	Announced []Announcement
}

// Plan is the least that makes a run worth judging. A run below it proves
// nothing and is refused.
type Plan struct {
	// Events and Requests are how many clients offered.
	Events, Requests int
	// Counts is the least of each kind of fault or coincidence.
	Counts map[string]int
}

// Offer is one event or direct execution that a client wants admitted, over
// all its tries.
type Offer struct {
	// N is its number, which its payload or parameters carry.
	N int64
	// Event tells an event from a direct request.
	Event bool
	// Key is its dedupe key, or empty.
	Key   string
	Tries []Try
	// Within is its own deadline, from its request on; zero takes the action's.
	Within time.Duration
}

// Limits are the times that an execution is held to.
type Limits struct {
	// Timeout limits an attempt, Within all of them from the request on; zero is
	// no limit.
	Timeout, Within time.Duration
	// MaxAttempts, On, Delay, Backoff, MaxDelay, Jitter are the retry; On are
	// failed, timeout, abandoned.
	MaxAttempts     int
	On              []string
	Delay, MaxDelay time.Duration
	Backoff         string
	Jitter          float64
}

// Try is one time it was offered.
type Try struct {
	// Try is its number, which the payload carries too.
	Try int64
	// Outcome is what the client was told.
	Outcome Outcome
	// ID is the answered id, Duplicate as answered.
	ID        int64
	Duplicate bool
	// Seq is when the answer came.
	Seq int64
}

// Outcome is what became of a try, as the client knows.
type Outcome string

// The outcomes of a try.
const (
	Acknowledged Outcome = "acknowledged"
	// Refused: the answer was an error, so nothing may be stored.
	Refused Outcome = "refused"
	// Unheard: no answer came, or it was lost.
	Unheard Outcome = "unheard"
)

// Cancel is a request to end an execution that was answered without an error.
type Cancel struct {
	Execution int64
	// Status is that of the answered row, Version its version.
	Status  string
	Version int64
}

// Event is a row.
type Event struct {
	ID        int64
	Trigger   string
	Payload   string
	Dedupe    string
	Evaluated time.Time
}

// Enforcement is a row.
type Enforcement struct {
	ID, Event int64
	Rule      string
	Action    string
	Status    string
	Execution int64
	// Failure is the code and message of its failure, or empty.
	Failure string
}

// Execution is a row.
type Execution struct {
	ID                 int64
	Action             string
	Parameters         string
	Rule               string
	Event, Enforcement int64
	// Requested is when it was, Deadline the moment it is held to, or zero.
	Requested, Deadline time.Time

	Version             int64
	Status, Cause       string
	Attempt             int
	Worker, Incarnation string
	Reason              string
	Until               time.Time
	Finished            time.Time
	Result              string
	Failure             string
	FinishNumber        int64
	History             []byte
}

// Version is a state of an execution as it was committed.
type Version struct {
	Execution
	// Seq is when, Writer the node incarnation that did it.
	Seq    int64
	Writer string
}

// Partition is a row.
type Partition struct {
	ID    int
	Owner string
	// Alive means that the owner's lease is neither dead nor expired.
	Alive        bool
	AnnouncedTo  int64
	FinishNumber int64
}

// Flush is a commit.
type Flush struct {
	Seq    int64
	Writer string
}

// TakeOver made the lease of an incarnation dead.
type TakeOver struct {
	Seq  int64
	From string
}

// Run is one line of the ledger: one attempt that a runner really started.
type Run struct {
	Execution           int64
	Attempt             int
	Worker, Incarnation string
	// Pure runs have no effect outside; nothing is promised of their ends.
	Pure bool
	// Start and End are virtual time, StartSeq and EndSeq their order. EndSeq
	// is zero for what never ended.
	Start, End       time.Duration
	StartSeq, EndSeq int64
	// Outcome is finished, failed, timed out, stopped, killed.
	Outcome string
}

// Announcement is an end as it was announced.
type Announcement struct {
	Execution int64
	Version   int64
	Status    string
	Seq       int64
}
