package bot_test

import (
	"bytes"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/turnout-dev/turnout/api/v1alpha1"
	"github.com/turnout-dev/turnout/bot"
	"github.com/turnout-dev/turnout/bot/bottest"
	"github.com/turnout-dev/turnout/bot/githubtest"
)

func keyOf(app *v1alpha1.BlueGreen) types.NamespacedName {
	return types.NamespacedName{Namespace: app.Namespace, Name: app.Name}
}

func TestMergeBecomesReleaseAndDeployment(t *testing.T) {
	w := newWorld(t)
	pr, commit := w.merge("feature")
	rel := w.only()
	if want := v1alpha1.DeployName("shop", commit, 1); rel.Name != want || rel.Namespace != "shop" {
		t.Errorf("release %s/%s, want shop/%s", rel.Namespace, rel.Name, want)
	}
	if rel.Spec.Cause.Kind != v1alpha1.CausePush || rel.Spec.Cause.Actor != "wanda" || rel.Spec.Cause.Delivery == "" {
		t.Errorf("cause %+v, want a push by wanda with its delivery", rel.Spec.Cause)
	}
	p := w.publisher()
	for _, phase := range []v1alpha1.ReleasePhase{
		v1alpha1.ReleaseQueued, v1alpha1.ReleaseRunning, v1alpha1.ReleaseWaiting, v1alpha1.ReleaseRunning, v1alpha1.ReleaseSucceeded,
	} {
		changed := w.record.change(rel.Name, func(r *v1alpha1.Release) { advance(r, phase) })
		for range 2 {
			_, err := p.Publish(t.Context(), changed)
			check(t, err)
		}
	}
	deployments := w.repo.Deployments()
	if len(deployments) != 1 {
		t.Fatalf("%d deployments, want 1", len(deployments))
	}
	if got, want := states(deployments[0]), "queued in_progress pending in_progress success"; got != want {
		t.Errorf("states %q, want %q", got, want)
	}
	answers := w.answers(pr.Number)
	if len(answers) != 1 || !strings.Contains(answers[0], "is live on green") {
		t.Errorf("comments %q, want one that shows what is live", answers)
	}
}

// advance moves a release as the deployer does.
func advance(r *v1alpha1.Release, phase v1alpha1.ReleasePhase) {
	now := metav1.NewTime(time.Now())
	r.Status.Phase = phase
	if phase != v1alpha1.ReleaseQueued && r.Status.Milestones.Target == "" {
		r.Status.Milestones.Target = v1alpha1.Green
		r.Status.Milestones.Previous = &v1alpha1.Version{Color: v1alpha1.Blue, Image: "gcr.io/acme/shop:v1.0.0", Replicas: 3}
		r.Status.Build = &v1alpha1.BuildStatus{LogURL: "https://console.cloud.google.com/cloud-build/builds/1"}
	}
	if phase == v1alpha1.ReleaseSucceeded {
		r.Status.Milestones.SwitchIntendedAt, r.Status.Milestones.SwitchedAt, r.Status.Milestones.ConfirmedAt = &now, &now, &now
		r.Status.FinishedAt = &now
	}
}

func states(d githubtest.Deployment) string {
	var all []string
	for _, s := range d.Statuses {
		all = append(all, s.State)
	}
	return strings.Join(all, " ")
}

// TestCapturedPushBecomesReleasesOfItsBranch posts GitHub's captured push twice: a
// redelivery joins the releases of the first delivery.
func TestCapturedPushBecomesReleasesOfItsBranch(t *testing.T) {
	record := newRecord()
	for _, app := range []struct{ namespace, repository, branch string }{
		{"production", "codertocat/hello-world", "master"}, // GitHub's names are case-insensitive
		{"staging", "Codertocat/Hello-World", "master"},
		{"next", "Codertocat/Hello-World", "main"},
		{"other", "Codertocat/Other", "master"},
		{"ungranted", "Codertocat/Hello-World", "master"},
	} {
		bg := bottest.Shop()
		bg.Namespace, bg.Spec.Repository, bg.Spec.Branch = app.namespace, app.repository, app.branch
		record.add(bg)
	}
	record.granted["ungranted"] = false
	secrets, err := bot.NewSecrets(secret)
	check(t, err)
	in := &bot.Inbox{Record: record, Deliveries: record, Holder: "process", Log: slog.New(slog.DiscardHandler)}
	hooks := httptest.NewServer(&bot.Webhook{Secrets: secrets, Handle: in.Handle, Log: slog.New(slog.DiscardHandler)})
	t.Cleanup(hooks.Close)
	for _, name := range []string{"push.branch", "push.branch", "push.tag", "push.branch-deleted"} {
		body := captured(t, name)
		req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, hooks.URL, bytes.NewReader(body))
		check(t, err)
		req.Header = http.Header{
			"Content-Type": {"application/json"}, "X-Github-Event": {"push"}, "X-Github-Delivery": {"guid"},
			"X-Hub-Signature-256": {bot.Sign(secret, body)},
		}
		resp, err := http.DefaultClient.Do(req)
		check(t, err)
		check(t, resp.Body.Close())
		if resp.StatusCode != http.StatusAccepted {
			t.Errorf("%s answered %d, want 202", name, resp.StatusCode)
		}
	}
	if len(record.deliveries) != 1 {
		t.Errorf("%d deliveries are recorded, want 1: Turnout ignores the other events", len(record.deliveries))
	}
	for name := range record.deliveries {
		_, err := in.Work(t.Context(), name)
		check(t, err)
	}
	var namespaces []string
	for _, rel := range record.releases {
		namespaces = append(namespaces, rel.Namespace)
		if rel.Spec.Deploy.Commit != "6113728f27ae82c7b1a177c8d03f9e96e0adf246" || rel.Spec.Cause.Actor != "Codertocat" {
			t.Errorf("release %+v, want the pushed commit by its pusher", rel.Spec)
		}
	}
	slices.Sort(namespaces)
	if got := strings.Join(namespaces, " "); got != "production staging" {
		t.Errorf("releases in %q, want one in production and one in staging", got)
	}
}
