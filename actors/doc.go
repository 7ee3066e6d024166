// Package actors is what all actors of a node share: the system they live in,
// their mailbox, their restart policy, the index of the living, and the layout
// of the tree. Each kind of actor has a folder of its own below; they never
// import each other and talk by messages.
//
//	node                         one-for-one; 5 failures in 60 s end the process
//	├── lease                    renews the node's lease; its failure ends the node
//	├── writer                   the pending flush; its failure ends the node
//	├── inspector                answers questions about the tree
//	├── broker                   bundles to workers, announcements
//	├── intake                   messages from outside, until they are stored
//	├── output                   what attempts print, on its way to the store
//	├── retention                deletes what is over its age
//	├── scheduler                free slots of all workers, runs waiting for one
//	├── workers
//	│   └── NAME                 one worker's slots, lease and state
//	├── rules                    judges events
//	└── partitions
//	    └── p-NNN                one partition's live executions and due moments
//	        └── ex-…             one execution's state and attempt
//
// An actor owns its state and is the only one to touch it: there is no lock in
// any of them. Blocking work is lent to the node ([Config].Lend) and its result
// comes back as a message. A restarted actor starts empty and reloads from the
// store, or asks those who know; the message it failed on is lost, and whoever
// sent it sends again.
//
// Restart policy ([Supervisor]): a failed actor is restarted at once. The node
// ends itself at the 5th failure of one child within 60 s. A partition stops an
// execution at its 3rd failure within 60 s and ends it with cause panic.
package actors
