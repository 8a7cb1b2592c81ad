package scenario

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	networkingv1 "k8s.io/api/networking/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"

	"github.com/turnout-dev/turnout/api/v1alpha1"
	"github.com/turnout-dev/turnout/sandbox/world"
)

// elsewhere are other teams' routes: a resource, and a Service that does not exist.
// Google's load balancer would refuse the whole Ingress because of them.
const elsewhere = `[
	{"path": "/bucket", "pathType": "Prefix", "backend": {"resource": {"apiGroup": "k8s.example.com", "kind": "StorageBucket",
	  "name": "assets"}}},
	{"path": "/missing", "pathType": "Prefix", "backend": {"service": {"name": "missing-svc", "port": {"number": 80}}}}
]`

// adoptPlain runs the example behind the plain proxy.
func adoptPlain(t *testing.T) *application {
	t.Helper()
	a := newApplication(t, "plain", sources(t, example))
	a.apply(filepath.Join(example, "k8s"), func(u *unstructured.Unstructured) {
		switch u.GetKind() {
		case "Deployment":
			set(t, u, int64(1), "spec", "replicas")
		case "Ingress":
			ofPlainClass(t, u)
		case "BlueGreen":
			a.take(u)
			set(t, u, world.NameOf(running.PlainURL), "spec", "url")
			set(t, u, "1s", "spec", "soak")
		}
	})
	a.awaitReason(v1alpha1.ReasonReady)
	a.awaitPlain("v1.0.0")
	return a
}

// ofPlainClass moves an Ingress to the plain proxy's class and adds other teams' routes.
func ofPlainClass(t *testing.T, u *unstructured.Unstructured) {
	t.Helper()
	in := &networkingv1.Ingress{}
	if err := runtime.DefaultUnstructuredConverter.FromUnstructured(u.Object, in); err != nil {
		t.Fatal(err)
	}
	in.Annotations, in.Spec.IngressClassName = nil, new(world.PlainClass)
	var paths []networkingv1.HTTPIngressPath
	if err := json.Unmarshal([]byte(elsewhere), &paths); err != nil {
		t.Fatal(err)
	}
	in.Spec.Rules[0].HTTP.Paths = []networkingv1.HTTPIngressPath{paths[0], in.Spec.Rules[0].HTTP.Paths[0], paths[1]}
	var err error
	if u.Object, err = runtime.DefaultUnstructuredConverter.ToUnstructured(in); err != nil {
		t.Fatal(err)
	}
}

// askPlain asks the plain proxy and returns the version that answered, without the
// commit that a build adds to it.
func askPlain(ctx context.Context) (string, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, running.PlainURL, http.NoBody)
	if err != nil {
		return "", err
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return "", err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return "", fmt.Errorf("answered %s", resp.Status)
	}
	version, _, _ := strings.Cut(resp.Header.Get("X-App-Version"), "+")
	return version, nil
}

// awaitPlain waits until users of the plain proxy get a version.
func (a *application) awaitPlain(version string) {
	a.t.Helper()
	a.await(version, func(ctx context.Context) (bool, string) {
		got, err := askPlain(ctx)
		return got == version, fmt.Sprint(got, err)
	})
}

// useAllTheWhile calls ask 20 times a second until the returned function is called. That
// returns the number of requests and how the failed ones failed.
func useAllTheWhile(t *testing.T, ask func(context.Context) error) (stop func() (asked int, failures []string)) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	var user sync.WaitGroup
	var asked int
	var failures []string
	user.Go(func() {
		for ticks := time.Tick(50 * time.Millisecond); ctx.Err() == nil; <-ticks {
			if err := ask(ctx); ctx.Err() == nil && err != nil {
				failures = append(failures, err.Error())
			}
			asked++
		}
	})
	return func() (int, []string) {
		cancel()
		user.Wait()
		return asked, failures
	}
}

func TestReleaseOnAnIngressOfAnotherClassGoesAlongTheSameTrack(t *testing.T) {
	t.Parallel()
	a := adoptPlain(t)
	before := a.ingress()
	stop := useAllTheWhile(t, func(ctx context.Context) error {
		_, err := askPlain(ctx)
		return err
	})
	pr := a.merge("Greet more kindly", map[string]string{"VERSION": "v1.2.0\n"})
	rel := a.follow(pr, "success", in(v1alpha1.ReleaseSucceeded))
	if rel.Status.Route.LoadBalancer != v1alpha1.LoadBalancerOther || rel.Status.Proof.Result != v1alpha1.ProofConfirmed {
		t.Errorf("the load balancer is %s, the proof %+v", rel.Status.Route.LoadBalancer, rel.Status.Proof)
	}
	a.awaitComment(pr.Number, "is not Google's: the Kubernetes API does not show whether its controller took up a change")
	a.awaitPlain("v1.2.0")
	standby := a.blueGreen().StandbyHost()
	sameBytes(t, "after the switch", switched(t, before, blueService, greenService, standby), &a.ingress().Spec)
	a.comment(pr.Number, running.writer, "/rollback")
	a.followRelease("the rollback", isRollback, in(v1alpha1.ReleaseSucceeded))
	a.awaitPlain("v1.0.0")
	sameBytes(t, "after the rollback", switched(t, before, greenService, blueService, standby), &a.ingress().Spec)
	if asked, failures := stop(); len(failures) > 0 {
		t.Errorf("%d of %d requests failed, the first: %s", len(failures), asked, failures[0])
	}
}
