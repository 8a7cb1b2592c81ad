package workload

import (
	"context"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/turnout-dev/turnout/api/v1alpha1"
	"github.com/turnout-dev/turnout/deployer/track"
)

func (w world) createMissing() []string {
	w.t.Helper()
	created, err := w.CreateMissing(w.t.Context(), w.bg, v1alpha1.Green)
	if err != nil {
		w.t.Fatal(err)
	}
	return created
}

func TestMissingColourIsMadeFromTheLiveOne(t *testing.T) {
	w := newWorld(t)
	if diff := cmp.Diff([]string{"Service/shop-green-svc", "Deployment/shop-green"}, w.createMissing()); diff != "" {
		t.Errorf("created (-want +got):\n%s", diff)
	}
	d := w.deployment("shop-green")
	if diff := cmp.Diff(map[string]string{"app": "shop", "version": "green"}, d.Labels); diff != "" {
		t.Errorf("labels of the Deployment (-want +got):\n%s", diff)
	}
	if len(d.Finalizers) != 0 || d.Annotations["meta.helm.sh/release-name"] != "" || *d.Spec.Replicas != 0 {
		t.Errorf("the live Deployment's finalizers, annotations or size were copied: %+v", d.ObjectMeta)
	}
	if got := d.Spec.Selector.MatchLabels["version"]; got != "green" {
		t.Errorf("the selector asks for version %q, want green", got)
	}
	if d.Spec.MinReadySeconds != 1 || d.Spec.Strategy.RollingUpdate.MaxSurge.IntValue() != 1 {
		t.Errorf("minReadySeconds and strategy were not copied: %+v", d.Spec)
	}
	checkScheduling(t, d.Spec.Template.Spec)

	s := &corev1.Service{}
	if err := w.Client.Get(t.Context(), w.key("shop-green-svc"), s); err != nil {
		t.Fatal(err)
	}
	wantAnnotations := map[string]string{
		"cloud.google.com/neg":            `{"exposed_ports":{"80":{}},"ingress":true}`,
		"cloud.google.com/backend-config": `{"default": "shop"}`,
	}
	if diff := cmp.Diff(wantAnnotations, s.Annotations); diff != "" {
		t.Errorf("annotations of the Service (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(map[string]string{"app": "shop", "version": "green"}, s.Spec.Selector); diff != "" {
		t.Errorf("selector of the Service (-want +got):\n%s", diff)
	}
	if got := s.Spec.Ports[0]; s.Spec.Type != corev1.ServiceTypeNodePort || got.Name != "http" || got.TargetPort.StrVal != "web" {
		t.Errorf("type and ports of the Service: %s %+v", s.Spec.Type, got)
	}
	if again := w.createMissing(); len(again) != 0 {
		t.Errorf("a second call created %v, want nothing", again)
	}
}

// checkScheduling checks the rewritten places of testdata/live.yaml, for green.
func checkScheduling(t *testing.T, pod corev1.PodSpec) {
	t.Helper()
	anti := pod.Affinity.PodAntiAffinity
	own := anti.RequiredDuringSchedulingIgnoredDuringExecution[0].LabelSelector.MatchLabels["version"]
	other := anti.PreferredDuringSchedulingIgnoredDuringExecution[0].PodAffinityTerm.LabelSelector.MatchExpressions[0].Values
	spread := pod.TopologySpreadConstraints[0].LabelSelector.MatchExpressions
	if own != "green" || !slices.Equal(other, []string{"blue"}) {
		t.Errorf("anti-affinity to the own colour is to %s and to the other one to %v, want green and blue", own, other)
	}
	if !slices.Equal(spread[0].Values, []string{"green"}) || !slices.Equal(spread[1].Values, []string{"blue", "green"}) {
		t.Errorf("the spread selects %v, want green, and blue with green", spread)
	}
	if got := pod.Containers[0].Env[0].Value; got != "blue" {
		t.Errorf("an environment variable became %q; want the live pods' value", got)
	}
}

func TestStageTakesTheLiveTemplateAndSizeInOnePatch(t *testing.T) {
	w := newWorld(t)
	w.createMissing()
	// Somebody tuned the target by hand: Stage must not undo that.
	w.edit(w.deployment("shop-green"), `{"metadata":{"annotations":{"owner":"me"}},"spec":{"revisionHistoryLimit":3}}`)
	w.edit(w.deployment("shop-blue"), `{"spec":{"template":{"spec":{"terminationGracePeriodSeconds":7}}}}`)

	plain := w.Client
	w.Client = &watched{Client: plain, before: func(patch string) {
		if !strings.Contains(patch, `"/spec/template"`) || !strings.Contains(patch, `"/spec/replicas"`) {
			t.Errorf("template and size are not in one patch: %s", patch)
		}
	}}
	if !w.stage(request("shop-abc-1")) {
		t.Error("nothing was changed")
	}
	w.Client = plain
	d := w.deployment("shop-green")
	if *d.Spec.Replicas != 3 || d.Annotations["owner"] != "me" || *d.Spec.RevisionHistoryLimit != 3 {
		t.Errorf("size, or what someone else set, is wrong: %+v", d.Spec)
	}
	template := d.Spec.Template
	want := map[string]string{"app": "shop", "version": "green", "slot": "a", "tier": "web"}
	if diff := cmp.Diff(want, template.Labels); diff != "" {
		t.Errorf("labels of the template (-want +got):\n%s", diff)
	}
	wantAnnotations := map[string]string{
		"example.com/scrape": "true", v1alpha1.ReleaseAnnotation: "shop-abc-1",
		v1alpha1.CommitAnnotation: "abc",
	}
	if diff := cmp.Diff(wantAnnotations, template.Annotations); diff != "" {
		t.Errorf("annotations of the template (-want +got):\n%s", diff)
	}
	if template.Spec.Containers[0].Image != image || *template.Spec.TerminationGracePeriodSeconds != 7 {
		t.Errorf("image or the live template's setting is missing: %+v", template.Spec)
	}
	if w.stage(request("shop-abc-1")) {
		t.Error("staging the same image again changed something")
	}
	if !w.stage(request("shop-abc-2")) {
		t.Error("another attempt of the same image got no pods of its own")
	}
}

// edit changes an object as another person would: by merge patch.
func (w world) edit(d *appsv1.Deployment, patch string) {
	w.t.Helper()
	if err := w.Client.Patch(w.t.Context(), d, client.RawPatch(types.MergePatchType, []byte(patch))); err != nil {
		w.t.Fatal(err)
	}
}

func TestStageNeverShrinksWhatAnAutoscalerGrew(t *testing.T) {
	w := newWorld(t)
	w.createMissing()
	w.stage(request("shop-abc-1"))
	w.scale(v1alpha1.Green, 5)
	if w.stage(request("shop-abc-1")) || *w.deployment("shop-green").Spec.Replicas != 5 {
		t.Error("the size went back to the requested one")
	}
	w.scale(v1alpha1.Green, 1)
	if !w.stage(request("shop-abc-1")) || *w.deployment("shop-green").Spec.Replicas != 3 {
		t.Error("a size below the requested one was kept")
	}
}

func TestStageOfTheOwnTemplateChangesImageAndAnnotationsOnly(t *testing.T) {
	w := newWorld(t)
	w.createMissing()
	w.bg.Spec.Template = v1alpha1.TemplateOwn
	w.edit(w.deployment("shop-green"), `{"spec":{"template":{"spec":{"terminationGracePeriodSeconds":9}}}}`)
	want := w.deployment("shop-green").Spec.Template
	w.edit(w.deployment("shop-blue"), `{"spec":{"template":{"spec":{"terminationGracePeriodSeconds":7}}}}`)
	w.stage(request("shop-abc-1"))
	want.Spec.Containers[0].Image = image
	want.Annotations[v1alpha1.ReleaseAnnotation], want.Annotations[v1alpha1.CommitAnnotation] = "shop-abc-1", "abc"
	if diff := cmp.Diff(want, w.deployment("shop-green").Spec.Template); diff != "" {
		t.Errorf("template (-want +got):\n%s", diff)
	}
}

// watched is a client that shows each patch before it is sent.
type watched struct {
	client.Client
	before func(patch string)
}

func (w *watched) Patch(ctx context.Context, o client.Object, p client.Patch, options ...client.PatchOption) error {
	body, err := p.Data(o)
	if err != nil {
		return err
	}
	w.before(string(body))
	return w.Client.Patch(ctx, o, p, options...)
}

func TestStageThatLosesARaceWritesNothingAndSaysSo(t *testing.T) {
	w := newWorld(t)
	w.createMissing()
	plain := w.Client
	w.Client = &watched{Client: plain, before: func(string) {
		d := &appsv1.Deployment{ObjectMeta: metav1.ObjectMeta{Namespace: w.namespace, Name: "shop-green"}}
		if err := plain.Patch(t.Context(), d, client.RawPatch(types.MergePatchType, []byte(`{"spec":{"minReadySeconds":5}}`))); err != nil {
			t.Fatal(err)
		}
	}}
	_, err := w.Stage(t.Context(), w.bg, request("shop-abc-1"))
	if !apierrors.IsConflict(err) {
		t.Errorf("got error %v, want a conflict", err)
	}
	if d := w.deployment("shop-green"); *d.Spec.Replicas != 0 || d.Spec.Template.Annotations[v1alpha1.ReleaseAnnotation] != "" {
		t.Errorf("something was written: %+v", d.Spec)
	}
}

func TestAWriteRefusedByTheAPIServerIsNotAConflict(t *testing.T) {
	w := newWorld(t)
	var err error
	w.await("the API server's own word", func() bool {
		err = w.Scale(t.Context(), w.bg, v1alpha1.Blue, -5)
		return !apierrors.IsConflict(err) // the controller annotates a new Deployment meanwhile
	})
	if err == nil || !strings.Contains(err.Error(), "spec.replicas") {
		t.Errorf("got error %v, want the API server's message about spec.replicas", err)
	}
}

func TestStageRefusesPodsThatUsersWouldReach(t *testing.T) {
	w := newWorld(t)
	w.createMissing()
	s := &corev1.Service{}
	if err := w.Client.Get(t.Context(), w.key("shop-blue-svc"), s); err != nil {
		t.Fatal(err)
	}
	delete(s.Spec.Selector, "version")
	if err := w.Client.Update(t.Context(), s); err != nil {
		t.Fatal(err)
	}
	_, err := w.Stage(t.Context(), w.bg, request("shop-abc-1"))
	if err == nil || !strings.Contains(err.Error(), "its spec.selector needs version: blue") {
		t.Errorf("got error %v, want one that says how to repair the Service", err)
	}
}

func TestStagedPodsAreThoseThatTheTargetServiceSelects(t *testing.T) {
	w := newWorld(t)
	w.createMissing()
	s := &corev1.Service{}
	if err := w.Client.Get(t.Context(), w.key("shop-green-svc"), s); err != nil {
		t.Fatal(err)
	}
	s.Spec.Selector["lane"] = "two"
	if err := w.Client.Update(t.Context(), s); err != nil {
		t.Fatal(err)
	}
	w.stage(request("shop-abc-1"))
	if got := w.deployment("shop-green").Spec.Template.Labels["lane"]; got != "two" {
		t.Errorf("label lane is %q, want two: the Service would find no pod", got)
	}
}

func TestStageRefusesAnOwnTemplateThatItsServiceDoesNotSelect(t *testing.T) {
	w := newWorld(t)
	w.createMissing()
	w.bg.Spec.Template = v1alpha1.TemplateOwn
	s := &corev1.Service{}
	if err := w.Client.Get(t.Context(), w.key("shop-green-svc"), s); err != nil {
		t.Fatal(err)
	}
	s.Spec.Selector["lane"] = "two"
	if err := w.Client.Update(t.Context(), s); err != nil {
		t.Fatal(err)
	}
	_, err := w.Stage(t.Context(), w.bg, request("shop-abc-1"))
	if err == nil || !strings.Contains(err.Error(), "it selects app=shop,lane=two,version=green") ||
		!strings.Contains(err.Error(), "set spec.template to Live") {
		t.Errorf("got error %v, want one with the Service's selector and a way out", err)
	}
}

func TestShrinkNeverMakesAColourLarger(t *testing.T) {
	w := newWorld(t)
	if err := w.shrink(v1alpha1.Green, 0); err != nil {
		t.Errorf("a missing colour gives an error: %v", err)
	}
	green, two := w.deployment("shop-blue"), int32(2)
	green.ObjectMeta = metav1.ObjectMeta{Namespace: w.namespace, Name: "shop-green", Labels: green.Labels}
	green.Spec.Replicas = &two // blue's autoscaler would change blue's
	if err := w.Client.Create(t.Context(), green); err != nil {
		t.Fatal(err)
	}
	for _, size := range []int32{5, 1, 3} {
		w.await("the patch", func() bool { return w.shrink(v1alpha1.Green, size) == nil })
	}
	if n := *w.deployment("shop-green").Spec.Replicas; n != 1 {
		t.Errorf("green of size 2 has %d replicas", n)
	}
}

func (w world) shrink(c v1alpha1.Color, size int32) error {
	w.t.Helper()
	read, err := w.ReadSize(w.t.Context(), w.bg, c)
	if err != nil {
		return err
	}
	return w.Shrink(w.t.Context(), read, size)
}

// A shrink that began before a switch must not complete after it: what it checked no
// longer holds.
func TestStampInvalidatesAnEarlierShrink(t *testing.T) {
	w := newWorld(t)
	var late Sized
	w.await("the stamp", func() bool {
		var err error
		if late, err = w.ReadSize(t.Context(), w.bg, v1alpha1.Blue); err != nil {
			t.Fatal(err)
		}
		return w.Stamp(t.Context(), w.bg, w.observe(v1alpha1.Blue), "shop-abc-1") == nil
	})
	if err := w.Shrink(t.Context(), late, 0); !apierrors.IsConflict(err) {
		t.Errorf("the late shrink is %v, want a conflict", err)
	}
	if n := *w.deployment("shop-blue").Spec.Replicas; n == 0 {
		t.Error("blue was shrunk")
	}
	now, err := w.ReadSize(t.Context(), w.bg, v1alpha1.Blue)
	if err != nil || now.SwitchedBy != "shop-abc-1" {
		t.Errorf("the stamp for users is %q, %v", now.SwitchedBy, err)
	}
}

// Staging stamps the colour: a switch then only checks that it is as observed.
func TestStageStampsTheColour(t *testing.T) {
	w := newWorld(t)
	w.createMissing()
	w.stage(request("shop-abc-0"))
	late, err := w.ReadSize(t.Context(), w.bg, v1alpha1.Green)
	if err != nil {
		t.Fatal(err)
	}
	w.stage(request("shop-abc-1"))
	if err := w.Shrink(t.Context(), late, 0); !apierrors.IsConflict(err) {
		t.Errorf("the shrink that began before is %v, want a conflict", err)
	}
	seen := w.awaitState(v1alpha1.Green, "the stamp", func(s track.Side) bool { return s.SwitchedBy == "shop-abc-1" })
	before := w.deployment("shop-green").Generation
	if err := w.Stamp(t.Context(), w.bg, seen, "shop-abc-1"); err != nil {
		t.Error(err)
	}
	if now := w.deployment("shop-green").Generation; now != before {
		t.Errorf("a stamped colour was written again: generation %d after %d", now, before)
	}
	w.await("somebody's change", func() bool { return w.shrink(v1alpha1.Green, 1) == nil })
	if err := w.Stamp(t.Context(), w.bg, seen, "shop-abc-1"); !apierrors.IsConflict(err) {
		t.Errorf("the stamp of what was changed since is %v, want a conflict", err)
	}
}

func TestStampNeedsTheColourAsItWasObserved(t *testing.T) {
	w := newWorld(t)
	seen := w.observe(v1alpha1.Blue)
	w.await("the shrink", func() bool { return w.shrink(v1alpha1.Blue, 1) == nil })
	if err := w.Stamp(t.Context(), w.bg, seen, "shop-abc-1"); !apierrors.IsConflict(err) {
		t.Errorf("the stamp of what was shrunk since is %v, want a conflict", err)
	}
}

func TestStageNamesTheFieldForAnAmbiguousContainer(t *testing.T) {
	w := newWorld(t)
	w.createMissing()
	w.await("the live Deployment to be edited", func() bool {
		d := w.deployment("shop-blue")
		d.Spec.Template.Spec.Containers = append(d.Spec.Template.Spec.Containers, corev1.Container{Name: "sidecar", Image: "sidecar"})
		return w.Client.Update(t.Context(), d) == nil
	})
	_, err := w.Stage(t.Context(), w.bg, request("shop-abc-1"))
	if err == nil || !strings.Contains(err.Error(), "spec.container must name") || !strings.Contains(err.Error(), "app, sidecar") {
		t.Errorf("got error %v, want one that names spec.container and the choices", err)
	}
	w.bg.Spec.Container = "app"
	w.stage(request("shop-abc-1"))
	staged := w.deployment("shop-green").Spec.Template.Spec.Containers
	if staged[0].Image != image || staged[1].Image != "sidecar" {
		t.Errorf("containers have images %s and %s", staged[0].Image, staged[1].Image)
	}
}
