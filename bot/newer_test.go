package bot_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/turnout-dev/turnout/api/v1alpha1"
)

// newerRecord is a record that a newer version wrote.
type newerRecord struct {
	*memoryRecord
	releases bool // only the releases are newer
}

func (n newerRecord) Application(ctx context.Context, key types.NamespacedName) (*v1alpha1.BlueGreen, error) {
	if n.releases {
		return n.memoryRecord.Application(ctx, key)
	}
	return nil, fmt.Errorf("reading: %w", &v1alpha1.NewerFormatError{Object: "bluegreen " + key.String(), Format: v1alpha1.Format + 1})
}

func (n newerRecord) Releases(context.Context, types.NamespacedName) ([]v1alpha1.Release, error) {
	return nil, fmt.Errorf("listing: %w", &v1alpha1.NewerFormatError{Object: "release shop/a", Format: v1alpha1.Format + 1})
}

func (n newerRecord) Work(ctx context.Context, app types.NamespacedName) ([]v1alpha1.Release, error) {
	return n.Releases(ctx, app)
}

func (n newerRecord) Submit(_ context.Context, rel *v1alpha1.Release) (*v1alpha1.Release, bool, error) {
	return nil, false, fmt.Errorf("submitting: %w",
		&v1alpha1.NewerFormatError{Object: "bluegreen " + rel.Namespace, Format: v1alpha1.Format + 1})
}

func TestCommandOnWhatANewerVersionWroteIsRefused(t *testing.T) {
	for name, releases := range map[string]bool{"application": false, "release": true} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			pr, before := waiting(w)
			w.inbox.Record = newerRecord{w.record, releases}
			for _, command := range []string{"/promote", "/rollback", "/cancel", "/retry", "/lock", "/unlock"} {
				w.expectSaid(pr.Number, w.writer, command, "-1", "newer version of Turnout", "upgrade this one")
			}
			w.expectSaid(pr.Number, w.writer, "/status", "rocket", "newer version of Turnout", "upgrade this one")
			if after := w.only(); after.Spec.Approval != nil || after.Spec.Cancel != nil || after.ResourceVersion != before.ResourceVersion {
				t.Errorf("the release was written: %+v", after.Spec)
			}
			if l := w.lock(); l != nil {
				t.Errorf("the application was locked by %s", l.By)
			}
		})
	}
}

// This version cannot know what it means, so it publishes nothing. After an upgrade
// everything is published.
func TestNothingIsPublishedOfWhatANewerVersionWrote(t *testing.T) {
	for name, releases := range map[string]bool{"application": false, "release": true} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			pr, rel := ended(w)
			p := w.publisher()
			p.Known = newerRecord{w.record, releases}
			before := len(w.github.Requests())
			if _, err := p.Publish(t.Context(), rel); err == nil {
				t.Error("it is published")
			} else if newer, ok := errors.AsType[*v1alpha1.NewerFormatError](err); !ok || newer.Format != v1alpha1.Format+1 {
				t.Errorf("publishing it returns %v, want a NewerFormatError", err)
			}
			if n := len(w.github.Requests()) - before; n != 0 {
				t.Errorf("%d requests, want none", n)
			}
			untilPublished(t, w, w.publisher(), rel.Name)
			w.expectOnce(pr.Number)
		})
	}
}

// A push is not lost: it becomes a release as soon as this version is upgraded.
func TestAPushToWhatANewerVersionWroteWaits(t *testing.T) {
	w := newWorld(t)
	w.inbox.Record = newerRecord{w.record, false}
	w.merge("feature")
	if n := len(w.all()); n != 0 {
		t.Errorf("%d releases were made", n)
	}
	if n := len(w.pending()); n != 1 {
		t.Fatalf("%d deliveries wait, want the push", n)
	}
	w.inbox.Record = w.record
	w.work(t.Context())
	if rel := w.only(); rel.Spec.Cause.Kind != v1alpha1.CausePush || len(w.pending()) != 0 {
		t.Errorf("the push became %+v, %d deliveries wait", rel.Spec, len(w.pending()))
	}
}

// newer changes a delivery to one of a newer version.
func (w *world) newer(d *v1alpha1.Delivery) {
	w.t.Helper()
	d.Status.Format = v1alpha1.Format + 1
	check(w.t, w.record.Update(w.t.Context(), d))
}

func TestADeliveryOfANewerVersionIsLeftAlone(t *testing.T) {
	w := newWorld(t)
	pr, _ := waiting(w)
	w.typed(pr, "/promote")
	d := w.delivery("/promote")
	w.newer(d)
	var log bytes.Buffer
	w.inbox.Log = slog.New(slog.NewTextHandler(&log, nil))
	requests := len(w.github.Requests())
	_, err := w.inbox.Work(t.Context(), d.Name)
	if _, ok := errors.AsType[*v1alpha1.NewerFormatError](err); !ok {
		t.Errorf("working on it returns %v, want a NewerFormatError", err)
	}
	newer := fmt.Sprint("format ", v1alpha1.Format+1)
	if said := log.String(); !strings.Contains(said, newer) || !strings.Contains(said, "upgrade this Turnout") {
		t.Errorf("the log says %q, want the format and the way out", said)
	}
	d.Status.Phase, d.Status.FinishedAt = v1alpha1.DeliveryDone, &metav1.Time{Time: time.Now().Add(-30 * 24 * time.Hour)}
	check(t, w.record.Update(t.Context(), d))
	check(t, w.inbox.Tidy(t.Context()))
	if now := w.delivery("/promote"); now.ResourceVersion != d.ResourceVersion {
		t.Error("the delivery was written")
	}
	if n := len(w.github.Requests()) - requests; n != 0 || w.only().Spec.Approval != nil {
		t.Errorf("%d requests to GitHub, approval %v: the command was handled", n, w.only().Spec.Approval)
	}
}

// A later command could undo what a newer version has done.
func TestACommandBesideOneOfANewerVersionIsRefused(t *testing.T) {
	w := newWorld(t)
	pr, _ := waiting(w)
	w.typed(pr, "/promote", "/cancel", "/rollback")
	w.newer(w.delivery("/cancel"))
	promote := w.delivery("/promote")
	if w.try(promote) || w.only().Spec.Approval != nil {
		t.Error("/promote does not wait for the newer version")
	}
	promote = w.delivery("/promote")
	promote.Spec.ReceivedAt = metav1.NewMicroTime(time.Now().Add(-2 * time.Minute))
	promote.Status.NextAt = nil
	check(t, w.record.Update(t.Context(), promote))
	if !w.try(promote) || w.only().Spec.Approval != nil {
		t.Error("/promote has no end, or approved the release")
	}
	if last := w.lastAnswer(pr.Number); !strings.Contains(last, "newer version of Turnout") {
		t.Errorf("/promote is answered %q", last)
	}
	if !w.try(w.delivery("/rollback")) || w.only().Spec.Cancel == nil {
		t.Error("/rollback waits")
	}
}
