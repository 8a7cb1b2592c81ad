package netns

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os/exec"
	"runtime"
	"sync"
	"syscall"

	"github.com/vishvananda/netlink"
	nsfd "github.com/vishvananda/netns"
)

// The sandbox's network: the bridge, and with it the node and everything that
// serves inside, has the first address; pods get the ones after 10.77.1.0.
const (
	bridgeName    = "turnout0"
	bridgeAddress = "10.77.0.1/16"
	firstPod      = "10.77.1.1"
	lastPod       = "10.77.254.254"
)

// HostAddress is the address under which pods and the API server reach what
// listens in the sandbox's own namespace.
const HostAddress = "10.77.0.1"

// PodRange is where all pods' addresses are.
const PodRange = "10.77.0.0/16"

// Bridge is an Ethernet segment with the pods on it. It assigns addresses, and reuses none until
// all were used, as clouds do: a stale address then reaches nothing rather than a stranger.
type Bridge struct {
	link netlink.Link
	own  nsfd.NsHandle // the sandbox's own namespace, where the bridge is

	mu   sync.Mutex // guards next and used
	next netip.Addr
	used map[netip.Addr]bool
}

func newBridge() (*Bridge, error) {
	lo, err := netlink.LinkByName("lo")
	if err != nil {
		return nil, fmt.Errorf("looking for the loopback device: %w", err)
	}
	if err := netlink.LinkSetUp(lo); err != nil {
		return nil, fmt.Errorf("setting up the loopback device: %w", err)
	}
	attributes := netlink.NewLinkAttrs()
	attributes.Name = bridgeName
	bridge := &netlink.Bridge{LinkAttrs: attributes}
	if err := netlink.LinkAdd(bridge); err != nil {
		return nil, fmt.Errorf("creating the bridge %s (does this kernel have the bridge module?): %w", bridgeName, err)
	}
	if err := configure(&netlink.Handle{}, bridge, bridgeAddress); err != nil {
		return nil, err
	}
	own, err := current()
	if err != nil {
		return nil, err
	}
	return &Bridge{link: bridge, own: own, next: netip.MustParseAddr(firstPod), used: map[netip.Addr]bool{}}, nil
}

// configure gives a device its address and sets it up.
func configure(handle *netlink.Handle, link netlink.Link, address string) error {
	parsed, err := netlink.ParseAddr(address)
	if err != nil {
		return fmt.Errorf("reading the address %s: %w", address, err)
	}
	if err := handle.AddrAdd(link, parsed); err != nil {
		return fmt.Errorf("giving %s the address %s: %w", link.Attrs().Name, address, err)
	}
	if err := handle.LinkSetUp(link); err != nil {
		return fmt.Errorf("setting up %s: %w", link.Attrs().Name, err)
	}
	return nil
}

// take reserves the next free address.
func (b *Bridge) take() (netip.Addr, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	last := netip.MustParseAddr(lastPod)
	for range 1 << 16 {
		ip := b.next
		b.next = ip.Next()
		if last.Less(b.next) {
			b.next = netip.MustParseAddr(firstPod)
		}
		if !b.used[ip] {
			b.used[ip] = true
			return ip, nil
		}
	}
	return netip.Addr{}, errors.New("all pod addresses of the sandbox are in use")
}

func (b *Bridge) giveBack(ip netip.Addr) {
	b.mu.Lock()
	defer b.mu.Unlock()
	delete(b.used, ip)
}

// Plug creates a pod's network namespace with its own address on the bridge: processes in it may
// listen on any port. Close it when done.
func (b *Bridge) Plug() (*Pod, error) {
	ip, err := b.take()
	if err != nil {
		return nil, err
	}
	pod := &Pod{IP: ip, bridge: b, ns: nsfd.None()}
	if err := pod.plug(b.link); err != nil {
		pod.Close()
		return nil, fmt.Errorf("creating a network namespace for %s: %w", ip, err)
	}
	return pod, nil
}

// Pod is the network namespace of one pod.
type Pod struct {
	// IP is the pod's address, reachable from every pod and from the sandbox.
	IP netip.Addr

	bridge *Bridge
	ns     nsfd.NsHandle
}

// device is the name of the sandbox's end of the pair: at most 15 characters.
func (p *Pod) device() string {
	raw := p.IP.As4()
	return fmt.Sprintf("pod%d.%d", raw[2], raw[3])
}

func (p *Pod) plug(bridge netlink.Link) error {
	ns, err := newNamespace()
	if err != nil {
		return err
	}
	p.ns = ns
	attributes := netlink.NewLinkAttrs()
	attributes.Name = p.device()
	attributes.MasterIndex = bridge.Attrs().Index
	pair := &netlink.Veth{LinkAttrs: attributes, PeerName: "eth0", PeerNamespace: netlink.NsFd(ns)}
	if err := netlink.LinkAdd(pair); err != nil {
		return fmt.Errorf("creating the pair of devices: %w", err)
	}
	if err := netlink.LinkSetUp(pair); err != nil {
		return fmt.Errorf("setting up %s: %w", p.device(), err)
	}
	return p.configureInside()
}

// configureInside gives the pod's eth0 its address, and sets up its loopback.
func (p *Pod) configureInside() error {
	handle, err := netlink.NewHandleAtFrom(p.ns, p.bridge.own)
	if err != nil {
		return fmt.Errorf("opening netlink inside: %w", err)
	}
	defer handle.Close()
	for device, address := range map[string]string{"lo": "", "eth0": p.IP.String() + "/16"} {
		link, err := handle.LinkByName(device)
		if err != nil {
			return fmt.Errorf("looking for %s inside: %w", device, err)
		}
		if address == "" {
			err = handle.LinkSetUp(link)
		} else {
			err = configure(handle, link, address)
		}
		if err != nil {
			return err
		}
	}
	return handle.RouteAdd(&netlink.Route{Gw: net.ParseIP(HostAddress)})
}

// Start starts cmd inside the pod's namespace.
func (p *Pod) Start(cmd *exec.Cmd) error { return p.inside(cmd.Start) }

// inside calls a function in the pod's namespace.
func (p *Pod) inside(do func() error) error {
	result := make(chan error)
	go func() {
		// A child inherits the namespace of the thread that starts it, and so does a socket. The thread is
		// not given back if it cannot return to the sandbox's own namespace.
		runtime.LockOSThread()
		if err := nsfd.Set(p.ns); err != nil {
			result <- fmt.Errorf("entering the namespace of %s: %w", p.IP, err)
			return
		}
		err := do()
		if back := nsfd.Set(p.bridge.own); back == nil {
			runtime.UnlockOSThread()
		}
		result <- err
	}()
	return <-result
}

// Dial connects to a TCP address as the pod's processes see it.
func (p *Pod) Dial(address string) (net.Conn, error) {
	var connection net.Conn
	err := p.inside(func() error {
		var err error
		connection, err = net.Dial("tcp", address) //nolint:noctx // within the machine: at once, or never
		return err
	})
	return connection, err
}

// Close unplugs the pod. Processes in the namespace keep running, unreachable.
func (p *Pod) Close() {
	if link, err := netlink.LinkByName(p.device()); err == nil {
		_ = netlink.LinkDel(link) // gone with the namespace otherwise
	}
	if p.ns.IsOpen() {
		_ = p.ns.Close()
	}
	p.bridge.giveBack(p.IP)
}

// newNamespace makes a network namespace, kept alive by the handle alone.
func newNamespace() (nsfd.NsHandle, error) {
	type made struct {
		ns  nsfd.NsHandle
		err error
	}
	result := make(chan made)
	go func() {
		// The thread ends with this goroutine, and its namespace lives on in the handle.
		runtime.LockOSThread()
		if err := syscall.Unshare(syscall.CLONE_NEWNET); err != nil {
			result <- made{nsfd.None(), fmt.Errorf("leaving the sandbox's own namespace: %w", err)}
			return
		}
		ns, err := current()
		result <- made{ns, err}
	}()
	m := <-result
	return m.ns, m.err
}

// current opens the calling thread's network namespace. Not by process id, as
// the netns library does it: /proc shows the machine's ids, not ours.
func current() (nsfd.NsHandle, error) {
	ns, err := nsfd.GetFromPath("/proc/thread-self/ns/net")
	if err != nil {
		return nsfd.None(), fmt.Errorf("opening the network namespace: %w", err)
	}
	return ns, nil
}
