package deployer

import (
	"context"
	"io"
	"log/slog"
	"sync"
	"time"

	"google.golang.org/grpc"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	ctrl "sigs.k8s.io/controller-runtime"

	"github.com/turnout-dev/turnout/api/v1alpha1"
	"github.com/turnout-dev/turnout/deployer/cloudbuild"
	"github.com/turnout-dev/turnout/deployer/gate"
	"github.com/turnout-dev/turnout/deployer/route"
	"github.com/turnout-dev/turnout/deployer/workload"
	"github.com/turnout-dev/turnout/record"
)

// sluggish is a repository that delays answers, by the name of the call. A delayed archive has
// delivered its first byte.
type sluggish struct {
	*history

	mu        sync.Mutex
	held      map[string]chan struct{}
	begun     map[string]int
	abandoned map[string]int
	deadline  time.Time // of the last archive
}

func (w *world) sluggish() *sluggish {
	return &sluggish{history: w.source, held: map[string]chan struct{}{}, begun: map[string]int{}, abandoned: map[string]int{}}
}

// hold delays calls until the returned function is called.
func (s *sluggish) hold(calls ...string) (release func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	held := make(chan struct{})
	for _, c := range calls {
		s.held[c] = held
	}
	return sync.OnceFunc(func() { close(held) })
}

// asked counts the calls.
func (s *sluggish) asked(call string) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.begun[call]
}

// gaveUp counts archives that were begun and given up.
func (s *sluggish) gaveUp() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.abandoned["Archive"]
}

// wait counts a call and waits until it may be answered.
func (s *sluggish) wait(ctx context.Context, call string) error {
	s.mu.Lock()
	s.begun[call]++
	held := s.held[call]
	s.mu.Unlock()
	return s.until(ctx, call, held)
}

func (s *sluggish) until(ctx context.Context, call string, held chan struct{}) error {
	if held == nil {
		return ctx.Err()
	}
	select {
	case <-held:
		return nil
	case <-ctx.Done():
		s.mu.Lock()
		defer s.mu.Unlock()
		s.abandoned[call]++
		return ctx.Err()
	}
}

func (s *sluggish) File(ctx context.Context, repository, commit, path string) ([]byte, error) {
	if err := s.wait(ctx, "File"); err != nil {
		return nil, err
	}
	return s.history.File(ctx, repository, commit, path)
}

func (s *sluggish) Closed(ctx context.Context, repository string) (string, error) {
	if err := s.wait(ctx, "Closed"); err != nil {
		return "", err
	}
	return s.history.Closed(ctx, repository)
}

func (s *sluggish) IsAncestor(ctx context.Context, repository, ancestor, descendant string) (bool, error) {
	if err := s.wait(ctx, "IsAncestor"); err != nil {
		return false, err
	}
	return s.history.IsAncestor(ctx, repository, ancestor, descendant)
}

func (s *sluggish) HasCommit(ctx context.Context, repository, commit string) (bool, error) {
	if err := s.wait(ctx, "HasCommit"); err != nil {
		return false, err
	}
	return s.history.HasCommit(ctx, repository, commit)
}

func (s *sluggish) Archive(ctx context.Context, repository, commit string) (io.ReadCloser, error) {
	in, err := s.history.Archive(ctx, repository, commit)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.begun["Archive"]++
	s.deadline, _ = ctx.Deadline()
	return &trickle{ReadCloser: in, wait: func(held chan struct{}) error { return s.until(ctx, "Archive", held) }, held: s.held["Archive"]},
		err
}

// trickle is an archive whose first byte comes at once and the rest later.
type trickle struct {
	io.ReadCloser
	wait  func(chan struct{}) error
	held  chan struct{}
	first bool
}

func (r *trickle) Read(p []byte) (int, error) {
	if !r.first {
		r.first = true
		return r.ReadCloser.Read(p[:1])
	}
	if err := r.wait(r.held); err != nil {
		return 0, err
	}
	return r.ReadCloser.Read(p)
}

// from makes a deployer read a repository.
func from(s Source) func(*Deployer) { return func(d *Deployer) { d.Source = s } }

// interrupted passes a deployer's calls to Cloud Build through a function, which may delay them.
func (w *world) interrupted(before func(ctx context.Context, method string) error) func(*Deployer) {
	return func(d *Deployer) {
		builds, err := cloudbuild.NewClient(context.Background(), cloudbuild.Config{
			Endpoint: w.builds.Endpoint(), Insecure: true,
			Interceptor: func(ctx context.Context, method string, req, reply any, cc *grpc.ClientConn, invoke grpc.UnaryInvoker,
				o ...grpc.CallOption,
			) error {
				if err := before(ctx, method); err != nil {
					return err
				}
				return invoke(ctx, method, req, reply, cc, o...)
			},
		})
		check(w.t, err)
		w.t.Cleanup(func() { _ = builds.Close() })
		d.Google = &google{builds: builds, store: store}
	}
}

// lookedAt starts a deployer that looks only on demand, and returns the function that demands
// looks.
func (w *world) lookedAt(change ...func(*Deployer)) (look func(times int)) {
	w.t.Helper()
	clientset, err := kubernetes.NewForConfig(plane.Config)
	check(w.t, err)
	builds, err := cloudbuild.NewClient(w.t.Context(), cloudbuild.Config{Endpoint: w.builds.Endpoint(), Insecure: true})
	check(w.t, err)
	w.t.Cleanup(func() { _ = builds.Close() })
	pods, err := gate.Straight(plane.Config)
	check(w.t, err)
	d := &Deployer{
		Client:       w.kube,
		Record:       &record.Record{Client: w.kube, Reader: w.kube, Namespaces: []string{w.namespace}},
		Repositories: &record.Repositories{Client: w.kube, Reader: w.kube, Namespace: metav1.NamespaceDefault},
		Routes:       &route.Router{Client: w.kube, Reader: w.kube},
		Workloads:    &workload.Workloads{Client: w.kube, Reader: w.kube, Clientset: clientset},
		Pods:         pods, Google: &google{builds: builds, store: store}, Source: w.source, Holder: "by hand",
		Log: slog.New(slog.NewTextHandler(w.t.Output(), &slog.HandlerOptions{Level: slog.LevelDebug})),
	}
	for _, c := range change {
		c(d)
	}
	d.calls.firstBackOff = d.BackOff
	ctx, cancel := context.WithCancel(context.Background())
	w.t.Cleanup(func() { cancel(); _ = d.calls.run(ctx) })
	app := ctrl.Request{NamespacedName: keyOf(w.application())}
	return func(times int) {
		w.t.Helper()
		for range times {
			_, err := d.Reconcile(w.t.Context(), app)
			check(w.t, err)
		}
	}
}

// renewals waits for a number of looks at the application: each renews the claim.
func (w *world) renewals(n int) {
	w.t.Helper()
	seen := map[metav1.MicroTime]bool{}
	w.until("the claim to be renewed", func() bool {
		if c := w.application().Status.Active; c != nil {
			seen[c.RenewedAt] = true
		}
		return len(seen) > n
	}, func() string { return "" })
}

// promise is the maximum wait of users who go back to a held colour, while no switch is in
// progress.
const promise = 2 * time.Second

// awaitBack waits until users are on blue again, and fails the test if that took longer than
// promised. It counts looks at the Ingress, at most one every [pollEvery]; on an idle machine
// that equals time. On a busy machine, each look slows down as much as the deployer's own
// requests to the same API server. What remains is the deployer's own waiting.
func (w *world) awaitBack() {
	w.t.Helper()
	looks := 0
	w.until("users to be back on blue", func() bool { looks++; return w.live() == v1alpha1.Blue }, func() string { return "" })
	if most := int(promise / pollEvery); looks > most {
		w.t.Errorf("users were back at look %d, want %s, which is %d looks", looks, promise, most)
	}
}
