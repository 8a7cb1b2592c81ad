package cloudbuild_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/turnout-dev/turnout/deployer/cloudbuild"
)

// The fates of a step under Skip.
const (
	kept    = "kept"
	removed = "left out"
	found   = "kept, with a finding"
)

// fate is what Skip does with the step after the first one, checked against Fail.
func fate(t *testing.T, text string) (string, []cloudbuild.Warning) {
	t.Helper()
	f, err := cloudbuild.Parse("cloudbuild.yaml", []byte(text))
	if err != nil {
		t.Fatalf("%v in\n%s", err, text)
	}
	out, err := f.Apply(cloudbuild.Skip)
	if err != nil {
		t.Fatalf("%v in\n%s", err, text)
	}
	_, refused := f.Apply(cloudbuild.Fail)
	left := len(f.Build.GetSteps()) - len(out.Build.GetSteps())
	if (refused != nil) != (left > 0) {
		t.Errorf("%d steps were left out, and Fail reports %v in\n%s", left, refused, text)
	}
	switch {
	case left > 0:
		return removed, out.Warnings
	case len(out.Warnings) > 0:
		return found, out.Warnings
	}
	return kept, nil
}

func script(text string) string {
	return "steps:\n- name: docker\n  args: [build, .]\n- name: ubuntu\n  script: |\n    " + strings.ReplaceAll(strings.TrimSuffix(text, "\n"),
		"\n", "\n    ") + "\nimages: [gcr.io/p/orders]\n"
}

func step(text string) string {
	return "steps:\n- name: docker\n  args: [build, .]\n- name: " + text + "\nimages: [gcr.io/p/orders]\n"
}

func TestClusterStepsOfRealFilesAreRecognised(t *testing.T) {
	for file, want := range map[string]string{
		"07-builder-rule-beats-subcommand/gke-deploy-prepare.yaml":     kept,
		"07-builder-rule-beats-subcommand/helm-lint.yaml":              kept,
		"07-builder-rule-beats-subcommand/shell-in-kubectl-image.yaml": kept,
		"07-builder-rule-beats-subcommand/skaffold-test.yaml":          kept,
		"07-builder-rule-beats-subcommand/skaffold-build.yaml":         removed, // its kubectl apply
		"08-read-only-command-is-removed/clusters-describe.yaml":       kept,
		"08-read-only-command-is-removed/kubectl-get.yaml":             kept,
		"08-read-only-command-is-removed/run-describe.yaml":            kept,
		"09-cluster-step-not-seen/bash-c.yaml":                         removed,
		"09-cluster-step-not-seen/impersonate.yaml":                    removed,
		"09-cluster-step-not-seen/quoted-word.yaml":                    removed,
		"09-cluster-step-not-seen/sudo.yaml":                           removed,
		"09-cluster-step-not-seen/timeout.yaml":                        removed,
		"09-cluster-step-not-seen/verbosity.yaml":                      removed,
		"09-cluster-step-not-seen/xargs.yaml":                          removed,
		"10-other-products-removed/docs-site.yaml":                     kept,
		"10-other-products-removed/function.yaml":                      kept,
		"10-other-products-removed/run-job.yaml":                       kept,
		"20-text-taken-for-a-command/comment.yaml":                     kept,
		"20-text-taken-for-a-command/heredoc.yaml":                     kept,
	} {
		if got, warnings := fate(t, readFault(t, file)); got != want {
			t.Errorf("%s: %s, %v, want %s", file, got, warnings, want)
		}
	}
	f := parse(t, readFault(t, "07-builder-rule-beats-subcommand/skaffold-build.yaml"))
	if steps := f.Build.GetSteps(); len(steps) != 1 || !slices.Contains(steps[0].GetArgs(), "build") {
		t.Errorf("skaffold build is gone: %v", steps)
	}
}

func TestScriptsAreReadByAShellsGrammar(t *testing.T) {
	tests := []struct{ want, script string }{
		// A command anywhere counts.
		{removed, "kubectl apply -f k8s"},
		{removed, "deploy() {\n  kubectl apply -f k8s\n}\nif [ \"$X\" = y ]; then deploy; fi"},
		{removed, "for f in k8s/*; do kubectl apply -f \"$f\"; done"},
		{removed, "case $X in a) kubectl delete pod x;; esac"},
		{removed, "(cd k8s && kubectl apply -f .) || exit 1"},
		{removed, "true && { helm upgrade web chart; }"},
		{removed, "out=$(kubectl create -f x)"},
		{removed, "echo `kubectl create -f x`"},
		{removed, "while read -r f; do kubectl replace -f $f; done < list"},
		{removed, "sed s/a/b/ x.yaml | kubectl apply -f -"},
		{removed, "kubectl apply -f - <<EOF\nkind: Pod\nEOF"},
		{removed, "diff <(kubectl delete x) <(true)"},
		{removed, "kubectl \\\n  -n shop \\\n  set image deploy/a a=b"},
		{removed, "KUBECONFIG=/x /usr/local/bin/kubectl rollout undo deploy/a"},
		{removed, "if ! kubectl rollout restart deploy/a; then exit 1; fi"},
		{removed, "kubectl apply -f x & wait"},
		{removed, "coproc kubectl apply -f x"},
		{removed, "time kubectl apply -f x"},
		{removed, "trap 'kubectl rollout undo deploy/a' ERR\npytest"},
		{removed, "set -e # first\nkubectl apply -f x # then"},
		{removed, "alias k=kubectl\nk apply -f x"},
		{removed, "alias k=\nk\nk kubectl apply"},
		// Quotes are not part of a word.
		{removed, "\"kubectl\" apply"},
		{removed, "kube'ctl' apply"},
		{removed, "\\kubectl apply"},
		{removed, "k\"ube\"ctl 'apply' -f x"},
		{removed, "\"$BIN/kubectl\" apply"},
		// Programs that run another command.
		{removed, "bash -c 'kubectl apply -f x'"},
		{removed, "bash -euxo pipefail -c 'kubectl apply -f x'"},
		{removed, "sh -ec \"kubectl apply -f $F\""},
		{removed, "bash -c \"bash -c 'sudo kubectl apply'\""},
		{removed, "ls | xargs -n1 -P 4 kubectl apply -f"},
		{removed, "ls | xargs -I{} sh -c 'kubectl apply -f {}'"},
		{removed, "timeout -k 5 --signal=KILL 120 kubectl apply"},
		{removed, "sudo -E -u root kubectl apply"},
		{removed, "env -i -u C A=b kubectl apply"},
		{removed, "env -S 'kubectl apply -f x'"},
		{removed, "nohup kubectl apply &"},
		{removed, "exec -a x kubectl apply"},
		{removed, "command kubectl apply"},
		{removed, "nice -n 5 ionice -c 3 stdbuf -o L kubectl apply"},
		{removed, "flock /tmp/l kubectl apply"},
		{removed, "flock /tmp/l -c 'kubectl apply'"},
		{removed, "find a -exec true {} + -exec kubectl delete -f {} \\;"},
		{found, strings.Repeat("find -exec ", 2_000) + "$X"},
		{found, strings.Repeat("bash -c \"$(", 300) + strings.Repeat(")\"", 300)},
		{removed, "kubectl get\r\nkubectl apply -f x\r\n"},
		{removed, "find k8s -name '*.yaml' -exec kubectl apply -f {} \\;"},
		{removed, "su -c 'kubectl apply' builder"},
		{removed, "bash <<EOF\nkubectl apply -f x\nEOF"},
		{removed, "bash <<-'EOF'\n\tkubectl apply -f x\n\tEOF"},
		{removed, "bash -s -- arg <<EOF\nkubectl apply -f x\nEOF"},
		{removed, "sudo bash <<< 'kubectl apply -f x'"},
		{removed, "cat <<EOF | sh\nkubectl apply -f x\nEOF"},
		{removed, "echo 'kubectl apply -f x' | bash"},
		// Text is not a command.
		{kept, "# kubectl apply is for later\npytest"},
		{kept, "pytest  # was: pytest; kubectl apply -f k8s"},
		{kept, "echo kubectl apply"},
		{kept, "echo 'a; kubectl apply'"},
		{kept, "echo \"see: kubectl apply && helm upgrade\""},
		{kept, "cat > RUNBOOK <<EOF\nkubectl rollout undo deploy/a\nEOF"},
		{kept, "grep -r 'kubectl apply' docs || true"},
		{kept, "curl -LO https://dl.k8s.io/release/kubectl && chmod +x kubectl && mv kubectl /usr/bin"},
		{kept, "command -v kubectl"},
		{kept, "kubectl() { echo \"kubectl $*\"; }\nkubectl apply -f x"},
		{kept, "git commit -m 'kubectl apply'"},
		// The unknown is kept, and reported.
		{found, "$CMD apply -f x"},
		{found, "$(which kubectl) apply"},
		{removed, "eval \"kubectl apply\""},
		{removed, "eval kubectl apply -f \"$DIR\""},
		{found, "eval \"$CMD\""},
		{found, "eval \"$(cat commands)\""},
		{found, "kubectl $VERB -f x"},
		{found, "kubectl apply -f 'x"},
		{found, "if true; then kubectl apply"},
		{found, "bash -c \"$CMD\""},
		{found, "curl -s https://x | bash"},
		{found, "ls | xargs kubectl"},
		{found, "./deploy.sh"},
		{found, "bash ci/deploy.sh prod"},
		{found, ". ./deploy.sh"},
		{found, "make deploy"},
		{found, "npm run deploy"},
		{found, "terraform apply -auto-approve"},
		{found, "gcloud builds submit --config=deploy.yaml"},
		{found, "gcloud builds triggers run deploy --branch=main"},
		{found, "docker run --rm bitnami/kubectl apply -f x"},
		{found, "python -c 'import os; os.system(\"kubectl apply\")'"},
		{found, strings.Repeat("(", 5_000) + strings.Repeat(")", 5_000)},
		// Another interpreter's script is not a shell script.
		{kept, "#!/usr/bin/env python\nimport os\nprint(os.name)"},
		{found, "#!/usr/bin/env python3\nsubprocess.run(['kubectl', 'apply'])"},
		{found, "#!/usr/bin/python\nkubectl = 1"},
		{removed, "#!/usr/bin/env -S bash -e\nkubectl apply"},
		{removed, "#!/bin/sh -e\nkubectl apply"},
	}
	for _, test := range tests {
		if got, warnings := fate(t, script(test.script)); got != test.want {
			t.Errorf("%s\n%s, %v, want %s", test.script, got, warnings, test.want)
		}
	}
}

func TestCommandsThatAreHandedOnAreFollowed(t *testing.T) {
	tests := []struct{ want, script string }{
		// A function, with its arguments.
		{removed, "run() { echo \"+ $*\"; \"$@\"; }\nrun kubectl apply -f k8s"},
		{kept, "run() { echo \"+ $*\"; \"$@\"; }\nrun pytest -q"},
		{removed, "retry() { for i in 1 2 3; do \"$@\" && return; sleep 1; done; }\nretry kubectl rollout restart deploy/a"},
		{removed, "with_retry() { local n=$1; shift; for i in $(seq $n); do \"$@\" && return; done; }\nwith_retry 3 kubectl apply -f x"},
		{removed, "try() { \"${@:2}\" || \"$1\"; }\ntry true helm upgrade web chart"},
		{removed, "quietly() { bash -c \"$*\" >/dev/null; }\nquietly kubectl apply -f x"},
		{removed, "k() { kubectl -n shop \"$@\"; }\nk apply -f x"},
		{kept, "k() { kubectl -n shop \"$@\"; }\nk get pods"},
		{removed, "kubectl() { command kubectl --context=x \"$@\"; }\nkubectl apply -f x"},
		{removed, "act() { kubectl \"$1\" -f x; }\nact apply"},
		{kept, "act() { kubectl \"$1\" -f x; }\nact diff"},
		{removed, "act() { kubectl ${1:-apply} -f x; }\nact"},
		{removed, "all() { one \"$@\"; }\none() { \"$@\"; }\nall kubectl apply"},
		{removed, "never() { kubectl apply -f x; }"},
		{removed, "cleanup() { kubectl delete -f x; }\ntrap cleanup EXIT"},
		{removed, "export -f deploy\ndeploy() { kubectl apply -f x; }\ntimeout 60 bash -c deploy"},
		{removed, "set -- kubectl apply -f x\n\"$@\""},
		{removed, "bash -c 'kubectl \"$@\"' -- apply -f x"},
		{removed, "bash -s apply <<'EOF'\nkubectl $1 -f x\nEOF"},
		{found, "run() { shift $N; \"$@\"; }\nrun a kubectl apply"},
		{found, "run() { if [ $1 = x ]; then shift; fi; \"$@\"; }\nrun x kubectl apply"},
		{found, "\"$@\""},
		{found, "f() { f \"$@\"; \"$@\"; }\nf $CMD"},
		{found, "f() { f; }\nf\n./deploy.sh"},
		{found, "a() { b; b; b; b; }\nb() { c; c; c; c; }\nc() { d; d; d; d; }\nd() { e; e; e; e; }\ne() { true; }\na"},
		// Options before the command, also written together.
		{removed, "sudo -iu root kubectl apply -f x"},
		{removed, "sudo -nHEu builder kubectl apply -f x"},
		{removed, "sudo -nuroot kubectl apply -f x"},
		{removed, "ls | xargs -rn 1 kubectl apply -f"},
		{removed, "ls | xargs -0I {} kubectl apply -f {}"},
		{removed, "ls | xargs -i sh -c 'kubectl apply -f {}'"},
		{removed, "timeout --foreground -k5 10m kubectl apply -f x"},
		{kept, "command -pv kubectl"},
		// Other programs that run one.
		{removed, "parallel 'kubectl apply -f {}' ::: a b"},
		{removed, "parallel -j4 kubectl apply -f {} ::: a b"},
		{removed, "script -qec 'kubectl apply -f x' /dev/null"},
		{removed, "runuser -l x -c 'kubectl apply -f x'"},
		{removed, "su - x --command='kubectl apply -f x'"},
		{removed, "chronic kubectl apply -f x"},
		{removed, "taskset -c 0 0x1 kubectl apply -f x"},
		{removed, "doppler run --project shop -- kubectl apply -f x"},
		{removed, "./wait-for-it.sh db:5432 -- sh -c 'kubectl apply -f x'"},
		{kept, "./wait-for-it.sh db:5432 -- kubectl get pods"},
		{kept, "doppler run -- pytest"},
		// Text that is written to a file and then run.
		{removed, "cat > run.sh <<EOF\nkubectl apply -f x\nEOF\nsh run.sh"},
		{removed, "echo 'kubectl apply -f x' > /workspace/run.sh\nchmod +x run.sh\n./run.sh"},
		{removed, "tee run.sh <<'EOF'\n#!/bin/bash\nkubectl $1 -f x\nEOF\nbash -e ./run.sh apply"},
		{removed, "printf '%s\\n' 'set -e' 'kubectl apply' > a\nbash < a"},
		{found, "cat > run.py <<EOF\n#!/usr/bin/env python\nrun('kubectl')\nEOF\n./run.py"},
		{kept, "cat > run.sh <<EOF\npytest\nEOF\nsh run.sh"},
		{removed, "echo -e 'set -e\\nkubectl apply -f x' | bash"},
		{removed, "printf 'set -e\\nkubectl apply -f %s\\n' x | sh"},
		{removed, "echo $'true\\nkubectl apply -f x' | sh"},
		// Commands that are not visible, but whose text suggests a change.
		{found, "jq -r .cmd x | xargs -I{} bash -c '{}'"},
		{found, "jq -r .cmd x | xargs sh -c"},
		{found, "ls | xargs sudo"},
		{found, "ls | parallel"},
		{found, "ssh user@host 'bash -s' <<EOF\nkubectl apply -f x\nEOF"},
		{found, "ssh -i key -o A=b -o C=d -o E=f -o G=h user@host kubectl apply -f x"},
		{found, "python3 - <<EOF\nimport subprocess\nsubprocess.run(['kubectl','apply'])\nEOF"},
		{found, "python3 -c 'import subprocess, os, sys, json; print(1); x = 2; subprocess.run([\"kubectl\", \"apply\"])'"},
		{found, "gcloud compute ssh vm --zone=a --command='kubectl apply -f x'"},
		{kept, "gcloud compute ssh vm --zone=a --command='uptime'"},
		{found, "bazel run //k8s:prod.apply"},
		{kept, "bazel test //..."},
		{found, "curl -X POST https://argocd.example.com/api/v1/applications/web/sync"},
		{found, "curl -sSfXPOST \"https://deploy.example.com/hooks/$BUILD\""},
		{kept, "curl -fsSLo /usr/bin/kubectl https://dl.k8s.io/v1.31.0/kubectl"},
		{kept, "curl -X POST -d '{\"text\":\"deployed, see https://x/deploy\"}' https://hooks.slack.com/x"},
		{found, "sed s/a/b/ k8s.tpl > env/kubernetes.yaml\ncd env\ngit commit -am x\ngit push origin candidate"},
		{kept, "git tag v1\ngit push --tags"},
		{found, "flux reconcile kustomization apps"},
		{found, "istioctl install -y"},
		{kept, "kubeval k8s/*.yaml && kubeconform -strict k8s"},
	}
	for _, test := range tests {
		if got, warnings := fate(t, script(test.script)); got != test.want {
			t.Errorf("%s\n%s, %v, want %s", test.script, got, warnings, test.want)
		}
	}
}

func TestSubCommandsDecide(t *testing.T) {
	tests := []struct{ want, command string }{
		{kept, "kubectl get pods"},
		{kept, "kubectl -n shop describe deploy/a"},
		{kept, "kubectl --context x logs deploy/a"},
		{kept, "kubectl diff -f x"},
		{kept, "kubectl version"},
		{kept, "kubectl config use-context x"},
		{kept, "kubectl auth can-i get pods"},
		{kept, "kubectl rollout status deploy/a"},
		{kept, "kubectl wait --for=condition=ready pod/a"},
		{kept, "kubectl apply --dry-run=server -f x"},
		{kept, "kubectl kustomize overlays/prod"},
		{kept, "kubectl --help"},
		{kept, "argocd app get web"},
		{removed, "argocd app sync web"},
		{kept, "helm gcs push a b"},
		{removed, "kubectl rollout undo deploy/a"},
		{removed, "kubectl exec deploy/a -- ls"},
		{removed, "kubectl cp a b"},
		{removed, "kubectl apply --dry-run=none -f x"},
		{removed, "kubectl -n get apply -f x"},
		{removed, "kubectl --namespace=shop scale deploy/a --replicas=2"},
		{removed, "kubectl unheard-of"},
		{kept, "kubectl set image -f d.yaml app=b --local -o yaml > out.yaml"},
		{kept, "kubectl patch -f d.yaml --local=true -p '{}' -o yaml"},
		{removed, "kubectl label -f d.yaml --local=false a=b"},
		{kept, "kubectl -o json get pods"},
		{kept, "kubectl -l app=web get pods"},
		{removed, "kubectl -f x apply"},
		{kept, "kubectl create token builder"},
		{kept, "kubectl krew install neat"},
		{kept, "kubectl argo rollouts get rollout web"},
		{removed, "kubectl argo rollouts promote web"},
		{removed, "kubectl-argo-rollouts -n shop promote web"},
		{removed, "kubectl exec deploy/a -- df -h"},
		{removed, "kubectl exec deploy/a -- ./migrate --dry-run"},
		{removed, "kubectl run x --image=y -- server --help"},
		{removed, "kubectl.1.27 apply -f x"},
		{removed, "helm3 upgrade web chart"},
		{kept, "helm3 lint chart"},
		{kept, "gcloud container clusters get-upgrade-info c"},
		{kept, "gcloud container fleet scopes namespaces list --scope=x"},
		{kept, "gcloud container fleet memberships bindings describe x"},
		{removed, "gcloud container fleet scopes namespaces delete x"},
		{removed, "gcloud container backup-restore restores create r"},
		{removed, "kubectl $FLAGS apply -f x"},
		{removed, "oc apply -f x"},
		{kept, "oc get pods"},
		{kept, "helm lint chart"},
		{kept, "helm template chart"},
		{kept, "helm list"},
		{kept, "helm upgrade --dry-run web chart"},
		{kept, "helm repo add x y"},
		{kept, "helm push a oci://b"},
		{removed, "helm -n get upgrade web chart"},
		{removed, "helm --kube-context x rollback web 1"},
		{removed, "helm test web"},
		{kept, "helmfile diff"},
		{removed, "helmfile -e prod apply"},
		{kept, "kustomize build ."},
		{kept, "gke-deploy prepare --filename=k8s"},
		{removed, "gke-deploy run --filename=k8s"},
		{kept, "skaffold build"},
		{kept, "skaffold render"},
		{kept, "skaffold test"},
		{removed, "skaffold deploy"},
		{kept, "gcloud container clusters describe c"},
		{kept, "gcloud container clusters list"},
		{kept, "gcloud container fleet memberships list"},
		{kept, "gcloud container images add-tag a b"},
		{kept, "gcloud --project p container get-server-config"},
		{removed, "gcloud container clusters get-credentials c"},
		{removed, "gcloud beta container clusters resize c --num-nodes 3"},
		{removed, "gcloud container node-pools delete x"},
		{removed, "gcloud --verbosity=debug --quiet container clusters upgrade c"},
		{removed, "gcloud --verbosity debug -q container clusters upgrade c"},
		{removed, "gcloud --impersonate-service-account a@b --format json --project p container clusters update c"},
		{removed, "gcloud --configuration x --account y --log-http container clusters delete c"},
		{removed, "gcloud deploy releases create r"},
		{removed, "gcloud --billing-project b deploy rollouts advance r"},
		{kept, "gcloud deploy releases describe r"},
		{removed, "gcloud run deploy orders"},
		{removed, "gcloud --flatten x run deploy web --image gcr.io/p/orders:1"},
		{removed, "gcloud beta run services update web --image=gcr.io/p/orders@sha256:0"},
		{kept, "gcloud run deploy docs --source=docs"},
		{kept, "gcloud run jobs deploy migrate --image=gcr.io/p/migrate"},
		{kept, "gcloud run jobs execute orders"},
		{kept, "gcloud run services describe orders"},
		{kept, "gcloud run services list"},
		{kept, "gcloud app deploy"},
		{kept, "gcloud functions deploy f"},
		{kept, "gcloud workflows deploy w"},
		{kept, "gcloud storage cp a b"},
		{kept, "gcloud --quiet scheduler jobs run deploy"},
		{kept, "gcloud sql import sql x y"},
		{kept, "gcloud pubsub topics publish deploy"},
		{kept, "firebase deploy"},
		{found, "gcloud $GROUP deploy x"},
	}
	for _, test := range tests {
		if got, warnings := fate(t, script(test.command)); got != test.want {
			t.Errorf("%s: %s, %v, want %s", test.command, got, warnings, test.want)
		}
	}
}

func TestBuildersRunWhatTheirStepsSay(t *testing.T) {
	tests := []struct{ want, step string }{
		{removed, "gcr.io/cloud-builders/kubectl\n  args: [apply, -f, k8s]"},
		{kept, "gcr.io/cloud-builders/kubectl\n  args: [get, pods]"},
		{kept, "gcr.io/cloud-builders/kubectl\n  entrypoint: bash\n  args: [-c, 'pytest -q']"},
		{kept, "gcr.io/cloud-builders/kubectl\n  script: pytest -q"},
		{removed, "gcr.io/cloud-builders/kubectl@sha256:00\n  entrypoint: /bin/bash\n  args: [-eo, pipefail, -c, 'kubectl apply -f $$FILE']"},
		{removed, "gcr.io/$PROJECT_ID/helm\n  args: [upgrade, web, chart]"},
		{kept, "gcr.io/$PROJECT_ID/helm\n  args: [package, chart]"},
		{removed, "gcr.io/k8s-skaffold/skaffold:v2\n  args: [skaffold, deploy]"},
		{kept, "gcr.io/k8s-skaffold/skaffold:v2\n  args: [skaffold, build]"},
		{kept, "gcr.io/$PROJECT_ID/skaffold\n  args: [build]"},
		{removed, "google/cloud-sdk\n  args: [bash, -c, 'gcloud container clusters get-credentials c && kubectl apply -f x']"},
		{removed, "google/cloud-sdk\n  entrypoint: timeout\n  args: ['60', kubectl, apply, -f, x]"},
		{removed, "google/cloud-sdk\n  args: [sh, -c, \"$$(true); kubectl apply\"]"},
		{found, "google/cloud-sdk\n  entrypoint: $_TOOL\n  args: [apply]"},
		{found, "google/cloud-sdk\n  entrypoint: kubectl\n  args: [$_VERB, -f, x]"},
		{found, "gcr.io/$PROJECT_ID/deployer\n  args: [prod]"},
		{found, "gcr.io/$PROJECT_ID/custom\n  id: Deploy to production\n  args: [prod]"},
		{found, "python\n  entrypoint: python\n  args: [ci/deploy.py]"},
		{found, "python\n  entrypoint: make\n  args: [deploy]"},
		{kept, "python\n  entrypoint: python\n  args: [-c, 'import x; print(1)']"},
		{kept, "python\n  args: [python, -m, pytest]"},
		{kept, "docker\n  args: [build, -t, gcr.io/p/kubectl, .]"},
		{removed, "gcr.io/$PROJECT_ID/helm3:latest\n  args: [upgrade, web, chart]"},
		{removed, "gcr.io/$PROJECT_ID/kustomize\n  args: [build, overlays/prod]\n  env: ['APPLY=true', 'CLOUDSDK_CONTAINER_CLUSTER=c']"},
		{kept, "gcr.io/$PROJECT_ID/kustomize\n  args: [build, overlays/prod]\n  env: ['APPLY=false']"},
		{kept, "gcr.io/k8s-skaffold/skaffold\n  entrypoint: kustomize\n  args: [build, overlays/prod]"},
		{found, "gcr.io/cloud-builders/git\n  id: Push to the deploy repository\n  args: [push, origin, main]"},
		{removed, "ubuntu\n  script: \"echo 'kubectl apply -f x' > r.sh\"\n- name: google/cloud-sdk\n  entrypoint: bash\n  args: [r.sh]"},
	}
	for _, test := range tests {
		if got, warnings := fate(t, step(test.step)); got != test.want {
			t.Errorf("%s\n%s, %v, want %s", test.step, got, warnings, test.want)
		}
	}
}

func TestCredentialsAndWaitsGoWithWhatTheyServe(t *testing.T) {
	const (
		credentials = "- name: gcr.io/cloud-builders/gcloud\n  args: [container, clusters, get-credentials, c]\n"
		get         = "- name: gcr.io/cloud-builders/kubectl\n  args: [get, pods]\n"
		apply       = "- name: gcr.io/cloud-builders/kubectl\n  args: [apply, -f, x]\n"
		status      = "- name: gcr.io/cloud-builders/kubectl\n  args: [rollout, status, deploy/a]\n"
	)
	for text, want := range map[string]int{
		credentials:                        1,
		credentials + apply:                1,
		credentials + get:                  3,
		credentials + apply + get:          3,
		credentials + apply + status:       1,
		apply + status:                     1,
		status:                             2,
		status + apply:                     2,
		credentials + apply + status + get: 3,
		// The remaining steps may need them.
		credentials + "- {name: ubuntu, script: ./deploy.sh}\n":                                          3,
		"- {name: ubuntu, script: ./deploy.sh}\n" + credentials + apply:                                  2,
		credentials + apply + "- {name: python, entrypoint: python, args: [ci/kube_smoke.py]}\n":         3,
		credentials + apply + "- {name: node, entrypoint: npm, args: [run, e2e]}\n":                      2,
		"- {name: sdk, script: gcloud container clusters get-credentials c && ./release.sh prod}\n":      2,
		"- {name: sdk, script: gcloud container clusters get-credentials c; python -m pytest}\n" + apply: 2,
	} {
		f := parse(t, "steps:\n- name: docker\n  args: [build, .]\n"+text+someImage)
		if got := len(f.Build.GetSteps()); got != want {
			t.Errorf("%s%d steps, want %d", text, got, want)
		}
	}
}

func TestWarningsSayWhatHappensAndWhatNoLongerDoes(t *testing.T) {
	tests := []struct{ text, says string }{
		{
			script("npm test\nkubectl apply -f x"),
			`cloudbuild.yaml:4: steps[1] was left out: it runs "kubectl apply", and only Turnout changes the cluster; "npm test" of that step ` +
				`does not run either; to keep it, set spec.build.clusterSteps of the BlueGreen to Allow`,
		},
		{
			readFault(t, "09-cluster-step-not-seen/verbosity.yaml"),
			`it runs "gcloud run deploy", which serves this build's image to the users of Cloud Run, and only`,
		},
		{
			script("./deploy.sh prod"),
			`cloudbuild.yaml:4: steps[1] is kept, but Turnout cannot see whether it changes the cluster: it runs "./deploy.sh"; if it does, take ` +
				`it out of the file`,
		},
		{script("./deploy.sh hunter2"), `it runs "./deploy.sh"; if`},
		{script("$(cat hunter2) apply"), "it runs a command that it assembles, which is known only when the step runs"},
		{script("$CMD apply"), "it runs $CMD, which is known only when the step runs"},
		{script("make deploy PASSWORD=hunter2"), `it runs "make deploy"; if`},
		{script("kubectl apply -f 'x\n"), "it runs a script that does not parse as a shell script (at its line 1)"},
	}
	for _, test := range tests {
		if _, warnings := fate(t, test.text); len(warnings) != 1 || !strings.Contains(warnings[0].String(), test.says) ||
			strings.Contains(warnings[0].Message, "hunter2") {
			t.Errorf("warnings %v, want %s", warnings, test.says)
		}
	}
}
