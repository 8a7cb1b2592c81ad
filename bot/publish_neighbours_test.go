package bot_test

import (
	"context"
	"fmt"
	"log/slog"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/turnout-dev/turnout/api/v1alpha1"
	"github.com/turnout-dev/turnout/bot"
)

// counting counts how often all applications of a repository are read.
type counting struct {
	*memoryRecord
	lists atomic.Int32
}

func (c *counting) Applications(ctx context.Context, repository string, id int64) ([]v1alpha1.BlueGreen, error) {
	c.lists.Add(1)
	return c.memoryRecord.Applications(ctx, repository, id)
}

// After a start every release is published again. That must not read every application of the repository
// for each of them. A second later they are read again: a grant may be gone.
func TestPublishingManyReleasesReadsTheirRepositoryOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		record := &counting{memoryRecord: newRecord()}
		var all []*v1alpha1.Release
		for i := range 20 {
			name := fmt.Sprintf("app-%d", i)
			record.add(v1alpha1.BlueGreen{
				ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: name},
				Spec:       v1alpha1.BlueGreenSpec{Repository: "acme/shop", Branch: "main"},
			})
			rel := &v1alpha1.Release{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: name + "-1"}} // listed nowhere
			rel.Spec.Application = name
			all = append(all, rel)
		}
		p := &bot.Publisher{Record: record, Known: record, Log: slog.New(slog.DiscardHandler)}
		publish := func() {
			for _, rel := range all {
				if _, err := p.Publish(t.Context(), rel); err != nil {
					t.Error(err)
				}
			}
		}
		publish()
		if n := record.lists.Load(); n != 1 {
			t.Errorf("the applications were read %d times for %d releases, want once", n, len(all))
		}
		time.Sleep(time.Second)
		publish()
		if n := record.lists.Load(); n != 2 {
			t.Errorf("a second later they were read %d times altogether, want twice", n)
		}
	})
}

// What was published of a release that finished a day ago stays: an upgrade must not edit the past. What
// was not published yet, or is in doubt, still is.
func TestThePastIsNotPublishedAgain(t *testing.T) {
	for name, tt := range map[string]struct {
		age       time.Duration
		published string
		doubt     bool
		live      bool
		contract  bool
		want      bool // it is looked at
	}{
		"a day ago":         {24 * time.Hour, "digest", false, false, false, false},
		"today":             {23 * time.Hour, "digest", false, false, false, true},
		"never published":   {48 * time.Hour, "", false, false, false, true},
		"somewhat in doubt": {48 * time.Hour, "digest", true, false, false, true},
		"it is live":        {48 * time.Hour, "digest", false, true, false, true},
		"it is a contract":  {48 * time.Hour, "digest", false, false, true, true},
	} {
		t.Run(name, func(t *testing.T) {
			record := &counting{memoryRecord: newRecord()}
			app := v1alpha1.BlueGreen{
				ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "shop"}, Spec: v1alpha1.BlueGreenSpec{Repository: "acme/shop", Branch: "main"},
			}
			if tt.live {
				app.Status.LastSwitch = &v1alpha1.SwitchRecord{UID: "1"}
			}
			record.add(app)
			at := metav1.NewTime(time.Now().Add(-tt.age))
			rel := &v1alpha1.Release{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "shop-1", UID: "1"}}
			rel.Spec.Application, rel.Status.Phase, rel.Status.FinishedAt = "shop", v1alpha1.ReleaseSucceeded, &at
			rel.Status.GitHub = &v1alpha1.GitHubStatus{Published: tt.published}
			if tt.contract {
				rel.Spec.Contract = &v1alpha1.ContractRequest{}
			}
			if tt.doubt {
				rel.Status.GitHub.DoubtSince = &at
			}
			p := &bot.Publisher{Record: record, Known: record, Log: slog.New(slog.DiscardHandler)}
			if _, err := p.Publish(t.Context(), rel); err != nil {
				t.Fatal(err)
			}
			if got := record.lists.Load() > 0; got != tt.want {
				t.Errorf("it is looked at: %t, want %t", got, tt.want)
			}
		})
	}
}
