package scenario

import (
	"slices"
	"strings"
	"testing"

	"cloud.google.com/go/cloudbuild/apiv1/v2/cloudbuildpb"

	"github.com/turnout-dev/turnout/api/v1alpha1"
)

// location is the default one, where every build here runs.
const location = "global"

// adoptBuilt runs the example with the given spec.build. It does not soak, so its releases
// succeed soon after the switch.
func adoptBuilt(t *testing.T, namespace string, build map[string]any) *application {
	t.Helper()
	return adoptExample(t, namespace, map[string]any{"build": build, "soak": "0s"})
}

// addTrigger creates a trigger that builds by the repository's cloudbuild.yaml. On its own
// it runs for tags only.
func (a *application) addTrigger(project, name string) *cloudbuildpb.BuildTrigger {
	a.t.Helper()
	owner, repo, _ := strings.Cut(a.repository(), "/")
	trigger, err := running.CloudBuild.CreateBuildTrigger(a.t.Context(), &cloudbuildpb.CreateBuildTriggerRequest{
		ProjectId: project, Trigger: &cloudbuildpb.BuildTrigger{
			Name: name, BuildTemplate: &cloudbuildpb.BuildTrigger_Filename{Filename: "cloudbuild.yaml"},
			Github: &cloudbuildpb.GitHubEventsConfig{Owner: owner, Name: repo, Event: &cloudbuildpb.GitHubEventsConfig_Push{
				Push: &cloudbuildpb.PushFilter{GitRef: &cloudbuildpb.PushFilter_Tag{Tag: "^v"}},
			}},
		},
	})
	if err != nil {
		a.t.Fatal(err)
	}
	return trigger
}

// buildOf is the build that a release records.
func (a *application) buildOf(rel *v1alpha1.Release) *cloudbuildpb.Build {
	a.t.Helper()
	if rel.Status.Build == nil {
		a.t.Fatalf("release %s has no build", rel.Name)
	}
	for _, b := range running.CloudBuild.Builds(rel.Status.Build.Project, location) {
		if b.GetId() == rel.Status.Build.ID {
			return b
		}
	}
	a.t.Fatalf("Cloud Build does not have build %s of release %s", rel.Status.Build.ID, rel.Name)
	return nil
}

func TestBuildSourceIsClonedFromAPublicRepository(t *testing.T) {
	t.Parallel()
	a := adoptBuilt(t, "cloned", map[string]any{"project": "acme-prod", "source": map[string]any{"git": true}})
	pr := a.merge("Greet everybody", map[string]string{"VERSION": "v1.2.0\n"})
	rel := a.follow(pr, "success", in(v1alpha1.ReleaseSucceeded))
	a.awaitAnswer(a.host(), "v1.2.0")
	a.awaitDeployment(pr.MergeCommit(), "success")
	source := a.buildOf(rel).GetSource().GetGitSource()
	if want := a.repo.WebURL() + ".git"; source.GetUrl() != want || source.GetRevision() != pr.MergeCommit() {
		t.Errorf("the build's source is %v, want %s at %s", source, want, pr.MergeCommit())
	}
}

func TestBuildSourceOfATriggerIsBuiltAtTheCommit(t *testing.T) {
	t.Parallel()
	a := adoptBuilt(t, "triggered", map[string]any{"project": "acme-prod", "trigger": "ship-triggered"})
	trigger := a.addTrigger("acme-prod", "ship-triggered")
	pr := a.merge("Greet everybody", map[string]string{"VERSION": "v1.3.0\n"})
	rel := a.follow(pr, "success", in(v1alpha1.ReleaseSucceeded))
	a.awaitAnswer(a.host(), "v1.3.0")
	a.awaitDeployment(pr.MergeCommit(), "success")
	build := a.buildOf(rel)
	if build.GetBuildTriggerId() != trigger.GetId() || build.GetSubstitutions()["COMMIT_SHA"] != pr.MergeCommit() {
		t.Errorf("trigger %q built %q, want %q and %q", build.GetBuildTriggerId(), build.GetSubstitutions()["COMMIT_SHA"], trigger.GetId(),
			pr.MergeCommit())
	}
	if got := build.GetSubstitutions()["_TURNOUT_RELEASE"]; got != string(rel.UID) {
		t.Errorf("the build's _TURNOUT_RELEASE is %q, want %q", got, rel.UID)
	}
}

func TestBuildSourceOfATriggerThatWouldChangeTheClusterIsRefused(t *testing.T) {
	t.Parallel()
	const project = "refused-prod"
	a := adoptBuilt(t, "refused", map[string]any{"project": project, "trigger": "ship-refused"})
	a.addTrigger(project, "ship-refused")
	pr := a.merge("Deploy by hand", map[string]string{"cloudbuild.yaml": `steps:
- {id: build, name: gcr.io/cloud-builders/docker, args: [build, -t, 'gcr.io/$PROJECT_ID/my-python-app:$COMMIT_SHA', .]}
- {id: apply, name: gcr.io/cloud-builders/kubectl, args: [apply, -f, k8s]}
images: ['gcr.io/$PROJECT_ID/my-python-app:$COMMIT_SHA']
`})
	rel := a.follow(pr, "the refusal", in(v1alpha1.ReleaseFailed))
	if states := a.awaitDeployment(pr.MergeCommit(), "failure"); slices.Contains(states, "success") {
		t.Errorf("the deployment was reported as a success: %v", states)
	}
	for _, want := range []string{
		"cloudbuild.yaml:3", `(apply): runs "kubectl apply"`, "trigger ship-refused runs every step as it is written",
		"remove the step", "set spec.build.clusterSteps of the BlueGreen to Allow", "use spec.build.config instead of spec.build.trigger",
	} {
		if !strings.Contains(rel.Status.Failure.Message, want) {
			t.Errorf("the failure lacks %q: %s", want, rel.Status.Failure.Message)
		}
		a.awaitComment(pr.Number, want)
	}
	if builds := running.CloudBuild.Builds(project, location); len(builds) > 0 {
		t.Errorf("%d builds were started, want none", len(builds))
	}
	if got := a.ingress().Spec.Rules; len(got) != 1 {
		t.Errorf("the Ingress was changed: it has %d rules, want 1", len(got))
	}
}
