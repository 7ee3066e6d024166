package rabbitmq

import (
	"context"
	"errors"
	"log/slog"
	"math/rand/v2"
	"net"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"
)

// link is one connection that is always wanted. One goroutine dials, declares
// the exchanges, lets serve use the connection, and begins anew when it is over,
// for as long as it takes.
//
// The library would reconnect by itself, but gives up for good after a while
// that is shorter than a cold server takes to start.
type link struct {
	broker *Broker
	name   string // for what
	// serve uses a connection until ctx is done; an error ends the connection.
	serve func(ctx context.Context, conn *amqp.Connection, socket *socket) error
	// block says whether the server takes nothing that is published now, for
	// want of memory or disk. May be nil.
	block func(bool)
}

// blockedAtMost is how long a connection may be blocked. What was written to it
// before would grow too old.
const blockedAtMost = queuedAtMost

// keep is the goroutine of a link.
func (l *link) keep(ctx context.Context) {
	config := &l.broker.config
	wait, told := config.LeastWait, false
	for ctx.Err() == nil {
		began := time.Now()
		stood, err := l.connect(ctx)
		if ctx.Err() != nil {
			return
		}
		if stood {
			l.broker.stats.reconnects.Add(1)
			told = false
		}
		if stood && time.Since(began) > config.MostWait {
			wait = config.LeastWait
		}
		if !told { // the first of many
			config.Log.Warn("broker connection lost, trying again", slog.String("connection", l.name), slog.String("error", l.masked(err)))
			told = true
		}
		pause(ctx, wait/2+rand.N(wait/2+1))
		wait = min(2*wait, config.MostWait)
	}
}

// pause waits for a while, or until ctx is done.
func pause(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
	case <-timer.C:
	}
}

// masked is the text of an error without the password.
func (l *link) masked(err error) string {
	text := err.Error()
	if u, perr := url.Parse(l.broker.config.URL); perr == nil {
		if password, _ := u.User.Password(); len(password) > 0 {
			text = strings.ReplaceAll(text, password, "********")
		}
	}
	return text
}

// connect makes one connection and returns when it is over: stood means that it
// was in use.
func (l *link) connect(ctx context.Context) (stood bool, err error) {
	conn, socket, err := l.dial(ctx)
	if err != nil {
		return false, err
	}
	faults := conn.NotifyClose(make(chan *amqp.Error, 1))
	blocked := conn.NotifyBlocked(make(chan amqp.Blocking, 4))
	session, over := context.WithCancelCause(ctx)
	var users sync.WaitGroup
	users.Go(func() {
		err := l.prepare(conn)
		if err == nil {
			l.broker.config.Log.Info("broker connected", slog.String("connection", l.name))
			stood = true
			err = l.serve(session, conn, socket)
		}
		over(err)
	})
	l.watch(session, over, faults, blocked)
	over(nil)
	if ctx.Err() != nil { // in order: what was sent is read by the server
		limit := time.AfterFunc(closeTime, func() { socket.Close() })
		users.Wait()
		limit.Stop()
		_ = conn.CloseDeadline(time.Now().Add(closeTime))
	}
	socket.Close() // whoever writes to it, or waits for an answer, goes on
	users.Wait()
	for range blocked { // closed by the library: until then its reader may wait for us
	}
	if l.block != nil {
		l.block(false)
	}
	return stood, context.Cause(session)
}

// closeTime is how long an end in order may take.
const closeTime = 2 * time.Second

// watch returns when the connection or the session is over.
func (l *link) watch(session context.Context, over context.CancelCauseFunc, faults chan *amqp.Error, blocked chan amqp.Blocking) {
	var patience <-chan time.Time
	for {
		select {
		case <-session.Done():
			return
		case fault, ok := <-faults:
			if ok {
				over(fault)
			}
			over(amqp.ErrClosed)
			return
		case b, ok := <-blocked:
			if !ok {
				over(amqp.ErrClosed)
				return
			}
			l.broker.config.Log.Warn("broker takes nothing now", slog.String("connection", l.name), slog.Bool("blocked", b.Active), slog.String("reason", b.Reason))
			if l.block != nil {
				l.block(b.Active)
			}
			patience = nil
			if b.Active {
				timer := time.NewTimer(blockedAtMost)
				defer timer.Stop()
				patience = timer.C
			}
		case <-patience:
			over(errors.New("blocked for too long"))
			return
		}
	}
}

func (l *link) dial(ctx context.Context) (*amqp.Connection, *socket, error) {
	config := &l.broker.config
	var dialed atomic.Pointer[socket]
	settings := amqp.Config{
		Heartbeat:  config.Heartbeat,
		Locale:     "en_US",
		Properties: amqp.NewConnectionProperties(),
		Dial: func(network, address string) (net.Conn, error) {
			s, err := dialSocket(ctx, network, address)
			if err != nil {
				return nil, err
			}
			dialed.Store(s)
			return s, nil
		},
	}
	settings.Properties.SetClientConnectionName(config.Name + " " + l.name)
	if config.TLS != nil {
		settings.TLSClientConfig = config.TLS.Clone()
	}
	stop := context.AfterFunc(ctx, func() { // in the handshake nothing else would
		if s := dialed.Load(); s != nil {
			s.Close()
		}
	})
	defer stop()
	conn, err := amqp.DialConfig(config.URL, settings)
	s := dialed.Load()
	if err != nil {
		if s != nil {
			s.Close()
		}
		return nil, nil, err
	}
	return conn, s, nil
}

// prepare declares the exchanges.
func (l *link) prepare(conn *amqp.Connection) error {
	ch, err := conn.Channel()
	if err != nil {
		return err
	}
	if err := declareExchanges(ch); err != nil {
		return err
	}
	return ch.Close()
}
