package record_test

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"log"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"
	"sigs.k8s.io/yaml"

	"github.com/turnout-dev/turnout/api/v1alpha1"
	"github.com/turnout-dev/turnout/internal/controlplane"
	"github.com/turnout-dev/turnout/internal/index/indextest"
	"github.com/turnout-dev/turnout/record"
)

var update = flag.Bool("update", false, "write the golden files")

// kube is the control plane of this package's tests.
var (
	kube  client.WithWatch
	where *rest.Config // its address
)

func TestMain(m *testing.M) {
	plane, err := controlplane.Start(context.Background(), controlplane.Options{CRDs: []string{"../config/crd"}})
	if err != nil {
		log.Fatal(err)
	}
	s := runtime.NewScheme()
	if err := errors.Join(clientgoscheme.AddToScheme(s), v1alpha1.AddToScheme(s)); err != nil {
		log.Fatal(err)
	}
	if kube, err = client.NewWithWatch(plane.Config, client.Options{Scheme: s}); err != nil {
		log.Fatal(err)
	}
	where = plane.Config
	code := m.Run()
	plane.Stop()
	os.Exit(code)
}

func check(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// newApplication makes an application with the two required fields in a new namespace.
func newApplication(t *testing.T) (*record.Record, *v1alpha1.BlueGreen) {
	t.Helper()
	ns := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{
		GenerateName: "record-",
		Annotations:  map[string]string{v1alpha1.RepositoriesAnnotation: "acme/*"},
	}}
	check(t, kube.Create(t.Context(), ns))
	bg := &v1alpha1.BlueGreen{ObjectMeta: metav1.ObjectMeta{Namespace: ns.Name, Name: "app"}}
	bg.Spec = v1alpha1.BlueGreenSpec{Repository: "acme/app", Build: v1alpha1.BuildSpec{Project: "acme-prod"}}
	check(t, kube.Create(t.Context(), bg))
	return &record.Record{Client: indextest.Client{Client: kube}, Reader: kube, Namespaces: []string{ns.Name}}, bg
}

func deploy(bg *v1alpha1.BlueGreen) *v1alpha1.Release {
	sha := strings.Repeat("a", 40)
	return &v1alpha1.Release{
		ObjectMeta: metav1.ObjectMeta{Namespace: bg.Namespace, Name: v1alpha1.DeployName(bg.Name, sha, 1)},
		Spec: v1alpha1.ReleaseSpec{
			Kind: v1alpha1.Deploy, Application: bg.Name,
			Deploy: &v1alpha1.DeploySpec{Repository: bg.Spec.Repository, Commit: sha, Attempt: 1},
			Cause:  v1alpha1.Cause{Kind: v1alpha1.CausePush},
		},
	}
}

func submit(t *testing.T, r *record.Record, rel *v1alpha1.Release) *v1alpha1.Release {
	t.Helper()
	stored, _, err := r.Submit(t.Context(), rel)
	check(t, err)
	return stored
}

func TestTwoFieldsAreACompleteApplication(t *testing.T) {
	t.Parallel()
	_, bg := newApplication(t)
	u := &unstructured.Unstructured{}
	u.SetGroupVersionKind(v1alpha1.GroupVersion.WithKind("BlueGreen"))
	check(t, kube.Get(t.Context(), client.ObjectKeyFromObject(bg), u))
	got, err := yaml.Marshal(u.Object["spec"])
	check(t, err)
	golden := filepath.Join("testdata", "defaults.golden.yaml")
	if *update {
		check(t, os.WriteFile(golden, got, 0o600))
	}
	want, err := os.ReadFile(golden)
	check(t, err)
	if diff := cmp.Diff(string(want), string(got)); diff != "" {
		t.Errorf("the spec with its defaults (-want +got):\n%s", diff)
	}
}

// The API server keeps who wrote which field of an object, and works that out anew with every write. An
// application's status is one field.
func TestAnApplicationsStatusIsTrackedAsOneField(t *testing.T) {
	t.Parallel()
	r, bg := newApplication(t)
	check(t, r.Claim(t.Context(), bg, submit(t, r, deploy(bg)), "me", time.Now()))
	i := slices.IndexFunc(bg.ManagedFields, func(m metav1.ManagedFieldsEntry) bool { return m.Subresource == "status" })
	if i < 0 || bg.ManagedFields[i].FieldsV1.GetRawString() != `{"f:status":{}}` {
		t.Errorf("the fields are %+v", bg.ManagedFields)
	}
}

// refusal is a change, and what the schema says about it.
type refusal struct {
	name   string
	change func(*v1alpha1.BlueGreen)
	want   string // part of the refusal; "" if it is accepted
}

// routed are applications on an Ingress or on a Gateway: not on both.
var routed = []refusal{
	{"an ingress", func(b *v1alpha1.BlueGreen) { b.Spec.Ingress.Name = "shop" }, ""},
	{"a gateway", func(b *v1alpha1.BlueGreen) { b.Spec.Gateway = &v1alpha1.GatewaySpec{Route: "shop"} }, ""},
	{"a gateway without a route", func(b *v1alpha1.BlueGreen) { b.Spec.Gateway = &v1alpha1.GatewaySpec{} }, "spec.gateway.route"},
	{
		"a gateway whose route is no name", func(b *v1alpha1.BlueGreen) { b.Spec.Gateway = &v1alpha1.GatewaySpec{Route: "a/b"} },
		"name of an HTTPRoute",
	},
	{"an ingress and a gateway", func(b *v1alpha1.BlueGreen) {
		b.Spec.Ingress.Name, b.Spec.Gateway = "shop", &v1alpha1.GatewaySpec{Route: "shop"}
	}, "not by both"},
	{"a standby host and a gateway", func(b *v1alpha1.BlueGreen) {
		b.Spec.Ingress.StandbyHost, b.Spec.Gateway = "x.invalid", &v1alpha1.GatewaySpec{Route: "shop"}
	}, "not by both"},
}

func TestSchemaOfAnApplication(t *testing.T) {
	t.Parallel()
	_, bg := newApplication(t)
	zero := &metav1.Duration{}
	tests := []refusal{
		{"durations of 0", func(b *v1alpha1.BlueGreen) { b.Spec.Soak, b.Spec.Drain, b.Spec.Hold = zero, zero, zero }, ""},
		{"a negative soak", func(b *v1alpha1.BlueGreen) { b.Spec.Soak = &metav1.Duration{Duration: -1} }, "spec.soak"},
		{"a name of 40", func(b *v1alpha1.BlueGreen) { b.Name = strings.Repeat("x", 40) }, ""},
		{"a name of 41", func(b *v1alpha1.BlueGreen) { b.Name = strings.Repeat("x", 41) }, "at most 40 characters"},
		{"no owner of the repository", func(b *v1alpha1.BlueGreen) { b.Spec.Repository = "app" }, "spec.repository"},
		{"tries longer than the gate", func(b *v1alpha1.BlueGreen) { b.Spec.Gate.TryTimeout.Duration = time.Hour }, "tryTimeout"},
		{"a command", func(b *v1alpha1.BlueGreen) { b.Spec.Gate.Exec = &v1alpha1.ExecCheck{Command: []string{"check", ""}} }, ""},
		{
			"a command without a word", func(b *v1alpha1.BlueGreen) { b.Spec.Gate.Exec = &v1alpha1.ExecCheck{Command: []string{}} },
			"at least 1 items",
		},
		{
			"a command without a name", func(b *v1alpha1.BlueGreen) { b.Spec.Gate.Exec = &v1alpha1.ExecCheck{Command: []string{""}} },
			"names the command",
		},
		{"a command longer than a look", command(61 * time.Second), "at most 1m"},
		{"a command longer than the gate", func(b *v1alpha1.BlueGreen) {
			b.Spec.Gate.Timeout.Duration = 5 * time.Second
			command(6 * time.Second)(b)
		}, "exec.timeout must not exceed timeout"},
		{"a trigger and a file", func(b *v1alpha1.BlueGreen) { b.Spec.Build.Trigger, b.Spec.Build.Config = "x", "y" }, "not both"},
		{"a trigger and an account", func(b *v1alpha1.BlueGreen) {
			b.Spec.Build.Trigger, b.Spec.Build.ServiceAccount = "x", "y@acme-prod.iam.gserviceaccount.com"
		}, "the trigger's own"},
		{
			"a trigger and a source", func(b *v1alpha1.BlueGreen) { b.Spec.Build.Trigger, b.Spec.Build.Source.Git = "x", true },
			"the trigger's own",
		},
		{"a trigger that is no name", func(b *v1alpha1.BlueGreen) { b.Spec.Build.Trigger = "../x" }, "spec.build.trigger"},
		{"a bucket and git", func(b *v1alpha1.BlueGreen) { b.Spec.Build.Source = v1alpha1.SourceSpec{Bucket: "sources", Git: true} }, "not both"},
		{
			"a substitution of Cloud Build's", func(b *v1alpha1.BlueGreen) { b.Spec.Build.Substitutions = map[string]string{"PROJECT_ID": "x"} },
			"start with _",
		},
	}
	tests = append(tests, routed...)
	for i, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			other := &v1alpha1.BlueGreen{
				ObjectMeta: metav1.ObjectMeta{Namespace: bg.Namespace, Name: fmt.Sprint("other", i)},
				Spec:       *bg.Spec.DeepCopy(),
			}
			tt.change(other)
			err := kube.Create(t.Context(), other)
			if tt.want == "" {
				check(t, err)
				return
			}
			if !apierrors.IsInvalid(err) || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("the answer is %v, want a refusal with %q", err, tt.want)
			}
		})
	}
	got := &v1alpha1.BlueGreen{}
	check(t, kube.Get(t.Context(), client.ObjectKey{Namespace: bg.Namespace, Name: "other0"}, got))
	if got.Spec.SoakTime() != 0 || got.Spec.DrainTime() != 0 || got.Spec.HoldTime() != 0 {
		t.Errorf("durations of 0 became %s, %s, %s", got.Spec.SoakTime(), got.Spec.DrainTime(), got.Spec.HoldTime())
	}
}

// command gives a gate a command with a timeout.
func command(timeout time.Duration) func(*v1alpha1.BlueGreen) {
	return func(b *v1alpha1.BlueGreen) {
		b.Spec.Gate.Exec = &v1alpha1.ExecCheck{Command: []string{"check"}, Timeout: metav1.Duration{Duration: timeout}}
	}
}

func TestApprovalCancelAndPromotionsAreSetOnce(t *testing.T) {
	t.Parallel()
	r, bg := newApplication(t)
	rel := submit(t, r, deploy(bg))
	key := client.ObjectKeyFromObject(rel)
	approval := v1alpha1.Approval{By: "octocat", At: metav1.Now(), Cause: v1alpha1.Cause{Kind: v1alpha1.CauseComment}}
	check(t, r.Approve(t.Context(), key, approval))
	if err := r.Approve(t.Context(), key, approval); !errors.Is(err, record.ErrSet) {
		t.Errorf("a second approval is %v", err)
	}
	cancel := v1alpha1.Cancel{By: "octocat", At: metav1.Now(), Cause: v1alpha1.Cause{Kind: v1alpha1.CauseComment}}
	check(t, r.Cancel(t.Context(), key, cancel))
	if err := r.Cancel(t.Context(), key, cancel); !errors.Is(err, record.ErrSet) {
		t.Errorf("a second cancel is %v", err)
	}
	cancel.RollsBack = true
	check(t, r.Cancel(t.Context(), key, cancel)) // whoever cancelled it before
	if err := r.Cancel(t.Context(), key, cancel); !errors.Is(err, record.ErrSet) {
		t.Errorf("taking it back again is %v", err)
	}
	promotion := v1alpha1.Promotion{Weight: 25, By: "octocat", At: metav1.Now(), Cause: v1alpha1.Cause{Kind: v1alpha1.CauseComment}}
	check(t, r.Promote(t.Context(), key, promotion))
	if err := r.Promote(t.Context(), key, promotion); !errors.Is(err, record.ErrSet) {
		t.Errorf("a second promotion to the same weight is %v", err)
	}
	promotion.Weight = 100
	check(t, r.Promote(t.Context(), key, promotion))
	tests := map[string]func(*v1alpha1.ReleaseSpec){
		"a promotion is set once":                  func(s *v1alpha1.ReleaseSpec) { s.Promotions[0].By = "mallory" },
		"promotion is set once":                    func(s *v1alpha1.ReleaseSpec) { s.Promotions = s.Promotions[1:] },
		"promotion is set":                         func(s *v1alpha1.ReleaseSpec) { s.Promotions = nil },
		"approval is set once":                     func(s *v1alpha1.ReleaseSpec) { s.Approval.By = "mallory" },
		"approval is set":                          func(s *v1alpha1.ReleaseSpec) { s.Approval = nil },
		"cancel is set once":                       func(s *v1alpha1.ReleaseSpec) { s.Cancel = nil },
		"takeBack is set once":                     func(s *v1alpha1.ReleaseSpec) { s.TakeBack.By = "mallory" },
		"takeBack is set":                          func(s *v1alpha1.ReleaseSpec) { s.TakeBack = nil },
		"a release is immutable; make another one": func(s *v1alpha1.ReleaseSpec) { s.Deploy.Commit = strings.Repeat("b", 40) },
		"a release is immutable":                   func(s *v1alpha1.ReleaseSpec) { s.Cause.Actor = "mallory" },
		"immutable; make another one":              func(s *v1alpha1.ReleaseSpec) { s.Application = "other" },
		"nothing has two": func(s *v1alpha1.ReleaseSpec) {
			s.Rollback = &v1alpha1.RollbackSpec{Switch: "x", From: v1alpha1.Version{Color: "blue"}, To: v1alpha1.Version{Color: "green"}}
		},
	}
	for want, change := range tests {
		got := &v1alpha1.Release{}
		check(t, kube.Get(t.Context(), key, got))
		change(&got.Spec)
		if err := kube.Update(t.Context(), got); !apierrors.IsInvalid(err) || !strings.Contains(err.Error(), want) {
			t.Errorf("the answer is %v, want a refusal with %q", err, want)
		}
	}
}

// An application was deleted and recreated, while its releases are still being deleted.
func TestSubmitDoesNotJoinWhatIsBeingDeleted(t *testing.T) {
	t.Parallel()
	r, bg := newApplication(t)
	old := deploy(bg)
	old.Finalizers = []string{"turnout.dev/test"}
	old, _, err := r.Submit(t.Context(), old)
	check(t, err)
	check(t, kube.Delete(t.Context(), bg))
	bg.ResourceVersion, bg.UID = "", ""
	check(t, kube.Create(t.Context(), bg))
	join := func(when string) {
		t.Helper()
		if rel, created, err := r.Submit(t.Context(), deploy(bg)); !errors.Is(err, record.ErrLeaving) || apierrors.IsNotFound(err) {
			t.Errorf("%s: %v, created %v, error %v", when, rel, created, err)
		}
	}
	join("before it is deleted")
	check(t, client.IgnoreNotFound(kube.Delete(t.Context(), old)))
	join("while it is deleted")
	check(t, kube.Get(t.Context(), client.ObjectKeyFromObject(old), old))
	old.Finalizers = nil
	check(t, kube.Update(t.Context(), old))
	rel, created, err := r.Submit(t.Context(), deploy(bg))
	check(t, err)
	if !created || !metav1.IsControlledBy(rel, bg) {
		t.Errorf("created %v, owned by %v, want by %s", created, rel.OwnerReferences, bg.UID)
	}
}

func TestSubmitJoinsWhatAsksForTheSame(t *testing.T) {
	t.Parallel()
	r, bg := newApplication(t)
	first, created, err := r.Submit(t.Context(), deploy(bg))
	check(t, err)
	if !created || first.Labels[v1alpha1.ApplicationLabel] != "app" || !metav1.IsControlledBy(first, bg) {
		t.Errorf("created %v, %v, %v", created, first.Labels, first.OwnerReferences)
	}
	again := deploy(bg)
	again.Spec.Cause.Actor = "somebody else"
	second, created, err := r.Submit(t.Context(), again)
	check(t, err)
	if created || second.UID != first.UID {
		t.Errorf("another cause created %s, created %v", second.UID, created)
	}
	twin := deploy(bg)
	twin.Spec.Deploy.Commit = strings.Repeat("a", 12) + strings.Repeat("b", 28)
	if present, created, err := r.Submit(t.Context(), twin); !errors.Is(err, record.ErrIdentity) || created || present.UID != first.UID {
		t.Errorf("another commit under the same name gives %v, %v", created, err)
	}
}

func TestOneOfManyGetsTheClaim(t *testing.T) {
	t.Parallel()
	r, bg := newApplication(t)
	rel := submit(t, r, deploy(bg))
	now := time.Now()
	var mu sync.Mutex
	var won []string
	var all sync.WaitGroup
	for i := range 8 {
		all.Go(func() {
			holder, own := fmt.Sprint("holder-", i), bg.DeepCopy()
			err := r.Claim(t.Context(), own, rel, holder, now)
			mu.Lock()
			defer mu.Unlock()
			if err == nil {
				won = append(won, holder)
			} else if !errors.Is(err, record.ErrHeld) {
				t.Errorf("%s: %v", holder, err)
			}
		})
	}
	all.Wait()
	if len(won) != 1 {
		t.Fatalf("the claim is held by %v", won)
	}
	held, err := r.Application(t.Context(), client.ObjectKeyFromObject(bg))
	check(t, err)
	if held.Status.Active.Holder != won[0] || held.Status.Active.UID != string(rel.UID) {
		t.Errorf("the claim is %+v, won by %s", held.Status.Active, won[0])
	}
	if err := r.Claim(t.Context(), held.DeepCopy(), rel, "late", now.Add(record.StaleAfter-time.Second)); !errors.Is(err, record.ErrHeld) {
		t.Errorf("a fresh claim was taken over: %v", err)
	}
	version := held.ResourceVersion
	check(t, r.Claim(t.Context(), held, rel, won[0], now.Add(time.Second)))
	if held.ResourceVersion != version {
		t.Error("the claim was renewed too early")
	}
	renewed := now.Add(record.RenewEvery)
	check(t, r.Claim(t.Context(), held, rel, won[0], renewed))
	if held.ResourceVersion != version || held.Status.Active.RenewedAt.Sub(renewed).Abs() > time.Microsecond {
		t.Errorf("the claim was written, or not renewed for the next write: %+v", held.Status.Active)
	}
	held.Status.Active.RenewedAt = metav1.NewMicroTime(now)
	renewed = now.Add(record.StaleAfter - time.Second)
	check(t, r.Claim(t.Context(), held, rel, won[0], renewed))
	if held.ResourceVersion == version {
		t.Error("a claim that was nearly stale was not renewed")
	}
	check(t, r.Claim(t.Context(), held, rel, "late", renewed.Add(record.StaleAfter)))
	if held.Status.Active.Holder != "late" {
		t.Errorf("the stale claim is still %+v", held.Status.Active)
	}
}

func TestBotAndDeployerKeepEachOthersStatus(t *testing.T) {
	t.Parallel()
	r, bg := newApplication(t)
	rel := submit(t, r, deploy(bg))
	write := func(rel *v1alpha1.Release, message string) error {
		read := rel.Status.DeepCopy()
		rel.Status.Message = message
		return r.UpdateRelease(t.Context(), rel, read)
	}
	check(t, write(rel, "building"))
	slow := rel.DeepCopy()
	first := v1alpha1.GitHubStatus{DeploymentID: 7, PullRequests: []int{1, 2}}
	check(t, r.PublishGitHub(t.Context(), rel, first))
	rel.Status.GitHub = &first
	check(t, r.PublishGitHub(t.Context(), rel, v1alpha1.GitHubStatus{DeploymentID: 7, Reaction: "eyes"}))

	// Publishing does not race with the deployer, but another deployer's write does.
	stale := slow.DeepCopy()
	check(t, write(slow, "built"))
	if err := write(stale, "overwrites"); !errors.Is(err, record.ErrHeld) {
		t.Errorf("a stale write is %v", err)
	}
	got, err := r.Release(t.Context(), client.ObjectKeyFromObject(rel))
	check(t, err)
	if got.Status.Message != "built" {
		t.Errorf("the deployer's status is %+v", got.Status)
	}
	if diff := cmp.Diff(&v1alpha1.GitHubStatus{DeploymentID: 7, Reaction: "eyes"}, got.Status.GitHub); diff != "" {
		t.Errorf("the bot's status (-want +got):\n%s", diff)
	}
}

// A process stood still after it had read a release. What its successor wrote since then stays, also if
// that arrives between its look and its write; the deployer's writes do not stop it.
func TestLatePublisherChangesNothing(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		between func(t *testing.T, r *record.Record, rel *v1alpha1.Release) error
		stops   bool
	}{
		"the successor publishes": {func(t *testing.T, r *record.Record, rel *v1alpha1.Release) error {
			t.Helper()
			return r.PublishGitHub(t.Context(), rel.DeepCopy(), v1alpha1.GitHubStatus{DeploymentID: 8})
		}, true},
		"the deployer writes": {func(t *testing.T, r *record.Record, rel *v1alpha1.Release) error {
			t.Helper()
			now, err := r.Release(t.Context(), client.ObjectKeyFromObject(rel))
			if err != nil {
				return err
			}
			read := now.Status.DeepCopy()
			now.Status.Message = "built"
			return r.UpdateRelease(t.Context(), now, read)
		}, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r, bg := newApplication(t)
			rel := submit(t, r, deploy(bg))
			var once sync.Once
			slow := &record.Record{Reader: r.Reader}
			slow.Client = interceptor.NewClient(kube, interceptor.Funcs{SubResourcePatch: func(ctx context.Context, c client.Client, sub string,
				o client.Object, p client.Patch, opts ...client.SubResourcePatchOption,
			) error {
				once.Do(func() { check(t, tt.between(t, r, rel)) })
				return c.SubResource(sub).Patch(ctx, o, p, opts...)
			}})
			err := slow.PublishGitHub(t.Context(), rel, v1alpha1.GitHubStatus{DeploymentID: 7})
			if errors.Is(err, record.ErrPublished) != tt.stops || !tt.stops && err != nil {
				t.Errorf("the late write is %v", err)
			}
			want := int64(7)
			if tt.stops {
				want = 8
			}
			got, err := r.Release(t.Context(), client.ObjectKeyFromObject(rel))
			check(t, err)
			if got.Status.GitHub == nil || got.Status.GitHub.DeploymentID != want {
				t.Errorf("the record has %+v, want deployment %d", got.Status.GitHub, want)
			}
		})
	}
}

func TestStatusOfAReleaseMadeAgainIsNotTheOldOnes(t *testing.T) {
	t.Parallel()
	r, bg := newApplication(t)
	old := submit(t, r, deploy(bg))
	check(t, kube.Delete(t.Context(), old))
	submit(t, r, deploy(bg))
	if err := r.PublishGitHub(t.Context(), old, v1alpha1.GitHubStatus{DeploymentID: 7}); err == nil {
		t.Error("the old release's deployment was written to the new one")
	}
}

func TestApplicationsAreThoseThatAreGranted(t *testing.T) {
	t.Parallel()
	r, bg := newApplication(t)
	other := bg.DeepCopy()
	other.ObjectMeta = metav1.ObjectMeta{Namespace: bg.Namespace, Name: "other"}
	other.Spec.Repository = "mallory/app"
	check(t, kube.Create(t.Context(), other))
	find := func(repository string, id int64, want int) {
		t.Helper()
		got, err := r.Applications(t.Context(), repository, id)
		check(t, err)
		if len(got) != want {
			t.Errorf("%q with number %d has %d applications, want %d", repository, id, len(got), want)
		}
	}
	find("", 0, 1)
	find("ACME/App", 0, 1)
	find("ACME/App", 7, 1)
	find("acme/renamed", 7, 0)
	find("mallory/app", 0, 0)
	find("acme/another", 0, 0)
	bg.Status.Repository = &v1alpha1.RepositoryPin{Name: "acme/app", ID: 7, At: metav1.Now()}
	check(t, kube.Status().Update(t.Context(), bg))
	find("ACME/App", 0, 1)
	find("ACME/App", 7, 1)
	find("acme/renamed", 7, 1)
	find("acme/app", 8, 0) // another repository took over its name
}

// TestALookForARepositoryReadsOnlyItsApplications: each webhook asks.
func TestALookForARepositoryReadsOnlyItsApplications(t *testing.T) {
	t.Parallel()
	r, bg := newApplication(t)
	var read [][]v1alpha1.BlueGreen
	counting := interceptor.NewClient(kube, interceptor.Funcs{
		List: func(ctx context.Context, c client.WithWatch, list client.ObjectList, o ...client.ListOption) error {
			err := indextest.Client{Client: c}.List(ctx, list, o...)
			if applications, ok := list.(*v1alpha1.BlueGreenList); ok {
				read = append(read, applications.Items)
			}
			return err
		},
	})
	for i := range 3 {
		other := bg.DeepCopy()
		other.ObjectMeta = metav1.ObjectMeta{Namespace: bg.Namespace, Name: fmt.Sprint("other-", i)}
		other.Spec.Repository = fmt.Sprint("acme/other-", i)
		check(t, kube.Create(t.Context(), other))
	}
	r.Client = counting
	if _, err := r.Applications(t.Context(), "acme/app", 7); err != nil {
		t.Fatal(err)
	}
	for _, applications := range read {
		for _, found := range applications {
			if found.Name != bg.Name {
				t.Errorf("application %s was read, of another repository", found.Name)
			}
		}
	}
	if len(read) != 2 {
		t.Errorf("applications were listed %d times, want by the name and by the number", len(read))
	}
}

func TestKubectlShowsShortNamesAndColumns(t *testing.T) {
	t.Parallel()
	tests := map[string]struct{ short, columns string }{
		"bluegreens.turnout.dev": {"bg", "Repository Live Version Phase Schema Age"},
		"releases.turnout.dev":   {"rel", "App Kind Version Phase Step Waits Color Age"},
	}
	for name, want := range tests {
		crd := &unstructured.Unstructured{}
		crd.SetAPIVersion("apiextensions.k8s.io/v1")
		crd.SetKind("CustomResourceDefinition")
		check(t, kube.Get(t.Context(), client.ObjectKey{Name: name}, crd))
		short, _, _ := unstructured.NestedStringSlice(crd.Object, "spec", "names", "shortNames")
		versions, _, _ := unstructured.NestedSlice(crd.Object, "spec", "versions")
		list, _, _ := unstructured.NestedSlice(versions[0].(map[string]any), "additionalPrinterColumns")
		var columns []string
		for _, c := range list {
			columns = append(columns, c.(map[string]any)["name"].(string))
		}
		if got := strings.Join(columns, " "); got != want.columns || strings.Join(short, " ") != want.short {
			t.Errorf("%s: %v with %q, want %s with %q", name, short, got, want.short, want.columns)
		}
	}
}

func TestTheFirstLockStaysUntilItIsTakenAway(t *testing.T) {
	t.Parallel()
	r, bg := newApplication(t)
	key := client.ObjectKeyFromObject(bg)
	stale := bg.DeepCopy() // the deployer may have read this before
	first := v1alpha1.Lock{By: "alice", At: metav1.Unix(1700000000, 0), Reason: "audit", Cause: v1alpha1.Cause{Kind: v1alpha1.CauseComment}}
	check(t, r.Lock(t.Context(), key, first))
	if err := r.Lock(t.Context(), key, v1alpha1.Lock{By: "bob", At: metav1.Now(), Cause: first.Cause}); !errors.Is(err, record.ErrSet) {
		t.Errorf("a second lock = %v, want ErrSet", err)
	}
	stale.Status.Phase = v1alpha1.PhaseIdle
	if err := r.UpdateApplication(t.Context(), stale); !errors.Is(err, record.ErrHeld) {
		t.Errorf("a write with a status from before the lock = %v, want ErrHeld: it would remove the lock", err)
	}
	was, err := r.Unlock(t.Context(), key, "bob")
	check(t, err)
	if was == nil || was.By != "alice" || was.Reason != "audit" {
		t.Errorf("Unlock returned %+v, want alice's lock", was)
	}
	now, err := r.Application(t.Context(), key)
	check(t, err)
	if st := now.Status; st.UnlockedAt == nil || st.UnlockedBy != "bob" {
		t.Errorf("unlocked at %v by %q, want bob", st.UnlockedAt, st.UnlockedBy)
	}
	if was, err = r.Unlock(t.Context(), key, "carol"); err != nil || was != nil {
		t.Errorf("Unlock without a lock = %+v, %v", was, err)
	}
}
