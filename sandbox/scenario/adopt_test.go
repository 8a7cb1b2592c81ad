package scenario

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/yaml"

	"github.com/turnout-dev/turnout/api/v1alpha1"
	"github.com/turnout-dev/turnout/sandbox/turnout"
)

// adopts is a newcomer who types the commands of docs/adopt.md, in their order. What the page
// says about the way back is left out.
type adopts struct{ *newcomer }

// wayBack introduces a command of the page that is for another day.
const wayBack = "The way back, until"

// shopOf is the page's namespace, in its commands and in the names of files.
var shopOf = regexp.MustCompile(`\bshop\b`)

// commands are those of the page.
func (n adopts) commands() []string {
	n.t.Helper()
	text, err := os.ReadFile(filepath.Join(project, "docs/adopt.md"))
	if err != nil {
		n.t.Fatal(err)
	}
	var all []string
	back := false
	for line := range strings.Lines(string(text)) {
		back = back || strings.HasPrefix(line, wayBack)
		if found := command.FindStringSubmatch(line); found != nil {
			if !back {
				all = append(all, shopOf.ReplaceAllString(found[1], n.namespace))
			}
			back = false
		}
	}
	return all
}

// clones makes the newcomer's copy a clone of the repository.
func (n adopts) clones() {
	n.t.Helper()
	if err := os.Mkdir(filepath.Join(n.dir, ".git"), 0o700); err != nil {
		n.t.Fatal(err)
	}
	n.writes(".git/HEAD", "ref: refs/heads/main\n")
	n.writes(".git/config", "[remote \"origin\"]\n\turl = https://github.com/"+n.repository()+".git\n")
}

// typesOne types one command of the page.
func (n adopts) typesOne(line string) {
	n.t.Helper()
	words := strings.Fields(line)
	switch {
	case words[0] == "turnout":
		program, err := filepath.Abs(turnout.Binary(project))
		if err != nil {
			n.t.Fatal(err)
		}
		cmd := exec.CommandContext(n.t.Context(), program, words[1:]...)
		cmd.Dir, cmd.Env = n.dir, append(os.Environ(), "KUBECONFIG="+running.Kubeconfig)
		if out, err := cmd.CombinedOutput(); err != nil {
			n.t.Fatalf("%s: %v\n%s", line, err, out)
		}
	case strings.HasPrefix(line, "kubectl create -f "), strings.HasPrefix(line, "kubectl apply -f "):
		for i, word := range words {
			if word == "-f" {
				n.applyFile(filepath.Join(n.dir, words[i+1]), n.inTheSandbox)
			}
		}
	case strings.HasPrefix(line, "kubectl patch namespace "):
		n.patchText("namespace", words[3], words[5])
	case strings.HasPrefix(line, "kubectl patch service "):
		n.patchText("service", words[3], words[len(words)-1])
	case strings.HasPrefix(line, "kubectl rollout status deployment "):
		n.awaitRollout(words[4])
	case strings.HasPrefix(line, "kubectl get bluegreen "):
		n.awaitReasonOf(words[3], v1alpha1.ReasonReady)
	case strings.HasPrefix(line, "kubectl scale deployment "):
		n.patch("deployment", words[3], `{"spec":{"replicas":`+strings.TrimPrefix(words[4], "--replicas=")+`}}`)
	default:
		n.t.Fatalf("the newcomer of this test cannot type %s", line)
	}
}

// patchText is `kubectl patch --patch-file`.
func (n adopts) patchText(kind, name, file string) {
	n.t.Helper()
	text, err := os.ReadFile(filepath.Join(n.dir, file))
	if err == nil {
		text, err = yaml.YAMLToJSON(text)
	}
	if err != nil {
		n.t.Fatal(err)
	}
	n.patch(kind, name, string(text))
}

// inTheSandbox gives the application the address where this load balancer answers.
func (n adopts) inTheSandbox(u *unstructured.Unstructured) {
	n.newcomer.inTheSandbox(u)
	if u.GetKind() == "BlueGreen" {
		set(n.t, u, n.fillIn("URL"), "spec", "url")
	}
}

// One Deployment, Service and Ingress become two colours by the page's own commands, then
// comes the first release, and then the end of what was there. No request fails meanwhile.
func TestAdoptByThePageUnderLoad(t *testing.T) {
	t.Parallel()
	n := adopts{newNewcomer(t, "adopt", example)}
	n.empties()
	// As found: without a BackendConfig, so that connections do not drain.
	undrained := strings.Replace(oneOfEach, "  annotations: {cloud.google.com/backend-config: '{\"default\": \"web\"}'}\n", "", 1)
	_, undrained, _ = strings.Cut(undrained, "\n---\n")
	n.writes("k8s/web.yaml", undrained)
	for _, line := range n.instructions() {
		if !strings.Contains(line, " annotate ") { // the page grants
			n.types(line)
		}
	}
	n.empties()
	n.clones()
	n.awaitEverywhere("/", "v1.0.0+first")
	stop := n.uses("/")
	commands := n.commands()
	last := len(commands) - 1
	if !strings.HasPrefix(commands[last], "kubectl scale deployment web --replicas=0") || len(commands) < 9 {
		t.Fatalf("the page's commands are %q", commands)
	}
	for _, line := range commands[:last] {
		t.Log(line)
		n.typesOne(line)
	}
	pr := n.pushes()
	expectMeasured(t, n.followRelease("the first release to be watched", of("web", pr), watched), "")
	n.awaitEverywhere("/", "v1.0.0+"+pr.MergeCommit()[:12])
	n.typesOne(commands[last])
	n.awaitRollout("web")
	stop()
}
