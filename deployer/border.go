package deployer

import (
	"context"
	"fmt"
	"slices"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/turnout-dev/turnout/api/v1alpha1"
	"github.com/turnout-dev/turnout/internal/index"
)

// border ends the releases that ask for what no release may ask for. Whoever may write releases
// may write anything into one; Turnout trusts only what the BlueGreen's own spec and status
// say, too.
func (w borders) border(ctx context.Context) error {
	if err := w.endStrays(ctx); err != nil {
		return err
	}
	for i := range w.releases {
		rel := &w.releases[i]
		if rel.Status.Phase.Finished() || rel.Status.Failure != nil || (borders{w.work}).claimed(rel) {
			continue // interrupt looks at releases in progress
		}
		if f := w.refusal(rel); f != nil {
			if err := w.end(ctx, rel, f); err != nil {
				return err
			}
		}
	}
	return nil
}

// end ends a release that has not begun, and cleans up what it did.
func (w borders) end(ctx context.Context, rel *v1alpha1.Release, f *fault) error {
	a := w.attempt(rel)
	ending{a}.fail(f)
	if err := a.save(ctx); err != nil {
		return err
	}
	return driving(w).drive(ctx, rel, anyStep)
}

// endStrays ends releases whose label does not match their application. Nobody could tell which
// application they belong to, so they are never driven, and say so.
func (w borders) endStrays(ctx context.Context) error {
	var bare v1alpha1.ReleaseList
	if err := index.List(ctx, w.d.Client, &bare, w.bg.Namespace, index.Application, ""); err != nil {
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
		if err := w.endStray(ctx, &strays[i]); err != nil {
			return err
		}
	}
	return nil
}

func (w borders) endStray(ctx context.Context, rel *v1alpha1.Release) error {
	if rel.Status.Phase.Finished() || rel.Status.Format > v1alpha1.Format {
		return nil
	}
	read, now := rel.Status.DeepCopy(), metav1.NewTime(w.o.Now)
	message := fmt.Sprintf("label %s is %q, and spec.application is %q: nobody can tell whose release it is, so nothing was done; ask with "+
		"turnout deploy or turnout rollback",
		v1alpha1.ApplicationLabel, rel.Labels[v1alpha1.ApplicationLabel], rel.Spec.Application)
	st := &rel.Status
	st.Phase, st.Message, st.Waiting, st.FinishedAt = v1alpha1.ReleaseFailed, message, nil, &now
	st.Failure = &v1alpha1.Failure{Class: v1alpha1.FaultRelease, Reason: v1alpha1.FailedLabel, Message: message, At: now}
	return w.d.Record.UpdateRelease(ctx, rel, read)
}
