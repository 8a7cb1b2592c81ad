package scenario

import (
	"context"
	"fmt"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/turnout-dev/turnout/api/v1alpha1"
	"github.com/turnout-dev/turnout/sandbox/frontends"
)

// selfcheck is a command that fails if the container's VERSION says broken.
const selfcheck = `
import os, sys
version = open("VERSION").read().strip()
print("checking", version, "on port", os.environ["PORT"])
if "broken" in version:
    print("the orders table has no column total", file=sys.stderr)
    sys.exit(3)
`

func TestGateRunsItsCommandInThePodsBeforeUsersReachThem(t *testing.T) {
	t.Parallel()
	a := adoptExample(t, "selfcheck", map[string]any{
		"soak": "1s", "drain": "0s", "hold": "0s",
		"gate": map[string]any{
			"http":     []any{map[string]any{"path": "/healthz"}},
			"exec":     map[string]any{"command": []any{"python", "-c", selfcheck}},
			"interval": "200ms", "timeout": "15s",
		},
	})
	good := a.merge("Version two", map[string]string{"VERSION": "v2.0.0\n"})
	rel := a.follow(good, "success", in(v1alpha1.ReleaseSucceeded))
	if check := rel.Status.Milestones.Verified.Check; !strings.Contains(check, "GET /healthz on port 8080; command python -c") {
		t.Errorf("the recorded check is %q", check)
	}
	a.awaitAnswer(a.host(), "v2.0.0")

	failed := a.watchUsers("200 v2.0.0")
	bad := a.merge("Version three", map[string]string{"VERSION": "v3.0.0-broken\n"})
	rel = a.follow(bad, "the failure", in(v1alpha1.ReleaseFailed))
	e := rel.Status.Failure.Evidence
	if len(e) != 1 || e[0].ExitCode == nil || *e[0].ExitCode != 3 || e[0].Container == "" || !strings.HasPrefix(e[0].Pod, name+"-blue-") {
		t.Errorf("the evidence is %+v", e)
	} else if want := "the orders table has no column total"; !strings.Contains(e[0].Log, want) ||
		!strings.Contains(e[0].Log, "checking v3.0.0-broken on port 8080") {
		t.Errorf("the evidence's log is %q, want %q in it", e[0].Log, want)
	}
	a.awaitDeployment(bad.MergeCommit(), "failure")
	a.awaitComment(bad.Number, "the orders table has no column total")
	for _, answer := range failed() {
		t.Errorf("a user got %s", answer)
	}
}

// awaitFrontEnds waits until every front end of a load balancer serves what its newest one
// serves. An earlier right answer shows only that one of them does.
func (a *application) awaitFrontEnds(of *frontends.Adoption) {
	a.t.Helper()
	configuration := of.Published()
	a.await("all front ends to serve", func(context.Context) (bool, string) {
		return of.ByAll(configuration), fmt.Sprint("configuration ", configuration)
	})
}

// watchUsers asks the application as users do until the returned function is called. That
// returns the answers that do not begin with want, and logs them with their times and the
// load balancer's refusals. Asking begins once every front end serves.
func (a *application) watchUsers(want string) (stop func() []string) {
	a.t.Helper()
	a.awaitFrontEnds(&running.adoption.ingress.Adoption)
	began := time.Now()
	ctx, cancel := context.WithCancel(a.t.Context())
	var wrong []string
	var at []time.Time
	asked := 0
	var asking sync.WaitGroup
	asking.Go(func() {
		for tick := time.NewTicker(50 * time.Millisecond); ; {
			got, err := get(ctx, a.host(), "/")
			switch {
			case ctx.Err() != nil:
				tick.Stop()
				return
			case err != nil:
				wrong, at = append(wrong, err.Error()), append(at, time.Now())
			case !strings.HasPrefix(got, want):
				wrong, at = append(wrong, got), append(at, time.Now())
			}
			asked++
			select {
			case <-ctx.Done():
			case <-tick.C:
			}
		}
	})
	return func() []string {
		cancel()
		asking.Wait()
		if asked == 0 {
			wrong = append(wrong, "nothing: no request was sent")
		}
		for i, when := range at {
			a.t.Log(when.Format(time.RFC3339Nano), wrong[i])
		}
		if len(wrong) > 0 {
			a.logRefused(began)
		}
		return wrong
	}
}

// logRefused logs the load balancer's refusals of this application's requests.
func (a *application) logRefused(since time.Time) {
	text, err := os.ReadFile(running.balancerLog)
	if err != nil {
		a.t.Error(err)
	}
	from := "time=" + since.Format("2006-01-02T15:04:05.000Z07:00")
	for line := range strings.Lines(string(text)) {
		if line >= from && strings.Contains(line, `"request refused" host=`+a.host()) {
			a.t.Log(line)
		}
	}
}
