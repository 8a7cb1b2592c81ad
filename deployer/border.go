package deployer

import (
	"context"
	"fmt"
	"slices"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/selection"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/turnout-dev/turnout/api/v1alpha1"
	"github.com/turnout-dev/turnout/deployer/track"
)

// border ends the releases that ask for what no release may ask for. Whoever may
// write releases may write anything into one; what is trusted of it is what the
// BlueGreen's own spec and status say, too.
func (w *work) border(ctx context.Context) error {
	if err := w.endStrays(ctx); err != nil {
		return err
	}
	for i := range w.releases {
		rel := &w.releases[i]
		if rel.Status.Phase.Finished() || rel.Status.Failure != nil || w.claimed(rel) {
			continue // what is under way is looked at by interrupt
		}
		if f := w.refusal(rel); f != nil {
			if err := w.end(ctx, rel, f); err != nil {
				return err
			}
		}
	}
	return nil
}

// claimed reports whether a release is the one that the claim names.
func (w *work) claimed(rel *v1alpha1.Release) bool {
	return w.bg.Status.Active != nil && w.bg.Status.Active.UID == string(rel.UID)
}

// end ends a release that has not begun, cleaning up what it has done.
func (w *work) end(ctx context.Context, rel *v1alpha1.Release, f *fault) error {
	a := w.attempt(rel)
	a.fail(f)
	if err := a.save(ctx); err != nil {
		return err
	}
	return w.drive(ctx, rel, anyStep)
}

// attempt is a release about to be written.
func (w *work) attempt(rel *v1alpha1.Release) *attempt {
	return &attempt{work: w, rel: rel, saved: rel.Status.DeepCopy(), log: w.log.With("release", rel.Name)}
}

// refusal is why a release may not run; nil if it may, or if that cannot be told
// yet.
func (w *work) refusal(rel *v1alpha1.Release) *fault {
	if rel.Spec.Kind == v1alpha1.Rollback {
		if rel.Status.Milestones.ClaimedAt != nil {
			return nil // it was judged before it began
		}
		_, f := w.judgeRollback(rel)
		return f
	}
	if what := rel.Spec.Deploy; !track.Built(rel) && !strings.EqualFold(what.Repository, w.bg.Spec.Repository) {
		return releaseFault(v1alpha1.FailedRepository,
			"spec.deploy.repository is %s, and bluegreen %s releases %s alone (its spec.repository): release a commit of that one",
			what.Repository, w.bg.Name, w.bg.Spec.Repository)
	}
	return nil
}

// judgeRollback compares a rollback with what the last switch recorded: nobody
// chooses what users are brought back to. It is neither good nor refused while it
// takes back the switch of a release under way that is not recorded yet.
func (w *work) judgeRollback(rel *v1alpha1.Release) (good bool, f *fault) {
	asked, last := rel.Spec.Rollback, w.bg.Status.LastSwitch
	switch {
	case last != nil && last.UID == asked.Switch:
	case w.bg.Status.Active != nil && w.bg.Status.Active.UID == asked.Switch:
		return false, nil
	case last == nil:
		return false, w.notRecorded("Turnout has not switched bluegreen %s yet, so there is nothing to take back", w.bg.Name)
	default:
		return false, w.notRecorded("spec.rollback.switch is %s, and the last switch was made by %s (%s)", asked.Switch, last.Release, last.UID)
	}
	if last.Kind != string(v1alpha1.Deploy) {
		return false, w.notRecorded("%s went back to %s already", last.Release, last.To.Short())
	}
	from, to := w.ends(last)
	if !slices.ContainsFunc(from, func(v v1alpha1.Version) bool { return v1alpha1.SameVersion(v, asked.From) }) {
		return false, w.notRecorded("spec.rollback.from is %s, and that switch brought %s", spelled(asked.From), spelled(last.To))
	}
	if !slices.ContainsFunc(to, func(v v1alpha1.Version) bool { return v1alpha1.SameVersion(v, asked.To) }) {
		return false, w.notRecorded("spec.rollback.to is %s, and that switch left %s", spelled(asked.To), spelled(last.From))
	}
	return true, nil
}

// ends are what the last switch left and brought, in the words of everything that
// Turnout itself wrote of it: a rollback that was asked for while the switch was
// under way has them from its release, where the digest may not be known yet.
func (w *work) ends(last *v1alpha1.SwitchRecord) (from, to []v1alpha1.Version) {
	from, to = []v1alpha1.Version{last.To}, []v1alpha1.Version{last.From}
	if w.bg.Status.Previous != nil {
		to = append(to, *w.bg.Status.Previous)
	}
	for i := range w.releases {
		rel := &w.releases[i]
		if m := rel.Status.Milestones; string(rel.UID) == last.UID && m.Previous != nil && m.Staged != nil {
			from = append(from, v1alpha1.Version{Color: m.Target, Image: m.Staged.Image, Release: rel.Name})
			to = append(to, *m.Previous)
		}
	}
	return from, to
}

// notRecorded is the fault of a rollback that is not what the last switch
// recorded.
func (w *work) notRecorded(format string, args ...any) *fault {
	return releaseFault(v1alpha1.FailedNotRecorded, "%s; users were not moved. To take the last switch back, ask for a rollback anew",
		fmt.Sprintf(format, args...)).
		with(v1alpha1.Shell("turnout", "rollback", w.bg.Name, "--namespace", w.bg.Namespace))
}

// spelled names a version in full.
func spelled(v v1alpha1.Version) string {
	text := v.Image + " on " + string(v.Color)
	if v.Release != "" {
		text += " of release " + v.Release
	}
	return text
}

// unlabelled selects the releases that no application's list has.
var unlabelled = func() labels.Selector {
	r, err := labels.NewRequirement(v1alpha1.ApplicationLabel, selection.DoesNotExist, nil)
	if err != nil {
		panic(err) // the label is a constant
	}
	return labels.NewSelector().Add(*r)
}()

// endStrays takes releases out whose label is not the application they are for.
// Nobody could tell whose they are, so they are never driven, and say so.
func (w *work) endStrays(ctx context.Context) error {
	var bare v1alpha1.ReleaseList
	if err := w.d.Client.List(ctx, &bare, client.InNamespace(w.bg.Namespace),
		client.MatchingLabelsSelector{Selector: unlabelled}); err != nil {
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

func (w *work) endStray(ctx context.Context, rel *v1alpha1.Release) error {
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
