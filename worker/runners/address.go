package runners

import (
	"fmt"
	"net/netip"
	"syscall"
)

// inward are the networks that lead into the worker's own surroundings, or
// nowhere: what a URL from outside must not reach. Of IPv6 also those that carry
// an IPv4 address, which a gateway would unwrap.
var inward = func() (all []netip.Prefix) {
	for _, s := range []string{
		"0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12", "192.0.0.0/24",
		"192.168.0.0/16", "198.18.0.0/15", "224.0.0.0/4", "240.0.0.0/4",
		"::/96", "64:ff9b::/96", "64:ff9b:1::/48", "2001::/32", "2002::/16", "fc00::/7", "fe80::/10", "fec0::/10", "ff00::/8",
	} {
		all = append(all, netip.MustParsePrefix(s))
	}
	return all
}()

// errAddress is a connection that was refused for where it would lead.
type errAddress struct{ address netip.Addr }

func (e errAddress) Error() string {
	return fmt.Sprintf("%s is a private, loopback or link-local address, which http-request may not reach here", e.address)
}

// outward is the control hook of a dialer: it sees each address that is really
// connected to, behind every name and redirect. A check of the URL would not: a
// name can mean another address a moment later.
func outward(allow []netip.Prefix) func(network, address string, _ syscall.RawConn) error {
	return func(_, address string, _ syscall.RawConn) error {
		to, err := netip.ParseAddrPort(address)
		if err != nil {
			return fmt.Errorf("look at an address: %w", err)
		}
		if addr := to.Addr().Unmap().WithZone(""); within(inward, addr) && !within(allow, addr) {
			return errAddress{addr}
		}
		return nil
	}
}

func within(networks []netip.Prefix, addr netip.Addr) bool {
	for _, n := range networks {
		if n.Contains(addr) {
			return true
		}
	}
	return false
}
