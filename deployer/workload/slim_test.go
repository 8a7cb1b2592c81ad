package workload

import (
	"encoding/json"
	"fmt"
	"maps"
	"math/rand/v2"
	"reflect"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
	"sigs.k8s.io/randfill"

	"github.com/turnout-dev/turnout/api/v1alpha1"
	"github.com/turnout-dev/turnout/deployer/track"
)

// Observing slim pods gives the same result as observing whole ones. The pods are random, with
// the words that observing knows.
func TestSlimPodsAreObservedAsTheyAre(t *testing.T) {
	t.Parallel()
	seed := rand.Uint64()
	r := rand.New(rand.NewPCG(seed, seed)) //nolint:gosec // a test's
	pick := func(words ...string) string { return words[r.IntN(len(words))] }
	fill := randfill.NewWithSeed(int64(seed)).NilChance(0.2).NumElements(0, 3).Funcs( //nolint:gosec // any number will do
		func(c *corev1.PodCondition, f randfill.Continue) {
			f.FillNoCustom(c)
			c.Type = corev1.PodConditionType(pick("Ready", "ContainersReady", "PodScheduled", "Initialized", "gate"))
			c.Status = corev1.ConditionStatus(pick("True", "False"))
			c.Reason = pick(corev1.PodReasonUnschedulable, "x")
		},
		func(g *corev1.PodReadinessGate, _ randfill.Continue) { g.ConditionType = "gate" },
		func(s *corev1.ContainerStatus, f randfill.Continue) {
			f.FillNoCustom(s)
			s.Name, s.ImageID = pick("app", "other"), pick("docker-pullable://x@sha256:1", "x@sha256:1", "sha256:1")
			if w := s.State.Waiting; w != nil {
				w.Reason = pick(string(v1alpha1.FailedErrImagePull), string(v1alpha1.FailedCrashLoopBackOff),
					string(v1alpha1.FailedCreateContainerError), string(v1alpha1.FailedInvalidImageName), "x")
			}
		},
	)
	differs := 0
	for range 500 {
		set := &appsv1.ReplicaSet{ObjectMeta: metav1.ObjectMeta{Name: "set", UID: "set"}}
		service := &corev1.Service{Spec: corev1.ServiceSpec{Selector: map[string]string{"app": "shop"}}}
		full := make([]corev1.Pod, 2)
		for i := range full {
			fill.Fill(&full[i])
			full[i].Name, full[i].Labels = pick("a", "b"), map[string]string{"app": pick("shop", "x")}
			if full[i].DeletionTimestamp = nil; r.IntN(2) == 0 {
				full[i].DeletionTimestamp = &metav1.Time{Time: time.Unix(r.Int64N(1<<40), 0)}
			}
			full[i].Status.Phase = corev1.PodPhase(pick("Running", "Failed", "Pending"))
			full[i].OwnerReferences = []metav1.OwnerReference{*metav1.NewControllerRef(set, appsv1.SchemeGroupVersion.WithKind("ReplicaSet"))}
		}
		var slim []corev1.Pod
		for i := range full {
			o, err := Slim(full[i].DeepCopy())
			if err != nil {
				t.Fatal(err)
			}
			slim = append(slim, *o.(*corev1.Pod)) //nolint:forcetypeassert // that is the point
		}
		want, got := seen(set, service, full), seen(set, service, slim)
		if diff := cmp.Diff(want, got); diff != "" {
			t.Fatalf("seed %d: what is observed of slim pods differs (-full +slim):\n%s", seed, diff)
		}
		if !cmp.Equal(full, slim) {
			differs++
		}
	}
	if differs < 400 {
		t.Errorf("seed %d: only %d of 500 pairs of pods became smaller", seed, differs)
	}
}

// observation is everything that is read of pods.
type observation struct {
	States   any
	Findings []string
	Image    string
	Left     []string
}

func seen(set *appsv1.ReplicaSet, service *corev1.Service, pods []corev1.Pod) observation {
	o := objects{service: service, pods: podsOf(set, slices.Clone(pods))}
	var states []any
	for _, p := range o.pods {
		states = append(states, podState(p))
	}
	var findings []string
	for _, f := range findingsOfPods(o.pods) {
		findings = append(findings, f.failure.Message, f.at.String())
	}
	return observation{states, findings, runningImage(o.pods, "app"), unselected(o)}
}

// Observing slim ReplicaSets gives the same result as observing whole ones, and finds the current one
// as Kubernetes' deployment controller does.
func TestSlimReplicaSetsAreObservedAsTheyAre(t *testing.T) {
	t.Parallel()
	seed := rand.Uint64()
	r := rand.New(rand.NewPCG(seed, seed))                                            //nolint:gosec // a test's
	fill := randfill.NewWithSeed(int64(seed)).NilChance(0.2).NumElements(1, 3).Funcs( //nolint:gosec // any number will do
		func(q *resource.Quantity, _ randfill.Continue) { *q = resource.MustParse(fmt.Sprint(r.IntN(9), "m")) },
		func(*metav1.FieldsV1, randfill.Continue) {},
		func(v *intstr.IntOrString, _ randfill.Continue) { *v = intstr.FromInt32(r.Int32N(9)) },
		func(c *appsv1.ReplicaSetCondition, f randfill.Continue) {
			f.FillNoCustom(c)
			if r.IntN(2) == 0 {
				c.Type, c.Status, c.Reason = appsv1.ReplicaSetReplicaFailure, corev1.ConditionTrue, string(v1alpha1.FailedCreate)
			}
		},
	)
	wire := func(o any) { // whatever comes from Kubernetes was text
		text, err := json.Marshal(o)
		if err != nil {
			t.Fatal(err)
		}
		reflect.ValueOf(o).Elem().SetZero()
		if err := json.Unmarshal(text, o); err != nil {
			t.Fatal(err)
		}
	}
	found := 0
	for range 100 {
		d := &appsv1.Deployment{ObjectMeta: metav1.ObjectMeta{Name: "d", UID: "d", Generation: 1}, Spec: appsv1.DeploymentSpec{
			Replicas: new(int32(2)), Selector: &metav1.LabelSelector{},
		}}
		fill.Fill(&d.Spec.Template)
		d.Spec.Template.Spec.Containers = append(d.Spec.Template.Spec.Containers, corev1.Container{Name: "app"}) // none is refused
		wire(d)
		full := make([]appsv1.ReplicaSet, 3)
		for i := range full {
			s := &full[i]
			fill.Fill(s)
			s.Spec.Template.Spec.Containers = append(s.Spec.Template.Spec.Containers, corev1.Container{Name: "app"})
			switch r.IntN(3) {
			case 0:
				d.Spec.Template.DeepCopyInto(&s.Spec.Template)
			case 1:
				d.Spec.Template.DeepCopyInto(&s.Spec.Template)
				s.Spec.Template.Spec.Containers[0].Image += "x"
			}
			if s.Spec.Template.Labels == nil {
				s.Spec.Template.Labels = map[string]string{}
			}
			s.Spec.Template.Labels[appsv1.DefaultDeploymentUniqueLabelKey] = fmt.Sprint(i)
			s.Labels = map[string]string{appsv1.DefaultDeploymentUniqueLabelKey: fmt.Sprint("hash-", i), "app": "shop"}
			s.Spec.Replicas = new(r.Int32N(3))
			s.OwnerReferences = []metav1.OwnerReference{*metav1.NewControllerRef(d, appsv1.SchemeGroupVersion.WithKind("Deployment"))}
			s.CreationTimestamp = metav1.Unix(int64(i), 0)
			wire(s)
		}
		var slim []appsv1.ReplicaSet
		for i := range full {
			o, err := Slim(full[i].DeepCopy())
			if err != nil {
				t.Fatal(err)
			}
			slim = append(slim, *o.(*appsv1.ReplicaSet)) //nolint:forcetypeassert // that is the point
			if len(slim[i].Spec.Template.Spec.Containers) > 0 {
				t.Fatalf("seed %d: a slim ReplicaSet has its template", seed)
			}
		}
		as := slices.IndexFunc(full, func(s appsv1.ReplicaSet) bool {
			delete(s.Spec.Template.Labels, appsv1.DefaultDeploymentUniqueLabelKey)
			return equality.Semantic.DeepEqual(s.Spec.Template, d.Spec.Template)
		})
		want, got := setsSeen(d, full), setsSeen(d, slim)
		if diff := cmp.Diff(want, got); diff != "" {
			t.Fatalf("seed %d: what is observed of slim ReplicaSets differs (-full +slim):\n%s", seed, diff)
		}
		if as >= 0 {
			found++
		}
		if current := want["current"]; as < 0 && current != nil || as >= 0 && current != full[as].Name {
			t.Fatalf("seed %d: the current ReplicaSet is %v, Kubernetes' would be number %d", seed, current, as)
		}
	}
	if found < 30 || found > 95 {
		t.Errorf("seed %d: %d of 100 Deployments have a current ReplicaSet", seed, found)
	}
}

// setsSeen is everything that is read of ReplicaSets.
func setsSeen(d *appsv1.Deployment, sets []appsv1.ReplicaSet) map[string]any {
	o := objects{deployment: d}
	o.current, o.older = split(d, slices.Clone(sets))
	all := map[string]any{"rolled out": rolledOut(o), "progress": progress(&track.Side{Replicas: 2}, o)}
	for _, s := range o.older {
		all["older "+s.Name] = fmt.Sprint(s.UID, *s.Spec.Replicas, s.Status.Replicas)
	}
	if o.current != nil {
		side := track.Side{}
		describe(&side, &v1alpha1.BlueGreen{}, o)
		all["current"], all["side"] = o.current.Name, side
		all["replicas"] = []int32{*o.current.Spec.Replicas, o.current.Status.AvailableReplicas}
		for i, f := range findingsOfSet(o.current) {
			all[fmt.Sprint("finding ", i)] = f.failure.Message + f.at.String()
		}
	}
	return all
}

// An Ingress keeps its managedFields, which the preflight reads; nothing else does. A pod without
// a ReplicaSet keeps only its name.
func TestSlimObjectsKeepWhatIsReadOfThem(t *testing.T) {
	t.Parallel()
	wrote := []metav1.ManagedFieldsEntry{{Manager: "helm"}}
	for _, tt := range []struct {
		object metav1.Object
		keeps  int
	}{
		{&networkingv1.Ingress{ObjectMeta: metav1.ObjectMeta{ManagedFields: wrote}}, 1},
		{&appsv1.Deployment{ObjectMeta: metav1.ObjectMeta{ManagedFields: wrote}}, 0},
		{&corev1.Pod{ObjectMeta: metav1.ObjectMeta{ManagedFields: wrote}}, 0},
	} {
		o, err := Slim(tt.object)
		if err != nil {
			t.Fatal(err)
		}
		if got := len(o.(metav1.Object).GetManagedFields()); got != tt.keeps { //nolint:forcetypeassert // that is the point
			t.Errorf("%T keeps %d managers, want %d", tt.object, got, tt.keeps)
		}
	}
	applied := map[string]string{corev1.LastAppliedConfigAnnotation: "{}", "a": "b"}
	for _, object := range []metav1.Object{&networkingv1.Ingress{}, &appsv1.Deployment{}, &corev1.Service{}} {
		object.SetAnnotations(maps.Clone(applied))
		if _, err := Slim(object); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(map[string]string{"a": "b"}, object.GetAnnotations()); diff != "" {
			t.Errorf("annotations of %T (-want +got):\n%s", object, diff)
		}
	}
	foreign := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: "kube-system", Name: "logs", Labels: map[string]string{"a": "b"}}}
	foreign.Status.PodIP, foreign.Spec.NodeName = "10.0.0.1", "node"
	o, err := Slim(foreign)
	if err != nil {
		t.Fatal(err)
	}
	want := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: "kube-system", Name: "logs"}}
	if diff := cmp.Diff(any(want), o); diff != "" {
		t.Errorf("a pod of no Deployment (-want +got):\n%s", diff)
	}
}

// Equal labels of an object are one map, and what they say does not change.
func TestEqualLabelsAreThereOnce(t *testing.T) {
	t.Parallel()
	shop := func() map[string]string { return map[string]string{"app": "shop", "color": "blue"} }
	more := func() map[string]string { return map[string]string{"app": "shop", "color": "blue", "tier": "web"} }
	for name, tt := range map[string]struct {
		labels, selector, template map[string]string
		maps                       int
	}{
		"all equal":           {shop(), shop(), shop(), 1},
		"none":                {nil, nil, nil, 0},
		"the template's more": {shop(), shop(), more(), 2},
		"labels differ":       {more(), shop(), shop(), 2},
		"without labels":      {nil, shop(), shop(), 1},
		"all differ":          {map[string]string{"a": "b"}, shop(), more(), 3},
	} {
		t.Run(name, func(t *testing.T) {
			d := &appsv1.Deployment{ObjectMeta: metav1.ObjectMeta{Labels: tt.labels}}
			d.Spec.Selector, d.Spec.Template.Labels = &metav1.LabelSelector{MatchLabels: tt.selector}, tt.template
			want := d.DeepCopy()
			if _, err := Slim(d); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(want, d); diff != "" {
				t.Errorf("what it says has changed (-want +got):\n%s", diff)
			}
			known := map[uintptr]bool{}
			for _, m := range []map[string]string{d.Labels, d.Spec.Selector.MatchLabels, d.Spec.Template.Labels} {
				if m != nil {
					known[reflect.ValueOf(m).Pointer()] = true
				}
			}
			if len(known) != tt.maps {
				t.Errorf("%d maps, want %d", len(known), tt.maps)
			}
		})
	}
	s := &corev1.Service{ObjectMeta: metav1.ObjectMeta{Labels: shop()}, Spec: corev1.ServiceSpec{Selector: shop()}}
	if _, err := Slim(s); err != nil {
		t.Fatal(err)
	}
	if reflect.ValueOf(s.Labels).Pointer() != reflect.ValueOf(s.Spec.Selector).Pointer() {
		t.Error("a Service has two maps of the same labels")
	}
}
