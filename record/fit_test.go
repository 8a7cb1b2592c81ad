package record

import (
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/turnout-dev/turnout/api/v1alpha1"
)

// recordLimit is the largest status. etcd accepts objects of 1.5 MB; beside the status an
// object has labels and annotations (256 KB at most).
const recordLimit = 448 << 10

// largest fills every field of a status, even fields unknown to this test: sentences and
// lists far beyond their limits, names up to theirs, with characters that are long in JSON.
func largest(t *testing.T, v reflect.Value, field string, pod int) {
	t.Helper()
	switch v.Kind() {
	case reflect.String:
		b := boundOf(v, field)
		switch {
		case v.Type() == reflect.TypeFor[v1alpha1.ShellCommand]():
			v.SetString(strings.Repeat("x", v1alpha1.MaxCommand))
		case b.kind == name && caps[field] == v1alpha1.MaxPods && pod >= v1alpha1.NamedPods:
			v.SetString(strings.Repeat("x", v1alpha1.PodDigest))
		case b.kind == name:
			n := b.size
			if most := characters[field]; most > 0 {
				n = min(n, most)
			}
			v.SetString(strings.Repeat("x", n))
		default:
			v.SetString(strings.Repeat("<\"é\n", 2_000))
		}
	case reflect.Int, reflect.Int32, reflect.Int64:
		v.SetInt(1<<31 - 1)
	case reflect.Bool:
		v.SetBool(true)
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		largest(t, v.Elem(), field, pod)
	case reflect.Slice:
		n := 3 * max(listCap, caps[field])
		v.Set(reflect.MakeSlice(v.Type(), n, n))
		for i := range n {
			largest(t, v.Index(i), field, i)
		}
	case reflect.Struct:
		switch v.Interface().(type) {
		case metav1.Time:
			v.Set(reflect.ValueOf(metav1.Now()))
			return
		case metav1.MicroTime:
			v.Set(reflect.ValueOf(metav1.NowMicro()))
			return
		case v1alpha1.GitHubStatus:
			v.Set(reflect.ValueOf(largestGitHub()))
			return
		}
		for i := range v.NumField() {
			largest(t, v.Field(i), v.Type().Name()+"."+v.Type().Field(i).Name, 0)
		}
	default:
		t.Fatalf("%s is a %s, which fit.go does not handle", field, v.Kind())
	}
}

// largestGitHub is the largest status of the bot; see FitGitHub.
func largestGitHub() v1alpha1.GitHubStatus {
	s := v1alpha1.GitHubStatus{
		DeploymentID: 1 << 53, DeploymentState: strings.Repeat("x", 2<<10), DeploymentStateIntended: strings.Repeat("x", 2<<10),
		Reaction: strings.Repeat("x", 64), Published: strings.Repeat("x", 256),
	}
	for n := range 200 {
		s.PullRequests = append(s.PullRequests, 1<<40+n)
		s.Comments = append(s.Comments, v1alpha1.CommentStatus{PullRequest: 1<<40 + n, ID: 1 << 53, Digest: strings.Repeat("x", 64)})
	}
	return s
}

func TestTheLargestStatusCanBeWritten(t *testing.T) {
	var rel v1alpha1.ReleaseStatus
	largest(t, reflect.ValueOf(&rel).Elem(), "", 0)
	if err := errors.Join(FitRelease(&rel), FitGitHub(rel.GitHub)); err != nil {
		t.Fatal(err)
	}
	var app v1alpha1.BlueGreenStatus
	largest(t, reflect.ValueOf(&app).Elem(), "", 0)
	if err := FitApplication(&app); err != nil {
		t.Fatal(err)
	}
	if n := v1alpha1.MaxCommands; len(rel.Findings[0].Commands) != n || len(rel.Failure.Commands) != n || len(rel.Commands) != n ||
		len(app.Findings[0].Commands) != n || len(app.Commands[0].Commands) != n {
		t.Error("the lists of commands are not full")
	}
	for _, s := range []any{rel, app} {
		text, err := json.Marshal(s)
		if err != nil {
			t.Fatal(err)
		}
		if len(text) > recordLimit {
			t.Errorf("a %T can have %d bytes, more than %d", s, len(text), recordLimit)
		}
	}
	rel2, app2 := rel.DeepCopy(), app.DeepCopy()
	if err := errors.Join(FitRelease(rel2), FitApplication(app2)); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(&rel, rel2) + cmp.Diff(&app, app2); diff != "" {
		t.Errorf("a status that fits is changed (-once +twice):\n%s", diff)
	}
}

func TestNamesAreRefusedAndNeverClipped(t *testing.T) {
	for _, bad := range []string{strings.Repeat("x", 700_000), "x/y:1\n::set-output name=result::x", "x\x1b[2Jy", "x\xffy", "x\u202ey"} {
		s := v1alpha1.ReleaseStatus{Milestones: v1alpha1.Milestones{Built: &v1alpha1.BuiltMilestone{Image: bad}}}
		err := FitRelease(&s)
		if !errors.Is(err, ErrTooLarge) || !strings.Contains(err.Error(), "status.milestones.built.image") || len(err.Error()) > 1024 {
			t.Errorf("an image %.40q: %v", bad, err)
		}
		if s.Milestones.Built.Image != bad {
			t.Errorf("an image became %.40q", s.Milestones.Built.Image)
		}
	}
}

func TestListsSayHowMuchIsLeftOut(t *testing.T) {
	s := v1alpha1.ReleaseStatus{Findings: make([]v1alpha1.Advice, 40)}
	app := v1alpha1.BlueGreenStatus{Findings: make([]v1alpha1.Finding, 40)}
	if err := errors.Join(FitRelease(&s), FitApplication(&app)); err != nil {
		t.Fatal(err)
	}
	if n := len(s.Findings); n != 32 || s.Findings[n-1].Text != "and 9 more" {
		t.Errorf("%d findings, the last is %q", n, s.Findings[n-1])
	}
	if n := len(app.Findings); n != 32 || app.Findings[n-1].Message != "and 9 more" {
		t.Errorf("%d findings, the last is %q", n, app.Findings[n-1].Message)
	}
}

func TestWhatIsRecordedIsMasked(t *testing.T) {
	const token = "ghp_0123456789abcdefghij0123456789abcdef"
	s := v1alpha1.ReleaseStatus{
		Message: "the answer was " + token, Findings: []v1alpha1.Advice{{Text: token}}, Drift: "+ " + token,
		Timeline: []v1alpha1.TimelineEntry{{Message: token}}, Proof: &v1alpha1.ProofStatus{LastFailure: token, Message: token},
		Failure: &v1alpha1.Failure{Message: token, Evidence: []v1alpha1.Evidence{{Message: token, Body: token, Log: token, Request: token}}},
	}
	app := v1alpha1.BlueGreenStatus{
		Findings: []v1alpha1.Finding{{Message: token}}, Lock: &v1alpha1.Lock{Reason: token},
		Conditions: []metav1.Condition{{Message: token}},
	}
	if err := errors.Join(FitRelease(&s), FitApplication(&app)); err != nil {
		t.Fatal(err)
	}
	text, err := json.Marshal([]any{s, app})
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(string(text), token) || strings.Count(string(text), "***") != 14 {
		t.Errorf("recorded: %s", text)
	}
}

// Findings with long commands that do not fit are left out whole, and counted.
func TestFindingsThatThereIsNoRoomForAreLeftOutWhole(t *testing.T) {
	long := v1alpha1.Shell("kubectl", strings.Repeat("x", v1alpha1.MaxCommand-10))
	s := v1alpha1.ReleaseStatus{}
	for i := range 15 {
		s.Findings = append(s.Findings, v1alpha1.Advise(fmt.Sprint(i), long, long))
	}
	for range 2 { // what fits stays unchanged
		if err := FitRelease(&s); err != nil {
			t.Fatal(err)
		}
		n := len(s.Findings)
		if text, err := json.Marshal(s.Findings); err != nil || len(text) > rooms["ReleaseStatus.Findings"] || n < 10 || n > 12 {
			t.Fatalf("%d findings of %d bytes, %v", n, len(text), err)
		}
		if got, want := s.Findings[n-1].Text, fmt.Sprintf("and %d more", 15-n+1); got != want {
			t.Errorf("the last one is %q, want %q", got, want)
		}
		if diff := cmp.Diff([]v1alpha1.ShellCommand{long, long}, s.Findings[n-2].Commands); diff != "" {
			t.Errorf("the one before (-want +got):\n%s", diff)
		}
	}
}

// A shortened list of findings stays the same: its last entry is not counted again.
func TestACutListStaysAsItIs(t *testing.T) {
	s := v1alpha1.ReleaseStatus{Findings: make([]v1alpha1.Advice, 1000)}
	for range 3 {
		if err := FitRelease(&s); err != nil {
			t.Fatal(err)
		}
	}
	if n := len(s.Findings); n != 32 || s.Findings[n-1].Text != "and 969 more" {
		t.Errorf("%d findings, the last is %q", n, s.Findings[n-1])
	}
}

// A command is recorded whole, or not at all.
func TestCommandsAreRecordedWholeOrNotAtAll(t *testing.T) {
	good := v1alpha1.Shell("kubectl", "annotate", "x", `a={"b": "it's  two"}`)
	longest := v1alpha1.ShellCommand(strings.Repeat("x", v1alpha1.MaxCommand))
	for name, bad := range map[string]v1alpha1.ShellCommand{
		"none": "", "a line break": "kubectl a\nkubectl b", "an escape sequence": "kubectl \x1b[2Ja", "a zero-width space": "kubectl \u200ba",
		"no UTF-8":    "kubectl \xff",
		"a direction": "kubectl \u202ea", "a no-break space": "kubectl\u00a0a", "a runner's mark": "echo '##[error]x'",
		"a secret":          "curl -u shop:hunter2 https://shop.example.com",
		"one byte too many": longest + "x", "too large as JSON": v1alpha1.ShellCommand(strings.Repeat("<", v1alpha1.MaxCommand/2)),
	} {
		s := v1alpha1.ReleaseStatus{Commands: []v1alpha1.ShellCommand{good, bad, longest}}
		if err := FitRelease(&s); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff([]v1alpha1.ShellCommand{good, longest}, s.Commands); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}

// What fits as it is may be remembered, but only for its limit, and in bounds.
func TestTextsThatFitAreRememberedForTheirLimit(t *testing.T) {
	t.Parallel()
	var known texts
	short, long := bound{line, 10}, bound{line, 1000}
	known.add("a text", long)
	if !known.has("a text", long) || known.has("a text", short) || known.has("another", long) {
		t.Error("it does not remember the one text for the one limit")
	}
	for i := range 3 * mostTexts {
		known.add(fmt.Sprint(i), long)
	}
	if n := len(known.seen); n > mostTexts {
		t.Errorf("it remembers %d texts, want at most %d", n, mostTexts)
	}
}
