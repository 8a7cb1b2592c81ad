package publicnet_test

import (
	"errors"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"

	"github.com/turnout-dev/turnout/internal/publicnet"
)

func ranges(t *testing.T, texts ...string) []netip.Prefix {
	t.Helper()
	all, err := publicnet.Ranges(texts)
	if err != nil {
		t.Fatal(err)
	}
	return all
}

func TestAddressesThatAreAsked(t *testing.T) {
	t.Parallel()
	tests := []struct {
		allow string
		want  bool
		of    string
	}{
		{"", true, "8.8.8.8 34.1.2.3 172.15.0.1 172.32.0.1 100.63.0.1 100.128.0.1 198.20.0.1 2600:1901::1 2a00:1450::1 64:ff9b::808:808 " +
			"::ffff:8.8.8.8"},
		{"", false, "127.0.0.1 127.1.2.3 0.0.0.0 0.1.2.3 10.0.0.1 172.16.0.1 172.31.255.255 192.168.1.1 100.64.0.1 100.127.255.255 " +
			"169.254.169.254 169.254.1.1"},
		{"", false, "192.0.2.1 198.51.100.1 203.0.113.1 198.18.0.1 192.0.0.1 224.0.0.1 239.1.1.1 240.0.0.1 255.255.255.255 168.63.129.16 " +
			"100.100.100.200"},
		{"", false, "::1 :: fe80::1 fe80::1%eth0 fc00::1 fd12::1 fd00:ec2::254 fd20:ce::254 ff02::1 2001:db8::1 2002:7f00:1:: 2001::1 3fff::1 " +
			"4000::1"},
		{"", false, "::ffff:127.0.0.1 ::ffff:169.254.169.254 ::ffff:10.0.0.1 ::127.0.0.1 64:ff9b::7f00:1 64:ff9b::a9fe:a9fe 64:ff9b::a00:1 " +
			"64:ff9b:1::7f00:1"},
		{"10.0.0.0/8", true, "10.1.2.3 ::ffff:10.1.2.3 64:ff9b::a01:203"},
		{"10.0.0.0/8", false, "192.168.1.1 127.0.0.1"},
		{"127.0.0.1", true, "127.0.0.1"},
		{"127.0.0.1", false, "127.0.0.2 ::1"},
		{"0.0.0.0/0", true, "127.0.0.1 10.0.0.1"},
		{"0.0.0.0/0", false, "169.254.169.254 169.254.170.23 168.63.129.16 ::ffff:169.254.169.254 64:ff9b::a9fe:a9fe ::1"},
		{"::/0", false, "fd00:ec2::254 fd00:ec2::23 fe80::a9fe:a9fe fe80::a9fe:a9fe%eth0 169.254.169.254 10.0.0.1"},
	}
	for _, tt := range tests {
		var allow []netip.Prefix
		if tt.allow != "" {
			allow = ranges(t, tt.allow)
		}
		for text := range strings.FieldsSeq(tt.of) {
			a, err := netip.ParseAddr(text)
			if err != nil {
				t.Fatal(err)
			}
			if got := publicnet.Allowed(a, allow); got != tt.want {
				t.Errorf("with %q, %s is allowed: %t, want %t", tt.allow, text, got, tt.want)
			}
		}
	}
}

func TestOwnAddressIsAskedUnlessItIsThisMachines(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]bool{
		"10.1.2.3": true, "fd12::1": true, "100.64.1.1": true, "127.0.0.1": false, "::1": false, "169.254.169.254": false, "169.254.1.1": false,
		"fe80::1": false, "fd00:ec2::254": false, "0.0.0.0": false,
	} {
		a := netip.MustParseAddr(text)
		if got := publicnet.Allowed(a, nil, a); got != want {
			t.Errorf("%s is allowed as an own address: %t, want %t", text, got, want)
		}
	}
	if publicnet.Allowed(netip.MustParseAddr("10.1.2.4"), nil, netip.MustParseAddr("10.1.2.3")) {
		t.Error("an address that is not an own one is allowed")
	}
}

func TestPodsHaveNoAddressOfThisMachineNorOfMetadata(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]bool{
		"10.1.2.3": true, "172.16.0.1": true, "100.64.1.1": true, "fd12::1": true, "34.1.2.3": true, "2600:1901::1": true,
		"127.0.0.1": false, "::1": false, "0.0.0.0": false, "::": false, "169.254.169.254": false, "169.254.1.1": false, "fe80::1": false,
		"::ffff:169.254.169.254": false,
		"64:ff9b::a9fe:a9fe":     false, "100.100.100.200": false, "168.63.129.16": false, "fd00:ec2::254": false, "fd20:ce::254": false,
		"224.0.0.1": false, "ff02::1": false,
	} {
		if got := publicnet.OfPod(netip.MustParseAddr(text)); got != want {
			t.Errorf("%s is a pod's: %t, want %t", text, got, want)
		}
	}
}

// The connection's address decides, not the name, and the error does not reveal that
// address.
func TestConnectionIsRefusedByWhatItIsMadeTo(t *testing.T) {
	t.Parallel()
	asked := 0
	s := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { asked++ }))
	defer s.Close()
	_, port, err := net.SplitHostPort(s.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	get := func(host string, allow []netip.Prefix, own ...netip.Addr) error {
		transport := &http.Transport{DialContext: publicnet.Dialer(allow, own...)}
		defer transport.CloseIdleConnections()
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+net.JoinHostPort(host, port), http.NoBody)
		if err != nil {
			t.Fatal(err)
		}
		resp, err := transport.RoundTrip(req)
		if err == nil {
			_ = resp.Body.Close()
		}
		return err
	}
	for _, host := range []string{"127.0.0.1", "localhost", "LOCALHOST.", "shop.localhost", "::1", "::ffff:127.0.0.1"} {
		var refused *publicnet.RefusedError
		if err := get(host, nil, netip.MustParseAddr("127.0.0.1")); !errors.As(err, &refused) || refused.Host != host {
			t.Errorf("%s: %v, want it refused", host, err)
		}
	}
	if asked > 0 {
		t.Errorf("the server got %d requests", asked)
	}
	for _, host := range []string{"127.0.0.1", "localhost", "shop.localhost", "::ffff:127.0.0.1"} {
		if err := get(host, ranges(t, "127.0.0.0/8")); err != nil {
			t.Errorf("%s is allowed: %v", host, err)
		}
	}
}

func TestBrokenRangesAreNamed(t *testing.T) {
	t.Parallel()
	if _, err := publicnet.Ranges([]string{"10.0.0.0/8", "10.0.0/8", "shop.example.com"}); err == nil ||
		!strings.Contains(err.Error(), `"10.0.0/8"`) || !strings.Contains(err.Error(), `"shop.example.com"`) {
		t.Errorf("the error is %v", err)
	}
}
