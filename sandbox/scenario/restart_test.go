package scenario

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	networkingv1 "k8s.io/api/networking/v1"
	"k8s.io/apimachinery/pkg/watch"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/turnout-dev/turnout/api/v1alpha1"
	"github.com/turnout-dev/turnout/bot/githubtest"
)

// slowStart delays the example's start by this many seconds.
const slowStart = `
import time
time.sleep(%d)
`

// TestReleasesSurviveThatTurnoutIsKilled kills turnout while one application stages, another
// has just switched, and the users of another have just been divided anew. It merges to a
// fourth before it starts turnout again. It is not parallel: the other tests need turnout.
func TestReleasesSurviveThatTurnoutIsKilled(t *testing.T) {
	shifting := behindGateway{namespace: "killed-shifting", spec: map[string]any{"canary": steps(step{25, "1h"}, step{50, "5s"})}}.adopt(t)
	shiftingPR := shifting.merge("Greet a quarter", map[string]string{"VERSION": "v2.0.0\n"}) // its gate takes longest
	manual := map[string]any{"promotion": map[string]any{"mode": "Manual"}, "soak": "1s", "drain": "1s"}
	quick := map[string]any{"soak": "1s", "drain": "1s"}
	staging := adoptExample(t, "killed-staging", quick)
	switching := adoptExample(t, "killed-switching", manual)
	away := adoptExample(t, "killed-away", quick)

	switchingPR := switching.merge("Version two", map[string]string{"VERSION": "v2.0.0\n"})
	shifting.awaitGateway("v1.0.0")
	users := shifting.visited()
	shifting.follow(shiftingPR, "a quarter of the users", hasWeight(25))
	switching.follow(switchingPR, "the wait for /promote", in(v1alpha1.ReleaseWaiting))
	source := sources(t, example)["app.py"].Content
	stagingPR := staging.merge("Version two", map[string]string{
		"VERSION": "v2.0.0\n", "app.py": strings.Replace(source, "import json\n", fmt.Sprintf("import json\n"+slowStart, 15), 1),
	})
	staging.follow(stagingPR, "staging", func(rel *v1alpha1.Release) bool {
		return rel.Status.Step == v1alpha1.StepStage && rel.Status.Milestones.Built != nil
	})
	moved := switching.awaitMove(func() {
		shifting.comment(shiftingPR.Number, running.writer, "/promote 50")
		shifting.await("half of the users", func(context.Context) (bool, string) {
			weights := shifting.weights()
			return weights[0] == "blue 50 green 50", weights[0]
		})
		switching.comment(switchingPR.Number, running.writer, "/promote")
	})
	if err := running.turnout.Kill(); err != nil {
		t.Fatal(err)
	}
	if rel := staging.follow(stagingPR, "the release", func(*v1alpha1.Release) bool { return true }); rel.Status.Milestones.Staged != nil {
		t.Fatalf("%s was staged before turnout was killed: the kill came too late to prove anything", rel.Name)
	}
	if rel := switching.follow(switchingPR, "the release", func(*v1alpha1.Release) bool { return true }); rel.Status.Phase.Finished() {
		t.Fatalf("%s was finished before turnout was killed: the kill came too late to prove anything", rel.Name)
	} else {
		t.Logf("killed with intent %v, outcome %v", rel.Status.Milestones.SwitchIntendedAt, rel.Status.Milestones.SwitchedAt)
	}
	if rel := shifting.follow(shiftingPR, "the release", hasWeight(25)); rel.Status.Milestones.SwitchIntendedAt != nil {
		t.Fatalf("%s had shifted before turnout was killed: the kill came too late to prove anything", rel.Name)
	} else {
		t.Logf("killed with %+v", rel.LastWeight())
	}
	awayPR := away.merge("Version two", map[string]string{"VERSION": "v2.0.0\n"})
	away.awaitLostDelivery(awayPR.MergeCommit())
	if err := running.turnout.Run(t.Context()); err != nil {
		t.Fatal(err)
	}

	for a, pr := range map[*application]*githubtest.PullRequest{staging: stagingPR, switching: switchingPR, away: awayPR} {
		rel := a.follow(pr, "success", in(v1alpha1.ReleaseSucceeded))
		a.awaitAnswer(a.host(), "v2.0.0")
		checkOnce(t, a, pr, rel)
	}
	if got := switching.ingress().Generation; got != moved {
		t.Errorf("the Ingress was written again after the switch: its generation is %d, want %d", got, moved)
	}
	rel := shifting.follow(shiftingPR, "success", in(v1alpha1.ReleaseSucceeded))
	if diff := cmp.Diff([]int32{25, 50}, weightsOf(rel)); diff != "" {
		t.Errorf("the weights (-want +got):\n%s", diff)
	}
	// Generation 1 is its creation, 2 names both Services, 3 and 4 divide users, 5 is the switch.
	if got := shifting.route(name).GetGeneration(); got != 5 {
		t.Errorf("the HTTPRoute's spec was written %d times, want 4", got-1)
	}
	shifting.awaitGateway("v2.0.0")
	expectServed(t, users.leave(), "")
}

// awaitMove calls act, waits until that has moved the traffic, and returns the Ingress's
// new generation.
func (a *application) awaitMove(act func()) int64 {
	a.t.Helper()
	ctx, cancel := context.WithTimeout(a.t.Context(), patience)
	defer cancel()
	w, err := running.kube.Watch(ctx, &networkingv1.IngressList{}, client.InNamespace(a.namespace))
	if err != nil {
		a.t.Fatal(err)
	}
	defer w.Stop()
	act()
	for e := range w.ResultChan() {
		in, ok := e.Object.(*networkingv1.Ingress)
		if ok && e.Type != watch.Deleted && in.Spec.Rules[0].HTTP.Paths[0].Backend.Service.Name == greenService {
			return in.Generation
		}
	}
	a.t.Fatalf("the traffic of %s did not move within %s", a.namespace, patience)
	return 0
}

// awaitLostDelivery waits until GitHub gave up delivering the push of a commit.
func (a *application) awaitLostDelivery(commit string) {
	a.t.Helper()
	_, err := running.turnout.App.WaitForDelivery(a.t.Context(), func(d githubtest.Delivery) bool {
		return d.Event == "push" && d.StatusCode == 0 && strings.Contains(string(d.Payload), `"after":"`+commit)
	})
	if err != nil {
		a.t.Fatal(err)
	}
}

// progress leaves out repeated states and the waits for a turn or a person: a short wait
// may never reach GitHub.
func progress(states []string) []string {
	return slices.Compact(slices.DeleteFunc(slices.Clone(states), func(s string) bool { return s == "queued" || s == "pending" }))
}

// checkOnce checks that a release had each effect once, and that GitHub shows how it
// ended.
func checkOnce(t *testing.T, a *application, pr *githubtest.PullRequest, rel *v1alpha1.Release) {
	t.Helper()
	if got := a.releases(); len(got) != 1 {
		t.Errorf("%s: %d releases, want 1", a.namespace, len(got))
	}
	builds := 0
	for _, build := range running.CloudBuild.Builds("acme-prod", "global") {
		if slices.Contains(build.GetTags(), rel.Status.Build.Tag) {
			builds++
		}
	}
	if builds != 1 {
		t.Errorf("%s: %d builds, want 1", a.namespace, builds)
	}
	// Generation 1 is its creation, 2 the standby rule, 3 the switch.
	if got := a.ingress().Generation; got != 3 {
		t.Errorf("%s: the Ingress's spec was written %d times, want 2: attach and switch", a.namespace, got-1)
	}
	if got := a.repo.Deployments(); len(got) != 1 {
		t.Errorf("%s: %d deployments, want 1", a.namespace, len(got))
	}
	states := a.awaitDeployment(pr.MergeCommit(), "success")
	if want := []string{"in_progress", "success"}; !slices.Equal(progress(states), want) {
		t.Errorf("%s: the deployment's states are %v, want %v besides waits", a.namespace, states, want)
	}
	edited := 0
	for _, c := range a.awaitComment(pr.Number, "is live on green") {
		if strings.Contains(c.Body, rel.Status.Version) {
			edited++
		}
	}
	if edited != 1 {
		t.Errorf("%s: %d comments report the release, want 1", a.namespace, edited)
	}
}
