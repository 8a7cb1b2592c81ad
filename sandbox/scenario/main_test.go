// Package scenario runs the real binary through the stories of its users and operators.
// All tests share one world: a real control plane and real processes, with stand-ins for
// GitHub, Cloud Build and Cloud Storage that speak their protocols.
package scenario

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"testing"

	"github.com/fsouza/fake-gcs-server/fakestorage"
	"github.com/go-logr/logr"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/log"

	"github.com/turnout-dev/turnout/bot/githubtest"
	"github.com/turnout-dev/turnout/sandbox/frontends"
	"github.com/turnout-dev/turnout/sandbox/gateway"
	"github.com/turnout-dev/turnout/sandbox/gclb"
	"github.com/turnout-dev/turnout/sandbox/netns"
	"github.com/turnout-dev/turnout/sandbox/postgres"
	"github.com/turnout-dev/turnout/sandbox/turnout"
	"github.com/turnout-dev/turnout/sandbox/world"
)

const (
	project   = "../.."
	example   = project + "/examples/python-app"
	onGateway = project + "/examples/python-app-gateway"
	flask     = project + "/examples/flask-app"
	django    = project + "/examples/django-app"
	shop      = project + "/examples/two-applications"
	reference = "../testdata/reference-app"
	// bucket is the default bucket of the reference application's project.
	bucket = "your-gcp-project-id_cloudbuild"
	// speed is how many times faster than Google's this load balancer is.
	speed = 25
)

// running is what all tests of this package share.
var running struct { //nolint:gochecknoglobals // TestMain has no other way to hand it over
	*world.World
	turnout        *turnout.Turnout
	kube           client.WithWatch
	writer, reader *githubtest.User
	balancerLog    string // file name
	monitoring     monitoring
	// adoption is how far the front ends of Ingresses and of Gateways are.
	adoption struct {
		ingress gclb.Adoption
		gateway frontends.Adoption
	}
}

func TestMain(m *testing.M) {
	flag.Parse()
	if f := flag.Lookup("test.parallel"); f.Value.String() == f.DefValue {
		// Scenarios mostly wait: for soaks, drains and front ends.
		_ = f.Value.Set("4")
	}
	status, err := enter(m)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	os.Exit(status)
}

func enter(m *testing.M) (int, error) {
	if _, err := os.Stat(turnout.Binary(project)); err != nil {
		return 1, fmt.Errorf("bin/turnout is missing; build it with make bin/turnout: %w", err)
	}
	inside, err := netns.Enter(netns.Options{
		Listen: map[string]string{world.ListenWeb: "127.0.0.1:0", world.ListenGitHub: "127.0.0.1:0"}, Outside: postgres.Outside,
	})
	if err != nil {
		return 1, err
	}
	dir, err := os.MkdirTemp("", "turnout-scenario-")
	if err != nil {
		return 1, err
	}
	defer os.RemoveAll(dir)
	status, err := inWorld(m, inside, dir)
	if err != nil {
		return status, err
	}
	return rightsFit(status)
}

func inWorld(m *testing.M, inside *netns.Namespace, dir string) (_ int, err error) {
	ctx := context.Background()
	log.SetLogger(logr.Discard()) // hides the API server's warnings
	gatewayAPI, err := gateway.Definitions(ctx, ".")
	if err != nil {
		return 1, err
	}
	balancer, err := os.Create(filepath.Join(dir, "loadbalancer.log"))
	if err != nil {
		return 1, err
	}
	defer balancer.Close()
	running.balancerLog = balancer.Name()
	running.World, err = world.Start(ctx, world.Options{
		Inside: inside, Dir: dir, CRDs: []string{project + "/config/crd", gatewayAPI}, Bucket: bucket, Seeds: seeds(), BackoffScale: 0.1,
		LoadBalancer: gclb.Config{
			Speed: speed, Adoption: &running.adoption.ingress,
			Log: slog.New(slog.NewTextHandler(balancer, &slog.HandlerOptions{Level: slog.LevelDebug})),
		},
		Plain: true, Gateway: &gateways, Audit: turnout.Auditing(),
		Progress: func(line string) { fmt.Println(line) },
	})
	if err != nil {
		return 1, err
	}
	defer running.Stop()
	running.turnout, err = turnout.Start(ctx,
		turnout.Options{
			Project: project, World: running.World, Dir: dir, LogLevel: "debug", ReadURLMaps: true, Monitoring: running.monitoring.start(),
		})
	defer running.monitoring.stop()
	if err != nil {
		return 1, err
	}
	if err := running.AwaitLoadBalancer(ctx); err != nil {
		return 1, errors.Join(err, running.turnout.Stop())
	}
	if running.kube, err = turnout.Admin(running.World); err != nil {
		return 1, err
	}
	if err := createGatewayClass(ctx); err != nil {
		return 1, errors.Join(err, running.turnout.Stop())
	}
	// Cloud Build's bucket of the newcomer's project.
	running.Storage.CreateBucketWithOpts(fakestorage.CreateBucketOpts{Name: fromZero + "_cloudbuild"})
	running.writer, running.reader = running.GitHub.AddUser("alice"), running.GitHub.AddUser("rita")
	running.GitHub.AddOrganization("acme")
	status := m.Run()
	if violations := running.GitHub.Violations(); len(violations) > 0 {
		return 1, fmt.Errorf("requests that GitHub's OpenAPI description does not allow: %v", violations)
	}
	if unknown := running.CloudBuild.Unknown(); len(unknown) > 0 {
		return 1, fmt.Errorf("calls of Cloud Build methods that the stand-in lacks: %v", unknown)
	}
	return keepLog(status, dir, running.turnout.Stop())
}

// keepLog copies the logs of turnout and the load balancer to $TURNOUT_SCENARIO_LOG if a
// test failed.
func keepLog(status int, dir string, stopped error) (int, error) {
	to := os.Getenv("TURNOUT_SCENARIO_LOG")
	if status == 0 || to == "" {
		return status, stopped
	}
	err := stopped
	for name, copied := range map[string]string{"turnout.log": to, "loadbalancer.log": to + ".loadbalancer"} {
		text, reading := os.ReadFile(filepath.Join(dir, name))
		err = errors.Join(err, reading, os.WriteFile(copied, text, 0o600))
	}
	return status, err
}

// seeds are the images that exist before any merge.
func seeds() []world.Seed {
	all := []world.Seed{
		{Ref: "gcr.io/acme-prod/shop-web:first", Context: shop + "/web"},
		{Ref: "gcr.io/acme-prod/shop-api:first", Context: shop + "/api"},
		{Ref: "gcr.io/acme-prod/my-python-app:first", Context: example},
		{Ref: mailImage + ":first", Context: example, Files: map[string]string{"Dockerfile": mailRecipe}},
	}
	if app, err := os.ReadFile(example + "/app.py"); err == nil { // otherwise the other seeds fail
		all = append(all, world.Seed{Ref: measuredImage, Context: example, Files: map[string]string{"app.py": measuredApp(string(app))}})
	}
	for _, version := range []string{"v1.0.0", "v1.1.0"} {
		all = append(all, world.Seed{
			Ref: "gcr.io/your-gcp-project-id/my-python-app:" + version, Context: reference, Files: map[string]string{"VERSION": version},
		})
	}
	return all
}
