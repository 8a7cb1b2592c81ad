package doctor

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/turnout-dev/turnout/api/v1alpha1"
	"github.com/turnout-dev/turnout/config"
)

// brief are findings in short: code, severity, object, field, users, and the commands.
func brief(all []Finding) []string {
	var out []string
	for _, f := range all {
		text := strings.Join(strings.Fields(fmt.Sprint(f.Code, " ", f.Severity, " ", f.Object, " ", f.Field, " | ", f.Users)), " ")
		for _, c := range f.Commands {
			text += "\n" + string(c)
		}
		out = append(out, text)
	}
	return out
}

// registered is a Secret with an App.
func registered() *corev1.Secret {
	return &corev1.Secret{Data: map[string][]byte{
		config.SecretAppID: []byte("1"), config.SecretPrivateKey: []byte("k"), config.SecretWebhookSecret: []byte("s"),
	}}
}

// deployed is Turnout's Deployment of two replicas, all well.
func deployed(change func(*appsv1.Deployment)) *appsv1.Deployment {
	two := int32(2)
	d := &appsv1.Deployment{
		ObjectMeta: metav1.ObjectMeta{Generation: 3}, Spec: appsv1.DeploymentSpec{Replicas: &two},
		Status: appsv1.DeploymentStatus{ObservedGeneration: 3, UpdatedReplicas: 2, AvailableReplicas: 2},
	}
	change(d)
	return d
}

func TestTurnoutRunsOrItIsSaidWhatIsWrong(t *testing.T) {
	t.Parallel()
	const (
		logs = "\nkubectl describe pods --selector=app.kubernetes.io/name=turnout -n turnout\nkubectl logs -n turnout deployment/turnout"
		some = "NotRunning Warning deployment turnout/turnout status.availableReplicas | " + string(EffectNone) + logs
		none = "NotRunning Error deployment turnout/turnout status.availableReplicas | " + string(EffectNone) + logs
		zero = "NotRunning Error deployment turnout/turnout spec.replicas | " + string(EffectReleases) +
			"\nkubectl scale deployment turnout -n turnout --replicas=2"
	)
	for name, tt := range map[string]struct {
		change func(*appsv1.Deployment)
		want   []string
	}{
		"all is well": {func(*appsv1.Deployment) {}, nil},
		"one, of no stated number": {func(d *appsv1.Deployment) {
			d.Spec.Replicas, d.Status.UpdatedReplicas, d.Status.AvailableReplicas = nil, 1, 1
		}, nil},
		"a change that nobody acted on": {func(d *appsv1.Deployment) { d.Status.ObservedGeneration = 2 }, []string{some}},
		"pods of another version":       {func(d *appsv1.Deployment) { d.Status.UpdatedReplicas = 1 }, []string{some}},
		"one of two is away":            {func(d *appsv1.Deployment) { d.Status.AvailableReplicas = 1 }, []string{some}},
		"none is available":             {func(d *appsv1.Deployment) { d.Status.AvailableReplicas = 0 }, []string{none}},
		"scaled to 0": {func(d *appsv1.Deployment) {
			*d.Spec.Replicas, d.Status.UpdatedReplicas, d.Status.AvailableReplicas = 0, 0, 0
		}, []string{zero}},
	} {
		w := &World{Deployment: deployed(tt.change), Secret: registered()}
		found, err := w.running(t.Context())
		check(t, err)
		if diff := cmp.Diff(tt.want, brief(found)); diff != "" {
			t.Errorf("%s: findings (-want +got)\n%s", name, diff)
		}
	}
	away := errors.New("etcd has no leader")
	for name, w := range map[string]*World{
		"the Deployment cannot be read": {DeploymentErr: away, Secret: registered()},
		"the Secret cannot be read":     {Deployment: deployed(func(*appsv1.Deployment) {}), SecretErr: away},
	} {
		if found, err := w.running(t.Context()); !errors.Is(err, away) || len(found) > 0 {
			t.Errorf("%s: %v, %v; want that nobody knows", name, found, err)
		}
	}
}

// Every part of an App that the Secret lacks is named.
func TestAnAppThatIsNotWholeIsSaid(t *testing.T) {
	t.Parallel()
	for _, key := range []string{config.SecretAppID, config.SecretPrivateKey, config.SecretWebhookSecret} {
		w := &World{Deployment: deployed(func(*appsv1.Deployment) {}), Secret: registered()}
		delete(w.Secret.Data, key)
		found, err := w.running(t.Context())
		check(t, err)
		if len(found) != 1 || found[0].Code != CodeNoApp || !strings.Contains(found[0].Message, "it has no "+key) || found[0].Page != "" {
			t.Errorf("without %s: %+v", key, found)
		}
		w.Secret.Data[config.SecretSetupToken] = []byte("t")
		found, err = w.running(t.Context())
		check(t, err)
		if opens := found[0].Page == "http://localhost:8081/setup"; opens != (key == config.SecretAppID) {
			t.Errorf("without %s, with a token: the page is %q", key, found[0].Page)
		}
	}
}

// What turnout serve found at its last look is shown as it found it.
func TestAnApplicationsPreflightIsShown(t *testing.T) {
	t.Parallel()
	condition := func(status metav1.ConditionStatus, reason string, generation int64) []metav1.Condition {
		return []metav1.Condition{{
			Type: v1alpha1.ConditionReady, Status: status, Reason: reason, Message: "mend it", ObservedGeneration: generation,
		}}
	}
	status := func(c []metav1.Condition, findings ...v1alpha1.Finding) v1alpha1.BlueGreenStatus {
		return v1alpha1.BlueGreenStatus{Conditions: c, Findings: findings, Commands: []v1alpha1.ConditionCommands{{
			Condition: v1alpha1.ConditionReady, Commands: []v1alpha1.ShellCommand{"kubectl label this"},
		}}}
	}
	bad := v1alpha1.Finding{
		Severity: v1alpha1.SeverityError, Reason: "Ports", Object: "service shop/a", Field: "spec.ports", Message: "it has no port",
		Commands: []v1alpha1.ShellCommand{"kubectl edit it"},
	}
	could := bad
	could.Severity, could.Commands = v1alpha1.SeverityWarning, nil
	const found = " bluegreen shop/shop: service shop/a spec.ports | " + string(EffectRoutes)
	for name, tt := range map[string]struct {
		status v1alpha1.BlueGreenStatus
		want   []string
	}{
		"ready":         {status(condition(metav1.ConditionTrue, "Ready", 2)), nil},
		"nobody looked": {status(nil), []string{"NotChecked Error bluegreen shop/shop | " + string(EffectNone)}},
		"before a change": {status(condition(metav1.ConditionTrue, "Ready", 1)), []string{
			"NotChecked Error bluegreen shop/shop | " + string(EffectNone),
		}},
		"blocked": {status(condition(metav1.ConditionFalse, "Selector", 2)), []string{
			"Blocked Error bluegreen shop/shop status.conditions[Ready], Selector | " + string(EffectRoutes) + "\nkubectl label this",
		}},
		"not granted": {status(condition(metav1.ConditionFalse, v1alpha1.ReasonNotGranted, 2)), nil}, // another check says it
		"an error":    {status(condition(metav1.ConditionTrue, "Ready", 2), bad), []string{"Preflight Error" + found + "\nkubectl edit it"}},
		"a warning":   {status(condition(metav1.ConditionTrue, "Ready", 2), could), []string{"Preflight Warning" + found}},
		"both": {status(condition(metav1.ConditionTrue, "Ready", 2), could, bad), []string{
			"Preflight Warning" + found, "Preflight Error" + found + "\nkubectl edit it",
		}},
	} {
		bg := v1alpha1.BlueGreen{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "shop", Generation: 2}, Status: tt.status}
		got, err := (&World{Applications: []v1alpha1.BlueGreen{bg}}).readiness(t.Context())
		check(t, err)
		if diff := cmp.Diff(tt.want, brief(got)); diff != "" {
			t.Errorf("%s: findings (-want +got)\n%s", name, diff)
		}
	}
}

// Deliveries that GitHub could not bring are counted for a day; the last one is named.
func TestLostDeliveriesAreCountedForADay(t *testing.T) {
	t.Parallel()
	g := newGitHub(t)
	for _, text := range []string{"2", "3"} {
		g.loses(text)
	}
	for after, want := range map[time.Duration]string{
		0:              "2 of its deliveries to " + g.hook + " in the last day were not accepted, the last one push: ",
		25 * time.Hour: "",
	} {
		found, err := g.checks(time.Now().Add(after)).webhook(t.Context())
		check(t, err)
		got := ""
		for _, f := range found {
			got += f.Message
		}
		if want == "" && got != "" || !strings.HasPrefix(got, want) {
			t.Errorf("%s later it says %q, want %q", after, got, want)
		}
	}
}
