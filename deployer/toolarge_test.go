package deployer

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/turnout-dev/turnout/api/v1alpha1"
	"github.com/turnout-dev/turnout/internal/prose"
	"github.com/turnout-dev/turnout/record"
)

// A text that does not fit into etcd, here from the source's server, is cut, and its release
// continues.
func TestAMessageThatDoesNotFitTheRecordIsToldInShort(t *testing.T) {
	w := newWorld(t)
	w.source.fail(errors.New("502: " + strings.Repeat("x", 1_200_000)))
	w.run()
	rel := w.submit("a")
	w.await(rel, "the error", func(r *v1alpha1.Release) bool { return strings.Contains(r.Status.Message, "502:") })
	w.get(rel)
	if n := prose.Size(rel.Status.Message); n > record.MessageLimit {
		t.Errorf("the message has %d bytes", n)
	}
	w.source.fail(nil)
	w.awaitPhase(rel, v1alpha1.ReleaseSucceeded)
}

// A message about the repository's file ends its release, not the application.
func TestAMessageOfTheRepositorysFileIsShort(t *testing.T) {
	w := newWorld(t)
	w.source.write("a", "timeout: '"+strings.Repeat("x", 700_000)+"'\nsteps: [{name: x}]\nimages: [x]\n")
	w.source.commit("b", "a")
	w.run()
	rel := w.submit("a")
	w.awaitPhase(rel, v1alpha1.ReleaseFailed)
	w.get(rel)
	if f := rel.Status.Failure; f == nil || f.Reason != "BuildConfig" || prose.Size(f.Message) > record.MessageLimit {
		t.Errorf("the failure is %.300v", f)
	}
	w.awaitPhase(w.submit("b"), v1alpha1.ReleaseSucceeded)
}

// Names that Cloud Build returns fit into the record, or their release ends: here the image that
// a build file names.
func TestANameThatDoesNotFitTheRecordEndsItsRelease(t *testing.T) {
	w := newWorld(t)
	w.source.write("a", "steps: [{name: x}]\nimages: ['gcr.io/acme-prod/"+strings.Repeat("x", 600)+"']\n")
	w.source.commit("b", "a")
	w.run()
	rel := w.submit("a")
	w.await(rel, "an end", func(r *v1alpha1.Release) bool { return r.Status.Phase.Finished() })
	w.get(rel)
	if f := rel.Status.Failure; f == nil || f.Reason != "TooLarge" || !strings.Contains(f.Message, "image") ||
		len(f.Message) > record.MessageLimit {
		t.Errorf("ended as %s: %.300v", rel.Status.Phase, f)
	}
	w.awaitPhase(w.submit("b"), v1alpha1.ReleaseSucceeded)
}

// A release whose own text leaves no room for a status is ignored, and delays nobody.
func TestAReleaseWithoutRoomForAStatusKeepsNobodyWaiting(t *testing.T) {
	w := newWorld(t)
	w.source.commit("b", "a")
	large := w.submit("a")
	for i := range 8_000 {
		large.OwnerReferences = append(large.OwnerReferences, metav1.OwnerReference{
			APIVersion: "v1", Kind: "ConfigMap", Name: fmt.Sprintf("%d-%s", i, strings.Repeat("x", 50)), UID: types.UID(fmt.Sprint(i)),
		})
	}
	check(t, w.kube.Update(t.Context(), large))
	w.run()
	w.awaitPhase(w.submit("b"), v1alpha1.ReleaseSucceeded)
}

// A live image whose name is too long blocks releases, with the way out, and the application's
// status is still written.
func TestALiveImageThatDoesNotFitTheRecordIsTold(t *testing.T) {
	w := newWorld(t)
	w.source.commit("b", "a")
	w.run()
	d := &appsv1.Deployment{ObjectMeta: w.meta("my-python-app-blue")}
	w.get(d)
	good := d.Spec.Template.Spec.Containers[0].Image
	set := func(image string) {
		patch := fmt.Sprintf(`[{"op": "replace", "path": "/spec/template/spec/containers/0/image", "value": %q}]`, image)
		check(t, w.kube.Patch(t.Context(), d, client.RawPatch(types.JSONPatchType, []byte(patch))))
	}
	set("gcr.io/" + strings.Repeat("x", 700_000))
	w.until("the condition", func() bool {
		c := readyCondition(w.application())
		return c.Reason == v1alpha1.ReasonContainer && strings.Contains(c.Message, "deployment my-python-app-blue") &&
			strings.Contains(c.Message, "700007 bytes")
	}, func() string { return fmt.Sprint(readyCondition(w.application())) })
	set(good)
	w.awaitPhase(w.submit("b"), v1alpha1.ReleaseSucceeded)
}
