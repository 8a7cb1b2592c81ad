// Package publicnet connects to public addresses only. Turnout connects to addresses that a
// namespace's owner writes, from its own network, and reports what it sees. So it must not
// connect to what only its own network can reach.
//
// [Dialer] and [GrantedDialer] make dial functions for transports, and [Allowed] is their
// rule.
//
// # Decisions
//
// The rule applies to the address of a connection when it is made: a name may resolve
// differently each time.
//
// An IPv6 address is refused unless it is known to be public. An IPv6 address with an IPv4
// address inside (NAT64) is judged by that one.
//
// Names below localhost are this machine, without a DNS query (RFC 6761, section 6.3).
package publicnet

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strings"
	"syscall"
)

// RefusedError is a connection that was refused.
type RefusedError struct {
	// Host as requested. The error does not reveal its addresses.
	Host string
}

// Error names the host and the way out.
func (e *RefusedError) Error() string {
	return e.Host + " is not a public address, and Turnout connects to no others unless an administrator allows their range with " +
		"--allow-addresses (TURNOUT_ALLOW_ADDRESSES)"
}

// never are addresses that are always refused: clouds' metadata, in ranges for links,
// carriers and private IPv6, and Azure's among the public ones.
var never = []netip.Addr{
	netip.MustParseAddr("169.254.169.254"), netip.MustParseAddr("169.254.170.2"), netip.MustParseAddr("169.254.170.23"),
	netip.MustParseAddr("100.100.100.200"),
	netip.MustParseAddr("192.0.0.192"), netip.MustParseAddr("168.63.129.16"), netip.MustParseAddr("169.254.0.23"),
	netip.MustParseAddr("169.254.10.10"),
	netip.MustParseAddr("fd00:ec2::254"), netip.MustParseAddr("fd00:ec2::23"), netip.MustParseAddr("fd20:ce::254"),
	netip.MustParseAddr("fe80::a9fe:a9fe"),
}

func prefixes(all ...string) []netip.Prefix {
	var parsed []netip.Prefix
	for _, text := range all {
		parsed = append(parsed, netip.MustParsePrefix(text))
	}
	return parsed
}

var (
	// special4 are the IPv4 ranges that are not globally reachable (IANA's registry of
	// special-purpose addresses), multicast and reserved ones.
	special4 = prefixes("0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12", "192.0.0.0/24",
		"192.0.2.0/24", "192.88.99.0/24", "192.168.0.0/16", "198.18.0.0/15", "198.51.100.0/24", "203.0.113.0/24", "224.0.0.0/4", "240.0.0.0/4")
	public6 = prefixes("2000::/3")
	// special6 are such ranges within public6: Teredo and others, documentation, 6to4.
	special6 = prefixes("2001::/23", "2001:db8::/32", "2002::/16", "3fff::/20")
	nat64    = netip.MustParsePrefix("64:ff9b::/96")
	// near is this machine and its link, where no load balancer is.
	near = prefixes("0.0.0.0/8", "127.0.0.0/8", "169.254.0.0/16", "224.0.0.0/4", "240.0.0.0/4", "::/127", "fe80::/10", "ff00::/8")
)

func within(all []netip.Prefix, a netip.Addr) bool {
	return slices.ContainsFunc(all, func(p netip.Prefix) bool { return p.Contains(a) })
}

// plain is an address without its zone, and as IPv4 if it is an IPv4-mapped one.
func plain(a netip.Addr) netip.Addr {
	a = a.WithZone("").Unmap()
	if nat64.Contains(a) {
		bytes := a.As16()
		return netip.AddrFrom4([4]byte(bytes[12:]))
	}
	return a
}

func public(a netip.Addr) bool {
	if a.Is4() {
		return !within(special4, a)
	}
	return within(public6, a) && !within(special6, a)
}

// Allowed reports whether Turnout may connect to an address: a public one, one in an
// allowed range, or one of own. An allowed range never includes metadata, and own never
// includes this machine and its link.
func Allowed(a netip.Addr, allow []netip.Prefix, own ...netip.Addr) bool {
	a = plain(a)
	switch {
	case slices.Contains(never, a):
		return false
	case public(a), within(allow, a):
		return true
	}
	return !within(near, a) && slices.ContainsFunc(own, func(o netip.Addr) bool { return plain(o) == a })
}

// OfPod reports whether an address can be a pod's. Whoever may write a pod's status can
// write any address there. As for the API server's own proxy, this machine, its link and
// metadata are refused.
func OfPod(a netip.Addr) bool {
	a = plain(a)
	return !within(near, a) && !slices.Contains(never, a)
}

// DialFunc makes a connection.
type DialFunc = func(ctx context.Context, network, address string) (net.Conn, error)

// Dialer returns a dial function that connects to [Allowed] addresses only. A refusal has a
// *[RefusedError] in its chain.
func Dialer(allow []netip.Prefix, own ...netip.Addr) DialFunc {
	return dialer(func(a netip.Addr) bool { return Allowed(a, allow, own...) })
}

// GrantedDialer returns a dial function for a host that an administrator has named, which
// may be in a private network, too. It still refuses this machine, its link and clouds'
// metadata, unless they are allowed.
func GrantedDialer(allow []netip.Prefix) DialFunc {
	return dialer(func(a netip.Addr) bool { return OfPod(a) || Allowed(a, allow) })
}

func dialer(allowed func(netip.Addr) bool) DialFunc {
	return func(ctx context.Context, network, address string) (net.Conn, error) {
		host, port, err := net.SplitHostPort(address)
		if err != nil {
			return nil, fmt.Errorf("connecting to %s: %w", address, err)
		}
		d := net.Dialer{ControlContext: func(_ context.Context, _, to string, _ syscall.RawConn) error {
			resolved, err := netip.ParseAddrPort(to)
			if err != nil || !allowed(resolved.Addr()) {
				return &RefusedError{Host: host}
			}
			return nil
		}}
		if isLocalhost(host) {
			conn, err := d.DialContext(ctx, network, net.JoinHostPort("127.0.0.1", port))
			if err == nil {
				return conn, nil
			}
			other, err6 := d.DialContext(ctx, network, net.JoinHostPort("::1", port))
			if err6 == nil {
				return other, nil
			}
			return nil, err
		}
		return d.DialContext(ctx, network, address)
	}
}

func isLocalhost(host string) bool {
	host = strings.TrimSuffix(strings.ToLower(host), ".")
	return host == "localhost" || strings.HasSuffix(host, ".localhost")
}

// Ranges parses the ranges of a flag: prefixes, or single addresses.
func Ranges(texts []string) ([]netip.Prefix, error) {
	var all []netip.Prefix
	var errs []error
	for _, text := range texts {
		text = strings.TrimSpace(text)
		if a, err := netip.ParseAddr(text); err == nil {
			all = append(all, netip.PrefixFrom(plain(a), plain(a).BitLen()))
			continue
		}
		p, err := netip.ParsePrefix(text)
		if err != nil {
			errs = append(errs, fmt.Errorf("%q is no range of addresses, such as 10.0.0.0/8", text))
			continue
		}
		all = append(all, p.Masked())
	}
	return all, errors.Join(errs...)
}
