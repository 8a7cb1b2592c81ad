package world

import (
	"cmp"
	"context"
	"fmt"
	"net"
	"net/http"
	"strings"

	"github.com/turnout-dev/turnout/sandbox/gateway"
	"github.com/turnout-dev/turnout/sandbox/gclb"
	"github.com/turnout-dev/turnout/sandbox/netns"
	"github.com/turnout-dev/turnout/sandbox/proxy"
)

func (w *World) startLoadBalancer(running context.Context, o Options) error {
	listener, err := o.listener(ListenWeb)
	if err != nil {
		return err
	}
	c := o.LoadBalancer
	c.Rest, c.Kubeconfig, c.Dir = w.ControlPlane.Config, w.ControlPlane.Kubeconfig, o.Dir
	c.Listener, c.Log = listener, cmp.Or(c.Log, o.Log)
	if c.Compute, err = net.Listen("tcp", "127.0.0.1:0"); err != nil {
		return err
	}
	c.Project = cmp.Or(c.Project, "acme-prod")
	w.ComputeURL, w.Project = "http://"+c.Compute.Addr().String()+"/compute/v1/", c.Project
	w.Speed = cmp.Or(c.Speed, 1)
	if w.WebURL, c.Address, err = addresses(listener); err != nil {
		return err
	}
	w.balancer = w.begin(running, balancerName, func(ready func()) error { return gclb.Run(running, c, ready) })
	return nil
}

func (w *World) startProxy(running context.Context, o Options) error {
	listener, err := net.Listen("tcp", net.JoinHostPort(netns.HostAddress, "0"))
	if err != nil {
		return err
	}
	c := proxy.Config{Rest: w.ControlPlane.Config, Listener: listener, Class: PlainClass, Log: o.Log}
	if w.PlainURL, c.Address, err = addresses(listener); err != nil {
		return err
	}
	return w.startUntil(running, "plain proxy", func(ready func()) error { return proxy.Run(running, c, ready) })
}

func (w *World) startGateways(running context.Context, o Options) error {
	listener, err := net.Listen("tcp", "127.0.0.1:0") // a possible public address
	if err != nil {
		return err
	}
	c := *o.Gateway
	c.Rest, c.Listener, c.Log = w.ControlPlane.Config, listener, cmp.Or(c.Log, o.Log)
	if w.GatewayURL, c.Address, err = addresses(listener); err != nil {
		return err
	}
	return w.startUntil(running, "gateways", func(ready func()) error { return gateway.Run(running, c, ready) })
}

// addresses are a listener's URL and its host alone.
func addresses(listener net.Listener) (url, host string, err error) {
	if host, _, err = net.SplitHostPort(listener.Addr().String()); err != nil {
		return "", "", fmt.Errorf("reading a listener's address: %w", err)
	}
	return "http://" + listener.Addr().String(), host, nil
}

// NameOf is a load balancer's address for an application's spec.url: by a name of this machine,
// since a loopback address is not allowed there.
func NameOf(address string) string {
	return strings.Replace(address, "//127.0.0.1:", "//shop.localhost:", 1)
}

// Get requests a path from the load balancer, with this Host header if it is not empty. So even
// unresolvable hosts of Ingress rules can be reached. Each request has its own connection: a
// front end keeps its connections, and all front ends should be asked.
func (w *World) Get(ctx context.Context, host, path string) (*http.Response, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, w.WebURL+path, http.NoBody)
	if err != nil {
		return nil, fmt.Errorf("asking the load balancer for %s: %w", path, err)
	}
	request.Host, request.Close = host, true
	return http.DefaultClient.Do(request)
}
