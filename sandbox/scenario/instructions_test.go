package scenario

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	cloudbuild "cloud.google.com/go/cloudbuild/apiv1/v2"
	"cloud.google.com/go/cloudbuild/apiv1/v2/cloudbuildpb"
	"github.com/fsouza/fake-gcs-server/fakestorage"
	"github.com/spf13/pflag"
	"google.golang.org/api/option"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/protobuf/encoding/protojson"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"
	"mvdan.cc/sh/v3/shell"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/yaml"

	"github.com/turnout-dev/turnout/api/v1alpha1"
	"github.com/turnout-dev/turnout/sandbox/registry"
	"github.com/turnout-dev/turnout/sandbox/world"
)

// fromZero is the newcomer's project. It is empty.
const fromZero = "example-prod"

// newcomer is a person who types the commands of an example's README in a copy of its
// folder, and knows nothing else.
type newcomer struct {
	*application
	dir string
	// words in capitals that only this example has, each followed by its value.
	words []string
}

// newNewcomer copies an example's folder and creates a repository with its files.
func newNewcomer(t *testing.T, namespace, example string) *newcomer {
	t.Helper()
	n := &newcomer{application: newRepository(t, namespace, sources(t, example)), dir: filepath.Join(t.TempDir(), "copy")}
	if err := registry.CopyTree(example, n.dir); err != nil {
		t.Fatal(err)
	}
	return n
}

// host is the newcomer's host. It is below localhost, so Turnout resolves it as users do.
func (n *newcomer) host() string { return n.namespace + ".localhost" }

// command matches a command in a README: an indented line.
var command = regexp.MustCompile(`(?m)^    (\S.*)$`)

// instructions are the commands of the README's chapter "Ship it", with values for the
// words in capitals.
func (n *newcomer) instructions() []string {
	n.t.Helper()
	text, err := os.ReadFile(filepath.Join(n.dir, "README.md"))
	if err != nil {
		n.t.Fatal(err)
	}
	_, chapter, found := strings.Cut(string(text), "\n## Ship it\n")
	if !found {
		n.t.Fatalf("README.md of %s has no chapter \"Ship it\"", n.dir)
	}
	chapter, _, _ = strings.Cut(chapter, "\n## ")
	var all []string
	for _, line := range command.FindAllStringSubmatch(chapter, -1) {
		all = append(all, n.fillIn(line[1]))
	}
	return all
}

func (n *newcomer) fillIn(line string) string {
	address := strings.Replace(world.NameOf(running.WebURL), "shop.localhost", n.host(), 1)
	known := []string{"OWNER/NAME", n.repository(), "PROJECT", fromZero, "NAMESPACE", n.namespace, "URL", address}
	return strings.NewReplacer(append(n.words, known...)...).Replace(line)
}

// types types commands, one after the other.
func (n *newcomer) types(commands ...string) {
	n.t.Helper()
	for _, line := range commands {
		words, err := shell.Fields(line, nil)
		if err != nil {
			n.t.Fatalf("%s: %v", line, err)
		}
		switch {
		case words[0] == "sed":
			cmd := exec.CommandContext(n.t.Context(), "sh", "-c", line)
			cmd.Dir = n.dir
			if out, err := cmd.CombinedOutput(); err != nil {
				n.t.Fatalf("%s: %v: %s", line, err, out)
			}
		case strings.HasPrefix(line, "gcloud builds submit "):
			n.submit(line, words[3:])
		case strings.HasPrefix(line, "kubectl "):
			n.kubectl(line, words[1:])
		default:
			n.t.Fatalf("the newcomer of these tests cannot type %s", line)
		}
	}
}

// kubectl does the part of kubectl that the examples' READMEs need.
func (n *newcomer) kubectl(line string, words []string) {
	n.t.Helper()
	flags := pflag.NewFlagSet("kubectl", pflag.ContinueOnError)
	namespace := flags.StringP("namespace", "n", "default", "")
	file := flags.StringP("filename", "f", "", "")
	patch := flags.StringP("patch", "p", "", "")
	flags.String("type", "merge", "")
	flags.Bool("overwrite", false, "")
	literals := flags.StringToString("from-literal", nil, "")
	if err := flags.Parse(words); err != nil {
		n.t.Fatalf("%s: %v", line, err)
	}
	switch words = flags.Args(); {
	case len(words) == 3 && words[0] == "create" && words[1] == "namespace":
		n.create(&corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: words[2]}})
	case len(words) == 4 && words[0] == "create" && words[1] == "secret" && words[2] == "generic" && *namespace == n.namespace:
		n.create(&corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: n.namespace, Name: words[3]}, StringData: *literals})
	case len(words) > 3 && words[0] == "annotate" && words[1] == "namespace":
		n.annotate(words[2], words[3:])
	case len(words) == 1 && words[0] == "apply" && *namespace == n.namespace:
		n.apply(filepath.Join(n.dir, *file), n.inTheSandbox)
	case len(words) == 3 && words[0] == "patch" && *namespace == n.namespace:
		n.patch(words[1], words[2], *patch)
	case len(words) == 4 && words[0] == "rollout" && words[1] == "status" && *namespace == n.namespace:
		n.awaitRollout(words[3])
	default:
		n.t.Fatalf("the newcomer of these tests cannot type %s", line)
	}
}

// patch is `kubectl patch --type merge`.
func (n *newcomer) patch(kind, name, patch string) {
	n.t.Helper()
	var object client.Object
	switch meta := (metav1.ObjectMeta{Namespace: n.namespace, Name: name}); kind {
	case "deployment":
		object = &appsv1.Deployment{ObjectMeta: meta}
	case "service":
		object = &corev1.Service{ObjectMeta: meta}
	case "namespace":
		object = &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: name}}
	default:
		n.t.Fatalf("the newcomer of these tests cannot patch a %s", kind)
	}
	if err := running.kube.Patch(n.t.Context(), object, client.RawPatch(types.MergePatchType, []byte(patch))); err != nil {
		n.t.Fatal(err)
	}
}

// awaitRollout is `kubectl rollout status deployment`.
func (n *newcomer) awaitRollout(name string) {
	n.t.Helper()
	n.await("the rollout of "+name, func(ctx context.Context) (bool, string) {
		d := &appsv1.Deployment{}
		if err := running.kube.Get(ctx, n.key(name), d); err != nil {
			return false, err.Error()
		}
		s := d.Status
		return s.ObservedGeneration == d.Generation && s.UpdatedReplicas == *d.Spec.Replicas && s.Replicas == s.UpdatedReplicas &&
			s.AvailableReplicas == s.UpdatedReplicas, fmt.Sprintf("%+v", s)
	})
}

// piped matches a command that applies the object of a text.
var piped = regexp.MustCompile(`^printf '%s\\n' '(.*)' \| kubectl apply -f -$`)

// obeys types the commands of an application's condition until it is Ready.
func (n *newcomer) obeys(app string) {
	n.t.Helper()
	obeyed := map[string]bool{}
	for range 6 {
		var command string
		n.await("a command to type, or "+app+" to be Ready", func(ctx context.Context) (bool, string) {
			bg := &v1alpha1.BlueGreen{}
			if err := running.kube.Get(ctx, n.key(app), bg); err != nil || len(bg.Status.Conditions) == 0 {
				return false, fmt.Sprint("no condition ", err)
			}
			c := bg.Status.Conditions[0]
			if command = ""; c.Reason == v1alpha1.ReasonReady {
				return true, ""
			}
			if commands := bg.Status.CommandsOf(v1alpha1.ConditionReady); len(commands) > 0 {
				command = string(commands[0])
			}
			return command != "" && !obeyed[command], c.Message
		})
		if command == "" {
			return
		}
		obeyed[command] = true
		for line := range strings.SplitSeq(command, " && ") {
			if text := piped.FindStringSubmatch(line); text != nil {
				u := &unstructured.Unstructured{}
				if err := u.UnmarshalJSON([]byte(text[1])); err != nil {
					n.t.Fatalf("%s: %v", line, err)
				}
				n.create(u)
				continue
			}
			n.types(line)
		}
	}
	n.t.Fatalf("%s is not Ready after all these advised commands: %v", app, obeyed)
}

func (n *newcomer) annotate(namespace string, pairs []string) {
	n.t.Helper()
	annotations := map[string]string{}
	for _, pair := range pairs {
		key, value, _ := strings.Cut(pair, "=")
		annotations[key] = value
	}
	patch, err := json.Marshal(map[string]any{"metadata": map[string]any{"annotations": annotations}})
	if err != nil {
		n.t.Fatal(err)
	}
	ns := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: namespace}}
	if err := running.kube.Patch(n.t.Context(), ns, client.RawPatch(types.MergePatchType, patch)); err != nil {
		n.t.Fatal(err)
	}
}

// inTheSandbox adapts an object to the sandbox. All Ingresses share one address here, so
// each needs a host. The load balancer is faster than Google's, so the proof is shorter.
func (n *newcomer) inTheSandbox(u *unstructured.Unstructured) {
	switch u.GetKind() {
	case "Ingress":
		setHost(n.t, u, n.host())
	case "BlueGreen":
		for _, field := range []string{"baseline", "tail"} {
			set(n.t, u, (v1alpha1.DefaultTail / speed).String(), "spec", "proof", field)
		}
	}
}

// submit is `gcloud builds submit`.
func (n *newcomer) submit(line string, words []string) {
	n.t.Helper()
	flags := pflag.NewFlagSet("gcloud builds submit", pflag.ContinueOnError)
	project, config := flags.String("project", "", ""), flags.String("config", "cloudbuild.yaml", "")
	substitutions := flags.StringToString("substitutions", nil, "")
	if err := flags.Parse(words); err != nil || flags.NArg() != 1 {
		n.t.Fatalf("%s: %v, arguments %q", line, err, flags.Args())
	}
	text, err := os.ReadFile(filepath.Join(n.dir, *config))
	if err != nil {
		n.t.Fatal(err)
	}
	build := &cloudbuildpb.Build{}
	asJSON, err := yaml.YAMLToJSON(text)
	if err = errors.Join(err, protojson.Unmarshal(asJSON, build)); err != nil {
		n.t.Fatalf("%s: %v", *config, err)
	}
	build.Substitutions = *substitutions
	build.Source = &cloudbuildpb.Source{Source: &cloudbuildpb.Source_StorageSource{
		StorageSource: n.upload(*project+"_cloudbuild", filepath.Join(n.dir, flags.Arg(0))),
	}}
	n.build(*project, build)
}

// upload packs a folder and uploads it to a bucket.
func (n *newcomer) upload(bucket, dir string) *cloudbuildpb.StorageSource {
	n.t.Helper()
	var content bytes.Buffer
	zipped := gzip.NewWriter(&content)
	packed := tar.NewWriter(zipped)
	if err := errors.Join(packed.AddFS(os.DirFS(dir)), packed.Close(), zipped.Close()); err != nil {
		n.t.Fatal(err)
	}
	name := "source/" + n.namespace + ".tgz"
	running.Storage.CreateObject(fakestorage.Object{
		ObjectAttrs: fakestorage.ObjectAttrs{BucketName: bucket, Name: name}, Content: content.Bytes(),
	})
	return &cloudbuildpb.StorageSource{Bucket: bucket, Object: name}
}

// build runs a build and waits until it succeeds.
func (n *newcomer) build(project string, build *cloudbuildpb.Build) {
	n.t.Helper()
	api, err := cloudbuild.NewClient(n.t.Context(), option.WithEndpoint(running.CloudBuild.Endpoint()), option.WithoutAuthentication(),
		option.WithGRPCDialOption(grpc.WithTransportCredentials(insecure.NewCredentials())))
	if err != nil {
		n.t.Fatal(err)
	}
	defer api.Close()
	operation, err := api.CreateBuild(n.t.Context(), &cloudbuildpb.CreateBuildRequest{ProjectId: project, Build: build})
	if err != nil {
		n.t.Fatal(err)
	}
	metadata, err := operation.Metadata()
	if err != nil {
		n.t.Fatal(err)
	}
	id := metadata.GetBuild().GetId()
	n.await("the first image", func(ctx context.Context) (bool, string) {
		found, err := api.GetBuild(ctx, &cloudbuildpb.GetBuildRequest{ProjectId: project, Id: id})
		return found.GetStatus() == cloudbuildpb.Build_SUCCESS, fmt.Sprint(found.GetStatus(), err, running.Builder.Log(id))
	})
}
