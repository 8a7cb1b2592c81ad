package record_test

import (
	"fmt"
	"strings"
	"testing"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/turnout-dev/turnout/api/v1alpha1"
)

// Names, addresses and paths appear in requests to GitHub, Google and pods, and in texts
// for people. Values that any of those rejects are refused when written.
func TestLimitsOfAnApplication(t *testing.T) {
	t.Parallel()
	_, bg := newApplication(t)
	type spec = v1alpha1.BlueGreenSpec
	long := strings.Repeat("x", 5000)
	many := map[string]string{}
	for i := range 33 {
		many[fmt.Sprint("H", i)] = "x"
	}
	gate := func(c v1alpha1.HTTPCheck) func(*spec) {
		return func(s *spec) { s.Gate.HTTP = []v1alpha1.HTTPCheck{c} }
	}
	text := func(field func(*spec) *string, path string, good, bad []string) []limit {
		var all []limit
		for _, v := range good {
			all = append(all, limit{v, func(s *spec) { *field(s) = v }, ""})
		}
		for _, v := range append(bad, long) {
			all = append(all, limit{v, func(s *spec) { *field(s) = v }, path})
		}
		return all
	}
	tests := []limit{
		{"a path", gate(v1alpha1.HTTPCheck{Path: "/healthz?deep=1&at=../x"}), ""},
		{"a path upwards", gate(v1alpha1.HTTPCheck{Path: "/../.."}), "spec.gate.http[0].path"},
		{"a path upwards before its query", gate(v1alpha1.HTTPCheck{Path: "/a/..?x"}), "spec.gate.http[0].path"},
		{"a path with a line break", gate(v1alpha1.HTTPCheck{Path: "/a\nb"}), "spec.gate.http[0].path"},
		{"a long path", gate(v1alpha1.HTTPCheck{Path: "/" + long}), "spec.gate.http[0].path"},
		{"a body of 900 KB", gate(v1alpha1.HTTPCheck{Path: "/", BodyContains: strings.Repeat("x", 900_000)}), "spec.gate.http[0].bodyContains"},
		{"a body", gate(v1alpha1.HTTPCheck{Path: "/", BodyContains: "status: fine\n"}), ""},
		{"many headers", gate(v1alpha1.HTTPCheck{Path: "/", Headers: many}), "spec.gate.http[0].headers"},
		{"many headers of an answer", gate(v1alpha1.HTTPCheck{Path: "/", Header: many}), "spec.gate.http[0].header"},
		{"a long header", gate(v1alpha1.HTTPCheck{Path: "/", Headers: map[string]string{"H": long}}), "spec.gate.http[0].headers"},
		{"a header of a long name", gate(v1alpha1.HTTPCheck{Path: "/", Header: map[string]string{long: "x"}}), "spec.gate.http[0].header"},
		{"a long substitution", func(s *spec) { s.Build.Substitutions = map[string]string{"_A": long} }, "spec.build.substitutions"},
		{
			"a substitution of a long name", func(s *spec) { s.Build.Substitutions = map[string]string{"_" + strings.Repeat("A", 100): "x"} },
			"spec.build.substitutions",
		},
	}
	for _, more := range [][]limit{
		text(func(s *spec) *string { return &s.Repository }, "spec.repository",
			[]string{"acme/.github", "Acme-2/my_app.x"},
			[]string{"acme/..", "acme/.", "acme.x/app", "acme/a/b", "-acme/app", "acme/a b", strings.Repeat("a", 40) + "/app"}),
		text(func(s *spec) *string { return &s.Branch }, "spec.branch",
			[]string{"main", "release/1.x", "feature#7"}, []string{"a..b", "/main", "-main", "a b", "a~1", "a:b", "a\x00b", "refs\\heads"}),
		text(func(s *spec) *string { return &s.Environment }, "spec.environment",
			[]string{"production", "staging / Europe", strings.Repeat("e", 100)}, []string{strings.Repeat("e", 101), "a\nb", "a\x1bb"}),
		text(func(s *spec) *string { return &s.URL }, "spec.url",
			[]string{
				"https://shop.example.com", "http://10.1.2.3:8080/shop", "https://[2001:db8::1]/", "http://shop.localhost:80",
				"https://127.example.com", "https://[fd12::1]",
			},
			[]string{
				"http://169.254.169.254", "http://169.254.169.254/computeMetadata/v1/", "http://127.0.0.1:9090", "http://127.1",
				"http://localhost:8080", "http://LOCALHOST",
				"http://localhost.", "http://metadata.google.internal/", "http://metadata", "http://2130706433", "http://0x7f000001", "http://0.0.0.0",
				"http://[::1]:80", "http://[::]",
				"http://[::ffff:127.0.0.1]", "http://[fd00:ec2::254]", "http://[fd00:0ec2::254]", "http://[fe80::1%25eth0]", "http://[64:ff9b::7f00:1]",
				"ftp://shop.example.com", "https://user:secret@shop.example.com",
				"https://shop.example.com?x=1", "https://shop.example.com#x", "https://shop.example.com/a b", "shop.example.com",
			}),
		text(func(s *spec) *string { return &s.ColorLabel }, "spec.colorLabel", []string{"version", "example.com/colour"},
			[]string{"not a label!", "/x", "a/b/c", strings.Repeat("x", 64)}),
		text(func(s *spec) *string { return &s.Container }, "spec.container", []string{"app"}, []string{"App", "a.b", "-a"}),
		text(func(s *spec) *string { return &s.Build.Project }, "spec.build.project", []string{"acme-prod", "example.com:acme-prod"},
			[]string{"acme/../x", "a,b-prod", "acme-*", "Acme-prod", "acme-"}),
		text(func(s *spec) *string { return &s.Build.Location }, "spec.build.location",
			[]string{"global", "europe-west1", "northamerica-northeast2"}, []string{"../../x", "europe", "global/x", "europe-west1/triggers/x"}),
		text(func(s *spec) *string { return &s.Build.Config }, "spec.build.config",
			[]string{"cloudbuild.yaml", "ci/prod/build..yaml", ".ci/x.yml"},
			[]string{"../../x/y/contents/z", "/etc/passwd", "a/../b", "a//b", "./a", "..", "a/", "a\\b", "a\nb"}),
		text(func(s *spec) *string { return &s.Build.ServiceAccount }, "spec.build.serviceAccount",
			[]string{"builder@acme-prod.iam.gserviceaccount.com", "1-compute@developer.gserviceaccount.com"},
			[]string{
				"projects/x/serviceAccounts/y", "builder", "alice@example.com", "a@b.iam.gserviceaccount.com,c@d.iam.gserviceaccount.com",
				"*@acme-prod.iam.gserviceaccount.com",
			}),
		text(func(s *spec) *string { return &s.Build.Source.Bucket }, "spec.build.source.bucket", []string{"acme-prod_cloudbuild"},
			[]string{"a/b", "A-b", "a,b", "a b"}),
		text(func(s *spec) *string { return &s.Build.Image }, "spec.build.image", []string{"gcr.io/$PROJECT_ID/app"}, []string{"a b", "a\nb"}),
		text(func(s *spec) *string { return &s.Blue.Deployment }, "spec.blue.deployment", []string{"a.b-c"}, []string{"A", "a/b", "../x"}),
		text(func(s *spec) *string { return &s.Green.Service }, "spec.green.service", []string{"a-b"}, []string{"a.b", "A", "a/b"}),
		text(func(s *spec) *string { return &s.Ingress.Name }, "spec.ingress.name", []string{"a.b-c"}, []string{"A", "a/b"}),
		text(func(s *spec) *string { return &s.Ingress.StandbyHost }, "spec.ingress.standbyHost", []string{"standby.invalid"},
			[]string{"a b", "*.x"}),
		text(func(s *spec) *string { return &s.Proof.Path }, "spec.proof.path", []string{"/", "/a?b=c"}, []string{"x", "/../x", "/a b", "/a#b"}),
		text(func(s *spec) *string { return &s.Proof.VersionHeader }, "spec.proof.versionHeader", []string{"App-Version"},
			[]string{"a b", "a:b", "a\r\nb"}),
	} {
		tests = append(tests, more...)
	}
	for i, tt := range tests {
		other := &v1alpha1.BlueGreen{
			ObjectMeta: metav1.ObjectMeta{Namespace: bg.Namespace, Name: fmt.Sprint("other", i)},
			Spec:       *bg.Spec.DeepCopy(),
		}
		tt.change(&other.Spec)
		err := kube.Create(t.Context(), other)
		if tt.refused == "" && err != nil {
			t.Errorf("%.80q is refused: %v", tt.name, err)
		}
		if tt.refused != "" && (!apierrors.IsInvalid(err) || !strings.Contains(err.Error(), tt.refused)) {
			t.Errorf("%s %.80q: the answer is %.300v, want it refused", tt.refused, tt.name, err)
		}
		for _, word := range internals {
			if err != nil && strings.Contains(err.Error(), word) {
				t.Errorf("%s %.80q: the answer says %q: %.500v", tt.refused, tt.name, word, err)
			}
		}
	}
}

// limit is a value of an application, and the field that it is refused for; "" if it is
// accepted.
type limit struct {
	name    string
	change  func(*v1alpha1.BlueGreenSpec)
	refused string
}

func TestLimitsOfARelease(t *testing.T) {
	t.Parallel()
	_, bg := newApplication(t)
	long := strings.Repeat("x", 5000)
	rollback := func(v v1alpha1.Version) func(*v1alpha1.ReleaseSpec) {
		return func(s *v1alpha1.ReleaseSpec) {
			s.Kind, s.Deploy = v1alpha1.Rollback, nil
			s.Rollback = &v1alpha1.RollbackSpec{Switch: "x", From: v1alpha1.Version{Color: "blue"}, To: v}
		}
	}
	for want, change := range map[string]func(*v1alpha1.ReleaseSpec){
		"spec.deploy.repository": func(s *v1alpha1.ReleaseSpec) { s.Deploy.Repository = "acme/.." },
		"spec.deploy.branch":     func(s *v1alpha1.ReleaseSpec) { s.Deploy.Branch = long },
		"spec.cause.actor":       func(s *v1alpha1.ReleaseSpec) { s.Cause.Actor = long },
		"spec.cause.url":         func(s *v1alpha1.ReleaseSpec) { s.Cause.URL = long },
		"spec.cause.delivery":    func(s *v1alpha1.ReleaseSpec) { s.Cause.Delivery = long },
		"spec.cancel.reason": func(s *v1alpha1.ReleaseSpec) {
			s.Cancel = &v1alpha1.Cancel{At: metav1.Now(), Reason: long, Cause: s.Cause}
		},
		"spec.cancel.by": func(s *v1alpha1.ReleaseSpec) { s.Cancel = &v1alpha1.Cancel{At: metav1.Now(), By: long, Cause: s.Cause} },
		"spec.approval.by": func(s *v1alpha1.ReleaseSpec) {
			s.Approval = &v1alpha1.Approval{At: metav1.Now(), By: long, Cause: s.Cause}
		},
		"spec.rollback.to.image":        rollback(v1alpha1.Version{Color: "green", Image: long}),
		"spec.rollback.to.commit":       rollback(v1alpha1.Version{Color: "green", Commit: long}),
		"spec.rollback.to.release":      rollback(v1alpha1.Version{Color: "green", Release: long}),
		"spec.rollback.to.templateHash": rollback(v1alpha1.Version{Color: "green", TemplateHash: long}),
	} {
		rel := deploy(bg)
		change(&rel.Spec)
		if err := kube.Create(t.Context(), rel); !apierrors.IsInvalid(err) || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: the answer is %.300v, want it refused", want, err)
		}
	}
}
