package bench

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"sync"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/intstr"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/apimachinery/pkg/watch"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/turnout-dev/turnout/api/v1alpha1"
	"github.com/turnout-dev/turnout/bot/githubtest"
	"github.com/turnout-dev/turnout/sandbox/turnout"
	"github.com/turnout-dev/turnout/sandbox/world"
)

const (
	namespace   = "bench"
	application = "my-python-app"
	repository  = "acme/my-python-app"
	replicas    = 2
	// patience bounds every wait.
	patience = time.Minute
)

// Options configure the measurement.
type Options struct {
	// Project is the project's folder.
	Project string
	// World is a running sandbox with the example's images.
	World *world.World
	// Turnout runs in it.
	Turnout *turnout.Turnout
	// Out gets a line for every measurement.
	Out io.Writer
}

func (o Options) progress(format string, args ...any) { fmt.Fprintf(o.Out, format+"\n", args...) }

// rig is one application for many releases, with two watches.
type rig struct {
	Options
	kube  client.WithWatch
	repo  *githubtest.Repository
	user  *githubtest.User
	last  *githubtest.PullRequest
	count int
	stop  context.CancelFunc

	mu       sync.Mutex
	readyAt  map[string]time.Time // by pod
	switched chan move
}

// move is a change of the colour that users reach.
type move struct {
	to v1alpha1.Color
	at time.Time
}

func newRig(ctx context.Context, o Options) (*rig, error) {
	kube, err := turnout.Admin(o.World)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithCancel(ctx)
	r := &rig{Options: o, kube: kube, stop: cancel, readyAt: map[string]time.Time{}, switched: make(chan move, 16)}
	for _, part := range []func(context.Context) error{r.makeRepository, r.makeObjects, r.watchPods, r.watchIngress, r.adopted} {
		if err := part(ctx); err != nil {
			cancel()
			return nil, err
		}
	}
	return r, nil
}

func (r *rig) makeRepository(context.Context) error {
	hub := r.World.GitHub
	hub.AddOrganization("acme")
	r.user = hub.AddUser("alice")
	files, err := githubtest.Directory(filepath.Join(r.Project, "examples", "python-app"))
	if err != nil {
		return fmt.Errorf("reading the example: %w", err)
	}
	if r.repo, err = hub.AddRepository(repository, githubtest.RepositoryConfig{Files: files}); err != nil {
		return fmt.Errorf("creating the repository: %w", err)
	}
	if err := r.repo.SetRole(r.user, "write"); err != nil {
		return fmt.Errorf("giving alice the right to merge: %w", err)
	}
	r.Turnout.App.InstallOn(r.repo, nil)
	return nil
}

func (r *rig) makeObjects(ctx context.Context) error {
	objects := []client.Object{
		&corev1.Namespace{ObjectMeta: metav1.ObjectMeta{
			Name:        namespace,
			Annotations: map[string]string{v1alpha1.RepositoriesAnnotation: repository, v1alpha1.ProjectsAnnotation: "acme-prod"},
		}},
		ingress(),
		&v1alpha1.BlueGreen{ObjectMeta: meta(application), Spec: v1alpha1.BlueGreenSpec{
			Repository: repository, Build: v1alpha1.BuildSpec{Project: "acme-prod"},
			Soak: &metav1.Duration{}, Drain: &metav1.Duration{}, Hold: &metav1.Duration{},
		}},
	}
	for _, c := range []v1alpha1.Color{v1alpha1.Blue, v1alpha1.Green} {
		objects = append(objects, deployment(c), service(c))
	}
	for _, object := range objects {
		if err := r.kube.Create(ctx, object); err != nil {
			return fmt.Errorf("creating %s: %w", object.GetName(), err)
		}
	}
	return nil
}

// watchPods records when each pod became Ready.
func (r *rig) watchPods(ctx context.Context) error {
	w, err := r.kube.Watch(ctx, &corev1.PodList{}, client.InNamespace(namespace))
	if err != nil {
		return fmt.Errorf("watching pods: %w", err)
	}
	go func() {
		for event := range w.ResultChan() {
			pod, ok := event.Object.(*corev1.Pod)
			if !ok || event.Type == watch.Deleted || !isReady(pod) {
				continue
			}
			r.mu.Lock()
			if _, known := r.readyAt[pod.Name]; !known {
				r.readyAt[pod.Name] = time.Now()
			}
			r.mu.Unlock()
		}
	}()
	return nil
}

func isReady(pod *corev1.Pod) bool {
	for _, c := range pod.Status.Conditions {
		if c.Type == corev1.PodReady {
			return c.Status == corev1.ConditionTrue
		}
	}
	return false
}

// watchIngress records when users are routed to another colour.
func (r *rig) watchIngress(ctx context.Context) error {
	w, err := r.kube.Watch(ctx, &networkingv1.IngressList{}, client.InNamespace(namespace))
	if err != nil {
		return fmt.Errorf("watching the ingress: %w", err)
	}
	go func() {
		live := v1alpha1.Blue
		for event := range w.ResultChan() {
			i, ok := event.Object.(*networkingv1.Ingress)
			if !ok {
				continue
			}
			now := v1alpha1.Blue
			if i.Spec.Rules[0].HTTP.Paths[0].Backend.Service.Name == serviceName(v1alpha1.Green) {
				now = v1alpha1.Green
			}
			if now != live {
				live = now
				r.switched <- move{to: now, at: time.Now()}
			}
		}
	}()
	return nil
}

// adopted waits until the application can be released.
func (r *rig) adopted(ctx context.Context) error {
	return r.until(ctx, "the application to be adopted", func() (bool, error) {
		bg := &v1alpha1.BlueGreen{}
		if err := r.kube.Get(ctx, client.ObjectKey{Namespace: namespace, Name: application}, bg); err != nil {
			return false, err
		}
		blue := deployment(v1alpha1.Blue)
		if err := r.kube.Get(ctx, client.ObjectKeyFromObject(blue), blue); err != nil {
			return false, err
		}
		return bg.Status.Phase == v1alpha1.PhaseIdle && blue.Status.ReadyReplicas == replicas, nil
	})
}

// release merges a commit and waits until its release has ended. It returns the times from the
// last ready pod to the switch, and from the webhook to the build.
func (r *rig) release(ctx context.Context, command string) (ready, build time.Duration, err error) {
	builds := len(r.World.CloudBuild.Builds("acme-prod", "global"))
	pr, err := r.merge()
	if err != nil {
		return 0, 0, err
	}
	if command != "" {
		if _, err := r.repo.Comment(pr.Number, r.user, command); err != nil {
			return 0, 0, fmt.Errorf("commenting %s: %w", command, err)
		}
	}
	m, err := r.awaitSwitch(ctx)
	if err != nil {
		return 0, 0, err
	}
	last, err := r.lastReady(ctx, m)
	if err != nil {
		return 0, 0, err
	}
	if err := r.ended(ctx); err != nil {
		return 0, 0, err
	}
	if command == "" {
		if err := r.shrunk(ctx, m); err != nil {
			return 0, 0, err
		}
	}
	pushed, err := r.pushedAt(ctx, pr)
	if err != nil {
		return 0, 0, err
	}
	made := r.World.CloudBuild.Builds("acme-prod", "global")
	if len(made) != builds+1 {
		return 0, 0, fmt.Errorf("%d builds were started for one merge", len(made)-builds)
	}
	return m.at.Sub(last), made[builds].GetCreateTime().AsTime().Sub(pushed), nil
}

// merge opens and merges a pull request with a version of its own.
func (r *rig) merge() (*githubtest.PullRequest, error) {
	r.count++
	branch := fmt.Sprintf("release-%d", r.count)
	files := githubtest.Text(map[string]string{
		"VERSION": fmt.Sprintf("v2.%d.0\n", r.count),
		// The process starts at once: on two cores, starting Pythons would be measured, too.
		"Dockerfile": "FROM python:3.12-slim\nCOPY VERSION .\nCMD [\"sleep\", \"3600\"]\n",
	})
	if _, err := r.repo.CommitFiles(githubtest.Commit{Branch: branch, Message: branch, Files: files, Author: r.user}); err != nil {
		return nil, fmt.Errorf("committing: %w", err)
	}
	pr, err := r.repo.OpenPullRequest(githubtest.NewPullRequest{Title: branch, Head: branch, Author: r.user})
	if err != nil {
		return nil, fmt.Errorf("opening a pull request: %w", err)
	}
	if _, err := pr.Merge(r.user); err != nil {
		return nil, fmt.Errorf("merging: %w", err)
	}
	r.last = pr
	return pr, nil
}

// rollBack comments /rollback and returns how long the switch took from there.
func (r *rig) rollBack(ctx context.Context) (time.Duration, error) {
	asked := time.Now()
	if _, err := r.repo.Comment(r.last.Number, r.user, "/rollback"); err != nil {
		return 0, fmt.Errorf("commenting: %w", err)
	}
	m, err := r.awaitSwitch(ctx)
	if err != nil {
		comments := r.repo.Comments(r.last.Number)
		return 0, fmt.Errorf("%w; the last comment is: %s", err, comments[len(comments)-1].Body)
	}
	return m.at.Sub(asked), r.ended(ctx)
}

func (r *rig) awaitSwitch(ctx context.Context) (move, error) {
	select {
	case m := <-r.switched:
		return m, nil
	case <-time.After(patience):
		return move{}, fmt.Errorf("no switch within %s", patience)
	case <-ctx.Done():
		return move{}, fmt.Errorf("waiting for the switch: %w", ctx.Err())
	}
}

// lastReady is when the last pod of the new live colour became Ready.
func (r *rig) lastReady(ctx context.Context, m move) (time.Time, error) {
	d := deployment(m.to)
	if err := r.kube.Get(ctx, client.ObjectKeyFromObject(d), d); err != nil {
		return time.Time{}, fmt.Errorf("reading the deployment: %w", err)
	}
	var pods corev1.PodList
	release := d.Spec.Template.Annotations[v1alpha1.ReleaseAnnotation]
	if err := r.kube.List(ctx, &pods, client.InNamespace(namespace), client.MatchingLabels(labels(m.to))); err != nil {
		return time.Time{}, fmt.Errorf("listing pods: %w", err)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	var last time.Time
	for _, pod := range pods.Items {
		if at := r.readyAt[pod.Name]; pod.Annotations[v1alpha1.ReleaseAnnotation] == release && at.After(last) {
			last = at
		}
	}
	if last.IsZero() {
		return last, errors.New("the watch has reported no ready pod")
	}
	return last, nil
}

// hold makes Turnout hold the old colour, or not.
func (r *rig) hold(ctx context.Context, d time.Duration) error {
	bg := &v1alpha1.BlueGreen{ObjectMeta: meta(application)}
	patch := fmt.Sprintf(`{"spec":{"hold":%q}}`, d)
	if err := r.kube.Patch(ctx, bg, client.RawPatch(types.MergePatchType, []byte(patch))); err != nil {
		return fmt.Errorf("setting spec.hold: %w", err)
	}
	return nil
}

// shrunk waits until the colour that users left has no pods. With the default settings that is so
// long before the next release.
func (r *rig) shrunk(ctx context.Context, m move) error {
	return r.until(ctx, "the old colour to be shrunk", func() (bool, error) {
		d := deployment(m.to.Other())
		if err := r.kube.Get(ctx, client.ObjectKeyFromObject(d), d); err != nil {
			return false, err
		}
		return *d.Spec.Replicas == 0 && d.Status.Replicas == 0, nil
	})
}

// ended waits until no release acts any more.
func (r *rig) ended(ctx context.Context) error {
	return r.until(ctx, "the release to end", func() (bool, error) {
		var list v1alpha1.ReleaseList
		if err := r.kube.List(ctx, &list, client.InNamespace(namespace)); err != nil {
			return false, err
		}
		for _, rel := range list.Items {
			switch rel.Status.Phase {
			case v1alpha1.ReleaseFailed, v1alpha1.ReleaseError:
				return false, fmt.Errorf("%s ended as %s: %s", rel.Name, rel.Status.Phase, rel.Status.Message)
			default:
			}
			if !rel.Status.Phase.Finished() {
				return false, nil
			}
		}
		return true, nil
	})
}

// pushedAt is when GitHub sent the push of a merge.
func (r *rig) pushedAt(ctx context.Context, pr *githubtest.PullRequest) (time.Time, error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	sha := []byte(`"after":"` + pr.MergeCommit() + `"`)
	d, err := r.Turnout.App.WaitForDelivery(ctx, func(d githubtest.Delivery) bool {
		return d.Event == "push" && bytes.Contains(d.Payload, sha)
	})
	if err != nil {
		return time.Time{}, fmt.Errorf("looking for the push: %w", err)
	}
	return d.At, nil
}

// until polls; the measured times do not include it.
func (r *rig) until(ctx context.Context, what string, holds func() (bool, error)) error {
	err := wait.PollUntilContextTimeout(ctx, 50*time.Millisecond, patience, true, func(context.Context) (bool, error) { return holds() })
	if err != nil {
		return fmt.Errorf("waiting for %s (at most %s): %w", what, patience, err)
	}
	return nil
}

func meta(name string) metav1.ObjectMeta { return metav1.ObjectMeta{Namespace: namespace, Name: name} }

func labels(c v1alpha1.Color) map[string]string {
	return map[string]string{"app": application, "version": string(c)}
}

func serviceName(c v1alpha1.Color) string { return application + "-" + string(c) + "-svc" }

// deployment is the example without probes: a pod is Ready when it runs, and the gate has nothing
// to check.
func deployment(c v1alpha1.Color) *appsv1.Deployment {
	n, grace := int32(replicas), int64(1)
	if c == v1alpha1.Green {
		n = 0 // the standby, until a release needs it
	}
	return &appsv1.Deployment{ObjectMeta: meta(application + "-" + string(c)), Spec: appsv1.DeploymentSpec{
		Replicas: &n, Selector: &metav1.LabelSelector{MatchLabels: labels(c)},
		Template: corev1.PodTemplateSpec{ObjectMeta: metav1.ObjectMeta{Labels: labels(c)}, Spec: corev1.PodSpec{
			TerminationGracePeriodSeconds: &grace,
			Containers:                    []corev1.Container{{Name: "app", Image: "gcr.io/acme-prod/my-python-app:first"}}, // the demo's seed
		}},
	}}
}

func service(c v1alpha1.Color) *corev1.Service {
	return &corev1.Service{ObjectMeta: meta(serviceName(c)), Spec: corev1.ServiceSpec{
		Selector: labels(c), Ports: []corev1.ServicePort{{Port: 80, TargetPort: intstr.FromInt32(8080)}},
	}}
}

func ingress() *networkingv1.Ingress {
	prefix := networkingv1.PathTypePrefix
	object := meta(application + "-ingress")
	// Without a class the Ingress would be Google's, whose load balancer waits for pods that do
	// not answer here.
	object.Annotations = map[string]string{"kubernetes.io/ingress.class": "plain"}
	return &networkingv1.Ingress{ObjectMeta: object, Spec: networkingv1.IngressSpec{
		Rules: []networkingv1.IngressRule{{IngressRuleValue: networkingv1.IngressRuleValue{HTTP: &networkingv1.HTTPIngressRuleValue{
			Paths: []networkingv1.HTTPIngressPath{{Path: "/", PathType: &prefix, Backend: networkingv1.IngressBackend{
				Service: &networkingv1.IngressServiceBackend{Name: serviceName(v1alpha1.Blue), Port: networkingv1.ServiceBackendPort{Number: 80}},
			}}},
		}}}},
	}}
}
