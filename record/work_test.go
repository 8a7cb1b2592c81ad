package record_test

import (
	"context"
	"errors"
	"testing"

	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"

	"github.com/turnout-dev/turnout/api/v1alpha1"
	"github.com/turnout-dev/turnout/internal/index/indextest"
	"github.com/turnout-dev/turnout/record"
)

// A release that this process lately read or wrote is not read again. If the cache has not heard of
// somebody's write, what rests on the older one is refused, and the release is read.
func TestReleaseIsReadAgainUnlessItIsAsThisProcessKnowsIt(t *testing.T) {
	t.Parallel()
	writer, bg := newApplication(t)
	rel := submit(t, writer, deploy(bg))
	reads := 0
	var behind *v1alpha1.ReleaseList // what a cache that is behind has
	r := &record.Record{
		Client: indextest.Client{Client: interceptor.NewClient(kube, interceptor.Funcs{
			List: func(ctx context.Context, c client.WithWatch, list client.ObjectList, opts ...client.ListOption) error {
				if all, ok := list.(*v1alpha1.ReleaseList); ok && behind != nil {
					behind.DeepCopyInto(all)
					return nil
				}
				return c.List(ctx, list, opts...)
			},
		})},
		Reader: interceptor.NewClient(kube, interceptor.Funcs{
			Get: func(ctx context.Context, c client.WithWatch, key client.ObjectKey, o client.Object, opts ...client.GetOption) error {
				reads++
				return c.Get(ctx, key, o, opts...)
			},
		}),
	}
	work := func(wantReads int, wantMessage string) *v1alpha1.Release {
		t.Helper()
		reads = 0
		all, err := r.Work(t.Context(), client.ObjectKeyFromObject(bg))
		check(t, err)
		if len(all) != 1 || all[0].Status.Message != wantMessage || reads != wantReads {
			t.Fatalf("%d releases were read in %d requests, want 1 in %d: %+v", len(all), reads, wantReads, all)
		}
		return &all[0]
	}
	write := func(r *record.Record, rel *v1alpha1.Release, message string) error {
		read := rel.Status.DeepCopy()
		rel.Status.Message = message
		return r.UpdateRelease(t.Context(), rel, read)
	}
	work(1, "")
	known := work(0, "")
	check(t, write(r, known, "mine"))
	work(0, "mine")

	behind = &v1alpha1.ReleaseList{}
	check(t, kube.List(t.Context(), behind, client.InNamespace(bg.Namespace)))
	theirs, err := writer.Release(t.Context(), client.ObjectKeyFromObject(rel))
	check(t, err)
	check(t, write(writer, theirs, "theirs"))
	known = work(0, "mine")
	if err := write(r, known, "mine again"); !errors.Is(err, record.ErrHeld) {
		t.Errorf("a write over somebody else's is answered with %v", err)
	}
	work(1, "theirs")

	behind = nil // the cache has heard
	known = work(0, "theirs")
	known.Status.Phase = v1alpha1.ReleaseSucceeded
	check(t, write(r, known, "done"))
	work(0, "done")
}
