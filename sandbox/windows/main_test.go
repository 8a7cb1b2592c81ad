// Package windows proves for each way in which Google's load balancer loses requests at a cut-over
// that Turnout's step against it is needed and works: it runs the same cut-over under the same
// load, once without the step and once with it.
package windows

import (
	"context"
	"flag"
	"fmt"
	"log/slog"
	"os"
	"testing"
	"time"

	"github.com/go-logr/logr"
	"k8s.io/klog/v2"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/log"

	"github.com/turnout-dev/turnout/sandbox/bench/application"
	"github.com/turnout-dev/turnout/sandbox/bench/cutover"
	"github.com/turnout-dev/turnout/sandbox/gclb"
	"github.com/turnout-dev/turnout/sandbox/netns"
	"github.com/turnout-dev/turnout/sandbox/turnout"
	"github.com/turnout-dev/turnout/sandbox/world"
)

const project = "../.."

// running is the world that all tests share.
var running struct { //nolint:gochecknoglobals // TestMain has no other way to hand it over
	*world.World
	kube    client.WithWatch
	journal *cutover.Journal
	dir     string
	brake   brake
	// self is this binary, which is also the application.
	self string
}

const (
	// cold is the minimum time before new endpoints are checked for health: a step of Turnout that
	// does not wait for it loses requests.
	cold = 2 * time.Second
	// lastAdoption is when the last front end uses a change.
	lastAdoption = 1500 * time.Millisecond
)

// balancer has the delays of Google's load balancer divided by 40, except for the first health
// check of new endpoints. If a test must see something before a delay is over, it uses the brake.
func balancer() gclb.Config {
	const speed = 40
	delays := gclb.DefaultDelays()
	delays.HealthCheckStart, delays.LastAdoption = speed*cold, speed*lastAdoption
	b := &running.brake
	return gclb.Config{Speed: speed, Delays: &delays, HoldHealth: b.health, HoldAdoption: b.adopt, Refuse: b.refuse}
}

// zones get pods in turn: each Service has a NEG in each zone.
func zones() []string { return []string{"us-central1-b", "us-central1-c"} }

func TestMain(m *testing.M) {
	if os.Getenv(application.Variable) != "" {
		fmt.Fprintln(os.Stderr, application.Run())
		return
	}
	flag.Parse()
	status, err := enter(m)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		status = 1
	}
	os.Exit(status)
}

func enter(m *testing.M) (int, error) {
	const address = "127.0.0.1"
	hosts := map[string]string{}
	for _, name := range cutover.Hosts() {
		hosts[name] = address
	}
	inside, err := netns.Enter(netns.Options{Hosts: hosts, Listen: map[string]string{world.ListenWeb: address + ":0"}})
	if err != nil {
		return 1, err
	}
	if running.dir, err = os.MkdirTemp("", "turnout-windows-"); err != nil {
		return 1, err
	}
	defer os.RemoveAll(running.dir)
	if running.self, err = os.Executable(); err != nil {
		return 1, err
	}
	// The API server's warnings and ended watches do not matter here.
	log.SetLogger(logr.Discard())
	klog.SetLogger(logr.Discard())
	diary, err := os.Create(running.dir + "/balancer.log")
	if err != nil {
		return 1, err
	}
	defer diary.Close()
	running.journal = cutover.NewJournal(diary)
	balancer := balancer()
	balancer.Log = slog.New(running.journal)
	running.World, err = world.Start(context.Background(), world.Options{
		Inside: inside, Dir: running.dir, CRDs: []string{project + "/config/crd"}, Seeds: cutover.Seeds(project),
		BackoffScale: 0.1, LoadBalancer: balancer, Zones: zones(),
	})
	if err != nil {
		return 1, err
	}
	defer running.Stop()
	if err := running.AwaitLoadBalancer(context.Background()); err != nil {
		return 1, err
	}
	if running.kube, err = turnout.Admin(running.World); err != nil {
		return 1, err
	}
	// Tests mostly wait for the load balancer.
	if err := flag.Set("test.parallel", "4"); err != nil {
		return 1, err
	}
	status := m.Run()
	return status, nil
}
