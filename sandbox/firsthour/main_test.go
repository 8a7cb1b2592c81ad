// Package firsthour is a newcomer's first hour as one story: an empty cluster with an application
// that has one colour, Turnout's image as its Dockerfile says, and every command that a person types
// until a release was rolled back. Nothing in the cluster is Turnout's before `turnout install`.
//
// Turnout runs as the Deployment that `turnout install` applies, in a pod of the sandbox's nodes:
// with the image's files alone, read-only, as that Deployment's user. The person registers the App in
// Chromium where it is installed; elsewhere the forms of the pages are sent as a browser would, which
// shows nothing of what only browsers do: that is for internal/setup to test.
package firsthour

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"log/slog"
	"math/big"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/go-logr/logr"
	"sigs.k8s.io/controller-runtime/pkg/log"

	"github.com/turnout-dev/turnout/internal/controlplane"
	"github.com/turnout-dev/turnout/sandbox/gclb"
	"github.com/turnout-dev/turnout/sandbox/netns"
	"github.com/turnout-dev/turnout/sandbox/world"
)

const (
	project = "../.."
	example = project + "/examples/python-app"
	// appHost and hookHost are names that lead to the load balancer, for people, for GitHub and for
	// pods.
	appHost  = "shop.acme.test"
	hookHost = "turnout.acme.test"
	// speed is how many times faster than Google's this load balancer is.
	speed = 25
	// turnoutImage is where Turnout's image was pushed to.
	turnoutImage = "gcr.io/acme-prod/turnout"
	// certificates is where the image has those that it trusts.
	certificates = "/etc/ssl/certs/ca-certificates.crt"
)

// running is what the story starts with.
var running struct { //nolint:gochecknoglobals // TestMain has no other way to hand it over
	*world.World
	image string // Turnout's, by digest
	// bin has the programs that people type: turnout, the image's own, and kubectl.
	bin string
}

func TestMain(m *testing.M) {
	status, err := enter(m)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	os.Exit(status)
}

func enter(m *testing.M) (int, error) {
	inside, err := netns.Enter(netns.Options{Hosts: map[string]string{appHost: netns.HostAddress, hookHost: netns.HostAddress}})
	if err != nil {
		return 1, err
	}
	if inside.Listeners[world.ListenWeb], err = net.Listen("tcp", netns.HostAddress+":80"); err != nil {
		return 1, err
	}
	dir, err := os.MkdirTemp("", "turnout-first-hour-")
	if err != nil {
		return 1, err
	}
	defer os.RemoveAll(dir)
	log.SetLogger(logr.Discard()) // hides the API server's warnings
	ctx := context.Background()
	running.World, err = world.Start(ctx, world.Options{
		Inside: inside, Dir: dir, BackoffScale: 0.1, LoadBalancer: gclb.Config{Speed: speed},
		Seeds:    []world.Seed{{Ref: "gcr.io/acme-prod/my-python-app:first", Context: example}},
		Progress: func(line string) { fmt.Println(line) },
		Log:      slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelError})),
	})
	if err != nil {
		return 1, err
	}
	defer running.Stop()
	authority, stop, err := terminateTLS()
	if err != nil {
		return 1, err
	}
	defer stop()
	if err := provide(ctx, dir, authority); err != nil {
		return 1, err
	}
	if err := running.AwaitLoadBalancer(ctx); err != nil {
		return 1, err
	}
	status := m.Run()
	if violations := running.GitHub.Violations(); len(violations) > 0 {
		return 1, fmt.Errorf("requests that GitHub's OpenAPI description does not allow: %v", violations)
	}
	return status, nil
}

// provide builds Turnout's image and pushes it, and collects the programs that people have.
func provide(ctx context.Context, dir string, authority []byte) error {
	trusted, err := os.ReadFile(certificates)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	stage := filepath.Join(dir, "image")
	made, program, err := buildImage(ctx, filepath.Join(project, "Dockerfile"), stage,
		map[string][]byte{certificates: append(trusted, authority...)})
	if err != nil {
		return fmt.Errorf("building Turnout's image: %w", err)
	}
	digest, err := running.Registry.Load(made)
	if err == nil {
		err = running.Registry.Push(turnoutImage+":latest", digest)
	}
	if err != nil {
		return err
	}
	running.image, running.bin = turnoutImage+"@"+digest, filepath.Join(dir, "bin")
	binaries, err := controlplane.FindBinaries()
	if err != nil {
		return err
	}
	kubectl, err := filepath.Abs(filepath.Join(binaries, "kubectl"))
	if err == nil {
		_, err = os.Stat(kubectl)
	}
	if err != nil {
		return fmt.Errorf("kubectl is missing; make controlplane builds it: %w", err)
	}
	return errors.Join(os.Mkdir(running.bin, 0o750), os.Symlink(kubectl, filepath.Join(running.bin, "kubectl")),
		os.Symlink(program, filepath.Join(running.bin, "turnout")))
}

// terminateTLS serves the load balancer by HTTPS, which the model of it does not: with a certificate of
// an authority that GitHub and Turnout's image trust. It returns that authority.
func terminateTLS() (authority []byte, stop func(), err error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, nil, err
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "the sandbox"}, NotAfter: time.Now().Add(24 * time.Hour),
		DNSNames: []string{hookHost}, IsCA: true, BasicConstraintsValid: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		return nil, nil, err
	}
	listener, err := tls.Listen("tcp", netns.HostAddress+":443", &tls.Config{
		MinVersion: tls.VersionTLS12, Certificates: []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: key}},
	})
	if err != nil {
		return nil, nil, err
	}
	to := &url.URL{Scheme: "http", Host: netns.HostAddress + ":80"}
	server := &http.Server{ReadHeaderTimeout: 10 * time.Second, Handler: &httputil.ReverseProxy{
		Rewrite: func(r *httputil.ProxyRequest) {
			r.SetURL(to)
			r.Out.Host = r.In.Host
		},
	}}
	go func() { _ = server.Serve(listener) }() // ends by stop
	authority = pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(authority)
	// GitHub's stand-in, in this process, sends deliveries by it.
	http.DefaultTransport.(*http.Transport).TLSClientConfig = &tls.Config{MinVersion: tls.VersionTLS12, RootCAs: pool}
	return authority, func() { _ = server.Close() }, nil
}
