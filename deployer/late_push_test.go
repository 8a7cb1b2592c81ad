package deployer

import (
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/turnout-dev/turnout/api/v1alpha1"
)

// The push of b was lost. c, which contains it, was released and rolled back. Then the push
// arrives after all, as when a sweep finds its delivery.
func TestLatePushOfWhatWasTakenBackIsForAPersonToRelease(t *testing.T) {
	t.Parallel()
	for name, takeBack := range map[string]func(w *world){
		"rolled back to a release": func(w *world) {
			w.awaitPhase(w.submit("a"), v1alpha1.ReleaseSucceeded)
			w.settled()
			w.awaitPhase(w.submit("c"), v1alpha1.ReleaseSucceeded)
			w.settled()
			w.awaitPhase(w.rollback(), v1alpha1.ReleaseSucceeded)
		},
		"rolled back to what was there before": func(w *world) {
			w.awaitPhase(w.submit("c"), v1alpha1.ReleaseSucceeded)
			w.settled()
			w.awaitPhase(w.rollback(), v1alpha1.ReleaseSucceeded)
		},
		"went back by itself": func(w *world) {
			w.awaitPhase(w.submit("a"), v1alpha1.ReleaseSucceeded)
			w.settled()
			w.setURL(w.addressOf(w.live().Other(), func() {}))
			w.awaitPhase(w.submit("c"), v1alpha1.ReleaseFailed)
			w.setURL("")
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			w.source.commit("b", "a")
			w.source.commit("c", "b")
			w.source.commit("d", "c")
			w.run()
			takeBack(w)
			w.settled()
			live, builds := w.live(), len(w.made())
			late := w.awaitPhase(w.submit("b"), v1alpha1.ReleaseSuperseded)
			w.expectMessage(late, "the push of bbbbbbb came late", "it is part of ccccccc", "/promote")
			w.expectLive(live)
			if n := len(w.made()); n != builds {
				t.Error("the late push was built")
			}
			promoted := w.submit("b", func(r *v1alpha1.Release) {
				r.Name, r.Spec.Deploy.Attempt = v1alpha1.DeployName("my-python-app", w.source.sha("b"), 2), 2
				r.Spec.Cause = v1alpha1.Cause{Kind: v1alpha1.CauseComment, Actor: "hubot"}
				r.Spec.Approval = &v1alpha1.Approval{By: "hubot", At: metav1.Now(), Commit: r.Spec.Deploy.Commit, Cause: r.Spec.Cause}
			})
			w.awaitPhase(promoted, v1alpha1.ReleaseSucceeded)
			w.expectLive(live.Other())
		})
	}
}

// A push after the version that was rolled back is not late: it waits for a person, or is
// released, as usual.
func TestPushAfterWhatWasTakenBackIsNotLate(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.source.commit("b", "a")
	w.source.commit("c", "b")
	w.run()
	w.awaitPhase(w.submit("b"), v1alpha1.ReleaseSucceeded)
	w.settled()
	w.awaitPhase(w.rollback(), v1alpha1.ReleaseSucceeded)
	w.settled()
	w.expectMessage(w.awaitPhase(w.submit("c"), v1alpha1.ReleaseWaiting), "it contains bbbbbbb")
}
