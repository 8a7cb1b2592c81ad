package deployer

import (
	"slices"
	"strings"
	"testing"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/turnout-dev/turnout/api/v1alpha1"
)

// recreate deletes and recreates the application, as its owner may.
func (w *world) recreate() {
	w.t.Helper()
	old := w.application()
	check(w.t, w.kube.Delete(w.t.Context(), old))
	w.until("the bluegreen to be gone", func() bool {
		return apierrors.IsNotFound(w.kube.Get(w.t.Context(), keyOf(old), &v1alpha1.BlueGreen{}))
	}, func() string { return "it is there" })
	w.until("its releases to be gone", func() bool {
		var left v1alpha1.ReleaseList
		check(w.t, w.kube.List(w.t.Context(), &left, client.InNamespace(w.namespace)))
		return !slices.ContainsFunc(left.Items, func(rel v1alpha1.Release) bool { return metav1.IsControlledBy(&rel, old) })
	}, func() string { return "some are there" })
	w.create(&v1alpha1.BlueGreen{ObjectMeta: w.meta(old.Name), Spec: old.Spec})
}

// follow changes the application's repository, as its owner may.
func (w *world) follow(name string) {
	w.t.Helper()
	bg := w.application()
	was := bg.DeepCopy()
	bg.Spec.Repository = name
	check(w.t, w.kube.Patch(w.t.Context(), bg, client.MergeFrom(was)))
}

// The first repository stays pinned, whatever the namespace's owner does to the application. Only
// the cluster administrator changes the pin.
func TestOwnerDoesNotPinAgain(t *testing.T) {
	t.Parallel()
	for name, forget := range map[string]func(w *world){
		"made anew": func(w *world) { w.recreate() },
		"sent elsewhere and back": func(w *world) {
			w.follow("acme/other")
			w.awaitReason(v1alpha1.ReasonNotGranted)
			w.grant("acme/*")
			w.awaitReason(v1alpha1.ReasonReady)
			other := w.byHand("ci", "c")
			other.Spec.Deploy.Repository = "acme/other"
			w.create(other)
			w.until("the other repository to be met", func() bool {
				pin := w.application().Status.Repository
				return pin != nil && pin.Name == "acme/other"
			}, func() string { return "" })
			w.awaitPhase(other, v1alpha1.ReleaseSucceeded)
			w.follow("ACME/my-python-app")
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			for _, c := range []string{"b", "c", "d"} {
				w.source.commit(c, "a")
			}
			s := &spy{history: w.source}
			w.run(func(d *Deployer) { d.Source = s })
			w.awaitPhase(w.submit("a"), v1alpha1.ReleaseSucceeded)
			forget(w)
			w.source.replace(666)
			read, builds := s.contents(), w.countBuilds()
			w.submit("b")
			d := w.submit("d")
			w.awaitReason(v1alpha1.ReasonRepositoryChanged)
			w.await(d, "waiting", func(r *v1alpha1.Release) bool {
				return strings.Contains(r.Status.Message, "in turnout.dev/repin of the namespace")
			})
			if n := s.contents() - read; n > 0 {
				t.Errorf("%d requests for its content", n)
			}
			if n := w.countBuilds(); n != builds {
				t.Errorf("%d builds more", n-builds)
			}
			if pin := w.application().Status.Repository; pin == nil || pin.ID != 4711 || pin.Found != 666 {
				t.Errorf("pinned to %+v, want the first one", pin)
			}
			w.annotate(map[string]string{v1alpha1.RepinAnnotation: repository + "=666"})
			w.awaitReason(v1alpha1.ReasonReady)
			w.recreate() // the administrator's pin lasts, too
			w.awaitPhase(w.submit("b"), v1alpha1.ReleaseSucceeded)
			if pin := w.application().Status.Repository; pin == nil || pin.ID != 666 {
				t.Errorf("pinned to %+v", pin)
			}
		})
	}
}
