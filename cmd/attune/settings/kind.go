package settings

import (
	"errors"
	"math"
	"net"
	"net/netip"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/attune-automation/attune"
	"github.com/attune-automation/attune/actors/retention"
	"github.com/attune-automation/attune/api"
)

// Kind is the type of a setting: which texts it takes.
type Kind struct {
	// Name says it behind "is no", such as "whole number".
	Name string
	// Sample is a text of this kind.
	Sample string
	// check returns an error for texts that are none; its words are not shown.
	check func(string) error
	// path marks files and folders: in a file they are meant from its folder.
	path bool
}

var errKind = errors.New("not of this kind")

func wrong(ok bool) error {
	if ok {
		return nil
	}
	return errKind
}

// The kinds of settings.
var (
	Text    = Kind{Name: "text", Sample: "edge-1", check: func(s string) error { return wrong(strings.TrimSpace(s) == s && s != "") }}
	Switch  = Kind{Name: "true or false", Sample: "true", check: func(s string) error { return wrong(s == "true" || s == "false") }}
	Whole   = Kind{Name: "whole number from 0 on", Sample: "8", check: whole}
	Decimal = Kind{Name: "number from 0 on", Sample: "1.5", check: func(s string) error { return number(s, math.MaxFloat64) }}
	Share   = Kind{Name: "number from 0 to 1", Sample: "0.1", check: func(s string) error { return number(s, 1) }}
	Size    = Kind{Name: "number of bytes", Sample: "512MiB", check: func(s string) error { _, err := attune.ParseSize(s); return err }}
	Age     = Kind{Name: "age of a minute or more", Sample: "30d, 12h or forever", check: func(s string) error { _, err := ParseAge(s); return err }}
	Span    = Kind{Name: "length of time", Sample: "10s", check: span}
	Address = Kind{Name: "HOST:PORT", Sample: "127.0.0.1:9370", check: address}
	Folder  = Kind{Name: "folder", Sample: "/etc/attune/packs", check: Text.check, path: true}
	Path    = Kind{Name: "file", Sample: "/etc/attune/tls/key.pem", check: Text.check, path: true}
	Network = Kind{Name: "network", Sample: "10.1.0.0/16, or 10.1.2.3", check: func(s string) error { _, err := ParseNetwork(s); return err }}
	Label   = Kind{Name: "label", Sample: "disk=ssd", check: label}
)

// Word is the kind of settings that know a few words.
func Word(words ...string) Kind {
	return Kind{Name: "known word", Sample: strings.Join(words, ", "), check: func(s string) error { return wrong(slices.Contains(words, s)) }}
}

// URL is the kind of addresses with one of these schemes, and a host.
func URL(sample string, schemes ...string) Kind {
	return Kind{Name: "URL of " + strings.Join(schemes, " or "), Sample: sample, check: func(s string) error {
		u, err := url.Parse(s)
		return wrong(err == nil && slices.Contains(schemes, u.Scheme) && u.Host != "")
	}}
}

func whole(s string) error {
	n, err := strconv.Atoi(s)
	return wrong(err == nil && n >= 0)
}

func number(s string, most float64) error {
	f, err := strconv.ParseFloat(s, 64)
	return wrong(err == nil && f >= 0 && f <= most)
}

func span(s string) error {
	d, err := time.ParseDuration(s)
	return wrong(err == nil && d > 0)
}

func address(s string) error {
	_, port, err := net.SplitHostPort(s)
	n, perr := strconv.Atoi(port)
	return wrong(err == nil && perr == nil && n >= 0 && n <= math.MaxUint16)
}

func label(s string) error {
	name, value, ok := strings.Cut(s, "=")
	return wrong(ok && Text.check(name) == nil && Text.check(value) == nil)
}

// ParseAge reads how long something is kept: 30d, 12h, or forever, which is
// [retention.Forever].
func ParseAge(s string) (time.Duration, error) {
	if s == "forever" || s == "0" {
		return retention.Forever, nil
	}
	d, err := api.ParseAge(s)
	if err == nil && d < time.Minute {
		err = errors.New("an age is a minute at least; forever keeps for ever")
	}
	return d, err
}

// ParseNetwork reads a network; an address alone is a network of one.
func ParseNetwork(s string) (netip.Prefix, error) {
	n, err := netip.ParsePrefix(s)
	if addr, addrErr := netip.ParseAddr(s); addrErr == nil && addr.Zone() == "" {
		n, err = netip.PrefixFrom(addr, addr.BitLen()), nil
	}
	if err == nil && n.Addr().Is4In6() {
		err = errKind
	}
	return n.Masked(), err
}
