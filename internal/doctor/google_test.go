package doctor

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/oauth2"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/turnout-dev/turnout/api/v1alpha1"
)

// standIn answers as the REST documents of Google say: testIamPermissions returns those of the
// permissions that the caller has. It knows no other routes.
type standIn struct {
	t *testing.T
	// has are the permissions of an identity on a resource: "IDENTITY METHOD host/path".
	has map[string][]string
	// errors are answers instead.
	errors map[string]string
	mu     sync.Mutex
	asked  []string
}

// RoundTrip is the network up to Google: the address decides which service is asked.
func (s *standIn) RoundTrip(r *http.Request) (*http.Response, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	key := strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer ") + " " + r.Method + " " + r.URL.Host + r.URL.Path
	s.asked = append(s.asked, key)
	if text, ok := s.errors[key]; ok {
		var status struct {
			Error struct {
				Code int `json:"code"`
			} `json:"error"`
		}
		if err := json.Unmarshal([]byte(text), &status); err != nil {
			return nil, err
		}
		return answered(r, status.Error.Code, text), nil
	}
	has, ok := s.has[key]
	if !ok {
		s.t.Errorf("Google was asked for %s", key)
		return answered(r, http.StatusNotImplemented, "{}"), nil
	}
	var want struct {
		Permissions []string `json:"permissions"`
	}
	want.Permissions = r.URL.Query()["permissions"]
	if r.Method == http.MethodPost {
		if err := json.NewDecoder(r.Body).Decode(&want); err != nil {
			return nil, err
		}
	}
	if len(want.Permissions) == 0 {
		s.t.Errorf("%s names no permission", key)
	}
	granted := slices.DeleteFunc(want.Permissions, func(p string) bool { return !slices.Contains(has, p) })
	text, err := json.Marshal(map[string]any{"permissions": granted})
	return answered(r, http.StatusOK, string(text)), err
}

func answered(r *http.Request, status int, text string) *http.Response {
	return &http.Response{
		StatusCode: status, Request: r, Header: http.Header{"Content-Type": {"application/json"}}, Body: io.NopCloser(strings.NewReader(text)),
	}
}

// The routes of Google's REST documents.
const (
	askProject = "POST cloudresourcemanager.googleapis.com/v3/projects/acme-prod:testIamPermissions"
	askBucket  = "GET storage.googleapis.com/storage/v1/b/acme-prod_cloudbuild/iam/testPermissions"
	askBuilder = "POST iam.googleapis.com/v1/projects/-/serviceAccounts/builder@acme-prod.iam.gserviceaccount.com:testIamPermissions"
	askTeam    = "POST iam.googleapis.com/v1/projects/-/serviceAccounts/team@acme-prod.iam.gserviceaccount.com:testIamPermissions"
	askRepo    = "POST artifactregistry.googleapis.com/v1/projects/acme-prod/locations/europe-west1/repositories/web:testIamPermissions"
	askGCR     = "POST artifactregistry.googleapis.com/v1/projects/acme-prod/locations/europe/repositories/eu.gcr.io:testIamPermissions"
	askMaps    = "POST cloudresourcemanager.googleapis.com/v3/projects/acme-cluster:testIamPermissions"
)

// sufficient are the permissions with which all is well, for Turnout's identity called "own".
func sufficient() map[string][]string {
	return map[string][]string{
		"own " + askProject: slices.Clone(builds.permissions), "own " + askBucket: slices.Clone(buckets.permissions),
		"own " + askBuilder: slices.Clone(accounts.permissions), "own " + askRepo: slices.Clone(registries.permissions),
		"own " + askMaps: slices.Clone(balancers.permissions), "own " + askTeam: slices.Clone(impersonation.permissions),
	}
}

// atGoogle is Google, an application that uses all of it, and its namespace.
type atGoogle struct {
	*standIn
	google *Google
	app    *v1alpha1.BlueGreen
	ns     *corev1.Namespace
	kube   client.Client
}

func newGoogle(t *testing.T) *atGoogle {
	t.Helper()
	kube, err := client.New(plane.Config, client.Options{Scheme: clientgoscheme.Scheme})
	check(t, err)
	g := &atGoogle{standIn: &standIn{t: t, has: sufficient(), errors: map[string]string{}}, kube: kube}
	g.ns = &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{GenerateName: "google-", Annotations: map[string]string{
		v1alpha1.RepositoriesAnnotation: "acme/shop", v1alpha1.ProjectsAnnotation: "acme-prod",
		v1alpha1.BuildAccountsAnnotation: "*@acme-prod.iam.gserviceaccount.com",
	}}}
	check(t, kube.Create(t.Context(), g.ns))
	world := &World{Kube: kube, Applications: []v1alpha1.BlueGreen{{
		ObjectMeta: metav1.ObjectMeta{Namespace: g.ns.Name, Name: "shop"},
		Spec: v1alpha1.BlueGreenSpec{Repository: "acme/shop", Build: v1alpha1.BuildSpec{
			Project: "acme-prod", ServiceAccount: "builder@acme-prod.iam.gserviceaccount.com",
		}},
		Status: v1alpha1.BlueGreenStatus{Live: &v1alpha1.Version{Image: "europe-west1-docker.pkg.dev/acme-prod/web/shop@sha256:1"}},
	}}}
	g.app = &world.Applications[0]
	g.google = &Google{
		World: world, Transport: g.standIn, LoadBalancerProject: "acme-cluster",
		Tokens: func(_ context.Context, account string) (oauth2.TokenSource, error) {
			if account == "" {
				account = "own"
			}
			return oauth2.StaticTokenSource(&oauth2.Token{AccessToken: account}), nil
		},
	}
	return g
}

func (g *atGoogle) grant(annotation, value string) {
	g.t.Helper()
	g.ns.Annotations[annotation] = value
	check(g.t, g.kube.Update(g.t.Context(), g.ns))
}

// found are the findings, and the commands that mend them.
func (g *atGoogle) found() []string {
	var all []string
	for _, r := range Run(g.t.Context(), g.google.Checks()) {
		for _, f := range r.Findings {
			all = append(all, fmt.Sprintf("%s: %s %s %s, %s", r.Check, f.Code, f.Severity, f.Object, f.Field))
			for _, c := range f.Commands {
				all = append(all, string(c))
			}
		}
	}
	return all
}

const disabled = `{"error":{"code":403,"message":"it is disabled","status":"PERMISSION_DENIED","details":[
	{"@type":"type.googleapis.com/google.rpc.ErrorInfo","reason":"SERVICE_DISABLED","domain":"googleapis.com",
	"metadata":{"service":"cloudresourcemanager.googleapis.com","consumer":"projects/123"}}]}}`

// Every permission is asked for by its own resource, as whoever needs it; what is missing is
// given by a command.
func TestWhatIsMissingAtGoogleIsFound(t *testing.T) {
	t.Parallel()
	const own = "--member=principal://iam.googleapis.com/projects/PROJECT_NUMBER/locations/global/workloadIdentityPools/" +
		"PROJECT_ID.svc.id.goog/subject/ns/turnout/sa/turnout"
	const team = "team@acme-prod.iam.gserviceaccount.com"
	for name, tt := range map[string]struct {
		change func(*atGoogle)
		want   []string
	}{
		"all is well": {func(*atGoogle) {}, nil},
		"no builds": {func(g *atGoogle) { g.has["own "+askProject] = []string{"cloudbuild.builds.get"} }, []string{
			"builds: GooglePermission Error project acme-prod, spec.build.project",
			"gcloud projects add-iam-policy-binding acme-prod --role=roles/cloudbuild.builds.editor --condition=None " + own,
		}},
		"no bucket": {func(g *atGoogle) {
			g.errors["own "+askBucket] = `{"error":{"code":404,"message":"The specified bucket does not exist."}}`
		}, []string{
			"bucket: GoogleMissing Error bucket acme-prod_cloudbuild, spec.build.source.bucket",
			"gcloud storage buckets create gs://acme-prod_cloudbuild --project=acme-prod",
		}},
		"may only read the bucket": {func(g *atGoogle) { g.has["own "+askBucket] = []string{"storage.objects.get"} }, []string{
			"bucket: GooglePermission Error bucket acme-prod_cloudbuild, spec.build.source.bucket",
			"gcloud storage buckets add-iam-policy-binding gs://acme-prod_cloudbuild --role=roles/storage.objectAdmin " + own,
		}},
		"may not act as the builder": {func(g *atGoogle) { g.has["own "+askBuilder] = nil }, []string{
			"accounts: GooglePermission Error service account builder@acme-prod.iam.gserviceaccount.com, spec.build.serviceAccount",
			"gcloud iam service-accounts add-iam-policy-binding builder@acme-prod.iam.gserviceaccount.com " +
				"--role=roles/iam.serviceAccountUser " + own,
		}},
		"may not read the registry": {func(g *atGoogle) { g.has["own "+askRepo] = nil }, []string{
			"registry: GooglePermission Warning registry projects/acme-prod/locations/europe-west1/repositories/web, status.live.image",
			"gcloud artifacts repositories add-iam-policy-binding web --project=acme-prod --location=europe-west1 " +
				"--role=roles/artifactregistry.reader " + own,
		}},
		"an image of gcr.io": {func(g *atGoogle) {
			g.app.Status.Live.Image = "eu.gcr.io/acme-prod/shop@sha256:1"
			g.has["own "+askGCR] = g.has["own "+askRepo]
			delete(g.has, "own "+askRepo)
		}, nil},
		"another registry": {func(g *atGoogle) {
			g.app.Status.Live.Image = "registry.example/acme/web/shop@sha256:1"
			delete(g.has, "own "+askRepo)
		}, nil},
		"a trigger has its own source and account": {func(g *atGoogle) {
			g.app.Spec.Build.Trigger = "main"
			delete(g.has, "own "+askBucket)
			delete(g.has, "own "+askBuilder)
		}, nil},
		"the namespace has an account of its own": {func(g *atGoogle) {
			g.grant(v1alpha1.ImpersonateAnnotation, team)
			for _, key := range []string{askProject, askBucket, askBuilder, askRepo} {
				g.has[team+" "+key] = g.has["own "+key]
				delete(g.has, "own "+key)
			}
			g.has[team+" "+askProject], g.has["own "+askTeam] = nil, nil
		}, []string{
			"builds: GooglePermission Error project acme-prod, spec.build.project",
			"gcloud projects add-iam-policy-binding acme-prod --role=roles/cloudbuild.builds.editor --condition=None " +
				"--member=serviceAccount:" + team,
			"impersonation: GooglePermission Error service account " + team + ", turnout.dev/impersonate",
			"gcloud iam service-accounts add-iam-policy-binding " + team + " --role=roles/iam.serviceAccountTokenCreator " + own,
		}},
		"what is not granted is not asked for": {func(g *atGoogle) {
			g.grant(v1alpha1.ProjectsAnnotation, "")
			g.has = map[string][]string{"own " + askMaps: balancers.permissions}
		}, nil},
		"the API to ask is off": {func(g *atGoogle) { g.errors["own "+askProject] = disabled }, []string{
			"builds: APIDisabled Unknown project acme-prod, spec.build.project",
			"gcloud services enable cloudresourcemanager.googleapis.com --project=123",
		}},
		"Google is down": {func(g *atGoogle) {
			g.errors["own "+askProject] = `{"error":{"code":403,"message":"no","status":"PERMISSION_DENIED"}}`
		}, []string{"builds: Unchecked Unknown google builds, "}},
		"URL maps": {func(g *atGoogle) { g.has["own "+askMaps] = nil }, []string{
			"urlmaps: GooglePermission Warning project acme-cluster, ",
			"gcloud projects add-iam-policy-binding acme-cluster --role=projects/PROJECT/roles/ROLE --condition=None " + own,
		}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			g := newGoogle(t)
			tt.change(g)
			if diff := cmp.Diff(tt.want, g.found()); diff != "" {
				t.Errorf("findings (-want +got)\n%s", diff)
			}
		})
	}
}

// Without credentials there is one cause, and it is said with where to mend it.
func TestWithoutAGoogleIdentityNothingIsAsked(t *testing.T) {
	t.Parallel()
	g := newGoogle(t)
	g.google.Tokens = func(context.Context, string) (oauth2.TokenSource, error) { return nil, errors.New("no credentials") }
	found := g.found()
	if len(g.asked) != 0 || !strings.HasPrefix(found[0], "identity: NoIdentity Error serviceaccount turnout/turnout") {
		t.Errorf("asked %v, found %v", g.asked, found)
	}
}

// Each resource is asked for once, however many applications use it.
func TestGoogleIsAskedOnceForEachResource(t *testing.T) {
	t.Parallel()
	g := newGoogle(t)
	second := g.app.DeepCopy()
	second.Name = "second"
	g.google.World.Applications = append(g.google.World.Applications, *second)
	if found := g.found(); found != nil {
		t.Errorf("found %v", found)
	}
	if slices.Sort(g.asked); len(slices.Compact(slices.Clone(g.asked))) != len(g.asked) || len(g.asked) != 5 {
		t.Errorf("asked %v", g.asked)
	}
}
