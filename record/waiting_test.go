package record_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/serializer"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/turnout-dev/turnout/api/v1alpha1"
	"github.com/turnout-dev/turnout/record"
)

// waits is a wait with all its facts.
func waits() *v1alpha1.Waiting {
	since, until := metav1.Unix(1_800_000_000, 0), metav1.Unix(1_800_000_600, 0)
	return &v1alpha1.Waiting{
		For: v1alpha1.WaitsForApproval, Because: v1alpha1.BecauseRolledBack, By: "alice", Release: "shop-1", Commit: strings.Repeat("a", 40),
		Object: "shop-green", Done: 2, Of: 3, Since: &since, Until: &until, Detail: "as <agreed>",
	}
}

func TestFactsOfAReleaseAreKept(t *testing.T) {
	t.Parallel()
	r, bg := newApplication(t)
	rel := submit(t, r, deploy(bg))
	read := rel.Status.DeepCopy()
	rel.Status.Phase, rel.Status.Waiting = v1alpha1.ReleaseWaiting, waits()
	rel.Status.Failure = &v1alpha1.Failure{
		Class: v1alpha1.FaultSuperseded, Reason: v1alpha1.FailedSuperseded, Because: v1alpha1.SupersededByLate, By: "alice", Release: "shop-1",
		Commit: strings.Repeat("a", 40), Since: waits().Since, Limit: &metav1.Duration{Duration: 90e9}, Waited: waits(), Message: "late",
		At: *waits().Since,
	}
	want := rel.Status.DeepCopy()
	check(t, r.UpdateRelease(t.Context(), rel, read))
	want.Format = rel.Status.Format // every write notes it
	var now v1alpha1.Release
	check(t, kube.Get(t.Context(), client.ObjectKeyFromObject(rel), &now))
	if diff := cmp.Diff(want, &now.Status); diff != "" {
		t.Errorf("the record has (-want +got):\n%s", diff)
	}
}

func TestTheSchemaRefusesWordsThatNobodyKnows(t *testing.T) {
	t.Parallel()
	r, bg := newApplication(t)
	rel := submit(t, r, deploy(bg))
	for field, change := range map[string]func(*v1alpha1.ReleaseStatus){
		"status.waiting.for":     func(st *v1alpha1.ReleaseStatus) { st.Waiting = &v1alpha1.Waiting{For: "Godot"} },
		"status.waiting.because": func(st *v1alpha1.ReleaseStatus) { st.Waiting = waits(); st.Waiting.Because = "Whim" },
		"status.failure.because": func(st *v1alpha1.ReleaseStatus) {
			st.Failure = &v1alpha1.Failure{Class: v1alpha1.FaultWorld, Reason: "Odd", Because: "Whim", At: metav1.Now()}
		},
	} {
		changed := rel.DeepCopy()
		change(&changed.Status)
		if err := kube.Status().Update(t.Context(), changed); !apierrors.IsInvalid(err) || !strings.Contains(err.Error(), field) {
			t.Errorf("%s: the answer is %v, want it refused", field, err)
		}
	}
	// A record of another version may have another reason: its reader shows the message.
	changed := rel.DeepCopy()
	changed.Status.Failure = &v1alpha1.Failure{Class: v1alpha1.FaultWorld, Reason: "Odd", At: metav1.Now()}
	check(t, kube.Status().Update(t.Context(), changed))
}

// A wait that is compared with the record is fitted as a write fits it, or every look would
// write it again. Texts from outside are masked and cut.
func TestWaitIsMadeFitAsWritingMakesIt(t *testing.T) {
	t.Parallel()
	const token = "ghp_0123456789abcdefghij0123456789abcdef"
	w := waits()
	w.Detail, w.By, w.Object = token+strings.Repeat(" and so on", 1000), token, token
	fit := record.Waiting(w)
	if text := fit.Detail + fit.By + fit.Object; strings.Contains(text, token) || len(fit.Detail) > record.MessageLimit {
		t.Errorf("%d bytes are recorded: %.100s", len(fit.Detail), text)
	}
	if w.By != token {
		t.Error("the wait itself was changed")
	}
	st := v1alpha1.ReleaseStatus{Waiting: w.DeepCopy()}
	check(t, record.FitRelease(&st))
	if diff := cmp.Diff(fit, st.Waiting); diff != "" {
		t.Errorf("writing changes it (-before +written):\n%s", diff)
	}
	if record.Waiting(nil) != nil {
		t.Error("a missing wait is recorded as something")
	}
}

// kubectl get shows the columns that the API server fills.
func TestKubectlShowsWhatAReleaseWaitsFor(t *testing.T) {
	t.Parallel()
	r, bg := newApplication(t)
	rel := submit(t, r, deploy(bg))
	read := rel.Status.DeepCopy()
	rel.Status.Phase, rel.Status.Waiting = v1alpha1.ReleaseWaiting, waits()
	check(t, r.UpdateRelease(t.Context(), rel, read))
	http, err := rest.HTTPClientFor(where)
	check(t, err)
	path := "/apis/turnout.dev/v1alpha1/namespaces/" + rel.Namespace + "/releases/" + rel.Name
	config := rest.CopyConfig(where)
	config.GroupVersion, config.NegotiatedSerializer = &v1alpha1.GroupVersion, serializer.NewCodecFactory(kube.Scheme())
	server, err := rest.UnversionedRESTClientForConfigAndClient(config, http)
	check(t, err)
	answer, err := server.Get().AbsPath(path).SetHeader("Accept", "application/json;as=Table;v=v1;g=meta.k8s.io").DoRaw(t.Context())
	check(t, err)
	var table metav1.Table
	check(t, json.Unmarshal(answer, &table))
	shown := map[string]any{}
	for i, column := range table.ColumnDefinitions {
		shown[column.Name] = table.Rows[0].Cells[i]
	}
	if shown["Phase"] != "Waiting" || shown["Waits"] != "Approval" {
		t.Errorf("kubectl shows %v", shown)
	}
}
