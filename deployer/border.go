package deployer

import (
	"context"
	"fmt"
	"slices"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/turnout-dev/turnout/api/v1alpha1"
	"github.com/turnout-dev/turnout/internal/index"
)

// borders are the limits of what a release may request.
type borders struct {
	recorder
	strays  client.Reader
	driving driving
	ending  ending
}

// border ends releases that request what no release may. Whoever may write releases may write
// anything into one, so Turnout trusts only what the BlueGreen's own spec and status confirm.
func (b borders) border(ctx context.Context, w *work) error {
	if err := b.endStrays(ctx, w); err != nil {
		return err
	}
	for i := range w.releases {
		rel := &w.releases[i]
		if rel.Status.Phase.Finished() || rel.Status.Failure != nil || w.claimed(rel) {
			continue // interrupt looks at releases in progress
		}
		if f := w.refusal(rel); f != nil {
			if err := b.end(ctx, w, rel, f); err != nil {
				return err
			}
		}
	}
	return nil
}

// end ends a release that has not begun, and cleans up after it.
func (b borders) end(ctx context.Context, w *work, rel *v1alpha1.Release, f *fault) error {
	a := w.attempt(rel)
	b.ending.fail(a, f)
	if err := b.save(ctx, a); err != nil {
		return err
	}
	return b.driving.drive(ctx, w, rel, anyStep)
}

// endStrays ends releases whose label does not match their application. Their application is
// ambiguous, so they never run, and their status says so.
func (b borders) endStrays(ctx context.Context, w *work) error {
	var bare v1alpha1.ReleaseList
	if err := index.List(ctx, b.strays, &bare, w.bg.Namespace, index.Application, ""); err != nil {
		return fmt.Errorf("listing releases without a label: %w", err)
	}
	strays := slices.DeleteFunc(bare.Items, func(rel v1alpha1.Release) bool { return rel.Spec.Application != w.bg.Name })
	own := w.releases[:0:0]
	for _, rel := range w.releases {
		if rel.Spec.Application == w.bg.Name {
			own = append(own, rel)
		} else {
			strays = append(strays, rel)
		}
	}
	w.releases = own
	for i := range strays {
		if err := b.endStray(ctx, w, &strays[i]); err != nil {
			return err
		}
	}
	return nil
}

func (b borders) endStray(ctx context.Context, w *work, rel *v1alpha1.Release) error {
	if rel.Status.Phase.Finished() || rel.Status.Format > v1alpha1.Format {
		return nil
	}
	read, now := rel.Status.DeepCopy(), metav1.NewTime(w.o.Now)
	message := fmt.Sprintf("label %s is %q, and spec.application is %q: nobody can tell whose release it is, so nothing was done; "+
		"request it with turnout deploy or turnout rollback",
		v1alpha1.ApplicationLabel, rel.Labels[v1alpha1.ApplicationLabel], rel.Spec.Application)
	st := &rel.Status
	st.Phase, st.Message, st.Waiting, st.FinishedAt = v1alpha1.ReleaseFailed, message, nil, &now
	st.Failure = &v1alpha1.Failure{Class: v1alpha1.FaultRelease, Reason: v1alpha1.FailedLabel, Message: message, At: now}
	return b.releases.UpdateRelease(ctx, rel, read)
}
