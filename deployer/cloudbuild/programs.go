package cloudbuild

import (
	"path"
	"regexp"
	"slices"
	"strings"
)

// programOf is the program that a word names.
func programOf(text string) string { return versioned.ReplaceAllString(path.Base(text), "$1") }

// versioned matches the version that some images add to a program's name: helm3, kubectl.1.29.
var versioned = regexp.MustCompile(`^(kubectl|oc|helm|helmfile|kustomize|skaffold|argocd)[-_.]?v?[0-9][0-9.]*$`)

var shells = []string{"sh", "bash", "dash", "ash", "zsh", "ksh", "mksh"}

// interpreter is the base name of the program in a script's first line; "sh" if there is none.
func interpreter(script string) string {
	first, _, _ := strings.Cut(script, "\n")
	line, ok := strings.CutPrefix(first, "#!")
	if !ok {
		return "sh"
	}
	for part := range strings.FieldsSeq(line) {
		if base := path.Base(part); base != "env" && !strings.HasPrefix(part, "-") && !strings.Contains(part, "=") {
			return base
		}
	}
	return ""
}

// utilities never change a cluster, whatever their arguments.
var utilities = strings.Fields(`echo printf cat cp mv mkdir rm rmdir ls cd pwd test [ true false : sed awk grep egrep tr head tail sort
	uniq cut wc date sleep export set unset read wait exit return shift local declare readonly git curl wget tar unzip zip gzip gunzip jq yq
	envsubst tee touch chmod chown ln find basename dirname id whoami hostname uname which type hash diff cmp stat du df seq expr let printenv
	apt-get apt apk yum dnf pip pip3 gsutil bq firebase openssl base64 sha256sum md5sum kustomize cosign trivy syft grype pushd popd alias
	shopt
	ulimit umask getopts break continue mktemp xxd file install
	kubeval kubeconform kube-score kube-linter kubesec kubeseal kubent pluto polaris conftest helm-docs datree checkov kustomize-sops ytt
	kbld imgpkg`)

// deployers change clusters, with commands that Turnout does not know.
var deployers = strings.Fields("flux istioctl werf kluctl tilt devspace garden okteto tk spin waypoint velero ct nomos kn kots")

// runners are programs whose first argument is the action.
var runners = strings.Fields("make npm yarn pnpm npx bun task just rake bundle go mvn gradle ./gradlew gradlew ant bazel python python3 " +
	"node ruby terraform pulumi ansible-playbook " +
	"docker podman crane pack ko buildah helmsman invoke poetry tox nox cargo dotnet sbt")

func imageMaker(tool string) bool {
	return slices.Contains([]string{"buildah", "kaniko", "executor", "pack", "ko", "bazel", "img", "buildctl", "crane", "jib", "nixpacks"},
		tool)
}

// suggests matches words about deploying.
var suggests = regexp.MustCompile(`(?i)deploy|roll-?out|kube|k8s|helm|argo-?cd|terraform|pulumi|ansible|blue-?green|cut-?over|go-?live`)
