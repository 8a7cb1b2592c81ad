package scenario

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/turnout-dev/turnout/api/v1alpha1"
	"github.com/turnout-dev/turnout/bot/githubtest"
)

// These tests run the examples as a newcomer does: the README's commands in an empty
// namespace and an empty project, then a push and a rollback.

// yamlBlock matches a YAML example of a page.
var yamlBlock = regexp.MustCompile("(?ms)^```yaml\n(.*?)^```$")

// manifestsOf returns the first YAML example of a page that contains all these texts.
func manifestsOf(t *testing.T, page string, with ...string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(project, page))
	if err != nil {
		t.Fatal(err)
	}
	for _, block := range yamlBlock.FindAllStringSubmatch(string(text), -1) {
		found := true
		for _, part := range with {
			found = found && strings.Contains(block[1], part)
		}
		if found {
			return block[1]
		}
	}
	t.Fatalf("%s has no example with %q", page, with)
	return ""
}

// writes puts a file into the newcomer's copy.
func (n *newcomer) writes(file, text string) {
	n.t.Helper()
	if err := os.WriteFile(filepath.Join(n.dir, file), []byte(text), 0o600); err != nil {
		n.t.Fatal(err)
	}
}

// empties empties the folder of the newcomer's manifests.
func (n *newcomer) empties() {
	n.t.Helper()
	dir := filepath.Join(n.dir, "k8s")
	if err := errors.Join(os.RemoveAll(dir), os.Mkdir(dir, 0o700)); err != nil {
		n.t.Fatal(err)
	}
}

// ships types the README's commands, and more right after the namespace is created. It
// waits until the applications are Ready.
func (n *newcomer) ships(more []string, applications ...string) {
	n.t.Helper()
	for _, line := range n.instructions() {
		n.types(line)
		if strings.HasPrefix(line, "kubectl create namespace ") {
			n.types(more...)
		}
	}
	for _, app := range applications {
		n.awaitReasonOf(app, v1alpha1.ReasonReady)
	}
}

// pushes merges the newcomer's k8s/, which starts the first release.
func (n *newcomer) pushes() *githubtest.PullRequest {
	n.t.Helper()
	files := map[string]string{}
	for _, path := range n.manifests(filepath.Join(n.dir, "k8s")) {
		text, err := os.ReadFile(path)
		if err != nil {
			n.t.Fatal(err)
		}
		files["k8s/"+filepath.Base(path)] = string(text)
	}
	return n.merge("Ship it", files)
}

// awaitEverywhere waits until all front ends of the load balancer answer with a version.
func (n *newcomer) awaitEverywhere(path, version string) {
	n.t.Helper()
	n.awaitPath(n.host(), path, version)
	n.awaitFrontEnds(&running.adoption.ingress.Adoption)
}

// uses requests a path all the while. The returned function ends that and checks that no
// request failed.
func (n *newcomer) uses(path string) (stop func()) {
	n.t.Helper()
	end := useAllTheWhile(n.t, func(ctx context.Context) error {
		got, err := get(ctx, n.host(), path)
		if err == nil && !strings.HasPrefix(got, "200 ") {
			err = errors.New(got)
		}
		return err
	})
	return func() {
		n.t.Helper()
		if asked, failures := end(); asked < 20 || len(failures) > 0 {
			n.t.Errorf("%s: %d of %d requests failed: %q", path, len(failures), asked, failures[:min(3, len(failures))])
		}
	}
}

// expectMeasured checks that a release measured the public address around its switch, that
// no request failed, and that it saw this version arrive. An empty version means that the
// example does not show its version. A rollback does not wait for its baseline. On a busy
// machine it may have none, and then cannot recognise the new version.
func expectMeasured(t *testing.T, rel *v1alpha1.Release, version string) {
	t.Helper()
	p := rel.Status.Proof
	if p == nil || p.Result != v1alpha1.ProofConfirmed || p.Requests == 0 || p.Failed > 0 || p.Unseen > 0 {
		t.Errorf("%s: the proof is %+v", rel.Name, p)
		return
	}
	if isRollback(rel) && (p.Baseline == nil || len(p.Baseline.Versions) == 0) {
		version = ""
	}
	if p.NewVersion != version || version != "" && p.NewVersionAfter == nil {
		t.Errorf("%s: the proof saw version %q after %v, want %q: %+v", rel.Name, p.NewVersion, p.NewVersionAfter, version, *p)
	}
}

// watched reports whether a deploy is in its soak.
func watched(rel *v1alpha1.Release) bool {
	return rel.Status.Phase == v1alpha1.ReleaseRunning && rel.Status.Step == v1alpha1.StepSoak
}

// tries is one application of a first push and its rollback.
type tries struct {
	app, path     string
	showsVersions bool   // in its answers
	rollback      string // the command
}

// releasesAndReturns pushes, and rolls each application back while it soaks.
func (n *newcomer) releasesAndReturns(all ...tries) {
	n.t.Helper()
	const first = "v1.0.0+first"
	var stops []func()
	for _, x := range all {
		n.awaitEverywhere(x.path, first)
		stops = append(stops, n.uses(x.path))
	}
	pr := n.pushes()
	second := "v1.0.0+" + pr.MergeCommit()[:12]
	for _, x := range all {
		expectMeasured(n.t, n.followRelease(x.app+" to be watched", of(x.app, pr), watched), x.seen(second))
		n.awaitEverywhere(x.path, second)
	}
	n.awaitComment(pr.Number, ", 0 failed")
	for _, x := range all {
		n.comment(pr.Number, running.writer, x.rollback)
		back := n.followRelease(x.app+" to be rolled back", func(rel *v1alpha1.Release) bool {
			return isRollback(rel) && rel.Spec.Application == x.app
		}, in(v1alpha1.ReleaseSucceeded))
		expectMeasured(n.t, back, x.seen(first))
		n.awaitPath(n.host(), x.path, first)
	}
	for _, stop := range stops {
		stop()
	}
}

// seen is the version that a proof can see: empty if the answers do not show it.
func (x tries) seen(version string) string {
	if x.showsVersions {
		return version
	}
	return ""
}

func TestFromZeroThePythonApplication(t *testing.T) {
	t.Parallel()
	n := newNewcomer(t, "zero-python", example)
	n.ships(nil, name)
	n.releasesAndReturns(tries{app: name, path: "/", showsVersions: true, rollback: "/rollback"})
}

// The sandbox executes no RUN of a Dockerfile: its pods have the machine's packages. Without
// them the test is skipped, unless TURNOUT_TEST_FLASK is set, as .ci/run does.
func TestFromZeroTheFlaskApplication(t *testing.T) {
	t.Parallel()
	_, missing := exec.LookPath("gunicorn")
	if out, err := exec.CommandContext(t.Context(), "/usr/bin/python3", "-c", "import flask").CombinedOutput(); err != nil {
		missing = errors.Join(missing, fmt.Errorf("%w: %s", err, out))
	}
	switch {
	case missing != nil && os.Getenv("TURNOUT_TEST_FLASK") != "":
		t.Fatal(missing)
	case missing != nil:
		t.Skip("there is no gunicorn, or no Flask; on Debian: apt-get install python3-flask gunicorn")
	}
	n := newNewcomer(t, "zero-flask", flask)
	n.ships(nil, "my-flask-app")
	n.releasesAndReturns(tries{app: "my-flask-app", path: "/", showsVersions: true, rollback: "/rollback"})
}

func TestFromZeroTheTwoApplications(t *testing.T) {
	t.Parallel()
	n := newNewcomer(t, "zero-two", shop)
	n.ships(nil, "web", "api")
	n.releasesAndReturns(
		tries{app: "web", path: "/", showsVersions: true, rollback: "/rollback web"},
		tries{app: "api", path: "/api/stock", showsVersions: true, rollback: "/rollback api"},
	)
}

// The smallest BlueGreen of README.md, with the manifests of docs/zero-downtime.md, which
// have one colour.
func TestFromZeroTheLeastBlueGreen(t *testing.T) {
	t.Parallel()
	n := newNewcomer(t, "zero-least", example)
	n.empties()
	n.writes("k8s/all.yaml", manifestsOf(t, "docs/zero-downtime.md", "kind: BackendConfig", "kind: Deployment"))
	n.writes("k8s/bluegreen.yaml", manifestsOf(t, "README.md", "kind: BlueGreen"))
	n.ships(nil, name)
	n.releasesAndReturns(tries{app: name, path: "/", rollback: "/rollback"})
}

// without leaves a field of the spec out of a BlueGreen's text.
func without(t *testing.T, blueGreen, field string) string {
	t.Helper()
	block := regexp.MustCompile(`(?m)^  ` + field + `:.*\n(?:  [ -].*\n)*`)
	if !block.MatchString(blueGreen) {
		t.Fatalf("the BlueGreen with every field has no %s:\n%s", field, blueGreen)
	}
	return block.ReplaceAllString(blueGreen, "")
}

// The BlueGreen of docs/bluegreen.md that has every field, with the example's manifests. What a
// newcomer of this example does not have is left out: Prometheus, a database, workers and a
// scheduler; analysis_test.go and django_test.go have them.
func TestFromZeroTheFullBlueGreen(t *testing.T) {
	t.Parallel()
	n := newNewcomer(t, "zero-full", example)
	full := manifestsOf(t, "docs/bluegreen.md", "kind: BlueGreen", "historyLimit:")
	for _, field := range []string{"analysis", "migrations", "workers", "singletons", "cronJobs"} {
		full = without(t, full, field)
	}
	n.writes("k8s/bluegreen.yaml", full)
	grant := fmt.Sprintf("kubectl annotate --overwrite namespace %s 'turnout.dev/build-accounts=*@%s.iam.gserviceaccount.com'", n.namespace,
		fromZero)
	n.ships([]string{grant}, name)
	n.releasesAndReturns(tries{app: name, path: "/", showsVersions: true, rollback: "/rollback"})
}

// oneOfEach is an application without colours: one Deployment, one Service, one Ingress. Its
// connections drain, as docs/first-days.md asks: otherwise the users' own rollouts cut off
// answers.
const oneOfEach = `
apiVersion: cloud.google.com/v1
kind: BackendConfig
metadata: {name: web}
spec: {connectionDraining: {drainingTimeoutSec: 60}}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: web}
spec:
  replicas: 2
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec:
      containers:
      - name: web
        image: gcr.io/acme-prod/my-python-app:first
        ports: [{containerPort: 8080}]
        readinessProbe: {httpGet: {path: /healthz, port: 8080}, periodSeconds: 1}
        lifecycle: {preStop: {sleep: {seconds: 5}}}
---
apiVersion: v1
kind: Service
metadata:
  name: web
  annotations: {cloud.google.com/backend-config: '{"default": "web"}'}
spec:
  selector: {app: web}
  ports: [{port: 80, targetPort: 8080}]
---
apiVersion: networking.k8s.io/v1
kind: Ingress
metadata: {name: web}
spec:
  rules:
  - http:
      paths:
      - {path: /, pathType: Prefix, backend: {service: {name: web, port: {number: 80}}}}
`

// The BlueGreen of docs/first-days.md, and then every command that Turnout advises, under
// load.
func TestFromZeroOneOfEach(t *testing.T) {
	t.Parallel()
	n := newNewcomer(t, "zero-one", example)
	n.empties()
	n.writes("k8s/web.yaml", oneOfEach)
	n.writes("k8s/bluegreen.yaml", manifestsOf(t, "docs/first-days.md", "kind: BlueGreen", "service: web"))
	n.ships(nil)
	n.awaitEverywhere("/", "v1.0.0+first")
	stop := n.uses("/")
	n.obeys("web")
	stop()
	n.releasesAndReturns(tries{app: "web", path: "/", rollback: "/rollback"})
}
