package secret_test

import (
	"strings"
	"testing"

	"github.com/attune-automation/attune/secret"
)

func TestAConnectionIsShownWithoutItsPassword(t *testing.T) {
	for _, c := range []struct{ name, text, want string }{
		{"a password in its usual place", "postgres://attune:hunter2@db.example.com:5432/attune?sslmode=verify-full", "postgres://attune:xxxxx@db.example.com:5432/attune?sslmode=verify-full"},
		{"a password among the settings", "postgres://db.example.com/attune?password=hunter2&user=attune", "postgres://db.example.com/attune?password=xxxxx&user=attune"},
		{"the password of a key file", "postgres://db.example.com/attune?sslpassword=hunter2", "postgres://db.example.com/attune?sslpassword=xxxxx"},
		{"no password", "amqp://rabbit.example.com/attune", "amqp://rabbit.example.com/attune"},
		{"words and values, as libpq takes them", "host=db password=hunter2", "(no URL, not shown)"},
		{"a password with a character that no URL may have", "amqp://attune:hunter2%@rabbit/", "(no URL, not shown)"},
		{"nothing", "", "(no URL, not shown)"},
	} {
		got := secret.Connection(c.text)
		if got != c.want {
			t.Errorf("%s: %s, not %s", c.name, got, c.want)
		}
		if strings.Contains(got, "hunter2") {
			t.Errorf("%s: the password is shown: %s", c.name, got)
		}
	}
}
