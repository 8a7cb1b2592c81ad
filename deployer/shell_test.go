package deployer

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"mvdan.cc/sh/v3/syntax"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/turnout-dev/turnout/api/v1alpha1"
	"github.com/turnout-dev/turnout/deployer/track"
)

// kubectl carries out a command as kubectl does, against the API server. It does not wait for
// rollouts: nothing runs pods here.
func (w *world) kubectl(c v1alpha1.ShellCommand) {
	w.t.Helper()
	file, err := syntax.NewParser(syntax.Variant(syntax.LangPOSIX)).Parse(strings.NewReader(string(c)), "")
	check(w.t, err)
	syntax.Walk(file, func(n syntax.Node) bool {
		if call, ok := n.(*syntax.CallExpr); ok {
			w.carryOut(wordsOf(w.t, call))
			return false
		}
		return true
	})
}

func (w *world) carryOut(words []string) {
	w.t.Helper()
	if slices.Contains(words, "rollout") {
		return
	}
	var args []string // without flags
	namespace, patch, overwrite := "", "", false
	for i := 1; i < len(words); i++ {
		switch words[i] {
		case "-n":
			namespace, i = words[i+1], i+1
		case "--type":
			i++
		case "-p":
			patch, i = words[i+1], i+1
		case "--overwrite":
			overwrite = true
		default:
			args = append(args, words[i])
		}
	}
	kinds := map[string]client.Object{
		"bluegreen": &v1alpha1.BlueGreen{}, "service": &corev1.Service{}, "deployment": &appsv1.Deployment{}, "namespace": &corev1.Namespace{},
	}
	object := kinds[args[1]]
	if words[0] != "kubectl" || object == nil {
		w.t.Fatalf("this test does not know the kubectl command %q", words)
	}
	key := types.NamespacedName{Namespace: namespace, Name: args[2]}
	check(w.t, w.kube.Get(w.t.Context(), key, object))
	before := object.DeepCopyObject().(client.Object)
	switch args[0] {
	case "patch":
		check(w.t, w.kube.Patch(w.t.Context(), object, client.RawPatch(types.MergePatchType, []byte(patch))))
		return
	case "annotate":
		all := object.GetAnnotations()
		if all == nil {
			all = map[string]string{}
		}
		for _, arg := range args[3:] {
			name, value, _ := strings.Cut(arg, "=")
			if _, found := all[name]; found && !overwrite {
				w.t.Errorf("%q is refused where the annotation is set", words)
			}
			all[name] = value
		}
		object.SetAnnotations(all)
		check(w.t, w.kube.Patch(w.t.Context(), object, client.MergeFrom(before)))
	default:
		w.t.Fatalf("this test cannot run %q", words)
	}
}

// wordsOf are the words of a call that need no expansion by a shell.
func wordsOf(t testing.TB, call *syntax.CallExpr) []string {
	t.Helper()
	var words []string
	for _, arg := range call.Args {
		var text strings.Builder
		for _, part := range arg.Parts {
			switch part := part.(type) {
			case *syntax.Lit:
				text.WriteString(strings.ReplaceAll(part.Value, `\'`, "'"))
			case *syntax.SglQuoted:
				text.WriteString(part.Value)
			default:
				t.Fatalf("a shell expands something in %T", part)
			}
		}
		words = append(words, text.String())
	}
	return words
}

// The API server accepts a condition's command, also the second time, and the condition
// disappears.
func TestTheCommandOfAConditionMendsIt(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.run()
	w.awaitReason(v1alpha1.ReasonReady)
	w.annotate(map[string]string{v1alpha1.RepositoriesAnnotation: "acme/another", v1alpha1.ProjectsAnnotation: ""})
	w.awaitReason(v1alpha1.ReasonNotGranted)
	commands := w.application().Status.CommandsOf(v1alpha1.ConditionReady)
	if len(commands) != 1 {
		t.Fatalf("the commands are %q", commands)
	}
	for range 2 {
		w.kubectl(commands[0])
	}
	w.awaitReason(v1alpha1.ReasonReady)
	var ns corev1.Namespace
	check(t, w.kube.Get(t.Context(), types.NamespacedName{Name: w.namespace}, &ns))
	if !v1alpha1.GrantsRepository(ns.Annotations[v1alpha1.RepositoriesAnnotation], "acme/another") {
		t.Errorf("the earlier grant is lost: %v", ns.Annotations)
	}
	if got := w.application().Status.Commands; len(got) > 0 {
		t.Errorf("the condition still has commands: %v", got)
	}
}

// The command that separates the colours labels the live pods' template before the selector
// requires the label. It may run twice, and leaves the rest of both objects unchanged.
func TestTheCommandThatSeparatesTheColoursKeepsTheOrder(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	bg := w.application()
	labels := map[string]string{"app": "web"}
	d := &appsv1.Deployment{ObjectMeta: metav1.ObjectMeta{Namespace: w.namespace, Name: "web"}}
	d.Spec.Selector = &metav1.LabelSelector{MatchLabels: labels}
	d.Spec.Template.Labels = labels
	d.Spec.Template.Spec.Containers = []corev1.Container{{Name: "app", Image: "r/app"}}
	check(t, w.kube.Create(t.Context(), d))
	s := &corev1.Service{
		ObjectMeta: metav1.ObjectMeta{Namespace: w.namespace, Name: "web"},
		Spec:       corev1.ServiceSpec{Selector: labels, Ports: []corev1.ServicePort{{Port: 80}}},
	}
	check(t, w.kube.Create(t.Context(), s))
	way := track.SeparateAdvice(bg,
		track.Side{Color: v1alpha1.Blue, Deployment: "web", Service: "web", Labels: labels, Selector: labels})
	order := regexp.MustCompile(`^kubectl patch deployment .* && kubectl rollout status deployment .* && kubectl patch service `)
	if len(way.Commands) != 1 || !order.MatchString(string(way.Commands[0])) {
		t.Fatalf("the commands are %q", way.Commands)
	}
	for range 2 {
		w.kubectl(way.Commands[0])
	}
	w.get(d)
	w.get(s)
	for what, got := range map[string]map[string]string{"template": d.Spec.Template.Labels, "selector": s.Spec.Selector} {
		if got["app"] != "web" || got["version"] != "blue" {
			t.Errorf("the labels of the %s are %v", what, got)
		}
	}
}

// typed matches a command with its object.
var typed = regexp.MustCompile(`\b(kubectl [a-z-]+|gcloud [a-z-]+|turnout (deploy|promote|rollback|cancel|confirm|status|releases)) .*( ` +
	`-n | --|%s|%q)`)

// quoted are texts that mention a command without offering it, and the usage's examples, whose
// names do not exist.
var quoted = []string{`runs "`, "kubectl apply wrote the routes", "turnout deploy my-python-app --commit SHA"}

// A command inside a text would be cut and neutralised with it, so Shell builds it, and it is
// stored beside the text.
func TestNoTextHasACommandInIt(t *testing.T) {
	t.Parallel()
	files := 0
	for _, dir := range []string{"../api", "../bot", "../cmd", "../deployer", "../internal/prose"} {
		check(t, filepath.WalkDir(dir, func(path string, _ fs.DirEntry, err error) error {
			if err != nil || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
				return err
			}
			files++
			file, err := parser.ParseFile(token.NewFileSet(), path, nil, 0)
			if err != nil {
				return err
			}
			ast.Inspect(file, func(n ast.Node) bool {
				lit, ok := n.(*ast.BasicLit)
				if !ok || lit.Kind != token.STRING {
					return true
				}
				text, err := strconv.Unquote(lit.Value)
				if err == nil && typed.MatchString(text) && !slices.ContainsFunc(quoted, func(q string) bool { return strings.Contains(text, q) }) {
					t.Errorf("%s: %q has a command in it", path, text)
				}
				return true
			})
			return nil
		}))
	}
	if files < 100 {
		t.Errorf("only %d files were read", files)
	}
}
