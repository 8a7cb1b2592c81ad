package cutover

import (
	"context"

	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/turnout-dev/turnout/api/v1alpha1"
	"github.com/turnout-dev/turnout/bot/githubtest"
)

// firstWeight is how many of 100 users a canary begins with.
const firstWeight = 25

// inSteps is a canary whose steps last until every front end has followed each.
func (r *run) inSteps() map[string]any {
	last := r.followed().String()
	return map[string]any{"canary": map[string]any{"steps": []any{
		map[string]any{"weight": int64(firstWeight), "for": last}, map[string]any{"weight": int64(50), "for": last},
	}}}
}

// canary brings users to n versions, one after the other, in steps.
func (r *run) canary(ctx context.Context, name string, n int) (*app, error) {
	t, err := r.behindGateway(ctx, name, r.inSteps())
	if err != nil {
		return t.orNil(), err
	}
	old := firstVersion
	for i := range n {
		t.begin(Canary)
		version, _, err := t.ship()
		if err != nil {
			return t.app, err
		}
		m, err := t.awaitMove(ctx)
		if err != nil {
			return t.app, err
		}
		t.cut(m.at, old)
		if err := t.finished(ctx, v1alpha1.ReleaseSucceeded); err != nil {
			return t.app, err
		}
		if err := t.settle(ctx, version, m.at); err != nil {
			return t.app, err
		}
		old = version
		t.progress(i, n)
	}
	return t.app, nil
}

// cancelled gives n versions to some users, and takes each back by /cancel.
func (r *run) cancelled(ctx context.Context, name string, n int) (*app, error) {
	t, err := r.behindGateway(ctx, name, r.inSteps())
	if err != nil {
		return t.orNil(), err
	}
	for i := range n {
		t.begin(CanaryCancelled)
		version, pr, err := t.ship()
		if err != nil {
			return t.app, err
		}
		if err := t.shared(ctx, version, pr); err != nil {
			return t.app, err
		}
		if err := t.comment(pr, "/cancel"); err != nil {
			return t.app, err
		}
		m, err := t.awaitMove(ctx)
		if err != nil {
			return t.app, err
		}
		t.cut(m.at, version)
		if err := t.finished(ctx, v1alpha1.ReleaseCancelled); err != nil {
			return t.app, err
		}
		if err := t.settle(ctx, firstVersion, m.at); err != nil {
			return t.app, err
		}
		t.progress(i, n)
	}
	return t.app, nil
}

// shared waits until some users have got a version.
func (t *released) shared(ctx context.Context, version string, pr *githubtest.PullRequest) error {
	err := t.until(ctx, "the first weight of "+version, func(ctx context.Context) (bool, error) {
		var list v1alpha1.ReleaseList
		if err := t.kube.List(ctx, &list, client.InNamespace(t.namespace)); err != nil {
			return false, err
		}
		for i := range list.Items {
			rel := &list.Items[i]
			if w := rel.LastWeight(); w != nil && rel.Spec.Deploy.Commit == pr.MergeCommit() {
				return w.Weight == firstWeight && w.EffectiveAt != nil, nil
			}
		}
		return false, nil
	})
	if err != nil {
		return err
	}
	return t.until(ctx, "users of "+version, func(context.Context) (bool, error) { return t.load.Answered(version), nil })
}
