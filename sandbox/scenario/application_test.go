package scenario

import (
	"context"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/util/wait"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/yaml"

	"github.com/turnout-dev/turnout/api/v1alpha1"
	"github.com/turnout-dev/turnout/bot/githubtest"
)

// patience bounds every wait. A release behind a Gateway takes a minute by its own clocks alone.
const patience = 3 * time.Minute

// name is the BlueGreen's name and the prefix of its objects' names.
const name = "my-python-app"

// application is an application in a namespace of its own, with its repository.
type application struct {
	t         *testing.T
	namespace string
	repo      *githubtest.Repository
}

// newApplication creates the repository acme/<namespace> with these files, and the
// namespace with grants for that repository and the projects that build.
func newApplication(t *testing.T, namespace string, files map[string]githubtest.File) *application {
	t.Helper()
	a := newRepository(t, namespace, files)
	a.create(&corev1.Namespace{ObjectMeta: metav1.ObjectMeta{
		Name: namespace, Annotations: map[string]string{
			v1alpha1.RepositoriesAnnotation: a.repository(),
			v1alpha1.ProjectsAnnotation:     "acme-prod,refused-prod,buildfile-prod,your-gcp-project-id",
			// Turnout cannot know which repository these triggers build from.
			v1alpha1.TriggersAnnotation: "acme-prod/global/ship-*,refused-prod/global/ship-*",
		},
	}})
	return a
}

// newRepository creates the repository acme/<namespace> with these files and installs the
// App on it. It creates nothing in the cluster.
func newRepository(t *testing.T, namespace string, files map[string]githubtest.File) *application {
	t.Helper()
	a := &application{t: t, namespace: namespace}
	var err error
	if a.repo, err = running.GitHub.AddRepository(a.repository(), githubtest.RepositoryConfig{Files: files}); err != nil {
		t.Fatal(err)
	}
	for user, role := range map[*githubtest.User]string{running.writer: "write", running.reader: "read"} {
		if err := a.repo.SetRole(user, role); err != nil {
			t.Fatal(err)
		}
	}
	running.turnout.App.InstallOn(a.repo, nil)
	return a
}

// adoptExample runs the example in its own namespace, with its own host and one pod a
// colour. spec adds fields to the BlueGreen's spec. The objects of beside are there first.
func adoptExample(t *testing.T, namespace string, spec map[string]any, beside ...client.Object) *application {
	t.Helper()
	a := newApplication(t, namespace, sources(t, example))
	for _, o := range beside {
		o.SetNamespace(namespace)
		a.create(o)
	}
	a.adopt(spec, func(*unstructured.Unstructured) {})
	return a
}

// adopt is [adoptExample] in a namespace that there is. change edits each of the example's objects
// last.
func (a *application) adopt(spec map[string]any, change func(*unstructured.Unstructured)) {
	a.t.Helper()
	a.apply(filepath.Join(example, "k8s"), func(u *unstructured.Unstructured) {
		switch u.GetKind() {
		case "Deployment":
			set(a.t, u, int64(1), "spec", "replicas")
		case "Ingress":
			a.setHost(u)
		case "BlueGreen":
			a.take(u)
			for field, value := range spec {
				set(a.t, u, value, "spec", field)
			}
		}
		change(u)
	})
	a.awaitReason(v1alpha1.ReasonReady)
}

// take points an example's BlueGreen at this application's repository, and shortens its
// proof to suit the load balancer's speed.
func (a *application) take(blueGreen *unstructured.Unstructured) {
	a.t.Helper()
	set(a.t, blueGreen, a.repository(), "spec", "repository")
	set(a.t, blueGreen, bucket, "spec", "build", "source", "bucket")
	set(a.t, blueGreen, "1s", "spec", "proof", "baseline")
	set(a.t, blueGreen, "1s", "spec", "proof", "tail")
}

func sources(t *testing.T, dir string) map[string]githubtest.File {
	t.Helper()
	files, err := githubtest.Directory(dir)
	if err != nil {
		t.Fatal(err)
	}
	return files
}

func set(t *testing.T, u *unstructured.Unstructured, value any, field ...string) {
	t.Helper()
	if err := unstructured.SetNestedField(u.Object, value, field...); err != nil {
		t.Fatal(err)
	}
}

func (a *application) repository() string { return "acme/" + a.namespace }

// host is the host of the example's Ingress.
func (a *application) host() string { return a.namespace + ".example.com" }

// setHost gives an Ingress's first rule the host of this application.
func (a *application) setHost(ingress *unstructured.Unstructured) {
	a.t.Helper()
	setHost(a.t, ingress, a.host())
}

func setHost(t *testing.T, ingress *unstructured.Unstructured, host string) {
	t.Helper()
	rules, _, err := unstructured.NestedSlice(ingress.Object, "spec", "rules")
	if err != nil {
		t.Fatal(err)
	}
	rules[0].(map[string]any)["host"] = host
	set(t, ingress, rules, "spec", "rules")
}

func (a *application) key(name string) client.ObjectKey {
	return client.ObjectKey{Namespace: a.namespace, Name: name}
}

// apply creates the objects of a directory's manifests. change, if given, edits each first.
func (a *application) apply(dir string, change func(*unstructured.Unstructured)) {
	a.t.Helper()
	for _, path := range a.manifests(dir) {
		if filepath.Base(path) == "cloudbuild.yaml" {
			continue // no manifest
		}
		a.applyFile(path, change)
	}
}

// applyFile is [application.apply] for one file.
func (a *application) applyFile(path string, change func(*unstructured.Unstructured)) {
	a.t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		a.t.Fatal(err)
	}
	for document := range strings.SplitSeq(string(text), "\n---\n") {
		u := &unstructured.Unstructured{}
		if err := yaml.Unmarshal([]byte(document), u); err != nil {
			a.t.Fatalf("reading %s: %v", path, err)
		}
		u.SetNamespace(a.namespace)
		if change != nil {
			change(u)
		}
		a.create(u)
	}
}

func (a *application) manifests(dir string) []string {
	a.t.Helper()
	found, err := filepath.Glob(filepath.Join(dir, "*.yaml"))
	if err != nil || len(found) == 0 {
		a.t.Fatalf("no manifests in %s: %v", dir, err)
	}
	return found
}

func (a *application) create(object client.Object) {
	a.t.Helper()
	if err := running.kube.Create(a.t.Context(), object); err != nil {
		a.t.Fatalf("creating %s: %v", object.GetName(), err)
	}
}

// handOver creates a BlueGreen with the two required fields and those of more.
func (a *application) handOver(name, project string, more map[string]any) {
	a.t.Helper()
	spec := map[string]any{"repository": a.repository(), "build": map[string]any{"project": project}}
	maps.Copy(spec, more)
	u := &unstructured.Unstructured{Object: map[string]any{"spec": spec}}
	u.SetGroupVersionKind(v1alpha1.GroupVersion.WithKind("BlueGreen"))
	u.SetNamespace(a.namespace)
	u.SetName(name)
	a.create(u)
}

// await waits until a condition holds. If it never does, the failure shows what was seen
// last.
func (a *application) await(what string, holds func(context.Context) (bool, string)) {
	a.t.Helper()
	var last string
	err := wait.PollUntilContextTimeout(a.t.Context(), 50*time.Millisecond, patience, true, func(ctx context.Context) (bool, error) {
		ok, seen := holds(ctx)
		last = seen
		return ok, nil
	})
	if err != nil {
		a.t.Fatalf("%s: waited %s for: %s; last seen: %s", a.namespace, patience, what, last)
	}
}

func (a *application) blueGreen() *v1alpha1.BlueGreen {
	a.t.Helper()
	bg := &v1alpha1.BlueGreen{}
	if err := running.kube.Get(a.t.Context(), a.key(name), bg); err != nil {
		a.t.Fatal(err)
	}
	return bg
}

// awaitReason waits until the BlueGreen's condition has a reason.
func (a *application) awaitReason(reason string) {
	a.t.Helper()
	a.awaitReasonOf(name, reason)
}

func (a *application) awaitReasonOf(blueGreen, reason string) (message string) {
	a.t.Helper()
	a.await("condition "+reason, func(ctx context.Context) (bool, string) {
		bg := &v1alpha1.BlueGreen{}
		if err := running.kube.Get(ctx, a.key(blueGreen), bg); err != nil || len(bg.Status.Conditions) == 0 {
			return false, fmt.Sprint("no condition ", err)
		}
		c := bg.Status.Conditions[0]
		message = c.Message
		return c.Reason == reason, c.Reason + ": " + c.Message
	})
	return message
}

// commandsOf are the commands of a BlueGreen's condition, each on a line.
func (a *application) commandsOf(blueGreen string) string {
	a.t.Helper()
	bg := &v1alpha1.BlueGreen{}
	if err := running.kube.Get(a.t.Context(), a.key(blueGreen), bg); err != nil {
		a.t.Fatal(err)
	}
	return v1alpha1.Lines(bg.Status.CommandsOf(v1alpha1.ConditionReady))
}

func (a *application) ingress() *networkingv1.Ingress {
	a.t.Helper()
	in := &networkingv1.Ingress{}
	if err := running.kube.Get(a.t.Context(), a.key(name+"-ingress"), in); err != nil {
		a.t.Fatal(err)
	}
	return in
}

// merge opens a pull request with these files and merges it.
func (a *application) merge(title string, files map[string]string) *githubtest.PullRequest {
	a.t.Helper()
	branch := strings.ReplaceAll(strings.ToLower(title), " ", "-")
	if _, err := a.repo.CommitFiles(githubtest.Commit{
		Branch: branch, Message: title, Files: githubtest.Text(files),
		Author: running.writer,
	}); err != nil {
		a.t.Fatal(err)
	}
	pr, err := a.repo.OpenPullRequest(githubtest.NewPullRequest{Title: title, Head: branch, Author: running.writer})
	if err != nil {
		a.t.Fatal(err)
	}
	if _, err := pr.Merge(running.writer); err != nil {
		a.t.Fatal(err)
	}
	return pr
}

func (a *application) comment(number int, by *githubtest.User, body string) githubtest.Comment {
	a.t.Helper()
	c, err := a.repo.Comment(number, by, body)
	if err != nil {
		a.t.Fatal(err)
	}
	return c
}

func (a *application) releases() []v1alpha1.Release {
	a.t.Helper()
	var list v1alpha1.ReleaseList
	if err := running.kube.List(a.t.Context(), &list, client.InNamespace(a.namespace)); err != nil {
		a.t.Fatal(err)
	}
	return list.Items
}

// follow waits until the deploy of a pull request satisfies is.
func (a *application) follow(pr *githubtest.PullRequest, what string, is func(*v1alpha1.Release) bool) *v1alpha1.Release {
	a.t.Helper()
	return a.followRelease(what, func(rel *v1alpha1.Release) bool {
		return rel.Spec.Deploy != nil && rel.Spec.Deploy.Commit == pr.MergeCommit()
	}, is)
}

func (a *application) followRelease(what string, which, is func(*v1alpha1.Release) bool) *v1alpha1.Release {
	a.t.Helper()
	var found *v1alpha1.Release
	a.await(what, func(context.Context) (bool, string) {
		for _, rel := range a.releases() {
			if !which(&rel) {
				continue
			}
			found = &rel
			return is(found), fmt.Sprintf("%s is %s at %s: %s", rel.Name, rel.Status.Phase, rel.Status.Step, rel.Status.Message)
		}
		return false, "no such release"
	})
	return found
}

func in(phase v1alpha1.ReleasePhase) func(*v1alpha1.Release) bool {
	return func(rel *v1alpha1.Release) bool { return rel.Status.Phase == phase }
}

func isRollback(rel *v1alpha1.Release) bool { return rel.Spec.Rollback != nil }

// awaitDeployment waits until the deployment of a merged commit has a state. It returns
// all its states, oldest first.
func (a *application) awaitDeployment(commit, state string) (states []string) {
	a.t.Helper()
	a.await(fmt.Sprintf("the deployment of %s to be %s", commit, state), func(context.Context) (bool, string) {
		states = nil
		for _, d := range a.repo.Deployments() {
			if d.SHA != commit || d.Task != "deploy" {
				continue
			}
			for _, s := range a.repo.DeploymentStatuses(d.ID) {
				states = append(states, s.State)
			}
		}
		return len(states) > 0 && states[len(states)-1] == state, fmt.Sprint(states)
	})
	return states
}

// awaitComment waits until one of turnout's comments on a pull request contains a text. It
// returns all of turnout's comments there.
func (a *application) awaitComment(number int, text string) (own []githubtest.Comment) {
	a.t.Helper()
	a.await("a comment that says "+text, func(context.Context) (bool, string) {
		own = nil
		var all []string
		for _, c := range a.repo.Comments(number) {
			if c.App != nil {
				own = append(own, c)
				all = append(all, c.Body)
			}
		}
		joined := strings.Join(all, "\n---\n")
		return strings.Contains(joined, text), joined
	})
	return own
}

// awaitAnswer waits until a host's answer contains a text, in its status, version or body.
func (a *application) awaitAnswer(host, text string) {
	a.t.Helper()
	a.await(host+" to answer "+text, func(ctx context.Context) (bool, string) {
		got, err := get(ctx, host, "/")
		return err == nil && strings.Contains(got, text), fmt.Sprint(got, err)
	})
}

// get asks the load balancer and returns status, version and body in one line.
func get(ctx context.Context, host, path string) (string, error) {
	resp, err := running.Get(ctx, host, path)
	if err != nil {
		return "", err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	return fmt.Sprintf("%d %s %s", resp.StatusCode, resp.Header.Get("X-App-Version"), body), err
}
