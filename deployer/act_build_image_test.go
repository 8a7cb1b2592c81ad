package deployer

import (
	"context"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"

	"cloud.google.com/go/cloudbuild/apiv1/v2/cloudbuildpb"
	"github.com/google/go-cmp/cmp"
	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/registry"
	containerv1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/remote"

	"github.com/turnout-dev/turnout/api/v1alpha1"
	"github.com/turnout-dev/turnout/deployer/cloudbuild/cloudbuildtest"
)

// shelf is a registry that a build pushes to.
type shelf struct {
	host string

	mu     sync.Mutex
	spoilt []int         // the next answers about images, instead of its own
	asked  int           // for images
	held   chan struct{} // until it is closed, images get no answer
}

func newShelf(t *testing.T) *shelf {
	t.Helper()
	s := &shelf{}
	real := registry.New(registry.Logger(log.New(io.Discard, "", 0)))
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		status, held := s.next(r)
		if held != nil {
			select {
			case <-held:
			case <-r.Context().Done():
				return
			}
		}
		if status != 0 {
			w.WriteHeader(status)
			return
		}
		real.ServeHTTP(w, r)
	}))
	t.Cleanup(server.Close)
	s.host = strings.TrimPrefix(server.URL, "http://")
	return s
}

func (s *shelf) next(r *http.Request) (status int, held chan struct{}) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if r.Method != http.MethodHead && r.Method != http.MethodGet || !strings.Contains(r.URL.Path, "/manifests/") ||
		!strings.HasPrefix(r.UserAgent(), "turnout-test") {
		return 0, nil
	}
	s.asked++
	if len(s.spoilt) > 0 {
		status, s.spoilt = s.spoilt[0], s.spoilt[1:]
	}
	return status, s.held
}

// hold delays answers for images until the returned function is called.
func (s *shelf) hold() (release func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	held := make(chan struct{})
	s.held = held
	return sync.OnceFunc(func() { close(held) })
}

func (s *shelf) spoil(statuses ...int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.spoilt = statuses
}

func (s *shelf) looks() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.asked
}

// push puts another build's image on the shelf.
func (s *shelf) push(t *testing.T, name string) string {
	t.Helper()
	digest, err := cloudbuildtest.Push(t.Context(), s.host+"/"+name, "another build's")
	check(t, err)
	return digest
}

// file is a build file whose kaniko step pushes these names to the shelf.
func (s *shelf) file(names ...string) string {
	var args []string
	for _, name := range names {
		args = append(args, "'--destination="+s.host+"/"+name+"'")
	}
	return "steps:\n- name: gcr.io/kaniko-project/executor:latest\n  args: [" + strings.Join(args, ", ") + "]\n"
}

// googleRegistry is gcr.io; it records who signs in.
type googleRegistry struct {
	trusted *http.Transport
	proxy   *url.URL

	mu       sync.Mutex
	signedIn []string
}

// newGoogleRegistry has one image. It is reached through a proxy, since its host name is
// Google's.
func newGoogleRegistry(t *testing.T, reference string) *googleRegistry {
	t.Helper()
	server, err := registry.TLS("gcr.io")
	check(t, err)
	t.Cleanup(server.Close)
	g, real := &googleRegistry{}, registry.New(registry.Logger(log.New(io.Discard, "", 0)))
	server.Config.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		name, password, ok := r.BasicAuth()
		if !ok {
			w.Header().Set("WWW-Authenticate", `Basic realm="https://gcr.io"`)
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		if strings.HasPrefix(r.UserAgent(), "turnout-test") {
			g.mu.Lock()
			g.signedIn = append(g.signedIn, name+", "+password)
			g.mu.Unlock()
		}
		real.ServeHTTP(w, r)
	})
	var ok bool
	g.trusted, ok = server.Client().Transport.(*http.Transport)
	if !ok {
		t.Fatal("no transport")
	}
	image, err := mutate.Config(empty.Image, containerv1.Config{})
	check(t, err)
	ref, err := name.ParseReference(reference)
	check(t, err)
	check(t, remote.Write(ref, image, remote.WithTransport(g.trusted), remote.WithAuth(&authn.Basic{Username: "owner", Password: "any"})))
	tunnel := httptest.NewServer(tunnelTo(server.Listener.Addr().String()))
	t.Cleanup(tunnel.Close)
	g.proxy, err = url.Parse(tunnel.URL)
	check(t, err)
	return g
}

func (g *googleRegistry) use(d *Deployer) {
	d.Proxy, d.registryTLS = g.proxy, g.trusted.TLSClientConfig
}

// tunnelTo is a proxy that connects every request to one address.
func tunnelTo(address string) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodConnect {
			http.Error(w, "not a tunnel", http.StatusMethodNotAllowed)
			return
		}
		there, err := net.Dial("tcp", address)
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadGateway)
			return
		}
		defer func() { _ = there.Close() }()
		w.WriteHeader(http.StatusOK)
		here, _, err := http.NewResponseController(w).Hijack()
		if err != nil {
			return
		}
		defer func() { _ = here.Close() }()
		go func() {
			_, _ = io.Copy(there, here)
			_ = there.Close()
		}()
		_, _ = io.Copy(here, there)
	})
}

func asTest(d *Deployer) { d.UserAgent = "turnout-test" }

func TestImageThatTheBuildPushesItselfIsFoundInItsRegistry(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name   string
		tag    string
		change func(*v1alpha1.BlueGreen)
	}{
		{"the commit", "$COMMIT_SHA", func(*v1alpha1.BlueGreen) {}},
		{"the build's id", "$BUILD_ID", func(*v1alpha1.BlueGreen) {}},
		{"part of the build's id", "b-${BUILD_ID:0:8}", func(*v1alpha1.BlueGreen) {}},
		{"triggered", "$SHORT_SHA", byTrigger},
		{"triggered, the build's id", "$BUILD_ID", byTrigger},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			w, s := newWorld(t, tt.change), newShelf(t)
			w.keepTrigger()
			w.source.write("a", s.file("my-python-app:latest", "my-python-app:"+tt.tag))
			w.build = cloudbuildtest.Pushes(s.host)
			s.push(t, "my-python-app:other")
			w.run(asTest)
			rel := w.awaitPhase(w.submit("a"), v1alpha1.ReleaseSucceeded)
			w.expectDeployed(rel)
			made := w.made()[0]
			want, err := cloudbuildtest.Push(t.Context(), s.host+"/my-python-app:again", made.GetId()) // the same content
			check(t, err)
			if got := rel.Status.Milestones.Built.Image; got != s.host+"/my-python-app@"+want {
				t.Errorf("built %s, want %s", got, want)
			}
			if len(made.GetImages()) > 0 || len(made.GetResults().GetImages()) > 0 || rel.Status.Build.Reference == "" {
				t.Errorf("the build is %v, the record %+v", made, rel.Status.Build)
			}
		})
	}
}

func TestImageThatTheBuildReportsWinsOverTheRegistrys(t *testing.T) {
	t.Parallel()
	w, s := newWorld(t), newShelf(t)
	w.source.write("a", s.file("my-python-app:$COMMIT_SHA")+"images: ['"+s.host+"/my-python-app:$COMMIT_SHA']\n")
	other := s.push(t, "my-python-app:"+w.source.sha("a"))
	w.run(asTest)
	rel := w.awaitPhase(w.submit("a"), v1alpha1.ReleaseSucceeded)
	if got := rel.Status.Milestones.Built.Image; strings.Contains(got, other) || s.looks() != 0 {
		t.Errorf("built %s, and the registry got %d requests", got, s.looks())
	}
}

func TestImageOfAnotherBuildIsNotTaken(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name   string
		names  []string
		made   int
		change func(*v1alpha1.BlueGreen)
		want   []string
	}{
		{
			"a tag that moves",
			[]string{"my-python-app:latest"},
			0, func(*v1alpha1.BlueGreen) {},
			[]string{
				"cloudbuild.yaml:2: steps[0]", "my-python-app:latest, whose tag another build may move", "add --destination=",
				"my-python-app:$COMMIT_SHA",
			},
		},
		{
			"and the spec names it",
			[]string{"my-python-app:latest"},
			0,
			func(bg *v1alpha1.BlueGreen) { bg.Spec.Build.Image = "HOST/my-python-app:latest" },
			[]string{"whose tag another build may move"},
		},
		{
			"several",
			[]string{"shop:$COMMIT_SHA", "worker:$COMMIT_SHA"},
			0, func(*v1alpha1.BlueGreen) {},
			[]string{"the steps push several: ", "/shop, ", "/worker", "set spec.build.image of the BlueGreen"},
		},
		{"triggered, a tag that moves", []string{"my-python-app:latest"}, 0, byTrigger, []string{"whose tag another build may move"}},
		{
			"it is not there",
			[]string{"my-python-app:$COMMIT_SHA"},
			1, func(*v1alpha1.BlueGreen) {},
			[]string{"the build succeeded, but ", "/my-python-app:aaaa", "is not in its registry", "spec.build.image"},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			s := newShelf(t)
			w := newWorld(t, func(bg *v1alpha1.BlueGreen) {
				tt.change(bg)
				bg.Spec.Build.Image = strings.ReplaceAll(bg.Spec.Build.Image, "HOST", s.host)
			})
			w.keepTrigger()
			w.source.write("a", s.file(tt.names...))
			s.push(t, "my-python-app:latest")
			w.run(asTest)
			rel := w.awaitPhase(w.submit("a"), v1alpha1.ReleaseFailed)
			w.expectMessage(rel, tt.want...)
			reason := map[int]string{0: "BuildConfig", 1: "NoDigest"}[tt.made]
			if f := rel.Status.Failure; f.Class != v1alpha1.FaultRelease || f.Reason != v1alpha1.FailureReason(reason) || len(w.made()) != tt.made {
				t.Errorf("the failure is %+v after %d builds", f, len(w.made()))
			}
			w.expectLive(v1alpha1.Blue)
		})
	}
}

// A mistyped name would otherwise show only after the build.
func TestImageThatNoStepNamesIsAFindingBeforeTheBuild(t *testing.T) {
	t.Parallel()
	s := newShelf(t)
	w := newWorld(t, func(bg *v1alpha1.BlueGreen) { bg.Spec.Build.Image = s.host + "/my-pyton-app:$COMMIT_SHA" })
	w.source.write("a", s.file("my-python-app:$COMMIT_SHA"))
	release := sync.OnceFunc(w.holdBuilds("a"))
	defer release()
	w.run(asTest)
	rel := w.await(w.submit("a"), "the finding", func(r *v1alpha1.Release) bool {
		return slices.ContainsFunc(r.Status.Findings, func(f v1alpha1.Advice) bool {
			return strings.HasPrefix(f.Text, "cloudbuild.yaml:2: no step names spec.build.image "+s.host+"/my-pyton-app:") &&
				strings.Contains(f.Text, "steps[0] pushes "+s.host+"/my-python-app:")
		})
	})
	release()
	rel = w.awaitPhase(rel, v1alpha1.ReleaseFailed)
	w.expectMessage(rel, "my-pyton-app:", "is not in its registry")
}

func TestRegistryInTroubleIsAskedAgain(t *testing.T) {
	t.Parallel()
	w, s := newWorld(t), newShelf(t)
	w.source.write("a", s.file("my-python-app:$COMMIT_SHA"))
	w.build = cloudbuildtest.Pushes(s.host)
	s.spoil(http.StatusServiceUnavailable, http.StatusTooManyRequests)
	w.run(asTest)
	w.expectDeployed(w.awaitPhase(w.submit("a"), v1alpha1.ReleaseSucceeded))
	if s.looks() != 3 {
		t.Errorf("the registry got %d requests", s.looks())
	}
}

func TestProcessThatEndsBeforeTheRegistryAnswersLosesNothing(t *testing.T) {
	t.Parallel()
	w, s := newWorld(t), newShelf(t)
	w.source.write("a", s.file("my-python-app:$BUILD_ID"))
	w.build = cloudbuildtest.Pushes(s.host)
	s.spoil(slices.Repeat([]int{http.StatusBadGateway}, 1000)...)
	stop := w.run(asTest, quick("first"))
	rel := w.submit("a")
	w.until("the registry was asked", func() bool { return s.looks() > 0 }, func() string { return "" })
	stop()
	w.source.write("a", "steps: []\n") // the planned file counts
	s.spoil()
	w.run(asTest, quick("second"))
	w.expectDeployed(w.awaitPhase(rel, v1alpha1.ReleaseSucceeded))
}

// Looks continue while a registry does not answer, and the registry is asked once.
func TestRegistryIsAskedBesideTheLooks(t *testing.T) {
	t.Parallel()
	w, s := newWorld(t), newShelf(t)
	w.source.write("a", s.file("my-python-app:$COMMIT_SHA"))
	w.build = cloudbuildtest.Pushes(s.host)
	release := s.hold()
	defer release()
	w.run(asTest, quick("first"))
	rel := w.submit("a")
	w.until("the registry was asked", func() bool { return s.looks() == 1 }, func() string { return "" })
	w.renewals(15)
	w.await(rel, "it to say so", func(r *v1alpha1.Release) bool {
		return strings.Contains(r.Status.Message, "asking the registry for "+s.host+"/my-python-app:"+w.source.sha("a"))
	})
	release()
	w.expectDeployed(w.awaitPhase(rel, v1alpha1.ReleaseSucceeded))
	if n := s.looks(); n != 1 {
		t.Errorf("the registry got %d requests", n)
	}
}

func TestRollbackWaitsForNoRegistry(t *testing.T) {
	t.Parallel()
	w, s := newWorld(t), newShelf(t)
	w.source.commit("b", "a")
	w.pretendDeployed()
	w.source.write("b", s.file("my-python-app:$COMMIT_SHA"))
	w.build = cloudbuildtest.Pushes(s.host)
	defer s.hold()()
	w.run(asTest)
	w.submit("b")
	w.until("the registry was asked", func() bool { return s.looks() == 1 }, func() string { return "" })
	w.rollback()
	w.awaitBack()
}

// With Turnout's own account, a registry would show a namespace what others keep there.
func TestRegistryOfGoogleIsAskedAsTheAccountThatTheNamespaceNames(t *testing.T) {
	t.Parallel()
	const account = "shop@acme-prod.iam.gserviceaccount.com"
	for name, annotation := range map[string]string{"an account": " " + account + " ", "Turnout's own": ""} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			if annotation != "" {
				w.annotate(map[string]string{v1alpha1.ImpersonateAnnotation: annotation})
			}
			w.source.write("a", (&shelf{host: "gcr.io/acme-prod"}).file("my-python-app:$COMMIT_SHA"))
			w.build = func(context.Context, *cloudbuildpb.Build) (cloudbuildtest.Result, error) {
				return cloudbuildtest.Result{}, nil
			}
			g := newGoogleRegistry(t, "gcr.io/acme-prod/my-python-app:"+w.source.sha("a"))
			w.run(asTest, g.use)
			rel := w.awaitPhase(w.submit("a"), v1alpha1.ReleaseSucceeded)
			w.expectDeployed(rel)
			want := []string{"oauth2accesstoken, token of " + strings.TrimSpace(annotation)}
			g.mu.Lock()
			defer g.mu.Unlock()
			if diff := cmp.Diff(want, slices.Compact(g.signedIn)); diff != "" {
				t.Errorf("signed in as (-want +got)\n%s", diff)
			}
		})
	}
}

func TestRegistryThatMayNotBeAskedIsSaid(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name   string
		status int
		change func(*Deployer)
		want   []string
	}{
		{
			"401", http.StatusUnauthorized, func(*Deployer) {},
			[]string{"the registry does not serve ", "only for Google's registries", "list the image under images"},
		},
		{"403", http.StatusForbidden, func(*Deployer) {}, []string{"the registry does not serve "}},
		{"no public address", 0, func(d *Deployer) { d.AllowAddresses = nil }, []string{"is not a public address", "--allow-addresses"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			w, s := newWorld(t), newShelf(t)
			w.source.write("a", s.file("my-python-app:$COMMIT_SHA"))
			w.build = cloudbuildtest.Pushes(s.host)
			s.spoil(slices.Repeat([]int{tt.status}, 1000)...)
			w.run(asTest, tt.change)
			rel := w.awaitPhase(w.submit("a"), v1alpha1.ReleaseError)
			w.expectMessage(rel, append(tt.want, "the build succeeded, but ")...)
			if rel.Status.Failure.Reason != "RegistryRefused" {
				t.Errorf("the failure is %+v", rel.Status.Failure)
			}
			w.expectLive(v1alpha1.Blue)
		})
	}
}

// With Turnout's credentials, a namespace's owner could look into others' registries.
func TestRegistryOfAProjectThatIsNotGrantedIsNotAsked(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(bg *v1alpha1.BlueGreen) { bg.Spec.Build.Image = "gcr.io/others/secret:$COMMIT_SHA" })
	w.source.write("a", "steps: [{name: make, args: [image]}]\n")
	w.build = func(context.Context, *cloudbuildpb.Build) (cloudbuildtest.Result, error) {
		t.Error("a build was made")
		return cloudbuildtest.Result{}, nil
	}
	w.run(asTest)
	w.await(w.submit("a"), "the missing grant", func(r *v1alpha1.Release) bool {
		return strings.Contains(r.Status.Message, "others") && strings.Contains(r.Status.Message, v1alpha1.ProjectsAnnotation)
	})
}
