package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
	"github.com/spf13/pflag"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/yaml"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"mvdan.cc/sh/v3/shell"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"
	sigsyaml "sigs.k8s.io/yaml"

	"github.com/turnout-dev/turnout/api/v1alpha1"
	"github.com/turnout-dev/turnout/deployer/preflight"
	"github.com/turnout-dev/turnout/deployer/route"
	"github.com/turnout-dev/turnout/deployer/track"
	"github.com/turnout-dev/turnout/deployer/workload"
	"github.com/turnout-dev/turnout/internal/index"
)

// TestInit runs testdata/init/*.txt. In them "cluster FILE" makes the script's namespace with
// what a file holds, "more FILE" adds to it, "follow FILE" types the commands that init printed in their order, and
// "ready APP" checks that a release of the application could then run.
func TestInit(t *testing.T) {
	t.Parallel()
	testscript.Run(t, testscript.Params{
		Dir: "testdata/init", RequireExplicitExec: true, UpdateScripts: *update,
		Setup: func(env *testscript.Env) error {
			env.Setenv("KUBECONFIG", filepath.Join(env.WorkDir, "none"))
			name := filepath.Base(env.WorkDir)
			env.Setenv("NS", strings.ReplaceAll(strings.TrimPrefix(name, "script-"), "_", "-"))
			return nil
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"cluster": func(ts *testscript.TestScript, _ bool, args []string) { newDeskhand(ts).begin(args[0]) },
			"more":    func(ts *testscript.TestScript, _ bool, args []string) { newDeskhand(ts).make(args[0]) },
			"follow":  func(ts *testscript.TestScript, _ bool, args []string) { newDeskhand(ts).follow(ts.ReadFile(args[0])) },
			"ready":   func(ts *testscript.TestScript, neg bool, args []string) { newDeskhand(ts).ready(args[0], neg) },
		},
	})
}

// deskhand types commands at a real API server, as somebody who may do anything in a namespace.
type deskhand struct {
	ts        *testscript.TestScript
	kube      client.WithWatch
	namespace string
	// ready are Deployments whose pods would be ready: nothing runs them here.
	rolledOut map[string]bool
}

func newDeskhand(ts *testscript.TestScript) *deskhand {
	plane, err := startPlane()
	ts.Check(err)
	scheme := runtime.NewScheme()
	ts.Check(errors.Join(clientgoscheme.AddToScheme(scheme), v1alpha1.AddToScheme(scheme)))
	kube, err := client.NewWithWatch(plane.Config, client.Options{Scheme: scheme})
	ts.Check(err)
	return &deskhand{ts: ts, kube: kube, namespace: ts.Getenv("NS"), rolledOut: map[string]bool{}}
}

func (y *deskhand) begin(file string) {
	plane, err := startPlane()
	y.ts.Check(err)
	_, kubeconfig, err := plane.User("owner", []string{"system:masters"})
	y.ts.Check(err)
	path := y.ts.MkAbs("kubeconfig")
	y.ts.Check(os.WriteFile(path, kubeconfig, 0o600))
	y.ts.Setenv("KUBECONFIG", path)
	y.ts.Check(y.kube.Create(context.Background(), &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: y.namespace}}))
	y.make(file)
}

// make makes what a file holds.
func (y *deskhand) make(file string) {
	for _, o := range y.objects(file) {
		y.ts.Check(y.kube.Create(context.Background(), o))
	}
}

// objects are those of a file, in the script's namespace.
func (y *deskhand) objects(file string) []*unstructured.Unstructured {
	decoder := yaml.NewYAMLOrJSONDecoder(bytes.NewReader([]byte(y.ts.ReadFile(file))), 4096)
	var all []*unstructured.Unstructured
	for {
		o := &unstructured.Unstructured{}
		err := decoder.Decode(o)
		if errors.Is(err, io.EOF) {
			return all
		}
		y.ts.Check(err)
		if o.GetNamespace() == "" {
			o.SetNamespace(y.namespace)
		}
		all = append(all, o)
	}
}

// follow types every command that init printed.
func (y *deskhand) follow(printed string) {
	var deployments appsv1.DeploymentList
	y.ts.Check(y.kube.List(context.Background(), &deployments, client.InNamespace(y.namespace)))
	for _, d := range deployments.Items {
		y.rolledOut[d.Name] = true
	}
	typed := 0
	for line := range strings.Lines(printed) {
		if command, found := strings.CutPrefix(strings.TrimSuffix(line, "\n"), "       "); found {
			words, err := shell.Fields(command, nil)
			y.ts.Check(err)
			y.ts.Logf("types: %s", command)
			y.types(words)
			typed++
		}
	}
	if typed == 0 {
		y.ts.Fatalf("no command was printed")
	}
}

func (y *deskhand) types(words []string) {
	flags := pflag.NewFlagSet("kubectl", pflag.ContinueOnError)
	files := flags.StringSliceP("filename", "f", nil, "")
	flags.StringP("namespace", "n", "", "")
	patch := flags.String("patch-file", "", "")
	replicas := flags.Int64("replicas", -1, "")
	if words[0] == "gcloud" {
		return
	}
	y.ts.Check(flags.Parse(words[1:]))
	switch words = flags.Args(); words[0] {
	case "create":
		if words = words[1:]; len(words) == 2 && words[0] == "namespace" {
			y.ts.Check(y.kube.Create(context.Background(), &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: words[1]}}))
		}
		for _, o := range y.all(*files) {
			y.ts.Check(y.kube.Create(context.Background(), o))
		}
	case "apply":
		for _, o := range y.all(*files) {
			y.ts.Check(y.kube.Apply(context.Background(), client.ApplyConfigurationFromUnstructured(o), client.FieldOwner("kubectl")))
		}
	case "patch":
		y.patch(words[1], words[2], *patch)
	case "rollout":
		y.rolledOut[words[3]] = true
	case "scale":
		text := fmt.Sprintf(`{"spec":{"replicas":%d}}`, *replicas)
		y.ts.Check(y.kube.Patch(context.Background(), y.named("deployment", words[2]), client.RawPatch(types.MergePatchType, []byte(text))))
	case "delete", "get":
		y.ts.Check(y.kube.Get(context.Background(), client.ObjectKey{Namespace: y.namespace, Name: words[2]}, y.named(words[1], words[2])))
	default:
		y.ts.Fatalf("this test cannot run kubectl %q", words)
	}
	y.serves(strings.Join(words, " "))
}

func (y *deskhand) all(files []string) []*unstructured.Unstructured {
	var all []*unstructured.Unstructured
	for _, f := range files {
		all = append(all, y.objects(f)...)
	}
	return all
}

func (y *deskhand) named(kind, name string) *unstructured.Unstructured {
	o := &unstructured.Unstructured{}
	o.SetAPIVersion(map[string]string{
		"namespace": "v1", "service": "v1", "deployment": "apps/v1", "ingress": "networking.k8s.io/v1", "bluegreen": "turnout.dev/v1alpha1",
		"horizontalpodautoscaler": "autoscaling/v2",
	}[kind])
	o.SetKind(map[string]string{
		"namespace": "Namespace", "service": "Service", "deployment": "Deployment", "ingress": "Ingress", "bluegreen": "BlueGreen",
		"horizontalpodautoscaler": "HorizontalPodAutoscaler",
	}[kind])
	o.SetName(name)
	if kind != "namespace" {
		o.SetNamespace(y.namespace)
	}
	return o
}

func (y *deskhand) patch(kind, name, file string) {
	text, err := sigsyaml.YAMLToJSON([]byte(y.ts.ReadFile(file)))
	y.ts.Check(err)
	y.ts.Check(y.kube.Patch(context.Background(), y.named(kind, name), client.RawPatch(types.StrategicMergePatchType, text)))
}

// serves checks that users are served after a command: every Service that an Ingress names
// selects the pods of a Deployment that is ready, as many as it had at the beginning.
func (y *deskhand) serves(after string) {
	var ingresses networkingv1.IngressList
	var deployments appsv1.DeploymentList
	y.ts.Check(errors.Join(y.kube.List(context.Background(), &ingresses, client.InNamespace(y.namespace)),
		y.kube.List(context.Background(), &deployments, client.InNamespace(y.namespace))))
	for _, in := range ingresses.Items {
		if len(in.Spec.Rules) == 0 || len(y.rolledOut) == 0 {
			continue
		}
		name := in.Spec.Rules[0].HTTP.Paths[0].Backend.Service.Name
		service := &corev1.Service{}
		y.ts.Check(y.kube.Get(context.Background(), client.ObjectKey{Namespace: y.namespace, Name: name}, service))
		if !slices.ContainsFunc(deployments.Items, func(d appsv1.Deployment) bool {
			return y.rolledOut[d.Name] && *d.Spec.Replicas >= 3 &&
				labels.SelectorFromSet(service.Spec.Selector).Matches(labels.Set(d.Spec.Template.Labels))
		}) {
			y.ts.Fatalf("after %s service %s has no ready pod; it selects %v", after, name, service.Spec.Selector)
		}
	}
}

// cached reads from a cache with the indexes of turnout serve.
func (y *deskhand) cached() client.Client {
	plane, err := startPlane()
	y.ts.Check(err)
	store, err := cache.New(plane.Config, cache.Options{
		Scheme: y.kube.Scheme(), DefaultNamespaces: map[string]cache.Config{y.namespace: {}},
	})
	y.ts.Check(err)
	ctx, stop := context.WithCancel(context.Background())
	y.ts.Check(index.Register(ctx, store))
	ended := make(chan error, 1)
	go func() { ended <- store.Start(ctx) }()
	y.ts.Defer(func() {
		stop()
		y.ts.Check(<-ended)
	})
	if !store.WaitForCacheSync(ctx) {
		y.ts.Fatalf("the cache never fills")
	}
	all, err := client.New(plane.Config, client.Options{Scheme: y.kube.Scheme(), Cache: &client.CacheOptions{Reader: store}})
	y.ts.Check(err)
	return all
}

// ready judges an application as turnout serve does before a release.
func (y *deskhand) ready(app string, neg bool) {
	bg := &v1alpha1.BlueGreen{}
	y.ts.Check(y.kube.Get(context.Background(), client.ObjectKey{Namespace: y.namespace, Name: app}, bg))
	cached := y.cached()
	routes, err := (&route.Router{Client: y.kube, Reader: y.kube}).Observe(context.Background(), bg)
	y.ts.Check(err)
	o := track.Observed{Now: time.Now(), Routes: routes, Sides: map[v1alpha1.Color]track.Side{}}
	for _, c := range []v1alpha1.Color{v1alpha1.Blue, v1alpha1.Green} {
		o.Sides[c], err = (&workload.Workloads{Client: cached, Reader: y.kube}).Observe(context.Background(), bg, c)
		y.ts.Check(err)
	}
	namespace := &corev1.Namespace{}
	y.ts.Check(y.kube.Get(context.Background(), client.ObjectKey{Name: y.namespace}, namespace))
	found := ""
	if hinders := track.JudgeReady(bg, o, track.ReadyFacts{Grants: namespace.Annotations}); hinders != nil {
		found = hinders.Error()
	} else {
		from := preflight.Sources{Cached: cached, Uncached: y.kube}
		facts, _, err := (&preflight.Collector{}).Collect(context.Background(), from, bg, routes, time.Now(), true)
		y.ts.Check(err)
		for _, f := range preflight.Check(facts) {
			y.ts.Logf("%s: %s", f.Severity, f)
		}
		for _, f := range preflight.Errors(preflight.Check(facts)) {
			found += f.String() + "\n"
		}
	}
	if (found == "") == neg {
		y.ts.Fatalf("application %s: the obstacle to a release is %q", app, found)
	}
}
