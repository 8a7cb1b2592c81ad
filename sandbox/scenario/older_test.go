//go:build long

package scenario

import (
	"context"
	"fmt"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	eventsv1 "k8s.io/api/events/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/turnout-dev/turnout/api/v1alpha1"
	"github.com/turnout-dev/turnout/bot/githubtest"
	"github.com/turnout-dev/turnout/sandbox/turnout"
)

// olderVersion is the last commit whose record has format 1: it refuses newer ones.
const olderVersion = "2fbb7a6d8cc6"

// buildOlder builds the binary of that commit from the project's history.
func buildOlder(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	if out, err := exec.CommandContext(t.Context(), "git", "-C", project, "cat-file", "-e", olderVersion).CombinedOutput(); err != nil {
		t.Skipf("the history lacks %s, so there is no older Turnout; git fetch --unshallow gets it: %s", olderVersion, out)
	}
	program := filepath.Join(dir, "turnout")
	for _, command := range []string{
		"git -C " + project + " archive -o " + dir + "/source.tar " + olderVersion,
		"tar -xf " + dir + "/source.tar -C " + dir,
		"go build -C " + dir + " -buildvcs=false -o " + program + " ./cmd/turnout",
	} {
		args := strings.Fields(command)
		if out, err := exec.CommandContext(t.Context(), args[0], args[1:]...).CombinedOutput(); err != nil { //nolint:gosec // G204: our own
			t.Fatalf("%s: %v\n%s", command, err, out)
		}
	}
	return program
}

// TestOldAndNewReplicasSideBySide lets an older version and this one lead in turns, as during an
// upgrade, and when it is taken back. What the older one began, this one ends; what this one wrote,
// the older one leaves alone, and says so; and nothing is lost, done twice, or seen by users. It is
// not parallel: the other tests need turnout.
func TestOldAndNewReplicasSideBySide(t *testing.T) {
	present := running.turnout
	older, err := present.Replica()
	check(t, err)
	older.Use(buildOlder(t))
	runs := map[*turnout.Turnout]bool{present: true}
	run := func(r *turnout.Turnout) {
		check(t, r.Run(t.Context()))
		runs[r] = true
	}
	end := func(r *turnout.Turnout, how func() error) {
		check(t, how())
		runs[r] = false
	}
	webhooksTo := func(r *turnout.Turnout) { present.App.SetWebhookURL(r.URL + "/webhook") }
	t.Cleanup(func() {
		webhooksTo(present)
		if runs[older] {
			_ = older.Stop() // the test has failed
		}
		if !runs[present] {
			if err := present.Run(context.WithoutCancel(t.Context())); err != nil {
				t.Error(err)
			}
		}
	})

	// The older one leads alone.
	end(present, present.Stop)
	run(older)
	webhooksTo(older)
	a := adoptExample(t, "side-by-side", map[string]any{"promotion": map[string]any{"mode": "Manual"}, "soak": "1s", "drain": "1s"})
	a.awaitAnswer(a.host(), "200 v1.0.0")
	failed := a.watchUsers("200 v")
	first := a.merge("Version two", map[string]string{"VERSION": "v2.0.0\n"})
	a.follow(first, "the wait for /promote", in(v1alpha1.ReleaseWaiting))
	if f := a.blueGreen().Status.Format; f != 1 {
		t.Fatalf("the record has format %d, want 1: this is no older version", f)
	}

	// The present one comes beside it, and stores a command that the older one may not handle.
	run(present)
	webhooksTo(present)
	a.comment(first.Number, running.writer, "/promote")
	awaitNewerRecord(a, turnout.Namespace, "Delivery")
	if rel := a.follow(first, "the release", in(v1alpha1.ReleaseWaiting)); rel.Spec.Approval != nil {
		t.Errorf("the older version has handled a command that this one stored: %+v", rel.Spec.Approval)
	}

	// The older one dies. The present one ends what was begun.
	end(older, older.Kill)
	rel := a.follow(first, "success", in(v1alpha1.ReleaseSucceeded))
	a.awaitAnswer(a.host(), "v2.0.0")
	checkOnce(t, a, first, rel)

	// The older one leads again, and gets the next push.
	run(older)
	end(present, present.Stop)
	webhooksTo(older)
	before := a.written()
	second := a.merge("Version three", map[string]string{"VERSION": "v3.0.0\n"})
	awaitNewerRecord(a, a.namespace, "BlueGreen")
	a.awaitPush(second)
	if after := a.written(); after != before {
		t.Errorf("the older version wrote what this one had written:\n%s, was\n%s", after, before)
	}

	// The present one comes back, and the push is not lost.
	run(present)
	end(older, older.Stop)
	webhooksTo(present)
	a.follow(second, "the wait for /promote", in(v1alpha1.ReleaseWaiting))
	a.comment(second.Number, running.writer, "/promote")
	a.follow(second, "success", in(v1alpha1.ReleaseSucceeded))
	a.awaitAnswer(a.host(), "v3.0.0")
	if n := len(a.releases()); n != 2 {
		t.Errorf("%d releases, want 2", n)
	}
	a.awaitDeployment(second.MergeCommit(), "success")
	for _, answer := range failed() {
		t.Errorf("a user got %s", answer)
	}
}

// awaitNewerRecord waits until the older version has said of an object what it is and what to do.
func awaitNewerRecord(a *application, namespace, kind string) {
	a.t.Helper()
	a.await("the event NewerRecord of a "+kind, func(ctx context.Context) (bool, string) {
		var list eventsv1.EventList
		if err := running.kube.List(ctx, &list, client.InNamespace(namespace)); err != nil {
			return false, err.Error()
		}
		var seen []string
		for i := range list.Items {
			e := &list.Items[i]
			if e.Regarding.Kind == kind && e.Reason == "NewerRecord" && strings.Contains(e.Note, "upgrade this Turnout") {
				return true, ""
			}
			seen = append(seen, e.Regarding.Kind+" "+e.Reason)
		}
		return false, strings.Join(seen, ", ")
	})
}

// written are the versions of the application's record.
func (a *application) written() string {
	a.t.Helper()
	all := []string{"bluegreen " + a.blueGreen().ResourceVersion}
	for _, rel := range a.releases() {
		all = append(all, fmt.Sprintf("release %s %s", rel.Name, rel.ResourceVersion))
	}
	return strings.Join(all, "\n")
}

// awaitPush waits until the push of a merge is stored, and was tried.
func (a *application) awaitPush(pr *githubtest.PullRequest) {
	a.t.Helper()
	a.await("an attempt at the push", func(ctx context.Context) (bool, string) {
		var list v1alpha1.DeliveryList
		if err := running.kube.List(ctx, &list, client.InNamespace(turnout.Namespace)); err != nil {
			return false, err.Error()
		}
		for i := range list.Items {
			if d := &list.Items[i]; d.Spec.Push != nil && d.Spec.Push.Commit == pr.MergeCommit() {
				return d.Status.Attempts > 0 && d.Status.Error != "", fmt.Sprintf("%+v", d.Status)
			}
		}
		return false, "no delivery"
	})
}
