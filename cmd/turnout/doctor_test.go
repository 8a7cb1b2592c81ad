package main

import (
	"context"
	"encoding/json"
	"errors"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/wait"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"sigs.k8s.io/controller-runtime/pkg/client"
	sigsyaml "sigs.k8s.io/yaml"

	"github.com/turnout-dev/turnout"
	"github.com/turnout-dev/turnout/api/v1alpha1"
	"github.com/turnout-dev/turnout/bot/githubtest"
	"github.com/turnout-dev/turnout/config"
	"github.com/turnout-dev/turnout/internal/controlplane"
)

// TestDoctor runs testdata/doctor/*.txt, each in a cluster of its own, which is empty. In
// them "as USER [GROUP]" types what follows as that user, "put FILE" writes the objects of a
// file with their status, "merge OBJECT PATCH" patches one, "remove OBJECT" deletes one, and
// "ready N" lets so many pods of Turnout be ready, and "app" stores the App that GitHub has; an
// OBJECT is apiVersion, kind, namespace (or -) and name.
func TestDoctor(t *testing.T) {
	t.Parallel()
	testscript.RunT(inTurn{t}, testscript.Params{
		Dir: "testdata/doctor", RequireExplicitExec: true, UpdateScripts: *update,
		Setup: func(env *testscript.Env) error {
			plane, err := controlplane.Start(t.Context(), controlplane.Options{})
			if err != nil {
				return err
			}
			env.Defer(plane.Stop)
			env.Values[planeKey{}] = plane
			env.Setenv("KUBECONFIG", env.WorkDir+"/kubeconfig")
			env.Setenv("IMAGE", first)
			if err := withGitHub(env); err != nil {
				return err
			}
			return become(plane, env.WorkDir+"/kubeconfig", "admin", "system:masters")
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"as": func(ts *testscript.TestScript, _ bool, args []string) {
				ts.Check(become(planeOf(ts), ts.MkAbs("kubeconfig"), args[0], args[1:]...))
			},
			"app":    func(ts *testscript.TestScript, _ bool, _ []string) { storeApp(ts) },
			"put":    func(ts *testscript.TestScript, _ bool, args []string) { put(ts, args[0]) },
			"merge":  func(ts *testscript.TestScript, _ bool, args []string) { merge(ts, args[:4], args[4]) },
			"ready":  func(ts *testscript.TestScript, _ bool, args []string) { ready(ts, args[0]) },
			"remove": func(ts *testscript.TestScript, _ bool, args []string) { remove(ts, args) },
		},
	})
}

// withGitHub gives a script a GitHub, which has the App of app.yml and its key in key.pem.
func withGitHub(env *testscript.Env) error {
	github, err := githubtest.NewServer(githubtest.Config{Enterprise: true})
	if err != nil {
		return err
	}
	env.Defer(func() {
		if err := github.Close(); err != nil || len(github.Violations()) > 0 {
			env.T().Fatal("GitHub was asked for what it does not know", github.Violations(), err)
		}
	})
	m := turnout.AppManifest()
	app, err := github.AddApp(githubtest.AppConfig{
		Slug: "turnout", Permissions: m.Permissions, Events: m.Events, WebhookURL: "http://127.0.0.1:1/webhook",
	})
	if err != nil {
		return err
	}
	other, err := github.AddRepository("acme/other", githubtest.RepositoryConfig{Files: githubtest.Text(map[string]string{"a": "1"})})
	if err != nil {
		return err
	}
	app.InstallOn(other, nil)
	env.Setenv("TURNOUT_GITHUB_URL", github.URL())
	env.Setenv("APP_ID", strconv.FormatInt(app.ID, 10))
	return os.WriteFile(env.WorkDir+"/key.pem", app.PrivateKeyPEM(), 0o600)
}

// storeApp stores the App, as the setup page does.
func storeApp(ts *testscript.TestScript) {
	patch, err := json.Marshal(map[string]any{"stringData": map[string]string{
		config.SecretAppID: ts.Getenv("APP_ID"), config.SecretPrivateKey: ts.ReadFile("key.pem"), config.SecretWebhookSecret: "s",
	}})
	ts.Check(err)
	merge(ts, []string{"v1", "Secret", config.Namespace, config.SecretName}, string(patch))
}

// inTurn runs scripts one after another: each has a control plane.
type inTurn struct{ *testing.T }

func (t inTurn) Parallel() {}

func (t inTurn) Run(name string, f func(testscript.T)) {
	t.T.Run(name, func(t *testing.T) { f(inTurn{t}) })
}

func (t inTurn) Verbose() bool { return testing.Verbose() }

type planeKey struct{}

func planeOf(ts *testscript.TestScript) *controlplane.ControlPlane {
	return ts.Value(planeKey{}).(*controlplane.ControlPlane) //nolint:forcetypeassert // Setup put it there
}

func become(plane *controlplane.ControlPlane, file, user string, groups ...string) error {
	_, kubeconfig, err := plane.User(user, groups)
	return errors.Join(err, os.WriteFile(file, kubeconfig, 0o600))
}

func administer(ts *testscript.TestScript) client.Client {
	scheme := runtime.NewScheme()
	ts.Check(errors.Join(clientgoscheme.AddToScheme(scheme), v1alpha1.AddToScheme(scheme)))
	kube, err := client.New(planeOf(ts).Config, client.Options{Scheme: scheme})
	ts.Check(err)
	return kube
}

func put(ts *testscript.TestScript, file string) {
	kube := administer(ts)
	for text := range strings.SplitSeq(ts.ReadFile(file), "\n---\n") {
		o := &unstructured.Unstructured{}
		ts.Check(sigsyaml.Unmarshal([]byte(text), o))
		status := o.Object["status"]
		ts.Check(kube.Create(context.Background(), o))
		if status != nil {
			o.Object["status"] = status
			ts.Check(kube.Status().Update(context.Background(), o))
		}
	}
}

func objectOf(args []string) *unstructured.Unstructured {
	o := &unstructured.Unstructured{}
	o.SetAPIVersion(args[0])
	o.SetKind(args[1])
	if args[2] != "-" {
		o.SetNamespace(args[2])
	}
	o.SetName(args[3])
	return o
}

// merge patches an object, and its status.
func merge(ts *testscript.TestScript, object []string, patch string) {
	kube, text := administer(ts), client.RawPatch(types.MergePatchType, []byte(patch))
	if strings.HasPrefix(patch, `{"status"`) {
		ts.Check(kube.Status().Patch(context.Background(), objectOf(object), text))
		return
	}
	ts.Check(kube.Patch(context.Background(), objectOf(object), text))
}

func remove(ts *testscript.TestScript, object []string) {
	ts.Check(administer(ts).Delete(context.Background(), objectOf(object)))
}

// ready plays a node for Turnout's pods, and waits until their Deployment knows.
func ready(ts *testscript.TestScript, want string) {
	kube := administer(ts)
	status := client.RawPatch(types.MergePatchType, []byte(`{"status":{"phase":"Running","conditions":[{"type":"Ready","status":"True",
		"lastTransitionTime":"2026-01-01T00:00:00Z"}]}}`))
	ts.Check(wait.PollUntilContextTimeout(context.Background(), 100*time.Millisecond, time.Minute, true,
		func(ctx context.Context) (bool, error) {
			var pods corev1.PodList
			d := &appsv1.Deployment{}
			key := client.ObjectKey{Namespace: config.Namespace, Name: config.Name}
			if err := errors.Join(kube.List(ctx, &pods, client.InNamespace(config.Namespace)), kube.Get(ctx, key, d)); err != nil {
				return false, err
			}
			var errs []error
			for i := range pods.Items {
				errs = append(errs, kube.Status().Patch(ctx, &pods.Items[i], status))
			}
			return strconv.Itoa(int(d.Status.AvailableReplicas)) == want, errors.Join(errs...)
		}))
}
