package bot_test

import (
	"context"
	"fmt"
	"testing"

	"k8s.io/apimachinery/pkg/types"

	"github.com/turnout-dev/turnout/api/v1alpha1"
)

// newerRecord is a record that a newer version has written to.
type newerRecord struct {
	*memoryRecord
	releases bool // only they are newer
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
