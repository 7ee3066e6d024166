// Program action is the entry point of the test packs' actions: one that keeps
// a ledger of what was started and ended, and one that does not want to end.
package main

import (
	"encoding/json"
	"fmt"
	"os"
	"time"
)

// parameters are those of all actions of this program.
type parameters struct {
	// Do says which action it is.
	Do string `json:"do"`
	// Key is kept in the ledger; MS is how long to work, in milliseconds.
	Key string `json:"key"`
	MS  int    `json:"ms"`
	// Gate is the name of a file in HOME whose appearance ends the work early.
	Gate string `json:"gate"`
	// Fail is how many attempts fail, the first ones.
	Fail int `json:"fail"`
	// Quiet makes it print nothing: there is no output to be stored before the end
	// is reported.
	Quiet bool `json:"quiet"`
}

func main() {
	if len(os.Args) > 1 { // a descendant of hostile
		must(linger(os.Args[1]))
		return
	}
	var p parameters
	must(json.NewDecoder(os.Stdin).Decode(&p))
	switch p.Do {
	case "work":
		must(work(p))
	case "hostile":
		must(hostile())
	default:
		must(fmt.Errorf("there is nothing called %q to do", p.Do))
	}
}

func must(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// poll is how often a gate is looked at.
const poll = 2 * time.Millisecond
