package v1alpha1

import (
	"maps"
	"os/exec"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestGrantsOfGoogleAreExact(t *testing.T) {
	t.Parallel()
	const builder = "builder@acme-prod.iam.gserviceaccount.com"
	tests := []struct {
		annotation, value, need string
		want                    bool
	}{
		{ProjectsAnnotation, "", "acme-prod", false},
		{ProjectsAnnotation, "acme-prod", "acme-prod", true},
		{ProjectsAnnotation, " other , acme-prod ", "acme-prod", true},
		{ProjectsAnnotation, "acme-prod", "acme-prod2", false},
		{ProjectsAnnotation, "acme-*", "acme-prod", true},
		{ProjectsAnnotation, "acme-*", "acme-", false},
		{ProjectsAnnotation, "acme-*", "team-b-prod", false},
		{ProjectsAnnotation, "*", "acme-prod", false},
		{ProjectsAnnotation, "*-prod", "acme-prod", false},
		{ProjectsAnnotation, "acme-*-x", "acme-prod-x", false},
		{ProjectsAnnotation, "acme-*", "acme-prod,team-b-prod", false},
		{ProjectsAnnotation, "acme-*", "acme-*", false},
		{BucketsAnnotation, "sources", "sources", true},
		{BucketsAnnotation, "sources-*", "sources-eu", true},
		{BucketsAnnotation, "*", "sources", false},
		{BucketsAnnotation, "", "sources", false},
		{BuildAccountsAnnotation, builder, builder, true},
		{BuildAccountsAnnotation, builder, "x" + builder, false},
		{BuildAccountsAnnotation, "*@acme-prod.iam.gserviceaccount.com", builder, true},
		{BuildAccountsAnnotation, "*@acme-prod.iam.gserviceaccount.com", "builder@team-b.iam.gserviceaccount.com", false},
		{BuildAccountsAnnotation, "*@developer.gserviceaccount.com", "1-compute@developer.gserviceaccount.com", false},
		{BuildAccountsAnnotation, "1-compute@developer.gserviceaccount.com", "1-compute@developer.gserviceaccount.com", true},
		{BuildAccountsAnnotation, "*", builder, false},
		{BuildAccountsAnnotation, "*@*", builder, false},
		{
			BuildAccountsAnnotation, "*@acme-prod.iam.gserviceaccount.com", "projects/team-b/serviceAccounts/x@acme-prod.iam.gserviceaccount.com",
			false,
		},
		{TriggersAnnotation, "acme-prod/global/deploy", "acme-prod/global/deploy", true},
		{TriggersAnnotation, "acme-prod/global/deploy-*", "acme-prod/global/deploy-main", true},
		{TriggersAnnotation, "acme-prod/global/*", "acme-prod/global/deploy-main", true},
		{TriggersAnnotation, "acme-prod/*", "acme-prod/global/deploy-main", false},
		{TriggersAnnotation, "acme-prod/*/deploy", "acme-prod/global/deploy", false},
		{TriggersAnnotation, "acme-prod/global/deploy", "team-b-prod/global/deploy", false},
		{MetricsAnnotation, "https://prometheus.example.com, acme-prod", "https://prometheus.example.com", true},
		{MetricsAnnotation, "https://prometheus.example.com, acme-prod", "acme-prod", true},
		{MetricsAnnotation, "https://prometheus.example.com", "https://prometheus.example.com/team-b", false},
		{MetricsAnnotation, "https://prometheus.example.com", "https://prometheus.example.com.evil.example", false},
		{MetricsAnnotation, "https://*", "https://prometheus.example.com", false},
		{MetricsAnnotation, "*", "acme-prod", false},
		{ImpersonateAnnotation, "x", "x", false},
	}
	for _, tt := range tests {
		g := Grants{tt.annotation: tt.value}
		if got := len(g.Missing(Grant{Annotation: tt.annotation, Value: tt.need})) == 0; got != tt.want {
			t.Errorf("%s=%q grants %q: %t, want %t", tt.annotation, tt.value, tt.need, got, tt.want)
		}
	}
}

func TestProjectIsGrantedWithItsOwnBucketAndNoOther(t *testing.T) {
	t.Parallel()
	g := Grants{ProjectsAnnotation: "acme-prod,acme-dev-*"}
	for bucket, want := range map[string]bool{
		"acme-prod_cloudbuild": true, "acme-dev-1_cloudbuild": true, "team-b-prod_cloudbuild": false, "acme-prod": false, "_cloudbuild": false,
	} {
		if got := len(g.Missing(Grant{Annotation: BucketsAnnotation, Value: bucket})) == 0; got != want {
			t.Errorf("bucket %s is granted: %t, want %t", bucket, got, want)
		}
	}
}

func TestNeedsOfAnApplication(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name  string
		build BuildSpec
		want  []string
	}{
		{"the least", BuildSpec{Project: "p"}, []string{"acme/app", "project p"}},
		{
			"another project's bucket",
			BuildSpec{Project: "p", Source: SourceSpec{Bucket: "q_cloudbuild"}},
			[]string{"acme/app", "project p", "bucket q_cloudbuild"},
		},
		{
			"all named",
			BuildSpec{Project: "p", ServiceAccount: "a@b", Source: SourceSpec{Bucket: "x"}},
			[]string{"acme/app", "project p", "bucket x", "build account a@b"},
		},
		{"cloned", BuildSpec{Project: "p", Source: SourceSpec{Git: true}}, []string{"acme/app", "project p"}},
		{"a trigger", BuildSpec{Project: "p", Trigger: "t"}, []string{"acme/app", "project p"}},
	}
	for _, tt := range tests {
		var got []string
		for _, need := range (&BlueGreen{Spec: BlueGreenSpec{Repository: "acme/app", Build: tt.build}}).Needs() {
			got = append(got, need.String())
		}
		if diff := cmp.Diff(tt.want, got); diff != "" {
			t.Errorf("%s (-want +got)\n%s", tt.name, diff)
		}
	}
}

// The suggested command is run by a shell and applied: then nothing is missing, earlier
// grants remain, and repeating it changes nothing.
func TestCommandThatGrantsWorksAndWorksTwice(t *testing.T) {
	t.Parallel()
	bg := &BlueGreen{Spec: BlueGreenSpec{
		Repository: "acme/app",
		Build:      BuildSpec{Project: "acme-prod", Source: SourceSpec{Bucket: "sources"}, ServiceAccount: "a@acme-prod.iam.gserviceaccount.com"},
	}}
	for _, before := range []Grants{
		nil,
		{RepositoriesAnnotation: "acme/other, acme/shop-*", BucketsAnnotation: "it's; odd,", ProjectsAnnotation: "acme-prod"},
	} {
		now := Grants{}
		maps.Copy(now, before)
		for range 2 {
			_, command, _ := strings.Cut(string(before.Explain("shop", before.Missing(bg.Needs()...)).Commands[0]),
				"kubectl annotate --overwrite namespace shop ")
			out, err := exec.Command("sh", "-c", `printf '%s\n' `+command).Output() //nolint:gosec // the text under test
			if err != nil {
				t.Fatal(err)
			}
			for line := range strings.Lines(string(out)) {
				name, value, _ := strings.Cut(strings.TrimSpace(line), "=")
				now[name] = value
			}
		}
		if missing := now.Missing(bg.Needs()...); len(missing) > 0 {
			t.Errorf("%v lacks %v", now, missing)
		}
		if before != nil && (!GrantsRepository(now[RepositoriesAnnotation], "acme/other") || now[BucketsAnnotation] != "it's; odd,sources") {
			t.Errorf("the earlier grant is lost: %v", now)
		}
	}
}

// The namespace's owner writes the spec, and an administrator types the suggested command.
func TestNoCommandGrantsMoreThanItNames(t *testing.T) {
	t.Parallel()
	for _, value := range []string{"a,team-b-*", "team-*", "a b", "a'; rm -rf /'", "a\nb", "$(id)", ""} {
		text := Grants{}.Explain("shop",
			[]Grant{{ProjectsAnnotation, value, "spec.build.project"}, {BucketsAnnotation, "fine", "spec.build.source.bucket"}}).Lines()
		if strings.Contains(text, "kubectl") || !strings.Contains(text, "correct spec.build.project") {
			t.Errorf("for %q it says: %s", value, text)
		}
	}
}
