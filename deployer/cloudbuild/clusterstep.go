package cloudbuild

import (
	"slices"
	"strings"

	"cloud.google.com/go/cloudbuild/apiv1/v2/cloudbuildpb"
)

// builderTools maps the last segment of a builder image's path to its entrypoint, which runs when
// a step names none. Other images are assumed to have none: their first argument is the command.
var builderTools = map[string]string{
	"kubectl": "kubectl", "k8s-kubectl": "kubectl", "gke-deploy": "gke-deploy", "helm": "helm", "k8s-helm": "helm", "helmfile": "helmfile",
	"skaffold": "skaffold", "k8s-skaffold": "skaffold", "kustomize": "kustomize", "argocd": "argocd",
	"gcloud": "gcloud", "docker": "docker", "compose": "docker-compose", "docker-compose": "docker-compose", "git": "git", "gsutil": "gsutil",
	"curl": "curl", "wget": "wget", "bazel": "bazel",
	"executor": "executor", "pack": "pack", "ko": "ko", "crane": "crane", "buildah": "buildah", "podman": "podman", "maven": "mvn",
	"npm": "npm", "yarn": "yarn", "go": "go", "mvn": "mvn", "gradle": "gradle", "terraform": "terraform",
}

// step looks at a step's script, or at its single command if it has none.
func (s *sight) step(step *cloudbuildpb.BuildStep) {
	s.speaks = suggests.MatchString(step.GetScript()) || suggests.MatchString(strings.Join(step.GetArgs(), " "))
	if script := step.GetScript(); script != "" {
		s.runScript(script)
		return
	}
	argv := make([]word, 0, len(step.GetArgs())+2)
	for _, text := range append(strings.Fields(step.GetEntrypoint()), step.GetArgs()...) {
		argv = append(argv, argument(text))
	}
	if step.GetEntrypoint() == "" {
		builder := programOf(lastSegment(step.GetName()))
		tool := builderTools[builder]
		switch {
		case tool != "" && (len(argv) == 0 || lastSegment(argv[0].text) != tool):
			argv = append(plainWords([]string{tool}), argv...)
		case tool == "" && suggests.MatchString(builder) && !isCommand(argv):
			s.cannotSee("runs in the builder " + clipped(builder))
			return
		}
	}
	if len(argv) == 0 {
		return
	}
	s.run(argv, input{})
	if step.GetEntrypoint() == "" && argv[0].text == "kustomize" && slices.Contains(step.GetEnv(), "APPLY=true") {
		// The builder of cloud-builders-community then pipes its output to kubectl apply.
		s.change(`runs "kustomize" with APPLY=true, which ends in "kubectl apply"`)
	}
}

// runScript looks at a script field. It is a shell script unless its first line names another
// interpreter.
func (s *sight) runScript(script string) {
	by := interpreter(script)
	if slices.Contains(shells, by) {
		s.script(script)
		return
	}
	s.others = note(s.others, "a script for "+clipped(by))
	if s.suspect || suggests.MatchString(script) {
		s.cannotSee("runs a script for " + clipped(by))
	}
}

// argument is an argument of a step. Cloud Build replaces its substitutions, and $$ with a
// dollar.
func argument(text string) word {
	replaced := strings.Contains(strings.ReplaceAll(text, "$$", ""), "$")
	return word{text: strings.ReplaceAll(text, "$$", "$"), known: !replaced}
}
