package api

import (
	"context"
	"encoding/json"
	"strconv"
	"unicode/utf8"

	"github.com/attune-automation/attune"
	"github.com/attune-automation/attune/messages"
)

// DeadLetters is what the API asks of the node about messages from outside that
// were set aside. All of it looks through the broker's queue, which takes a
// moment.
type DeadLetters interface {
	// DeadLetters are some of them, in the order of the queue, and whether there
	// are more.
	DeadLetters(ctx context.Context, q DeadLetterQuery) (found []messages.DeadLetter, more bool, err error)
	// DeadLetter is one of them; NotFound if it is not there, or another look
	// holds it.
	DeadLetter(ctx context.Context, id string) (messages.DeadLetter, error)
	// ReplayDeadLetter publishes it again as it was, and takes it out when the
	// broker's server has it. Killed between, it is published twice, with one
	// message_id.
	ReplayDeadLetter(ctx context.Context, id string) (messages.DeadLetter, error)
	// DropDeadLetter takes it out for good.
	DropDeadLetter(ctx context.Context, id string) (messages.DeadLetter, error)
}

// DeadLetterQuery narrows a list of dead letters.
type DeadLetterQuery struct {
	// Key is an exact routing key; empty is any.
	Key string
	// Skip is how many that fit are left out, Limit how many are wanted.
	Skip, Limit int
}

// DeadLetterView is a message that was set aside.
type DeadLetterView struct {
	ID string `json:"id"`
	// Key is the routing key it was published under, its message type; Exchange
	// is where.
	Key      string `json:"key"`
	Exchange string `json:"exchange"`
	// Code and Reason say why it is here.
	Code   string `json:"code,omitempty"`
	Reason string `json:"reason"`
	// Deliveries is how often it was tried, At when it was given up, Node by whom.
	Deliveries int    `json:"deliveries,omitempty"`
	At         string `json:"at,omitempty"`
	Node       string `json:"node,omitempty"`
	// MessageID is the property; Bytes the size of the body.
	MessageID   string            `json:"message_id,omitempty"`
	ContentType string            `json:"content_type,omitempty"`
	Headers     map[string]string `json:"headers,omitempty"`
	Bytes       int               `json:"bytes"`
	// Message is the body where it is JSON, Body where it is other text, and Raw,
	// in base64, where it is neither. Lists leave it out.
	Message json.RawMessage `json:"message,omitempty"`
	Body    string          `json:"body,omitempty"`
	Raw     []byte          `json:"raw,omitempty"`
}

func viewDeadLetter(l messages.DeadLetter, whole bool) DeadLetterView {
	v := DeadLetterView{ID: l.ID, Key: l.Key, Exchange: string(l.Exchange), Code: l.Code, Reason: l.Reason, Deliveries: l.Deliveries, At: stamp(l.At), Node: l.Node,
		MessageID: l.Message.ID, ContentType: l.Message.ContentType, Bytes: len(l.Message.Body)}
	if !whole {
		return v
	}
	v.Headers = l.Message.Headers
	switch body := l.Message.Body; {
	case json.Valid(body):
		v.Message = body
	case utf8.Valid(body):
		v.Body = string(body)
	default:
		v.Raw = body
	}
	return v
}

type (
	deadLettersInput struct {
		Page
		Key string `query:"key" doc:"Exact routing key"`
	}
	deadLetterList   struct{ Body List[DeadLetterView] }
	deadLetterOutput struct{ Body DeadLetterView }
)

// listDeadLetters pages by place: what leaves the queue meanwhile moves the rest
// up.
func (s *server) listDeadLetters(ctx context.Context, in *deadLettersInput) (*deadLetterList, error) {
	q := DeadLetterQuery{Key: in.Key, Limit: in.Limit}
	if in.Cursor != "" {
		var err error
		if q.Skip, err = strconv.Atoi(in.Cursor); err != nil || q.Skip < 1 {
			return nil, &attune.Error{Kind: attune.Invalid, Code: "invalid_cursor", Message: "it is no cursor of this list", Where: "query.cursor"}
		}
	}
	found, more, err := s.Engine.DeadLetters(ctx, q)
	if err != nil {
		return nil, err
	}
	out := &deadLetterList{List[DeadLetterView]{Items: []DeadLetterView{}}}
	for _, l := range found {
		out.Body.Items = append(out.Body.Items, viewDeadLetter(l, false))
	}
	if more && len(found) > 0 {
		out.Body.Next = strconv.Itoa(q.Skip + len(found))
	}
	return out, nil
}

func (s *server) getDeadLetter(ctx context.Context, in *ByID) (*deadLetterOutput, error) {
	return deadLetter(s.Engine.DeadLetter(ctx, in.ID))
}

func (s *server) replayDeadLetter(ctx context.Context, in *ByID) (*deadLetterOutput, error) {
	return deadLetter(s.Engine.ReplayDeadLetter(ctx, in.ID))
}

func (s *server) dropDeadLetter(ctx context.Context, in *ByID) (*deadLetterOutput, error) {
	return deadLetter(s.Engine.DropDeadLetter(ctx, in.ID))
}

func deadLetter(l messages.DeadLetter, err error) (*deadLetterOutput, error) {
	if err != nil {
		return nil, err
	}
	return &deadLetterOutput{viewDeadLetter(l, true)}, nil
}
