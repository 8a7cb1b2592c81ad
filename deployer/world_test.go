package deployer

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"context"
	"flag"
	"fmt"
	"io"
	"io/fs"
	"log"
	"log/slog"
	"net/netip"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"cloud.google.com/go/cloudbuild/apiv1/v2/cloudbuildpb"
	"github.com/fsouza/fake-gcs-server/fakestorage"
	"github.com/go-logr/logr"
	"golang.org/x/oauth2"
	"google.golang.org/api/option"
	"google.golang.org/grpc"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/intstr"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/client-go/kubernetes"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/rest"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/config"
	"sigs.k8s.io/controller-runtime/pkg/metrics/server"

	"github.com/turnout-dev/turnout/api/v1alpha1"
	"github.com/turnout-dev/turnout/deployer/cloudbuild"
	"github.com/turnout-dev/turnout/deployer/cloudbuild/cloudbuildtest"
	"github.com/turnout-dev/turnout/deployer/gate"
	"github.com/turnout-dev/turnout/deployer/route"
	"github.com/turnout-dev/turnout/deployer/track"
	"github.com/turnout-dev/turnout/deployer/workload"
	"github.com/turnout-dev/turnout/internal/controlplane"
	"github.com/turnout-dev/turnout/internal/controlplane/controlplanetest"
	"github.com/turnout-dev/turnout/internal/index/indextest"
	"github.com/turnout-dev/turnout/record"
)

// plane is the control plane that this package's tests share, and store their Cloud Storage.
var (
	plane *controlplane.ControlPlane
	store *cloudbuild.Store
)

func TestMain(m *testing.M) {
	ctrl.SetLogger(logr.Discard())
	var err error
	plane, err = controlplane.Start(context.Background(),
		controlplane.Options{CRDs: []string{"../config/crd", "testdata/gke", "testdata/gateway", "testdata/keda"}})
	if err != nil {
		log.Fatal(err)
	}
	if err := controlplanetest.InstallPolicies(context.Background(), plane); err != nil {
		log.Fatal(err)
	}
	node, err := controlplanetest.StartKubelet(context.Background(), plane, nodeName, runInPod)
	if err != nil {
		log.Fatal(err)
	}
	var stop func()
	if store, stop, err = startStorage(); err != nil {
		log.Fatal(err)
	}
	flag.Parse()
	if f := flag.Lookup("test.parallel"); f.Value.String() == f.DefValue {
		// The tests mostly wait for the control plane.
		_ = f.Value.Set("8")
	}
	code := m.Run()
	stop()
	stopOpen()
	node.Stop()
	plane.Stop()
	os.Exit(code)
}

func scheme() *runtime.Scheme {
	s := runtime.NewScheme()
	for _, add := range []func(*runtime.Scheme) error{clientgoscheme.AddToScheme, v1alpha1.AddToScheme} {
		if err := add(s); err != nil {
			panic(err)
		}
	}
	return s
}

// world is one application in its own namespace, with everything around it.
type world struct {
	t         testing.TB
	namespace string
	cfg       *rest.Config
	kube      client.Client
	builds    *cloudbuildtest.Server
	source    *history
	kubelet   *kubelet
	replicas  int32 // of both colours
	// settle is the time for a load balancer that does not report; 0 is the default.
	settle time.Duration
	// namespaced: the deployer may not watch Namespaces.
	namespaced bool
	// build does the work of builds.
	build cloudbuildtest.Builder
	// asked is called around every request to Cloud Build.
	asked grpc.UnaryClientInterceptor
	// unstamped: a version that did not annotate Deployments switched.
	unstamped bool
}

const repository = "acme/my-python-app"

// newWorld creates the application of a hand-made pipeline: blue is live with v1.0.0, green has
// v1.1.0, and the Ingress has other routes that are not ours.
func newWorld(t testing.TB, change ...func(*v1alpha1.BlueGreen)) *world {
	t.Helper()
	return newWorldOn(t, plane.Config, change...)
}

func newWorldOn(t testing.TB, cfg *rest.Config, change ...func(*v1alpha1.BlueGreen)) *world {
	t.Helper()
	w := emptyWorld(t, cfg, map[string]string{v1alpha1.RepositoriesAnnotation: repository, v1alpha1.ProjectsAnnotation: "acme-prod"})
	for _, c := range []v1alpha1.Color{v1alpha1.Blue, v1alpha1.Green} {
		w.create(w.deployment(c))
		w.create(w.service(c))
	}
	w.create(w.ingress())
	bg := &v1alpha1.BlueGreen{ObjectMeta: w.meta("my-python-app"), Spec: v1alpha1.BlueGreenSpec{
		Repository: repository, Build: v1alpha1.BuildSpec{Project: "acme-prod"},
		Soak: duration(time.Millisecond), Drain: duration(time.Millisecond), Hold: duration(time.Hour),
	}}
	for _, c := range change {
		c(bg)
	}
	w.create(bg)
	return w
}

// emptyWorld is a namespace with these annotations, and what is around it.
func emptyWorld(t testing.TB, cfg *rest.Config, grants map[string]string) *world {
	t.Helper()
	kube, err := client.New(cfg, client.Options{Scheme: scheme()})
	check(t, err)
	w := &world{
		t: t, cfg: cfg, kube: indextest.Client{Client: kube}, namespace: namespaceFor(t), source: newHistory(), replicas: 1,
		build: cloudbuildtest.Digests,
	}
	w.create(&corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: w.namespace, Annotations: grants}})
	w.kubelet = startKubelet(t, cfg, w.namespace)
	w.builds = cloudbuildtest.New(t,
		cloudbuildtest.Config{
			Repository: w.source.File,
			Builder: func(ctx context.Context, b *cloudbuildpb.Build) (cloudbuildtest.Result, error) {
				return w.build(ctx, b)
			},
		})
	w.source.commit("a", "")
	return w
}

func duration(d time.Duration) *metav1.Duration { return &metav1.Duration{Duration: d} }

// run starts a deployer for the world's namespace, and stops it when the test ends or the
// returned function is called.
func (w *world) run(change ...func(*Deployer)) (stop func()) {
	w.t.Helper()
	return w.runWith(w.cfg, change...)
}

func (w *world) runWith(cfg *rest.Config, change ...func(*Deployer)) (stop func()) {
	w.t.Helper()
	skip := true
	options := ctrl.Options{
		Scheme: scheme(), Logger: logr.Discard(), Metrics: server.Options{BindAddress: "0"},
		Cache:      cache.Options{DefaultNamespaces: map[string]cache.Config{w.namespace: {}}, DefaultTransform: workload.Slim},
		Controller: config.Controller{SkipNameValidation: &skip},
	}
	if w.namespaced {
		options.Client.Cache = &client.CacheOptions{DisableFor: []client.Object{&corev1.Namespace{}}}
	}
	mgr, err := ctrl.NewManager(cfg, options)
	check(w.t, err)
	clientset, err := kubernetes.NewForConfig(cfg)
	check(w.t, err)
	builds, err := cloudbuild.NewClient(w.t.Context(), cloudbuild.Config{Endpoint: w.builds.Endpoint(), Insecure: true, Interceptor: w.asked})
	check(w.t, err)
	pods, err := gate.Straight(cfg)
	check(w.t, err)
	d := &Deployer{
		Client:       mgr.GetClient(),
		Record:       &record.Record{Client: mgr.GetClient(), Reader: mgr.GetAPIReader(), Namespaces: []string{w.namespace}},
		Repositories: &record.Repositories{Client: mgr.GetClient(), Reader: mgr.GetAPIReader(), Namespace: metav1.NamespaceDefault},
		Routes:       &route.Router{Client: mgr.GetClient(), Reader: mgr.GetAPIReader(), Settle: w.settle},
		Workloads:    &workload.Workloads{Client: mgr.GetClient(), Reader: mgr.GetAPIReader(), Clientset: clientset},
		Pods:         pods,
		Google:       &google{builds: builds, store: store},
		Source:       w.source,
		Holder:       "test",
		BuildPace:    cloudbuild.Pace{Min: 10 * time.Millisecond, Max: 20 * time.Millisecond},
		TakeUp:       time.Millisecond,
		PolicyLag:    time.Nanosecond,

		AllowAddresses: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")},
		Log:            slog.New(slog.NewTextHandler(w.t.Output(), &slog.HandlerOptions{Level: slog.LevelDebug})),
	}
	for _, c := range change {
		c(d)
	}
	check(w.t, d.Setup(mgr))
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- mgr.Start(ctx) }()
	stop = sync.OnceFunc(func() {
		cancel()
		if err := <-done; err != nil {
			w.t.Errorf("the deployer ended: %v", err)
		}
		_ = builds.Close()
	})
	w.t.Cleanup(stop)
	return stop
}

// google is Cloud Build and the store of sources; it records the account that calls.
type google struct {
	builds *cloudbuild.Client
	store  *cloudbuild.Store
	mu     sync.Mutex
	asked  []string
}

func (g *google) As(_ context.Context, account string) (*cloudbuild.Client, *cloudbuild.Store, error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if !slices.Contains(g.asked, account) {
		g.asked = append(g.asked, account)
	}
	return g.builds, g.store, nil
}

// Tokens are those of the calling account.
func (g *google) Tokens(_ context.Context, account string) (oauth2.TokenSource, error) {
	return oauth2.StaticTokenSource(&oauth2.Token{AccessToken: "token of " + account}), nil
}

func (w *world) meta(name string) metav1.ObjectMeta {
	return metav1.ObjectMeta{Namespace: w.namespace, Name: name}
}

func (w *world) create(o client.Object) {
	w.t.Helper()
	check(w.t, w.kube.Create(w.t.Context(), o))
}

func (w *world) deployment(c v1alpha1.Color) *appsv1.Deployment {
	labels := map[string]string{"app": "my-python-app", "version": string(c)}
	tag, env := "v1.0.0", "production"
	if c == v1alpha1.Green {
		tag, env = "v1.1.0", "staging"
	}
	replicas := w.replicas
	d := &appsv1.Deployment{ObjectMeta: w.meta("my-python-app-" + string(c))}
	d.Labels = labels
	d.Spec = appsv1.DeploymentSpec{
		Replicas: &replicas, Selector: &metav1.LabelSelector{MatchLabels: labels},
		Template: corev1.PodTemplateSpec{ObjectMeta: metav1.ObjectMeta{Labels: labels}, Spec: corev1.PodSpec{
			Containers: []corev1.Container{{
				Name: "app", Image: "gcr.io/acme-prod/my-python-app:" + tag,
				Ports: []corev1.ContainerPort{{ContainerPort: 8080}},
				Env:   []corev1.EnvVar{{Name: "APP_ENV", Value: env}},
			}},
		}},
	}
	return d
}

func (w *world) service(c v1alpha1.Color) *corev1.Service {
	s := &corev1.Service{ObjectMeta: w.meta("my-python-app-" + string(c) + "-svc")}
	s.Spec.Selector = map[string]string{"app": "my-python-app", "version": string(c)}
	s.Spec.Ports = []corev1.ServicePort{{Port: 80, TargetPort: intstr.FromInt32(8080)}}
	return s
}

func (w *world) ingress() *networkingv1.Ingress {
	prefix := networkingv1.PathTypePrefix
	path := func(path, service string) networkingv1.HTTPIngressPath {
		return networkingv1.HTTPIngressPath{Path: path, PathType: &prefix, Backend: networkingv1.IngressBackend{
			Service: &networkingv1.IngressServiceBackend{Name: service, Port: networkingv1.ServiceBackendPort{Number: 80}},
		}}
	}
	rule := func(host string, paths ...networkingv1.HTTPIngressPath) networkingv1.IngressRule {
		return networkingv1.IngressRule{Host: host, IngressRuleValue: networkingv1.IngressRuleValue{
			HTTP: &networkingv1.HTTPIngressRuleValue{Paths: paths},
		}}
	}
	i := &networkingv1.Ingress{ObjectMeta: w.meta("my-python-app-ingress")}
	i.Annotations = map[string]string{"kubernetes.io/ingress.class": "plain"}
	i.Spec.Rules = []networkingv1.IngressRule{
		rule("", path("/", "my-python-app-blue-svc")),
		rule("admin.example.com", path("/", "admin-svc"), path("/shop", "my-python-app-blue-svc")),
	}
	return i
}

// pretendDeployed sets the world to the state after a deploy of commit a to green.
func (w *world) pretendDeployed() {
	w.t.Helper()
	const commit = "a"
	bg := w.application()
	old := &networkingv1.Ingress{ObjectMeta: w.meta("my-python-app-ingress")}
	check(w.t, w.kube.Delete(w.t.Context(), old))
	i := w.ingress()
	standby := *i.Spec.Rules[0].DeepCopy()
	standby.Host = bg.StandbyHost()
	i.Spec.Rules[0].HTTP.Paths[0].Backend.Service.Name = "my-python-app-green-svc"
	i.Spec.Rules[1].HTTP.Paths[1].Backend.Service.Name = "my-python-app-green-svc"
	i.Spec.Rules = append(i.Spec.Rules, standby)
	i.Annotations[v1alpha1.StandbyAnnotationPrefix+bg.Name] = standby.Host
	w.create(i)
	from, to := w.running(v1alpha1.Blue), w.running(v1alpha1.Green)
	to.Commit = w.source.sha(commit)
	bg.Status.LastSwitch = &v1alpha1.SwitchRecord{Release: "pretended", UID: "pretended", Kind: "Deploy", At: metav1.Now(), From: from, To: to}
	bg.Status.Previous = &from
	check(w.t, w.kube.Status().Update(w.t.Context(), bg))
}

// running is the version that runs on a colour, once it does.
func (w *world) running(c v1alpha1.Color) v1alpha1.Version {
	w.t.Helper()
	var s track.Side
	w.until(string(c)+" runs", func() (ok bool) {
		var err error
		s, err = (&workload.Workloads{Client: w.kube, Reader: w.kube}).Observe(w.t.Context(), w.application(), c)
		check(w.t, err)
		return s.RolledOut && s.RunningImage != ""
	}, func() string { return s.Progress })
	return version(s)
}

// submit writes the release of a commit as the bot would.
func (w *world) submit(commit string, change ...func(*v1alpha1.Release)) *v1alpha1.Release {
	w.t.Helper()
	sha := w.source.sha(commit)
	rel := &v1alpha1.Release{ObjectMeta: w.meta(v1alpha1.DeployName("my-python-app", sha, 1)), Spec: v1alpha1.ReleaseSpec{
		Kind: v1alpha1.Deploy, Application: "my-python-app",
		Deploy: &v1alpha1.DeploySpec{Repository: repository, Branch: "main", Commit: sha, Attempt: 1},
		Cause:  v1alpha1.Cause{Kind: v1alpha1.CausePush, Actor: "octocat"},
	}}
	for _, c := range change {
		c(rel)
	}
	stored, _, err := w.record().Submit(w.t.Context(), rel)
	check(w.t, err)
	return stored
}

// rollback writes a rollback of the last switch as the bot would.
func (w *world) rollback() *v1alpha1.Release {
	w.t.Helper()
	bg := w.application()
	last := bg.Status.LastSwitch
	rel := &v1alpha1.Release{ObjectMeta: w.meta(v1alpha1.RollbackName(bg.Name, last.UID, 1)), Spec: v1alpha1.ReleaseSpec{
		Kind: v1alpha1.Rollback, Application: bg.Name,
		Rollback: &v1alpha1.RollbackSpec{From: last.To, To: *bg.Status.Previous, Switch: last.UID},
		Cause:    v1alpha1.Cause{Kind: v1alpha1.CauseComment, Actor: "octocat"},
	}}
	stored, _, err := w.record().Submit(w.t.Context(), rel)
	check(w.t, err)
	return stored
}

func (w *world) record() *record.Record { return &record.Record{Client: w.kube, Reader: w.kube} }

func (w *world) application() *v1alpha1.BlueGreen {
	w.t.Helper()
	bg := &v1alpha1.BlueGreen{ObjectMeta: w.meta("my-python-app")}
	check(w.t, w.kube.Get(w.t.Context(), client.ObjectKeyFromObject(bg), bg))
	return bg
}

// live is the colour that the Ingress routes users to.
func (w *world) live() v1alpha1.Color {
	w.t.Helper()
	s, err := (&route.Router{Client: w.kube, Reader: w.kube}).Observe(w.t.Context(), w.application())
	check(w.t, err)
	return s.Live()
}

func (w *world) get(o client.Object) {
	w.t.Helper()
	check(w.t, w.kube.Get(w.t.Context(), client.ObjectKeyFromObject(o), o))
}

// change edits an object as people do, by a patch: what the cluster's controllers write at the same time stays, and
// refuses nothing.
func change[T client.Object](w *world, o T, edit func(T), opts ...client.PatchOption) {
	w.t.Helper()
	w.get(o)
	before := o.DeepCopyObject().(T)
	edit(o)
	check(w.t, w.kube.Patch(w.t.Context(), o, client.MergeFrom(before), opts...))
}

// await reads a release until a condition holds.
func (w *world) await(rel *v1alpha1.Release, what string, holds func(*v1alpha1.Release) bool) *v1alpha1.Release {
	w.t.Helper()
	now := rel.DeepCopy()
	w.until(what, func() bool {
		w.get(now)
		w.expectFacts(now)
		return holds(now)
	}, func() string {
		return fmt.Sprintf("%s is %s at %s: %s", now.Name, now.Status.Phase, now.Status.Step, now.Status.Message)
	})
	return now
}

func (w *world) awaitPhase(rel *v1alpha1.Release, phase v1alpha1.ReleasePhase) *v1alpha1.Release {
	w.t.Helper()
	return w.await(rel, string(phase), func(r *v1alpha1.Release) bool {
		if r.Status.Phase.Finished() && r.Status.Phase != phase {
			w.t.Fatalf("%s ended as %s, want %s: %s", r.Name, r.Status.Phase, phase, r.Status.Message)
		}
		return r.Status.Phase == phase
	})
}

// longestWait is after how long a condition will not hold any more. It only has to be long enough for a
// busy machine: what hangs still fails.
const longestWait = 2 * time.Minute

// pollEvery is the shortest interval between two reads of a condition.
const pollEvery = 20 * time.Millisecond

func (w *world) until(what string, holds func() bool, state func() string) {
	w.t.Helper()
	err := wait.PollUntilContextTimeout(w.t.Context(), pollEvery, longestWait, true, func(context.Context) (bool, error) {
		return holds(), nil
	})
	if err != nil {
		w.t.Fatalf("waiting for %s: %v; %s", what, err, state())
	}
}

func check(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

var namespaces struct {
	sync.Mutex
	n int
}

func namespaceFor(t testing.TB) string {
	namespaces.Lock()
	defer namespaces.Unlock()
	namespaces.n++
	name := strings.ToLower(strings.NewReplacer("/", "-", "_", "-", " ", "-").Replace(t.Name()))
	return fmt.Sprintf("%.40s-%d", name, namespaces.n)
}

// startStorage starts the Cloud Storage that this package's tests share. Objects are named by
// release, so tests do not disturb each other.
func startStorage() (*cloudbuild.Store, func(), error) {
	gcs, err := fakestorage.NewServerWithOptions(fakestorage.Options{Scheme: "http", Host: "127.0.0.1", Writer: io.Discard})
	if err != nil {
		return nil, nil, err
	}
	gcs.CreateBucketWithOpts(fakestorage.CreateBucketOpts{Name: "acme-prod_cloudbuild"})
	c, err := cloudbuild.NewStore(context.Background(), option.WithEndpoint(gcs.URL()+"/storage/v1/"), option.WithoutAuthentication())
	if err != nil {
		return nil, nil, err
	}
	return c, gcs.Stop, nil
}

// history is a repository: commits known by a letter, each with one parent.
type history struct {
	mu      sync.Mutex
	parent  map[string]string
	config  map[string]string
	failing error
	asks    int

	id         int64 // the repository's ID
	branchAsks int

	closed     string // why nothing can be read
	branchless bool
	reachAsks  int
}

func newHistory() *history {
	return &history{parent: map[string]string{}, config: map[string]string{}, id: 4711}
}

func (h *history) sha(letter string) string { return strings.Repeat(letter, 40) }

func (h *history) commit(letter, parent string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.parent[h.sha(letter)] = h.sha(parent)
	h.config[h.sha(letter)] = `
steps:
- {name: gcr.io/cloud-builders/docker, args: [build, -t, 'gcr.io/$PROJECT_ID/my-python-app:$COMMIT_SHA', .]}
images: ['gcr.io/$PROJECT_ID/my-python-app:$COMMIT_SHA']
`
}

// write replaces the build file at a commit; an empty text removes it.
func (h *history) write(letter, config string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.config[h.sha(letter)] = config
	if config == "" {
		delete(h.config, h.sha(letter))
	}
}

func (h *history) fail(err error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.failing = err
}

// asked counts reads of files and ancestry.
func (h *history) asked() int {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.asks
}

func (h *history) File(_ context.Context, _, commit, _ string) ([]byte, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.asks++
	if h.failing != nil {
		return nil, h.failing
	}
	file, ok := h.config[commit]
	if !ok {
		return nil, fs.ErrNotExist
	}
	return []byte(file), nil
}

func (h *history) Archive(_ context.Context, _, commit string) (io.ReadCloser, error) {
	var out bytes.Buffer
	zip := gzip.NewWriter(&out)
	w := tar.NewWriter(zip)
	body := "commit " + commit
	for _, err := range []error{
		w.WriteHeader(&tar.Header{Name: "app-1/", Typeflag: tar.TypeDir, Mode: 0o755}),
		w.WriteHeader(&tar.Header{Name: "app-1/VERSION", Typeflag: tar.TypeReg, Mode: 0o644, Size: int64(len(body))}),
	} {
		if err != nil {
			return nil, err
		}
	}
	if _, err := w.Write([]byte(body)); err != nil {
		return nil, err
	}
	if err := w.Close(); err != nil {
		return nil, err
	}
	return io.NopCloser(&out), zip.Close()
}

func (h *history) HasCommit(_ context.Context, _, commit string) (bool, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.asks++
	_, known := h.parent[commit]
	return known, h.failing
}

func (h *history) IsAncestor(_ context.Context, _, ancestor, descendant string) (bool, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.asks++
	if h.failing != nil {
		return false, h.failing
	}
	for c := descendant; c != ""; c = h.parent[c] {
		if c == ancestor {
			return true, nil
		}
	}
	return false, nil
}

// BranchContains has every letter on main, except f, the head of a fork, and commits that do not
// exist.
func (h *history) BranchContains(_ context.Context, _, branch, commit string) (bool, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.branchAsks++
	if h.failing != nil {
		return false, h.failing
	}
	if _, known := h.parent[commit]; !known {
		return false, fs.ErrNotExist
	}
	return branch == "main" && commit != h.sha("f"), nil
}

func (h *history) RepositoryID(_ context.Context, _ string) (int64, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.id, h.failing
}

// replace makes another repository take over the name.
func (h *history) replace(id int64) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.id = id
}

// Closed is what the test sets for the repository.
func (h *history) Closed(context.Context, string) (string, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.reachAsks++
	return h.closed, h.failing
}

// HasBranch reports main, unless the test sets otherwise.
func (h *history) HasBranch(_ context.Context, _, branch string) (bool, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	return branch == "main" && !h.branchless, h.failing
}

// askedBranch counts questions about branches.
func (h *history) askedBranch() int {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.branchAsks
}

func (h *history) CloneURL(repository string) string {
	return "https://github.com/" + repository + ".git"
}

func keyOf(o client.Object) client.ObjectKey { return client.ObjectKeyFromObject(o) }
