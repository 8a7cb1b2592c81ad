package githubtest

import (
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-github/v60/github"
)

// deploy creates a deployment of main as Turnout does.
func (w *world) deploy(t *testing.T, request github.DeploymentRequest) *github.Deployment {
	t.Helper()
	if request.Ref == nil {
		request.Ref = new("main")
	}
	request.AutoMerge, request.RequiredContexts = new(false), &[]string{}
	d, _, err := w.client.Repositories.CreateDeployment(t.Context(), "acme", "shop", &request)
	check(t, err)
	return d
}

// say gives a deployment a state.
func (w *world) say(t *testing.T, d *github.Deployment, state string) {
	t.Helper()
	_, _, err := w.client.Repositories.CreateDeploymentStatus(t.Context(), "acme", "shop", d.GetID(),
		&github.DeploymentStatusRequest{State: &state})
	check(t, err)
}

func TestDeploymentKeepsWhatItWasGiven(t *testing.T) {
	w := newWorld(t, Config{})
	ctx := t.Context()
	head, err := w.repo.Head("main")
	check(t, err)
	d := w.deploy(t, github.DeploymentRequest{
		Payload: map[string]any{"release": "u1"}, Task: new("rollback"), Description: new("back"),
	})
	if d.GetSHA() != head || d.GetTask() != "rollback" || d.GetEnvironment() != "production" {
		t.Errorf("the deployment: %v", d)
	}
	got, _, err := w.client.Repositories.GetDeployment(ctx, "acme", "shop", d.GetID())
	check(t, err)
	if string(got.Payload) != `{"release":"u1"}` {
		t.Errorf("its payload: %s", got.Payload)
	}
	w.say(t, d, "queued")
	w.say(t, d, "success")
	statuses, _, err := w.client.Repositories.ListDeploymentStatuses(ctx, "acme", "shop", d.GetID(), nil)
	check(t, err)
	if len(statuses) != 2 || statuses[0].GetState() != "success" {
		t.Errorf("statuses, newest first: %v", statuses)
	}
	world := w.repo.Deployments()
	if len(world) != 1 || world[0].State() != "success" || len(w.repo.DeploymentStatuses(d.GetID())) != 2 {
		t.Errorf("the world: %+v", world)
	}
}

func TestDeploymentsAreFilteredAndPaged(t *testing.T) {
	w := newWorld(t, Config{})
	ctx := t.Context()
	for range 5 {
		w.deploy(t, github.DeploymentRequest{Environment: new("staging")})
	}
	w.deploy(t, github.DeploymentRequest{Task: new("rollback")})
	var got []int64
	options := &github.DeploymentsListOptions{Environment: "staging", Task: "deploy", ListOptions: github.ListOptions{PerPage: 2}}
	for {
		page, response, err := w.client.Repositories.ListDeployments(ctx, "acme", "shop", options)
		check(t, err)
		for _, d := range page {
			got = append(got, d.GetID())
		}
		if response.NextPage == 0 {
			break
		}
		options.Page = response.NextPage
	}
	if len(got) != 5 || got[0] < got[4] {
		t.Errorf("five deployments, newest first, in three pages: %v", got)
	}
	none, _, err := w.client.Repositories.ListDeployments(ctx, "acme", "shop", &github.DeploymentsListOptions{SHA: strings.Repeat("0", 40)})
	check(t, err)
	if len(none) != 0 {
		t.Errorf("of another commit: %v", none)
	}
}

func TestAutoInactiveSparesProduction(t *testing.T) {
	w := newWorld(t, Config{})
	for _, tt := range []struct{ environment, want string }{
		{"staging", "inactive"},
		{"production", "success"},
	} {
		request := github.DeploymentRequest{Environment: &tt.environment}
		earlier := w.deploy(t, request)
		w.say(t, earlier, "success")
		w.say(t, w.deploy(t, request), "success")
		statuses := w.repo.DeploymentStatuses(earlier.GetID())
		if got := statuses[len(statuses)-1].State; got != tt.want {
			t.Errorf("the earlier deployment of %s is %s, want %s", tt.environment, got, tt.want)
		}
	}
}

func TestDeploymentMergesUnlessToldNotTo(t *testing.T) {
	w := newWorld(t, Config{})
	w.openPull(t, "topic", "print('v2')\n")
	_, err := w.repo.CommitFiles(Commit{Message: "main moves on", Files: Text(map[string]string{"other": "x"})})
	check(t, err)
	_, response, err := w.client.Repositories.CreateDeployment(t.Context(), "acme", "shop", &github.DeploymentRequest{Ref: new("topic")})
	if response.StatusCode != http.StatusAccepted {
		t.Fatalf("deploying a branch behind main: %d %v", response.StatusCode, err)
	}
	if n := len(w.repo.Deployments()); n != 0 {
		t.Errorf("%d deployments after an automatic merge, want 0", n)
	}
}

func TestDeploymentIsRefusedAsGitHubDoes(t *testing.T) {
	w := newWorld(t, Config{})
	for _, tt := range []struct {
		name    string
		request github.DeploymentRequest
		want    int
	}{
		{"no such ref", github.DeploymentRequest{Ref: new("nothing")}, http.StatusUnprocessableEntity},
		{"an expression for git", github.DeploymentRequest{Ref: new("HEAD~0")}, http.StatusUnprocessableEntity},
		{"a missing context", github.DeploymentRequest{Ref: new("main"), RequiredContexts: &[]string{"ci"}}, http.StatusConflict},
	} {
		_, _, err := w.client.Repositories.CreateDeployment(t.Context(), "acme", "shop", &tt.request)
		if status(err) != tt.want {
			t.Errorf("%s: %v, want %d", tt.name, err, tt.want)
		}
	}
	d := w.deploy(t, github.DeploymentRequest{})
	long := strings.Repeat("é", maxStatusDescription+1)
	_, _, err := w.client.Repositories.CreateDeploymentStatus(t.Context(), "acme", "shop", d.GetID(), &github.DeploymentStatusRequest{
		State: new("success"), Description: &long,
	})
	if status(err) != http.StatusUnprocessableEntity {
		t.Errorf("a description of 141 characters: %v", err)
	}
}

func TestWhatTheDescriptionExcludesIsAViolation(t *testing.T) {
	w := newWorld(t, Config{})
	d := w.deploy(t, github.DeploymentRequest{})
	pr := w.openPull(t, "topic", "x")
	comment, err := w.repo.Comment(pr.Number, w.writer, "hi")
	check(t, err)
	for _, tt := range []struct {
		name, path string
		body       any
		reason     string
	}{
		{"a deployment without ref", "deployments", map[string]any{"task": "deploy"}, "ref"},
		{"auto_merge as a string", "deployments", map[string]any{"ref": "main", "auto_merge": "yes"}, "auto_merge"},
		{"a state that is none", "deployments/" + itoa(d.GetID()) + "/statuses", map[string]any{"state": "done"}, "state"},
		{"an unknown reaction", "issues/comments/" + itoa(comment.ID) + "/reactions", map[string]any{"content": "shrug"}, "content"},
	} {
		request, err := w.client.NewRequest("POST", "repos/acme/shop/"+tt.path, tt.body)
		check(t, err)
		_, err = w.client.Do(t.Context(), request, nil)
		found := w.Violations()
		if status(err) != http.StatusUnprocessableEntity || len(found) != 1 || found[0].Kind != BadRequest ||
			!strings.Contains(found[0].Reason, tt.reason) {
			t.Errorf("%s: %v, violations %v", tt.name, err, found)
		}
		w.ForgetViolations()
	}
}

func TestUnknownRouteAndUnknownParameterAreViolations(t *testing.T) {
	w := newWorld(t, Config{})
	for _, path := range []string{"repos/acme/shop/hooks", "repos/acme/shop/deployments?env=x"} {
		request, err := w.client.NewRequest("GET", path, nil)
		check(t, err)
		if _, err = w.client.Do(t.Context(), request, nil); err == nil {
			t.Errorf("%s was answered", path)
		}
		if n := len(w.Violations()); n != 1 {
			t.Errorf("%s: %d violations, want 1", path, n)
		}
		w.ForgetViolations()
	}
}
