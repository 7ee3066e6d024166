package mqtest

import (
	"context"
	"errors"
)

// Queues are the names of the queues of the virtual host of a URL.
func (s *Server) Queues(ctx context.Context, of string) ([]string, error) {
	var rows []struct{ Name string }
	err := s.api.call(ctx, "GET", "/queues"+segment(hostOf(of))+"?disable_stats=true&enable_queue_totals=true", nil, &rows)
	names := make([]string, len(rows))
	for i, row := range rows {
		names[i] = row.Name
	}
	return names, err
}

// PurgeAll empties every queue of the virtual host of a URL. What is delivered
// and unsettled stays.
func (s *Server) PurgeAll(ctx context.Context, of string) error {
	names, err := s.Queues(ctx, of)
	for _, name := range names {
		err = errors.Join(err, s.api.call(ctx, "DELETE", "/queues"+segment(hostOf(of), name)+"/contents", nil, nil))
	}
	return err
}

// DeleteQueue deletes a queue, whoever uses it.
func (s *Server) DeleteQueue(ctx context.Context, of, queue string) error {
	return s.api.call(ctx, "DELETE", "/queues"+segment(hostOf(of), queue), nil, nil)
}

// DeleteQueues deletes every queue of the virtual host of a URL, except
// exclusive ones, which belong to their connection.
func (s *Server) DeleteQueues(ctx context.Context, of string) error {
	names, err := s.Queues(ctx, of)
	for _, name := range names {
		err = errors.Join(err, s.DeleteQueue(ctx, of, name))
	}
	return err
}

// DeclareQueue makes a durable classic queue without properties.
func (s *Server) DeclareQueue(ctx context.Context, of, queue string) error {
	return s.api.call(ctx, "PUT", "/queues"+segment(hostOf(of), queue), map[string]any{"durable": true}, nil)
}

// DeleteExchange deletes an exchange with its bindings.
func (s *Server) DeleteExchange(ctx context.Context, of, exchange string) error {
	return s.api.call(ctx, "DELETE", "/exchanges"+segment(hostOf(of), exchange), nil, nil)
}
