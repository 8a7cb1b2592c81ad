package workload

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	policyv1 "k8s.io/api/policy/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/yaml"

	"github.com/turnout-dev/turnout/api/v1alpha1"
)

func (w world) drift() string {
	w.t.Helper()
	text, err := w.Drift(w.t.Context(), w.bg, v1alpha1.Green)
	if err != nil {
		w.t.Fatal(err)
	}
	return text
}

func TestColoursThatDifferByDesignHaveNoDrift(t *testing.T) {
	w := newWorld(t)
	w.createMissing()
	if got := w.drift(); got != "" {
		t.Errorf("the copy of the live colour differs from it:\n%s", got)
	}
	w.stage(request("shop-abc-1"))
	w.edit(w.deployment("shop-blue"), `{"spec":{"template":{"metadata":{"annotations":{"kubectl.kubernetes.io/restartedAt":"now"}}}}}`)
	if got := w.drift(); got != "" {
		t.Errorf("image, release and a restart are reported as a difference:\n%s", got)
	}
}

func TestDriftShowsWhatIsStagedOverAndHidesWhatProgramsRead(t *testing.T) {
	w := newWorld(t)
	w.createMissing()
	w.edit(w.deployment("shop-green"),
		`{"spec":{"template":{"spec":{"terminationGracePeriodSeconds":9,"containers":[{"name":"app","image":"registry.example.com/shop:0",
		"args":["--token=s3cret-of-green"],
		"env":[{"name":"COLOR","value":"blue"},{"name":"PASSWORD","value":"s3cret-of-green"},{"name":"ONLY_GREEN","value":"s3cret-of-green"}],
		"ports":[{"name":"web","containerPort":8080}],"resources":{"limits":{"memory":"1Gi"}},
		"readinessProbe":{"httpGet":{"path":"/healthz","port":"web","httpHeaders":[{"name":"Authorization","value":"s3cret-of-green"}]}}}]}}}}`)
	w.edit(w.deployment("shop-blue"), `{"spec":{"template":{"spec":{"containers":[{"name":"app","image":"registry.example.com/shop:1",
		"env":[{"name":"COLOR","value":"blue"},{"name":"PASSWORD","value":"s3cret-of-blue"}],
		"ports":[{"name":"web","containerPort":8080}],
		"readinessProbe":{"httpGet":{"path":"/healthz","port":"web","httpHeaders":[{"name":"Authorization","value":"s3cret-of-blue"}]}}}]}}}}`)
	want := strings.TrimPrefix(`
--- shop-green
+++ shop-blue
@@ -25,14 +25,11 @@
             version: green
         topologyKey: kubernetes.io/hostname
   containers:
-  - args: (hidden)
-    env:
+  - env:
     - name: COLOR
       value: (hidden)
     - name: PASSWORD
-      value: (hidden)
-    - name: ONLY_GREEN
-      value: (hidden)
+      value: (hidden, another)
     imagePullPolicy: IfNotPresent
     name: app
     ports:
@@ -42,13 +36,9 @@
       httpGet:
         httpHeaders:
         - name: Authorization
-          value: (hidden)
+          value: (hidden, another)
         path: /healthz
         port: web
-    resources:
-      limits:
-        memory: 1Gi
-  terminationGracePeriodSeconds: 9
   topologySpreadConstraints:
   - labelSelector:
       matchExpressions:
`, "\n")
	got := w.drift()
	if strings.Contains(got, "s3cret") {
		t.Errorf("it shows a secret:\n%s", got)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("drift (-want +got):\n%s", diff)
	}
	// With the target's own template the diff goes the other way.
	w.bg.Spec.Template = v1alpha1.TemplateOwn
	own := w.drift()
	for _, line := range []string{"--- shop-blue\n", "+++ shop-green\n", "\n+  - args: (hidden)\n"} {
		if !strings.Contains(own, line) {
			t.Errorf("it lacks %q:\n%s", line, own)
		}
	}
}

// template reads a pod template as the API server would send it.
func template(t *testing.T, text string) object {
	t.Helper()
	data, err := yaml.ToJSON([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	o := object{}
	if err := yaml.Unmarshal(data, &o); err != nil {
		t.Fatal(err)
	}
	return runtime.DeepCopyJSON(o)
}

func TestEveryPlaceThatAProgramReadsIsHidden(t *testing.T) {
	t.Parallel()
	const container = `
    - name: app
      command: [s3cret]
      args: [s3cret]
      env: [{name: A, value: s3cret}, {name: A, value: s3cret}, {name: B, valueFrom: {fieldRef: {fieldPath: metadata.name}}}]
      livenessProbe: {exec: {command: [s3cret]}}
      readinessProbe: {httpGet: {path: /, httpHeaders: [{name: Authorization, value: s3cret}]}}
      startupProbe: {exec: {command: [s3cret]}}
      lifecycle: {preStop: {exec: {command: [s3cret]}}, postStart: {httpGet: {httpHeaders: [{name: X, value: s3cret}]}}}
`
	text := "spec:\n  containers:" + container + "  initContainers:" + container
	a, b := template(t, text), template(t, strings.ReplaceAll(text, "s3cret", "another s3cret"))
	hide(a, b)
	for _, o := range []object{a, b} {
		if shown := fmt.Sprint(o); strings.Contains(shown, "s3cret") {
			t.Errorf("it shows a secret: %s", shown)
		}
	}
	if n := strings.Count(fmt.Sprint(b), hiddenOther); n != 2*9 {
		t.Errorf("%d of %d places are reported as different: %v", n, 2*9, b)
	}
	c, d := template(t, text), template(t, text)
	hide(c, d)
	if diff := cmp.Diff(c, d); diff != "" {
		t.Errorf("equal templates are reported as different:\n%s", diff)
	}
}

func TestLongDriftIsCutToWholeLines(t *testing.T) {
	t.Parallel()
	line := strings.Repeat("x", 50) + "\n"
	if got, want := cut(strings.Repeat(line, 100)), strings.Repeat(line, 40)+"(60 more lines)\n"; got != want {
		t.Errorf("100 lines became:\n%s", got)
	}
	if got := cut(strings.Repeat(line, 40)); got != strings.Repeat(line, 40) {
		t.Errorf("40 lines were cut:\n%s", got)
	}
	long := strings.Repeat("x", 1500) + "\n"
	if got, want := cut(strings.Repeat(long, 4)), strings.Repeat(long, 2)+"(2 more lines)\n"; got != want {
		t.Errorf("6 kB became %d bytes, want %d", len(got), len(want))
	}
}

func TestABudgetThatOnlyTheLiveColourHasIsReported(t *testing.T) {
	w := newWorld(t)
	w.createMissing()
	budget := func(name string, labels map[string]string) {
		t.Helper()
		b := &policyv1.PodDisruptionBudget{ObjectMeta: metav1.ObjectMeta{Namespace: w.namespace, Name: name}}
		b.Spec.Selector = &metav1.LabelSelector{MatchLabels: labels}
		if err := w.Client.Create(t.Context(), b); err != nil {
			t.Fatal(err)
		}
	}
	expect := func(want ...string) {
		t.Helper()
		got, err := w.Unprotected(t.Context(), w.bg, v1alpha1.Green)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("unprotected by (-want +got):\n%s", diff)
		}
	}
	budget("other", map[string]string{"app": "other"})
	expect()
	budget("blue", map[string]string{"app": "shop", "version": "blue"})
	expect("blue")
	budget("both", map[string]string{"app": "shop"})
	expect()
}
