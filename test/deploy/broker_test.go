package deploy

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/attune-automation/attune/internal/servers/mqtest"
)

// broker is a virtual host with the users of the page, and their permissions.
type broker struct {
	t                       *testing.T
	management, admin, word string
	address, host           string
	// password is that of all users.
	password string
}

var (
	setPermissions = regexp.MustCompile(`rabbitmqctl set_permissions -p attune (\S+) '([^']*)' '([^']*)' '([^']*)'`)
	setTopics      = regexp.MustCompile(`rabbitmqctl set_topic_permissions -p attune (\S+) (\S+) '([^']*)' '([^']*)'`)
)

func newBroker(t *testing.T) *broker {
	t.Helper()
	shared := mqtest.Shared(t)
	given, err := url.Parse(shared.Given())
	if err != nil {
		t.Fatal(err)
	}
	own, err := url.Parse(mqtest.Host(t, shared))
	if err != nil {
		t.Fatal(err)
	}
	b := &broker{t: t, management: given.Query().Get("management"), admin: given.User.Username(), address: own.Host, host: strings.TrimPrefix(own.Path, "/"), password: "of-the-page"}
	b.word, _ = given.User.Password()
	page := read(t, "docs/operations.md")
	known := map[string]bool{}
	for _, m := range setPermissions.FindAllStringSubmatch(page, -1) { // the last word on a user counts
		if !known[m[1]] {
			known[m[1]] = true
			b.user(m[1])
		}
		b.put("/permissions/"+b.host+"/"+b.userName(m[1]), map[string]string{"configure": m[2], "write": m[3], "read": m[4]})
	}
	for _, m := range setTopics.FindAllStringSubmatch(page, -1) {
		b.put("/topic-permissions/"+b.host+"/"+b.userName(m[1]), map[string]string{"exchange": m[2], "write": m[3], "read": m[4]})
	}
	return b
}

// userName is unique: users are of the whole server.
func (b *broker) userName(name string) string { return b.host + "-" + name }

func (b *broker) user(name string) {
	b.put("/users/"+b.userName(name), map[string]string{"password": b.password, "tags": ""})
	b.t.Cleanup(func() { b.call("DELETE", "/users/"+b.userName(name), nil) })
}

func (b *broker) put(path string, in any) { b.t.Helper(); b.call("PUT", path, in) }

func (b *broker) call(method, path string, in any) {
	b.t.Helper()
	text, err := json.Marshal(in)
	if err != nil {
		b.t.Fatal(err)
	}
	request, err := http.NewRequest(method, b.management+"/api"+path, bytes.NewReader(text))
	if err != nil {
		b.t.Fatal(err)
	}
	request.SetBasicAuth(b.admin, b.word)
	once := &http.Client{Timeout: 20 * time.Second, Transport: &http.Transport{DisableKeepAlives: true}}
	answer, err := once.Do(request)
	if err != nil {
		b.t.Fatal(err)
	}
	defer answer.Body.Close()
	if answer.StatusCode >= 300 {
		b.t.Errorf("%s %s: %s", method, path, answer.Status)
	}
}

// as opens a channel as a user; each refusal needs one, for it ends with it.
func (b *broker) as(t *testing.T, name string) *amqp.Channel {
	t.Helper()
	conn, err := amqp.Dial(fmt.Sprintf("amqp://%s:%s@%s/%s", b.userName(name), b.password, b.address, b.host))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	ch, err := conn.Channel()
	if err == nil {
		err = ch.Confirm(false)
	}
	if err != nil {
		t.Fatal(err)
	}
	return ch
}

// publish reports whether the broker took a message.
func (b *broker) publish(t *testing.T, user, exchange, key string) bool {
	t.Helper()
	c, err := b.as(t, user).PublishWithDeferredConfirm(exchange, key, false, false, amqp.Publishing{Body: []byte("{}")})
	if err != nil {
		return false
	}
	ok, err := c.WaitContext(t.Context())
	return ok && err == nil
}

// holds tries what the page says users may and may not. The server has made the
// exchanges and queues by now.
func (b *broker) holds(t *testing.T) {
	for _, c := range []struct {
		user, exchange, key string
		may                 bool
	}{
		{"publisher", "attune.events", "event.created", true},
		{"publisher", "attune.executions", "execution.requested", true},
		{"publisher", "attune.executions", "execution.cancel.requested", true},
		{"publisher", "attune.executions", "execution.completed", false},
		{"publisher", "attune.events", "else", false},
		{"publisher", "attune.workers", "w1", false},
		{"publisher", "attune.reports", "x", false},
		{"listener", "attune.executions", "execution.requested", false},
		{"listener", "attune.events", "event.created", false},
		{"attune-worker", "attune.workers", "w2", false},
		{"attune-worker", "attune.events", "event.created", false},
		{"attune-worker", "attune.executions", "execution.requested", false},
		{"attune-worker", "attune.heartbeats", "", true},
	} {
		if got := b.publish(t, c.user, c.exchange, c.key); got != c.may {
			t.Errorf("%s to %s under %q: taken %t, and the page says %t", c.user, c.exchange, c.key, got, c.may)
		}
	}
	for _, queue := range []string{"attune.events", "attune.requests", "attune.dead"} {
		for _, user := range []string{"publisher", "listener", "attune-worker"} {
			if _, _, err := b.as(t, user).Get(queue, false); err == nil {
				t.Errorf("%s reads %s", user, queue)
			}
		}
	}
	ch := b.as(t, "listener")
	q, err := ch.QueueDeclare("listener.all", false, true, true, false, nil)
	if err == nil {
		err = ch.QueueBind(q.Name, "execution.#", "attune.executions", false, nil)
	}
	if err != nil {
		t.Errorf("the listener cannot listen: %v", err)
	}
	if b.as(t, "listener").QueueBind("listener.all", "#", "attune.events", false, nil) == nil {
		t.Error("the listener hears events")
	}
}
