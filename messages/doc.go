// Package messages holds all that is said: the protocol between nodes and
// workers, the broker it travels on, the envelope for the outside, and the
// signals between the actors of a node.
//
// Messages are verbs in the imperative (Dispatch, Stop) or facts in the past
// (Registered). A message is never changed after it is sent: sender and
// receiver may share its memory. Every message may be lost or come twice;
// whoever needs it sends again until it is answered, and whoever receives it
// deduplicates, by (execution, attempt) or by id.
package messages
