package cloudbuild

import (
	"fmt"
	"path"
	"regexp"
	"slices"
	"strings"

	"cloud.google.com/go/cloudbuild/apiv1/v2/cloudbuildpb"
)

// clusterBuilders are builder images, by the last segment of their path, that
// exist to change a cluster. A step in one is a cluster step whatever it runs,
// a shell included: the image is chosen for its tool and its credentials.
var clusterBuilders = []string{"kubectl", "gke-deploy", "helm", "helmfile", "kustomize", "skaffold", "k8s-skaffold"}

// clusterTools are commands that change a cluster, with the sub-commands that
// only look or render; any other sub-command counts. Without one of those
// lists, every use counts.
var clusterTools = map[string][]string{
	"kubectl":    {"version", "kustomize", "config", "completion", "help"},
	"gke-deploy": {"prepare"},
	"helm":       {"version", "lint", "template", "package", "push", "pull", "repo", "dependency", "registry", "show", "help"},
	"helmfile":   {"lint", "template", "version"},
	"skaffold":   {"build", "render", "version", "test", "diagnose"},
}

// gcloudCluster are the command groups of gcloud that deploy something or open
// a cluster (get-credentials serves nothing else). "container images" and
// "container binauthz" are about images and stay.
var gcloudCluster = regexp.MustCompile(`^(?:container (?:clusters|node-pools|fleet|hub|attached|aws|azure|operations)|deploy (?:releases|rollouts|apply|targets)|run (?:deploy|services|jobs|worker-pools)|app deploy|functions deploy)\b`)

var shells = []string{"sh", "bash", "dash", "ash", "zsh", "busybox"}

// commandStart splits a script where a new command may begin. Quoting is not
// understood: in doubt a text that looks like a command is taken for one.
var commandStart = regexp.MustCompile("\\|\\||&&|\\$\\(|[\n;|&(){}`]")

// changesCluster says in words why a step would change the cluster, or "".
func changesCluster(step *cloudbuildpb.BuildStep) string {
	if builder := lastSegment(step.GetName()); slices.Contains(clusterBuilders, builder) {
		return fmt.Sprintf("runs in the builder %s", builder)
	}
	for _, command := range commands(step) {
		if what := clusterCommand(command); what != "" {
			return fmt.Sprintf("runs %q", what)
		}
	}
	return ""
}

// buildsImage tells whether a step also makes an image, so that the build
// cannot do without it.
func buildsImage(step *cloudbuildpb.BuildStep) bool {
	for _, command := range commands(step) {
		text := strings.Join(command, " ")
		for _, maker := range []string{"docker build", "docker push", "docker buildx", "buildah ", "kaniko", "executor ", "pack build", "skaffold build", "gcloud builds submit", "ko build", "bazel "} {
			if strings.Contains(text+" ", maker) {
				return true
			}
		}
	}
	return false
}

// commands are the commands a step runs, each as words: those of its script,
// of the text it gives a shell, or its one plain command.
func commands(step *cloudbuildpb.BuildStep) [][]string {
	if step.GetScript() != "" {
		return scriptCommands(step.GetScript())
	}
	argv := step.GetArgs()
	if entry := step.GetEntrypoint(); entry != "" {
		argv = slices.Concat(strings.Fields(entry), argv)
	} else {
		argv = slices.Concat([]string{defaultCommand(step.GetName())}, argv)
	}
	if len(argv) > 0 && slices.Contains(shells, path.Base(argv[0])) {
		return scriptCommands(strings.Join(argv[1:], "\n"))
	}
	return [][]string{argv}
}

// defaultCommand is what a builder runs when the step names no entrypoint.
// Only gcloud's matters here; the SDK images have none, so the first argument
// is the command already.
func defaultCommand(image string) string {
	if name := lastSegment(image); name == "gcloud" || name == "docker" {
		return name
	}
	return ""
}

// scriptCommands splits a shell script into commands, comments left out.
func scriptCommands(script string) [][]string {
	script = strings.ReplaceAll(script, "\\\n", " ")
	var out [][]string
	for line := range strings.Lines(script) {
		if strings.HasPrefix(strings.TrimSpace(line), "#") {
			continue
		}
		for _, part := range commandStart.Split(line, -1) {
			if words := strings.Fields(part); len(words) > 0 {
				out = append(out, words)
			}
		}
	}
	return out
}

// prefixes are words that may stand before the command itself.
var prefixes = []string{"", "sudo", "exec", "time", "xargs", "env", "then", "do", "else", "if", "while", "until", "!", "nohup", "command"}

var assignment = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*=`)

// clusterCommand is the tool and sub-command that would change the cluster, or
// "".
func clusterCommand(words []string) string {
	for len(words) > 0 && (slices.Contains(prefixes, words[0]) || assignment.MatchString(words[0])) {
		words = words[1:]
	}
	if len(words) == 0 {
		return ""
	}
	tool := path.Base(words[0])
	plain := withoutFlags(words[1:])
	if tool == "gcloud" {
		return gcloudCommand(plain)
	}
	harmless, known := clusterTools[tool]
	if !known || len(plain) > 0 && slices.Contains(harmless, plain[0]) {
		return ""
	}
	return strings.TrimSpace(tool + " " + strings.Join(plain[:min(1, len(plain))], ""))
}

func gcloudCommand(plain []string) string {
	if len(plain) > 0 && slices.Contains([]string{"beta", "alpha", "preview"}, plain[0]) {
		plain = plain[1:]
	}
	if found := gcloudCluster.FindString(strings.Join(plain, " ")); found != "" {
		return "gcloud " + found
	}
	return ""
}

// withoutFlags drops options; the value of a "--flag value" stays, which can
// only make a command look more dangerous, never less: a harmless word that is
// a flag's value is followed by the true sub-command, so values of the common
// global flags are dropped too.
func withoutFlags(words []string) []string {
	var out []string
	for i := 0; i < len(words); i++ {
		if !strings.HasPrefix(words[i], "-") {
			out = append(out, strings.Trim(words[i], `"'`))
			continue
		}
		if slices.Contains([]string{"-n", "--namespace", "--context", "--kubeconfig", "--cluster", "--project", "--account", "--kube-context", "--user", "-s", "--server"}, words[i]) {
			i++
		}
	}
	return out
}
