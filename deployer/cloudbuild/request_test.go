package cloudbuild_test

import (
	"strings"
	"testing"
	"time"

	"cloud.google.com/go/cloudbuild/apiv1/v2/cloudbuildpb"
	"github.com/google/go-cmp/cmp"

	"github.com/turnout-dev/turnout/deployer/cloudbuild"
	"github.com/turnout-dev/turnout/internal/imageref"
)

func TestTheRequestCarriesWhatATriggerWouldGive(t *testing.T) {
	f := parse(t, someSteps+someImage+
		"substitutions: {_A: file, _B: file}\noptions: {substitutionOption: MUST_MATCH}\ntags: [mine]\ntimeout: 60s\n")
	r := request()
	r.Substitutions = map[string]string{"_B": "spec"}
	b, err := r.Build(f)
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]string{
		"_A": "file", "_B": "spec", "COMMIT_SHA": commit, "REVISION_ID": commit, "SHORT_SHA": "0123456", "BRANCH_NAME": "main",
		"REPO_NAME": "my-python-app", "REPO_FULL_NAME": "acme/my-python-app",
	}
	if diff := cmp.Diff(want, b.GetSubstitutions()); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff([]string{"mine", "turnout-5f1c"}, b.GetTags()); diff != "" {
		t.Error(diff)
	}
	if o := b.GetOptions(); o.GetSubstitutionOption() != cloudbuildpb.BuildOptions_ALLOW_LOOSE || !o.GetDynamicSubstitutions() {
		t.Errorf("options %v", o)
	}
	if b.GetTimeout().AsDuration() != time.Minute || len(f.Build.GetTags()) != 1 || f.Build.GetSource() != nil {
		t.Errorf("timeout %v; the file became %v", b.GetTimeout(), f.Build)
	}
	r.Timeout = time.Hour
	r.Source = cloudbuild.Source{Git: &cloudbuild.GitSource{URL: "https://github.com/acme/x", Revision: commit}}
	if b, err = r.Build(f); err != nil || b.GetTimeout().AsDuration() != time.Hour || b.GetSource().GetGitSource().GetRevision() != commit {
		t.Errorf("build %v, %v", b, err)
	}
}

func TestImpossibleRequestsAreRefused(t *testing.T) {
	f := parse(t, someSteps+someImage)
	for want, change := range map[string]func(*cloudbuild.Request){
		"project":                  func(r *cloudbuild.Request) { r.Project = "" },
		"commit":                   func(r *cloudbuild.Request) { r.Commit = "" },
		"tag":                      func(r *cloudbuild.Request) { r.Release = `x" OR status="WORKING` },
		"sources":                  func(r *cloudbuild.Request) { r.Source.Object = nil },
		"spec.build.substitutions": func(r *cloudbuild.Request) { r.Substitutions = map[string]string{"COMMIT_SHA": "x"} },
	} {
		r := request()
		change(&r)
		if _, err := r.Build(f); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v does not say %q", err, want)
		}
	}
}

func TestAServiceAccountNeedsAPlaceForLogs(t *testing.T) {
	r := request()
	r.ServiceAccount = "builder@other.iam.gserviceaccount.com"
	tests := map[string]struct {
		text    string
		logging cloudbuildpb.BuildOptions_LoggingMode
		refused bool
	}{
		"nothing said": {"", cloudbuildpb.BuildOptions_CLOUD_LOGGING_ONLY, false},
		"a bucket":     {"logsBucket: gs://x\n", cloudbuildpb.BuildOptions_LOGGING_UNSPECIFIED, false},
		"regional": {
			"options: {defaultLogsBucketBehavior: REGIONAL_USER_OWNED_BUCKET}\n", cloudbuildpb.BuildOptions_LOGGING_UNSPECIFIED,
			false,
		},
		"none":         {"options: {logging: NONE}\n", cloudbuildpb.BuildOptions_NONE, false},
		"storage only": {"options: {logging: GCS_ONLY}\n", 0, true},
	}
	for name, test := range tests {
		b, err := r.Build(parse(t, someSteps+someImage+test.text))
		if (err != nil) != test.refused {
			t.Errorf("%s: error %v", name, err)
			continue
		}
		if err == nil && (b.GetOptions().GetLogging() != test.logging ||
			b.GetServiceAccount() != "projects/other/serviceAccounts/"+r.ServiceAccount) {
			t.Errorf("%s: %v", name, b)
		}
	}
}

func TestTheImageIsChosen(t *testing.T) {
	const two = "images: ['gcr.io/$PROJECT_ID/web:$COMMIT_SHA', " +
		"'${_REGION}-docker.pkg.dev/$PROJECT_ID/r/worker:$SHORT_SHA']\nsubstitutions: {_REGION: '${_AREA}-west1', _AREA: europe}\n"
	tests := []struct {
		name, images string
		choice       cloudbuild.ImageChoice
		want         string
		says         []string
	}{
		{"the only one", someImage, cloudbuild.ImageChoice{}, "gcr.io/p/a", nil},
		{"two tags of one", "images: ['gcr.io/p/a:$COMMIT_SHA', 'gcr.io/p/a:latest']\n", cloudbuild.ImageChoice{}, "gcr.io/p/a", nil},
		{"an artifact", "artifacts: {images: [gcr.io/p/b]}\n", cloudbuild.ImageChoice{}, "gcr.io/p/b", nil},
		{
			"named like the live one", two,
			cloudbuild.ImageChoice{Live: "old.example:5000/x/worker@sha256:00"},
			"europe-west1-docker.pkg.dev/acme-prod/r/worker", nil,
		},
		{"given", two, cloudbuild.ImageChoice{Image: "gcr.io/acme-prod/web", Live: "x/worker:1"}, "gcr.io/acme-prod/web", nil},
		{"given with variables", two, cloudbuild.ImageChoice{Image: "gcr.io/$PROJECT_ID/web:$COMMIT_SHA"}, "gcr.io/acme-prod/web", nil},
		{
			"given but not listed", two,
			cloudbuild.ImageChoice{Image: "gcr.io/acme-prod/wep"},
			"",
			[]string{"gcr.io/acme-prod/web, europe-west1", "spec.build.image"},
		},
		{
			"none like the live one", two,
			cloudbuild.ImageChoice{Live: "x/db"},
			"",
			[]string{"gcr.io/acme-prod/web, europe-west1", "x/db", "spec.build.image"},
		},
		{"nothing live", two, cloudbuild.ImageChoice{}, "", []string{"nothing is live", "spec.build.image"}},
		{"two like the live one", "images: [a/x, b/x]\n", cloudbuild.ImageChoice{Live: "c/x"}, "", []string{"a/x, b/x"}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			got, err := parse(t, someSteps+test.images).Choose(request(), test.choice)
			if got.Image != test.want || (err == nil) != (test.want != "") {
				t.Errorf("image %q, error %v", got.Image, err)
			}
			for _, want := range test.says {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("%q does not say %q", err, want)
				}
			}
		})
	}
}

func TestRepositoriesAreDistinguishedFromPorts(t *testing.T) {
	for image, want := range map[string]string{
		"localhost:5000/a": "localhost:5000/a", "localhost:5000/a:1": "localhost:5000/a", "a@sha256:00": "a", "r/a:1@sha256:00": "r/a",
	} {
		if got := imageref.Repository(image); got != want {
			t.Errorf("%s: %s, want %s", image, got, want)
		}
	}
}

func TestPausesStayInTheirBounds(t *testing.T) {
	for _, pace := range []cloudbuild.Pace{{}, {Min: time.Millisecond, Max: 3 * time.Millisecond}} {
		low, high := pace.Min, pace.Max
		if low == 0 {
			low, high = 5*time.Second, 10*time.Second
		}
		for _, elapsed := range []time.Duration{-time.Second, 0, time.Minute, time.Hour} {
			for _, random := range []float64{0, 0.5, 0.999} {
				if got := pace.Next(elapsed, 0, random); got < low || got > high {
					t.Errorf("%v after %v, %v", got, elapsed, random)
				}
				last := time.Duration(0)
				for failures := 1; failures < 100; failures++ {
					got := pace.Next(elapsed, failures, random)
					if got < high || got > 12*high || got < last {
						t.Errorf("%v after %d failures", got, failures)
					}
					last = got
				}
			}
		}
		if pace.Next(0, 0, 0) >= pace.Next(time.Hour, 0, 0) || pace.Next(0, 0, 0) == pace.Next(0, 0, 0.9) {
			t.Error("no back-off, or no jitter")
		}
	}
}
