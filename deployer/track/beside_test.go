package track

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/turnout-dev/turnout/api/v1alpha1"
)

const (
	appOne, appTwo   = "gcr.io/acme/app@sha256:1", "gcr.io/acme/app@sha256:2"
	mail             = "gcr.io/acme/mail"
	mailOne, mailTwo = "gcr.io/acme/mail@sha256:1", "gcr.io/acme/mail@sha256:2"
)

// What the worker mail gets, by what the release records and what the spec names.
func TestWhatRunsBesideGetsItsOwnImage(t *testing.T) {
	t.Parallel()
	failed := &v1alpha1.Failure{Reason: v1alpha1.FailedGate}
	ran := func(image string) []v1alpha1.BesideImage {
		return []v1alpha1.BesideImage{
			{Kind: v1alpha1.BesideSingleton, Name: "mail", Image: "gcr.io/acme/other@sha256:3"},
			{Kind: v1alpha1.BesideWorker, Name: "mail", Image: image},
		}
	}
	for name, tt := range map[string]struct {
		repository string
		images     []string
		beside     []v1alpha1.BesideImage
		failure    *v1alpha1.Failure
		back       bool
		want       string
	}{
		"the application's":          {want: appTwo},
		"the application's, by name": {repository: "gcr.io/acme/app", want: appTwo},
		"its own":                    {repository: mail, images: []string{"gcr.io/acme/x@sha256:2", mailTwo}, want: mailTwo},
		"the build has none":         {repository: mail, images: []string{"gcr.io/acme/mailer@sha256:2"}},
		"undone": {
			repository: mail,
			images:     []string{mailTwo}, beside: ran(mailOne), failure: failed, want: mailOne,
		},
		"undone, the application's": {failure: failed, want: appOne},
		"undone, and it ran the application's": {
			repository: mail, beside: ran("gcr.io/acme/app:v1"), failure: failed, want: appOne,
		},
		"undone, and the field was removed":         {beside: ran(mailOne), failure: failed, want: mailOne},
		"undone, recorded by an earlier Turnout":    {repository: mail, failure: failed},
		"rolled back":                               {repository: mail, beside: ran(mailOne), back: true, want: mailOne},
		"rolled back, the application's":            {back: true, want: appOne},
		"rolled back, recorded by an earlier":       {repository: mail, back: true},
		"rolled back, names the application's":      {repository: "gcr.io/acme/app", back: true, want: appOne},
		"rolled back, had the application's before": {repository: mail, beside: ran(appOne), back: true, want: appOne},
	} {
		r := &v1alpha1.Release{Spec: v1alpha1.ReleaseSpec{Deploy: &v1alpha1.DeploySpec{}}}
		r.Status.Milestones = v1alpha1.Milestones{
			Target: v1alpha1.Green, Previous: &v1alpha1.Version{Image: appOne}, Beside: tt.beside,
			Built: &v1alpha1.BuiltMilestone{Image: appTwo, Images: tt.images},
		}
		if tt.back {
			r.Spec = v1alpha1.ReleaseSpec{Rollback: &v1alpha1.RollbackSpec{To: v1alpha1.Version{Image: appOne}}}
			r.Status.Milestones.Built, r.Status.Milestones.Target = nil, v1alpha1.Blue
		}
		r.Status.Failure = tt.failure
		if got := Gets(r, Worker{Name: "mail", Repository: tt.repository}.Beside(v1alpha1.Green)); got != tt.want {
			t.Errorf("%s: it gets %q, want %q", name, got, tt.want)
		}
	}
}

// Only what differs from the version's own image, or may, is remembered, of the side that users have.
func TestWhatRanBesideAVersionIsRemembered(t *testing.T) {
	t.Parallel()
	side := func(written, running string) WorkerSide {
		return WorkerSide{Side: Side{Image: written, RunningImage: running}}
	}
	o := Observed{
		Workers: []Worker{
			{Name: "mail", Repository: mail, Sides: map[v1alpha1.Color]WorkerSide{
				v1alpha1.Blue: side("gcr.io/acme/mail:v1", mailOne), v1alpha1.Green: side(mailTwo, mailTwo),
			}},
			{Name: "plain", Sides: map[v1alpha1.Color]WorkerSide{v1alpha1.Blue: side(appOne, appOne)}},
			{Name: "gone", Repository: mail, Sides: map[v1alpha1.Color]WorkerSide{}},
		},
		Singletons: []Singleton{{WorkerSide: WorkerSide{Side: Side{Deployment: "beat", Image: "gcr.io/acme/beat:v1"}}}},
		CronJobs:   []CronJob{{Name: "report", Repository: "gcr.io/acme/app", Image: "gcr.io/acme/app:v1"}, {Name: "tidy", Image: appOne}},
	}
	want := []v1alpha1.BesideImage{
		{Kind: v1alpha1.BesideWorker, Name: "mail", Image: mailOne},
		{Kind: v1alpha1.BesideSingleton, Name: "beat", Image: "gcr.io/acme/beat:v1"},
		{Kind: v1alpha1.BesideCronJob, Name: "report", Image: "gcr.io/acme/app:v1"},
	}
	if diff := cmp.Diff(want, RanBeside(o, v1alpha1.Blue, appOne)); diff != "" {
		t.Errorf("remembered (-want +got):\n%s", diff)
	}
}

// A rollback takes what is remembered from the switch that it takes back, whatever it says itself.
func TestRollbackReadsWhatRanBesideFromTheRecord(t *testing.T) {
	t.Parallel()
	one, two := []v1alpha1.BesideImage{{Name: "one"}}, []v1alpha1.BesideImage{{Name: "two"}}
	bg := &v1alpha1.BlueGreen{}
	bg.Status.LastSwitch = &v1alpha1.SwitchRecord{UID: "one", Beside: one}
	divided := v1alpha1.Release{}
	divided.UID, divided.Status.Milestones.Beside = "two", two
	for uid, want := range map[string][]v1alpha1.BesideImage{"one": one, "two": two, "three": nil} {
		got := BackBeside(bg, &v1alpha1.RollbackSpec{Switch: uid}, []v1alpha1.Release{divided})
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("of %s (-want +got):\n%s", uid, diff)
		}
	}
}

func TestLiveImagesAreThoseOfTheLiveVersion(t *testing.T) {
	t.Parallel()
	bg := &v1alpha1.BlueGreen{}
	bg.Spec.Workers = []v1alpha1.WorkerSpec{{Name: "mail", Image: mail}}
	release := func(name, own, other string) v1alpha1.Release {
		r := v1alpha1.Release{}
		r.Name, r.Status.Milestones.Built = name, &v1alpha1.BuiltMilestone{Image: own, Images: []string{other}}
		return r
	}
	o := Observed{
		Sides:   map[v1alpha1.Color]Side{v1alpha1.Green: {Release: "app-2"}},
		Routes:  Routes{Users: map[v1alpha1.Color][]Backend{v1alpha1.Green: {{}}}},
		Workers: []Worker{{Name: "mail", Sides: map[v1alpha1.Color]WorkerSide{v1alpha1.Green: {Side: Side{Image: "gcr.io/acme/mail:v7"}}}}},
	}
	if o.Routes.Live() != v1alpha1.Green {
		t.Fatal("green is not live")
	}
	for name, tt := range map[string]struct {
		releases []v1alpha1.Release
		want     string
	}{
		"by the release that staged it": {
			[]v1alpha1.Release{release("app-3", appTwo, "gcr.io/acme/mail@sha256:3"), release("app-2", appTwo, mailTwo)}, mailTwo,
		},
		"by the digest": {
			[]v1alpha1.Release{release("app-9", appOne, mailOne), release("app-3", appTwo, mailTwo)}, mailTwo,
		},
		"by what runs, if the release is gone": {nil, "gcr.io/acme/mail:v7"},
	} {
		if diff := cmp.Diff([]string{appTwo, tt.want}, LiveImages(bg, o, appTwo, tt.releases)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
	o.Workers = nil
	if diff := cmp.Diff([]string{appTwo, "gcr.io/acme/mail@"}, LiveImages(bg, o, appTwo, nil)); diff != "" {
		t.Errorf("unknown (-want +got):\n%s", diff)
	}
}
