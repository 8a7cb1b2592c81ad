package scenario

import (
	"context"
	"fmt"
	"strings"
	"testing"

	networkingv1 "k8s.io/api/networking/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/turnout-dev/turnout/api/v1alpha1"
	"github.com/turnout-dev/turnout/bot/githubtest"
)

// adoptShop runs the example of two applications, with its own host.
func adoptShop(t *testing.T, namespace string) *application {
	t.Helper()
	a := newApplication(t, namespace, sources(t, shop))
	a.apply(shop+"/k8s", func(u *unstructured.Unstructured) {
		switch u.GetKind() {
		case "Ingress":
			a.setHost(u)
		case "BlueGreen":
			a.take(u)
			set(t, u, "0s", "spec", "soak")
			set(t, u, "Manual", "spec", "promotion", "mode")
		}
	})
	for _, app := range []string{"web", "api"} {
		a.awaitReasonOf(app, v1alpha1.ReasonReady)
	}
	return a
}

// of selects one application's deploy of a merged commit.
func of(app string, pr *githubtest.PullRequest) func(*v1alpha1.Release) bool {
	return func(rel *v1alpha1.Release) bool {
		return rel.Spec.Application == app && rel.Spec.Deploy != nil && rel.Spec.Deploy.Commit == pr.MergeCommit()
	}
}

func TestTwoApplicationsOfOneRepositoryAreReleasedEachByItself(t *testing.T) {
	t.Parallel()
	a := adoptShop(t, "two")
	pr := a.merge("Sell more", map[string]string{"web/VERSION": "v1.1.0\n", "api/VERSION": "v1.1.0\n"})
	for _, app := range []string{"web", "api"} {
		a.followRelease(app+" to wait for a person", of(app, pr), in(v1alpha1.ReleaseWaiting))
	}
	a.awaitComment(pr.Number, "`/promote web`")
	a.awaitComment(pr.Number, "`/promote api`")

	a.comment(pr.Number, running.writer, "/promote")
	a.awaitComment(pr.Number, "Several applications")
	a.comment(pr.Number, running.writer, "/promote api")
	a.followRelease("api to be live", of("api", pr), in(v1alpha1.ReleaseSucceeded))
	a.awaitPath(a.host(), "/api/stock", "v1.1.0")
	if got, err := get(t.Context(), a.host(), "/"); err != nil || !strings.Contains(got, "v1.0.0") {
		t.Errorf("web was not promoted, but answers %s, %v", got, err)
	}
	a.followRelease("web to be waiting still", of("web", pr), in(v1alpha1.ReleaseWaiting))

	a.comment(pr.Number, running.writer, "/cancel web")
	a.followRelease("web to be cancelled", of("web", pr), in(v1alpha1.ReleaseCancelled))
	a.comment(pr.Number, running.writer, "/rollback api")
	a.followRelease("api to be rolled back", isRollback, in(v1alpha1.ReleaseSucceeded))
	a.awaitPath(a.host(), "/api/stock", "v1.0.0")
	a.expectEnvironments(pr.MergeCommit(), "production/api", "production/web")

	ingress := &networkingv1.Ingress{}
	if err := running.kube.Get(t.Context(), a.key("shop"), ingress); err != nil {
		t.Fatal(err)
	}
	for i, want := range []string{"api-blue-svc", "web-blue-svc"} {
		if got := ingress.Spec.Rules[0].HTTP.Paths[i].Backend.Service.Name; got != want {
			t.Errorf("path %d leads to %s, want %s", i, got, want)
		}
	}
}

// awaitPath waits until a host's answer at a path contains a text.
func (a *application) awaitPath(host, path, text string) {
	a.t.Helper()
	a.await(path+" to answer "+text, func(ctx context.Context) (bool, string) {
		got, err := get(ctx, host, path)
		return err == nil && strings.Contains(got, text), fmt.Sprint(got, err)
	})
}

// expectEnvironments waits until a commit has deployments to just these environments.
func (a *application) expectEnvironments(commit string, want ...string) {
	a.t.Helper()
	a.await(fmt.Sprintf("deployments to %v", want), func(context.Context) (bool, string) {
		got := map[string]bool{}
		for _, d := range a.repo.Deployments() {
			if d.SHA == commit {
				got[d.Environment] = true
			}
		}
		for _, environment := range want {
			if !got[environment] {
				return false, fmt.Sprint(got)
			}
		}
		return len(got) == len(want), fmt.Sprint(got)
	})
}
