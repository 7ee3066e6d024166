package attune

import "time"

// WorkerState is what the store holds of a worker's incarnation. The numbers
// are stored.
type WorkerState uint8

// The states of a worker.
const (
	// WorkerAlive takes work.
	WorkerAlive WorkerState = iota + 1
	// WorkerDraining finishes what it has and takes no more.
	WorkerDraining
	// WorkerLost was not heard of for its lease and the kill margin: a stored
	// fact, on which everything else acts.
	WorkerLost
	// WorkerLeft ended in order.
	WorkerLeft
)

var workerStateNames = [...]string{"none", "alive", "draining", "lost", "left"}

func (s WorkerState) String() string { return word("worker state", workerStateNames[:], s) }

// MarshalText writes the name.
func (s WorkerState) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// Worker is a process that runs actions: its newest incarnation.
type Worker struct {
	// Name is chosen by the operator; one live incarnation holds it.
	Name string
	// Incarnation is the random id of one start of the process.
	Incarnation string
	// State is what is known of the incarnation.
	State WorkerState
	// Runners are the runner types it has, sorted.
	Runners []string
	// Slots is how many attempts it runs at a time.
	Slots int
	// Labels are said by its operator, for placement.
	Labels map[string]string
	// Zone is where it stands. May be empty.
	Zone string
	// Registered is when the incarnation registered, Changed when State last
	// did.
	Registered, Changed time.Time
	// Lease is how long an answer to a heartbeat lets it run things, in whole
	// milliseconds; zero is the nodes' default.
	Lease time.Duration
	// Drained is the operator's word: it is given nothing more, whatever
	// incarnation it is, until the operator takes it back.
	Drained bool
	// Version counts its stored states, from 1.
	Version int64
}

// Role is what a token may do.
type Role string

// The roles, each with the rights of those behind it but the last two, which
// stand alone.
const (
	RoleAdmin     Role = "admin"
	RoleOperator  Role = "operator"
	RoleViewer    Role = "viewer"
	RoleWorker    Role = "worker"
	RoleExecution Role = "execution"
)

// AccessToken is a key to the API. Its secret is never stored, only a hash.
type AccessToken struct {
	// Name is what rows and log lines record as principal.
	Name string `json:"name"`
	// Kind is who holds it: one of the roles' words.
	Kind Role `json:"kind"`
	// Roles are what it may do.
	Roles []Role `json:"roles"`
	// Hash is the SHA-256 of the secret, in hexadecimal.
	Hash string `json:"-"`
	// Created is when it was made, By the name of the token that made it; empty
	// for one that the node made itself.
	Created time.Time `json:"created"`
	By      string    `json:"by,omitempty"`
	// Expires is when it stops working; zero is never.
	Expires time.Time `json:"expires,omitzero"`
}

// Expired says that the token has stopped working.
func (t AccessToken) Expired(now time.Time) bool {
	return !t.Expires.IsZero() && !now.Before(t.Expires)
}
