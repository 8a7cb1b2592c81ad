package deployer

import (
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/tools/events"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/turnout-dev/turnout/api/v1alpha1"
)

// newerWorlds are recordings that this version would act on at once.
var newerWorlds = []string{
	"deploy/07-staging", "deploy/12-switch-intended", "deploy/18-held", "undo/05-restoring", "rollback/02-sizing", "queue/02-built-ahead",
}

// A newer version's record is left alone: nothing is written, built, moved, sized or shrunk, and
// a person is informed.
func TestRecordOfANewerVersionIsLeftAlone(t *testing.T) {
	t.Parallel()
	version := recordedVersions(t)[0]
	for _, name := range newerWorlds {
		for newer, raise := range map[string]func(*recording){
			"bluegreen": func(r *recording) { r.Application.Status.Format = v1alpha1.Format + 1 },
			"release":   func(r *recording) { r.Releases[len(r.Releases)-1].Status.Format = v1alpha1.Format + 1 },
		} {
			t.Run(name+"/"+newer, func(t *testing.T) {
				t.Parallel()
				r := readRecording(t, filepath.Join(recordings, version, name+".yaml"))
				r.Application.Spec.Hold = duration(0) // a held colour would be shrunk
				raise(r)
				w := emptyWorld(t, plane.Config, r.Grants)
				w.putBack(r)
				w.expectLeftToNewer(newer)
			})
		}
	}
}

func (w *world) expectLeftToNewer(kind string) {
	w.t.Helper()
	before, builds := w.versions(), w.builds.Calls()
	p := &process{last: func(write) bool { return false }, made: map[string]int{}}
	told := events.NewFakeRecorder(16)
	w.runWith(p.config(w.cfg), quick("older"), func(d *Deployer) { d.Events = told })
	for range 3 { // looks
		var said string
		w.until("an event", func() bool {
			select {
			case said = <-told.Events:
				return true
			default:
				return false
			}
		}, func() string { return strings.Join(p.all(), "\n") })
		for _, part := range []string{
			"Warning NewerRecord " + kind + " ", fmt.Sprint("format ", v1alpha1.Format+1), fmt.Sprint("formats up to ", v1alpha1.Format),
			"upgrade this Turnout",
		} {
			if !strings.Contains(said, part) {
				w.t.Errorf("the event is %q, want in it %q", said, part)
			}
		}
		w.patch(w.deployment(v1alpha1.Blue), `{"metadata":{"annotations":{"poked":"`+time.Now().String()+`"}}}`)
	}
	if made := p.all(); len(made) != 0 {
		w.t.Errorf("what a newer version wrote is driven:\n%s", strings.Join(made, "\n"))
	}
	if diff := cmp.Diff(before, w.versions()); diff != "" {
		w.t.Errorf("the record has changed (-before +after):\n%s", diff)
	}
	if diff := cmp.Diff(builds, w.builds.Calls()); diff != "" {
		w.t.Errorf("Cloud Build was asked (-before +after):\n%s", diff)
	}
}

// versions are the resource versions of the record and of the workloads.
func (w *world) versions() map[string]string {
	w.t.Helper()
	found := map[string]string{}
	for _, list := range []client.ObjectList{
		&v1alpha1.BlueGreenList{}, &v1alpha1.ReleaseList{}, &corev1.ServiceList{}, &networkingv1.IngressList{},
	} {
		check(w.t, w.kube.List(w.t.Context(), list, client.InNamespace(w.namespace)))
		check(w.t, meta.EachListItem(list, func(o runtime.Object) error {
			item, err := meta.Accessor(o)
			if err == nil {
				found[item.GetName()] = item.GetResourceVersion()
			}
			return err
		}))
	}
	return found
}

// Every other writer of the record, for a person or for GitHub, also leaves a newer version's
// record alone.
func TestNobodyWritesTheRecordOfANewerVersion(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	old := w.application()
	rel := w.submit("a")
	stale := rel.DeepCopy()
	bg := w.application()
	bg.Status.Format, rel.Status.Format = v1alpha1.Format+1, v1alpha1.Format+1
	check(t, w.kube.Status().Update(t.Context(), bg))
	check(t, w.kube.Status().Update(t.Context(), rel))
	before := w.versions()
	app, key, r, ctx := keyOf(bg), keyOf(rel), w.record(), t.Context()
	another := rel.DeepCopy()
	another.ObjectMeta = w.meta("another")
	for name, write := range map[string]func() error{
		"submit":      func() error { _, _, err := r.Submit(ctx, another); return err },
		"approve":     func() error { return r.Approve(ctx, key, v1alpha1.Approval{}) },
		"cancel":      func() error { return r.Cancel(ctx, key, v1alpha1.Cancel{}) },
		"confirm":     func() error { return r.Confirm(ctx, key, v1alpha1.Confirmation{}) },
		"lock":        func() error { return r.Lock(ctx, app, v1alpha1.Lock{By: "alice"}) },
		"unlock":      func() error { _, err := r.Unlock(ctx, app, "alice"); return err },
		"publish":     func() error { return r.PublishGitHub(ctx, rel, v1alpha1.GitHubStatus{DeploymentID: 1}) },
		"claim":       func() error { return r.Claim(ctx, bg.DeepCopy(), rel, "older", time.Now()) },
		"application": func() error { return r.UpdateApplication(ctx, bg.DeepCopy()) },
		"release":     func() error { return r.UpdateRelease(ctx, rel.DeepCopy(), &rel.Status) },
		"late release": func() error { // read before the newer version wrote it
			return r.UpdateRelease(ctx, stale.DeepCopy(), &stale.Status)
		},
		"read application": func() error { _, err := r.Application(ctx, app); return err },
		"read release":     func() error { _, err := r.Release(ctx, key); return err },
		"read releases":    func() error { _, err := r.Releases(ctx, app); return err },
		"read work":        func() error { _, err := r.Work(ctx, app); return err },
	} {
		if newer, ok := errors.AsType[*v1alpha1.NewerFormatError](write()); !ok || newer.Format != v1alpha1.Format+1 {
			t.Errorf("%s is not refused as newer", name)
		}
	}
	if err := r.Claim(ctx, old, rel, "older", time.Now()); err == nil {
		t.Error("a claim on what was read before is taken")
	}
	if diff := cmp.Diff(before, w.versions()); diff != "" {
		t.Errorf("the record has changed (-before +after):\n%s", diff)
	}
}
