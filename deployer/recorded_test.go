package deployer

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"cloud.google.com/go/cloudbuild/apiv1/v2/cloudbuildpb"
	"google.golang.org/protobuf/encoding/protojson"
	appsv1 "k8s.io/api/apps/v1"
	autoscalingv2 "k8s.io/api/autoscaling/v2"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/yaml"

	"github.com/turnout-dev/turnout/api/v1alpha1"
	"github.com/turnout-dev/turnout/deployer/track"
)

// recording is a world as a version left it: its own objects in full, and those parts of
// Kubernetes' objects that their controllers do not rewrite.
type recording struct {
	// Milestone after which the process ended.
	Milestone string `json:"milestone"`
	// At is the time of the recording.
	At metav1.MicroTime `json:"at"`
	// TemplateHashes are the pod-template-hashes of the Deployments, by name.
	TemplateHashes map[string]string `json:"templateHashes"`
	// Grants are the namespace's annotations.
	Grants      map[string]string                       `json:"grants"`
	Application v1alpha1.BlueGreen                      `json:"application"`
	Releases    []v1alpha1.Release                      `json:"releases"` // oldest first
	Ingress     *networkingv1.Ingress                   `json:"ingress,omitempty"`
	HTTPRoutes  []unstructured.Unstructured             `json:"httpRoutes,omitempty"` // in place of the Ingress
	Services    []corev1.Service                        `json:"services"`
	Deployments []appsv1.Deployment                     `json:"deployments"`
	Autoscalers []autoscalingv2.HorizontalPodAutoscaler `json:"autoscalers"`
	// Beside are the Deployments of workers and singletons.
	Beside   []appsv1.Deployment `json:"beside,omitempty"`
	CronJobs []batchv1.CronJob   `json:"cronJobs,omitempty"`
	// Jobs of migrations that have not ended.
	Jobs []batchv1.Job `json:"jobs,omitempty"`
	// Builds in Cloud Build.
	Builds []json.RawMessage `json:"builds"`
}

// recordedNamespace replaces the namespace of the recording test.
const recordedNamespace = "shop"

// snapshot records a world without a running deployer.
func (w *world) snapshot(milestone string) *recording {
	w.t.Helper()
	r := &recording{Milestone: milestone, At: metav1.NowMicro(), TemplateHashes: map[string]string{}, Application: *w.application()}
	ns := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: w.namespace}}
	check(w.t, w.kube.Get(w.t.Context(), client.ObjectKeyFromObject(ns), ns))
	r.Grants = ns.Annotations
	releases, err := w.record().Releases(w.t.Context(), keyOf(&r.Application))
	check(w.t, err)
	r.Releases = releases
	slices.Reverse(r.Releases)
	w.snapshotRoutes(r)
	w.snapshotJobs(r)
	w.snapshotBeside(r)
	for _, c := range []v1alpha1.Color{v1alpha1.Blue, v1alpha1.Green} {
		d, s := w.deployment(c), w.service(c)
		w.get(d)
		w.get(s)
		h := autoscalingv2.HorizontalPodAutoscaler{ObjectMeta: w.meta(string(c))}
		w.get(&h)
		r.TemplateHashes[d.Name] = w.templateHash(d.Name)
		r.Deployments, r.Services, r.Autoscalers = append(r.Deployments, *d), append(r.Services, *s), append(r.Autoscalers, h)
	}
	for _, b := range w.made() {
		text, err := protojson.Marshal(b)
		check(w.t, err)
		r.Builds = append(r.Builds, text)
	}
	r.each(func(o client.Object) { o.SetManagedFields(nil) })
	for i := range r.Deployments {
		r.Deployments[i].Status, r.Autoscalers[i].Status = appsv1.DeploymentStatus{}, autoscalingv2.HorizontalPodAutoscalerStatus{}
	}
	return r
}

// each calls do for every object.
func (r *recording) each(do func(client.Object)) {
	do(&r.Application)
	if r.Ingress != nil {
		do(r.Ingress)
	}
	for i := range r.HTTPRoutes {
		do(&r.HTTPRoutes[i])
	}
	for i := range r.Releases {
		do(&r.Releases[i])
	}
	for i := range r.Services {
		do(&r.Services[i])
	}
	for i := range r.Deployments {
		do(&r.Deployments[i])
	}
	for i := range r.Autoscalers {
		do(&r.Autoscalers[i])
	}
	for i := range r.Beside {
		do(&r.Beside[i])
	}
	for i := range r.CronJobs {
		do(&r.CronJobs[i])
	}
	for i := range r.Jobs {
		do(&r.Jobs[i])
	}
}

// templateHash is the pod-template-hash of a Deployment's current template.
func (w *world) templateHash(deployment string) (hash string) {
	w.t.Helper()
	w.until("the replica set of "+deployment, func() bool {
		d := &appsv1.Deployment{ObjectMeta: w.meta(deployment)}
		w.get(d)
		var list appsv1.ReplicaSetList
		check(w.t, w.kube.List(w.t.Context(), &list, client.InNamespace(w.namespace)))
		for i := range list.Items {
			rs := &list.Items[i]
			if metav1.IsControlledBy(rs, d) && rs.Annotations[revisionAnnotation] == d.Annotations[revisionAnnotation] &&
				d.Status.ObservedGeneration == d.Generation {
				hash = rs.Labels[appsv1.DefaultDeploymentUniqueLabelKey]
				return true
			}
		}
		return false
	}, func() string { return "there is none" })
	return hash
}

const revisionAnnotation = "deployment.kubernetes.io/revision"

func (r *recording) write(t testing.TB, file string) {
	t.Helper()
	text, err := yaml.Marshal(r)
	check(t, err)
	text = bytes.ReplaceAll(text, []byte(r.Application.Namespace), []byte(recordedNamespace))
	check(t, os.MkdirAll(filepath.Dir(file), 0o755))
	check(t, os.WriteFile(file, text, 0o644))
}

// timeText is a time as the API server writes it.
var timeText = regexp.MustCompile(`\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z`)

// clockText is a time of day in a message, as [track.Clock] writes it.
var clockText = regexp.MustCompile(`\b\d\d:\d\d:\d\d UTC`)

// readRecording reads a world as if its process had just ended: deadlines continue from where
// they were.
func readRecording(t testing.TB, file string) *recording {
	t.Helper()
	text, err := os.ReadFile(file)
	check(t, err)
	var r recording
	check(t, yaml.UnmarshalStrict(text, &r))
	since := time.Since(r.At.Time)
	text = timeText.ReplaceAllFunc(text, func(old []byte) []byte {
		at, err := time.Parse(time.RFC3339Nano, string(old))
		check(t, err)
		if bytes.Contains(old, []byte(".")) {
			return []byte(at.Add(since).Format(metav1.RFC3339Micro))
		}
		return []byte(at.Add(since).Format(time.RFC3339))
	})
	text = clockText.ReplaceAllFunc(text, func(old []byte) []byte { // as messages have it
		at, err := time.Parse("2006-01-02 15:04:05 UTC", r.At.UTC().Format("2006-01-02 ")+string(old))
		check(t, err)
		return []byte(track.Clock(at.Add(since)))
	})
	r = recording{}
	check(t, yaml.UnmarshalStrict(text, &r))
	if _, granted := r.Grants[v1alpha1.ProjectsAnnotation]; !granted {
		// The first versions did not ask. A release waits until an administrator grants the project.
		r.Grants[v1alpha1.ProjectsAnnotation] = r.Application.Spec.Build.Project
	}
	return &r
}

// putBack creates the recorded objects. References to what Kubernetes names anew are adapted:
// UIDs (in status.active, lastSwitch and ingress, in a release's owner, in what a rollback takes
// back, in the standby host, and in the tags of builds), the hashes of pod templates, and the
// generation of the routes. Pods are new.
func (w *world) putBack(r *recording) {
	w.t.Helper()
	renamed := renaming{}
	bg := r.Application.DeepCopy()
	w.remake(bg, renamed)
	var releases []*v1alpha1.Release
	for i := range r.Releases {
		rel := r.Releases[i].DeepCopy()
		w.remake(rel, renamed)
		releases = append(releases, rel)
	}
	w.putBackJobs(r, releases, renamed)
	before, now := w.putBackRoutes(r, renamed)
	for i := range r.Services {
		s := r.Services[i].DeepCopy()
		s.Spec.ClusterIP, s.Spec.ClusterIPs = "", nil
		w.remake(s, renamed)
	}
	for i := range r.Deployments {
		w.remake(r.Deployments[i].DeepCopy(), renamed)
		w.remake(r.Autoscalers[i].DeepCopy(), renamed)
	}
	w.putBackBeside(r, renamed)
	for name, hash := range r.TemplateHashes {
		renamed[hash] = w.templateHash(name)
	}
	for _, b := range r.Builds {
		pb := &cloudbuildpb.Build{}
		check(w.t, protojson.Unmarshal([]byte(renamed.in(string(b))), pb))
		check(w.t, w.builds.Keep(pb))
	}
	for i, rel := range releases {
		rel.Status = *r.Releases[i].Status.DeepCopy()
		renamed.object(w.t, rel)
		check(w.t, w.kube.Status().Update(w.t.Context(), rel))
	}
	w.unstamped = r.switchedUnstamped()
	bg.Status = *r.Application.Status.DeepCopy()
	renamed.object(w.t, bg)
	if bg.Status.Ingress != nil && bg.Status.Ingress.Generation == before {
		bg.Status.Ingress.Generation = now
	}
	check(w.t, w.kube.Status().Update(w.t.Context(), bg))
}

// switchedUnstamped reports whether a version that did not annotate Deployments brought users to
// where they are, as the first ones did not.
func (r *recording) switchedUnstamped() bool {
	last := r.Releases[len(r.Releases)-1]
	return last.Status.Milestones.SwitchedAt != nil && !slices.ContainsFunc(r.Deployments, func(d appsv1.Deployment) bool {
		return d.Annotations[v1alpha1.SwitchAnnotation] != ""
	})
}

// remake creates an object in the world's namespace.
func (w *world) remake(o client.Object, renamed renaming) {
	w.t.Helper()
	old := o.GetUID()
	o.SetNamespace(w.namespace)
	o.SetUID("")
	o.SetResourceVersion("")
	renamed.object(w.t, o)
	w.create(o)
	renamed[string(old)] = string(o.GetUID())
}

// renaming maps old names to new ones.
type renaming map[string]string

func (n renaming) in(text string) string {
	for old, now := range n {
		text = strings.ReplaceAll(text, old, now)
	}
	return text
}

func (n renaming) object(t testing.TB, o client.Object) {
	t.Helper()
	text, err := json.Marshal(o)
	check(t, err)
	check(t, json.Unmarshal([]byte(n.in(string(text))), o))
}

// A version that replaces another one finds releases at every step, and finishes each: users get
// what passed, nobody gets what did not, and nothing happens twice.
func TestRecordedReleasesFinish(t *testing.T) {
	t.Parallel()
	everyRecording(t, func(milestone) bool { return true }, func(t *testing.T, s story, m milestone, r *recording) {
		w := emptyWorld(t, plane.Config, r.Grants)
		w.source.commit("b", "a")
		w.replicas = 2
		w.putBack(r)
		w.run(quick("this version"))
		w.awaitFacts()
		s.finish(w, m)
	})
}

// What passed under the earlier version must not get users if it no longer runs.
func TestRecordedReleasesThatBreakMeanwhileNeverSwitch(t *testing.T) {
	t.Parallel()
	everyRecording(t, func(m milestone) bool { return m.unswitched }, func(t *testing.T, _ story, m milestone, r *recording) {
		w := emptyWorld(t, plane.Config, r.Grants)
		w.source.commit("b", "a")
		w.kubelet.crash("@sha256:")
		r.Application.Spec.Deadlines.Warm = *duration(time.Second) // only there is a missing staged pod noticed
		w.putBack(r)
		rel := w.deployed()
		if rel.Spec.Approval == nil {
			w.approve(rel)
		}
		w.run(quick("this version"))
		w.awaitFacts()
		if rel = w.await(rel, "its end", hasEnded); rel.Status.Failure == nil || rel.Status.Failure.Class == v1alpha1.FaultInterference {
			t.Errorf("it ended as %s: %s", rel.Status.Phase, rel.Status.Message)
		}
		w.settled()
		w.expectLeftAlone(m.patches - 1) // attached, never switched
	})
}

// awaitFacts waits until this version has recorded as data what each release waits for: the first
// recorded version did not.
func (w *world) awaitFacts() {
	w.t.Helper()
	w.until("the facts", func() bool {
		all, err := w.record().Releases(w.t.Context(), keyOf(w.application()))
		check(w.t, err)
		return !slices.ContainsFunc(all, func(r v1alpha1.Release) bool {
			return (waits(&r) || r.Status.Phase == v1alpha1.ReleaseQueued) && r.Status.Waiting == nil
		})
	}, func() string { return "there are none" })
}

// everyRecording runs a test on each recorded world of some milestones.
func everyRecording(t *testing.T, of func(milestone) bool, test func(*testing.T, story, milestone, *recording)) {
	t.Helper()
	for _, version := range recordedVersions(t) {
		recorded := recordedIn(t, version)
		for _, s := range stories {
			for _, m := range s.milestones {
				file := s.name + "/" + m.name + ".yaml"
				if !of(m) || !slices.Contains(recorded, file) {
					continue // an older version may lack it, see TestEveryMilestoneIsRecorded
				}
				t.Run(version+"/"+s.name+"/"+m.name, func(t *testing.T) {
					t.Parallel()
					test(t, s, m, readRecording(t, filepath.Join(recordings, version, file)))
				})
			}
		}
	}
}
