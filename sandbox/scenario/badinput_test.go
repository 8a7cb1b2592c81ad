package scenario

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"os"
	"slices"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	eventsv1 "k8s.io/api/events/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/turnout-dev/turnout/api/v1alpha1"
	"github.com/turnout-dev/turnout/bot/githubtest"
)

// marker is in every body here; the log must never contain it.
const marker = "MARKER-7f3a-of-a-body"

// request is a request to the webhook.
type request struct {
	method, event, contentType string
	body                       []byte
	signature                  string // "-": none
}

// send makes the request and returns the status of the answer.
func (q request) send(t *testing.T) int {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), q.method, running.turnout.URL+"/webhook", bytes.NewReader(q.body))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", q.contentType)
	req.Header.Set("X-GitHub-Event", q.event)
	req.Header.Set("X-GitHub-Delivery", "bad-input")
	if q.signature != "-" {
		req.Header.Set("X-Hub-Signature-256", q.signature)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(string(answer), marker) {
		t.Errorf("the answer repeats the body: %s", answer)
	}
	return resp.StatusCode
}

func sign(body []byte) string { return githubtest.Sign(running.turnout.App.WebhookSecret, body) }

func TestWebhookAnswersBadRequestsAndLogsNothingOfThem(t *testing.T) {
	t.Parallel()
	body := fmt.Appendf(nil, `{"action": "created", "zen": %q}`, marker)
	large := fmt.Appendf(nil, `{"zen": %q, "padding": %q}`, marker, strings.Repeat("x", 25<<20))
	const post, json = http.MethodPost, "application/json"
	for _, c := range []struct {
		name string
		send request
		want int
	}{
		{"an unknown event", request{post, "sponsorship", json, body, sign(body)}, http.StatusAccepted},
		{
			"an unknown action",
			request{post, "issue_comment", json, bytes.Replace(body, []byte("created"), []byte("pinned"), 1), ""},
			http.StatusAccepted,
		},
		{"no signature", request{post, "push", json, body, "-"}, http.StatusUnauthorized},
		{"another secret", request{post, "push", json, body, githubtest.Sign("another", body)}, http.StatusUnauthorized},
		{"a signature of another body", request{post, "push", json, body, sign([]byte("{}"))}, http.StatusUnauthorized},
		{"a malformed signature", request{post, "push", json, body, "sha256=zz"}, http.StatusUnauthorized},
		{"a form", request{post, "push", "application/x-www-form-urlencoded", body, sign(body)}, http.StatusUnsupportedMediaType},
		{"over 25 MB", request{post, "push", json, large, sign(large)}, http.StatusRequestEntityTooLarge},
		{"no JSON", request{post, "push", json, []byte(marker), sign([]byte(marker))}, http.StatusBadRequest},
		{"no event", request{post, "", json, body, sign(body)}, http.StatusBadRequest},
		{"GET", request{http.MethodGet, "push", json, nil, sign(nil)}, http.StatusMethodNotAllowed},
	} {
		t.Run(c.name, func(t *testing.T) {
			if c.send.signature == "" {
				c.send.signature = sign(c.send.body)
			}
			if got := c.send.send(t); got != c.want {
				t.Errorf("the answer is %d, want %d", got, c.want)
			}
		})
	}
	log, err := os.ReadFile(running.turnout.Log)
	if err != nil {
		t.Fatal(err)
	}
	if bytes.Contains(log, []byte(marker)) {
		t.Error("the log contains a part of a body")
	}
	for _, want := range []string{
		`"webhook refused","delivery":"bad-input","status":401`,
		`"webhook ignored","delivery":"bad-input","event":"sponsorship"`,
		`"webhook ignored","delivery":"bad-input","event":"issue_comment.pinned"`,
	} {
		if !bytes.Contains(log, []byte(want)) {
			t.Errorf("the log lacks %s", want)
		}
	}
	for _, series := range []string{`turnout_webhooks_total{event="",status="401"}`, `turnout_webhooks_total{event="other",status="202"}`} {
		if metric(t, series) < 1 {
			t.Errorf("the metric %s does not count the request", series)
		}
	}
}

// delivered waits until turnout has answered 202 to a webhook of the repository, and has
// handled what it then had to do: it records that before it answers.
func (a *application) delivered(event string, contains string) {
	a.t.Helper()
	_, err := running.turnout.App.WaitForDelivery(a.t.Context(), func(d githubtest.Delivery) bool {
		return d.Event == event && d.RepositoryID == a.repo.ID && d.StatusCode == http.StatusAccepted &&
			bytes.Contains(d.Payload, []byte(contains))
	})
	if err != nil {
		a.t.Fatal(err)
	}
	a.await("its deliveries to be handled", func(ctx context.Context) (bool, string) {
		var list v1alpha1.DeliveryList
		if err := running.kube.List(ctx, &list); err != nil {
			return false, err.Error()
		}
		for _, d := range list.Items {
			if d.Spec.RepositoryID == a.repo.ID && !d.Status.Phase.Finished() {
				return false, fmt.Sprintf("%s: %+v", d.Spec.Event, d.Status)
			}
		}
		return true, ""
	})
}

func TestPushForANamespaceWithoutTheGrantDoesNothing(t *testing.T) {
	t.Parallel()
	a := newApplication(t, "ungranted", sources(t, example))
	revoke := fmt.Sprintf(`{"metadata":{"annotations":{%q:null}}}`, v1alpha1.RepositoriesAnnotation)
	ns := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: a.namespace}}
	if err := running.kube.Patch(t.Context(), ns, client.RawPatch(types.MergePatchType, []byte(revoke))); err != nil {
		t.Fatal(err)
	}
	a.handOver(name, "acme-prod", nil)
	a.awaitReason(v1alpha1.ReasonNotGranted)
	want := "kubectl annotate --overwrite namespace ungranted turnout.dev/repositories=acme/ungranted"
	if got := a.commandsOf(name); got != want {
		t.Errorf("the condition's commands are %q, want %q", got, want)
	}
	pr := a.merge("Change something", map[string]string{"VERSION": "v2.0.0\n"})
	a.delivered("push", pr.MergeCommit())
	a.comment(pr.Number, running.writer, "/promote")
	a.delivered("issue_comment", "/promote")
	if got := a.releases(); len(got) > 0 {
		t.Errorf("release %s was created, want none", got[0].Name)
	}
	for _, r := range running.GitHub.Requests() {
		if strings.Contains(r.Path, a.repository()) {
			t.Errorf("turnout asked GitHub about the repository: %s %s", r.Method, r.Path)
		}
	}
}

func TestWhatIsNoCommandIsIgnored(t *testing.T) {
	t.Parallel()
	a := newApplication(t, "talk", sources(t, example))
	a.handOver(name, "acme-prod", nil)
	a.awaitReason(v1alpha1.ReasonIngressMissing)
	if _, err := a.repo.CommitFiles(githubtest.Commit{
		Branch: "topic", Message: "Topic",
		Files: githubtest.Text(map[string]string{"VERSION": "v2\n"}), Author: running.writer,
	}); err != nil {
		t.Fatal(err)
	}
	pr, err := a.repo.OpenPullRequest(githubtest.NewPullRequest{Title: "Topic", Head: "topic", Author: running.writer})
	if err != nil {
		t.Fatal(err)
	}
	robot := running.GitHub.AddUser("robot[bot]")
	robot.Type = "Bot"
	if err := a.repo.SetRole(robot, "write"); err != nil {
		t.Fatal(err)
	}
	a.comment(pr.Number, running.writer, "```\n/promote in-a-block\n```")
	a.comment(pr.Number, running.writer, "> /promote in-a-quote")
	a.comment(pr.Number, running.writer, "Type `/promote` in-a-span")
	a.comment(pr.Number, robot, "/promote\nfrom-a-bot")
	edited := a.comment(pr.Number, running.writer, "Looks good")
	if err := a.repo.EditComment(edited.ID, running.writer, "/promote\nedited"); err != nil {
		t.Fatal(err)
	}
	issue := a.repo.OpenIssue(running.writer, "A question", "How?")
	a.comment(issue, running.writer, "/promote\non-an-issue")
	for _, text := range []string{"in-a-block", "in-a-quote", "in-a-span", "from-a-bot", "edited", "on-an-issue"} {
		a.delivered("issue_comment", text)
	}
	for _, c := range slices.Concat(a.repo.Comments(pr.Number), a.repo.Comments(issue)) {
		if c.App != nil || len(c.Reactions) > 0 {
			t.Errorf("turnout answered or reacted: comment %q has %d reactions", c.Body, len(c.Reactions))
		}
	}
	if got := a.releases(); len(got) > 0 {
		t.Errorf("release %s was created, want none", got[0].Name)
	}
	// A real command in the same place is answered: turnout does read these comments.
	a.comment(pr.Number, running.writer, "/status")
	a.awaitComment(pr.Number, v1alpha1.ReasonIngressMissing)
}

func TestBadBuildFileFailsTheDeploymentBeforeAnythingIsStarted(t *testing.T) {
	t.Parallel()
	a := adoptExample(t, "buildfile", map[string]any{
		"build": map[string]any{"project": "buildfile-prod", "source": map[string]any{"bucket": bucket}},
	})
	for _, c := range []struct {
		title, file string
		want        []string
	}{
		{"Does not parse", "steps:\n- name: gcr.io/cloud-builders/docker\n  args: [build\nimages: []\n", []string{"cloudbuild.yaml:"}},
		{"Unknown field", "steps:\n- name: gcr.io/cloud-builders/docker\n  argz: [build]\nimages: [x]\n", []string{"cloudbuild.yaml:3", "argz"}},
		{"No steps", "images: ['gcr.io/$PROJECT_ID/my-python-app']\n", []string{"cloudbuild.yaml", "steps"}},
		{"No image", "steps:\n- name: gcr.io/cloud-builders/docker\n  args: [build, .]\n", []string{"cloudbuild.yaml", "images"}},
	} {
		pr := a.merge(c.title, map[string]string{"cloudbuild.yaml": c.file})
		rel := a.follow(pr, "the failure", in(v1alpha1.ReleaseFailed))
		states := a.awaitDeployment(pr.MergeCommit(), "failure")
		if slices.Contains(states, "success") {
			t.Errorf("%s: the deployment was reported as a success: %v", c.title, states)
		}
		for _, want := range c.want {
			if !strings.Contains(rel.Status.Failure.Message, want) {
				t.Errorf("%s: the failure lacks %q: %s", c.title, want, rel.Status.Failure.Message)
			}
			a.awaitComment(pr.Number, want)
		}
	}
	if builds := running.CloudBuild.Builds("buildfile-prod", "global"); len(builds) > 0 {
		t.Errorf("%d builds were started, want none", len(builds))
	}
	if got := a.ingress().Spec.Rules; len(got) != 1 {
		t.Errorf("the Ingress was changed: it has %d rules, want 1", len(got))
	}
}

// awaitEvent waits until the BlueGreen has a warning event with this reason and message.
func (a *application) awaitEvent(blueGreen, reason, message string) {
	a.t.Helper()
	a.await("event "+reason, func(ctx context.Context) (bool, string) {
		var list eventsv1.EventList
		if err := running.kube.List(ctx, &list, client.InNamespace(a.namespace)); err != nil {
			return false, err.Error()
		}
		var seen []string
		for _, e := range list.Items {
			if e.Regarding.Name == blueGreen && e.Reason == reason && e.Note == message && e.Type == corev1.EventTypeWarning {
				return true, ""
			}
			seen = append(seen, e.Regarding.Name+" "+e.Reason+": "+e.Note)
		}
		return false, strings.Join(seen, "\n")
	})
}

// change merges a patch into an object.
func (a *application) change(object client.Object, patch string) {
	a.t.Helper()
	if err := running.kube.Patch(a.t.Context(), object, client.RawPatch(types.MergePatchType, []byte(patch))); err != nil {
		a.t.Fatal(err)
	}
}

func TestApplicationThatCannotBeReleasedSaysWhichObjectAndHowToMendIt(t *testing.T) {
	t.Parallel()
	a := adoptExample(t, "obstacles", nil)
	check := func(blueGreen, reason string, want ...string) {
		t.Helper()
		message := a.awaitReasonOf(blueGreen, reason)
		for _, part := range want {
			if !strings.Contains(message, part) {
				t.Errorf("condition %s of bluegreen %s lacks %q: %s", reason, blueGreen, part, message)
			}
		}
		a.awaitEvent(blueGreen, reason, message)
	}
	a.change(a.blueGreen(), `{"spec":{"branch":"trunk"}}`)
	check(name, v1alpha1.ReasonBranchMissing, "acme/obstacles has no branch trunk", "spec.branch of bluegreen "+name)
	a.change(&corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: a.namespace}},
		`{"metadata":{"annotations":{"turnout.dev/repositories":"acme/obstacles,acme/unseen"}}}`)
	a.change(a.blueGreen(), `{"spec":{"branch":"main","repository":"acme/unseen"}}`)
	check(name, v1alpha1.ReasonNotInstalled, "the App is not installed on acme/unseen: install it there")
	a.change(a.blueGreen(), `{"spec":{"repository":"acme/obstacles"}}`)
	a.awaitReason(v1alpha1.ReasonReady)

	a.handOver("ghost", "acme-prod", nil)
	check("ghost", v1alpha1.ReasonIngressMissing, "ingress ghost-ingress does not exist in namespace obstacles", "spec.ingress.name")
	a.handOver("stranger", "acme-prod", map[string]any{"ingress": map[string]any{"name": name + "-ingress"}})
	check("stranger", v1alpha1.ReasonNotRouted, "stranger-blue-svc", "spec.blue.service")

	mixed := `[{"op":"add","path":"/spec/rules/0/http/paths/-","value":{"path":"/new","pathType":"Prefix",` +
		`"backend":{"service":{"name":"my-python-app-green-svc","port":{"number":80}}}}}]`
	if err := running.kube.Patch(t.Context(), a.ingress(), client.RawPatch(types.JSONPatchType, []byte(mixed))); err != nil {
		t.Fatal(err)
	}
	check(name, v1alpha1.ReasonMixedRoutes, "my-python-app-blue-svc", "my-python-app-green-svc")
	if got, want := a.commandsOf(name), "kubectl edit ingress my-python-app-ingress -n obstacles"; got != want {
		t.Errorf("the condition's commands are %q, want %q", got, want)
	}

	a.handOver("twin", "acme-prod", map[string]any{
		"blue": map[string]any{"service": blueService}, "green": map[string]any{"service": "twin-green"},
		"ingress": map[string]any{"name": name + "-ingress"},
	})
	check("twin", v1alpha1.ReasonServiceShared, "service "+blueService+" is also used by bluegreen "+name)
	check(name, v1alpha1.ReasonServiceShared, "service "+blueService+" is also used by bluegreen twin")
}
