package cloudbuild

import (
	"regexp"
	"slices"
	"strings"
)

// clusterTool is a program that has commands to change clusters.
type clusterTool struct {
	known bool
	// looks are its commands that change nothing; any other counts as a change.
	looks []string
	// waits are those of looks that wait for a change.
	waits []string
	// changes are commands that change one. They are recognised even after an unknown word.
	changes []string
	// values are its options that take the next word.
	values []string
}

// clusterTools, by name. A command of two words is written with a space.
var clusterTools = map[string]clusterTool{
	"kubectl": kubectl, "oc": kubectl,
	"gke-deploy": {known: true, looks: []string{"prepare", "version", "help"}, changes: []string{"run", "apply"}},
	"helm": {
		known: true,
		looks: strings.Fields("version lint template package push pull repo dependency dep registry show inspect help list ls status get " +
			"history search env verify create completion plugin diff fetch gcs s3 cm-push"),
		changes: strings.Fields("upgrade install uninstall delete rollback test"),
		values: strings.Fields("-n --namespace --kube-context --kubeconfig --kube-token --kube-apiserver --kube-as-user --kube-as-group " +
			"--kube-ca-file --registry-config --repository-cache --repository-config --burst-limit"),
	},
	"helmfile": {
		known:   true,
		looks:   strings.Fields("lint template version diff list status fetch deps repos build write-values show-dag init cache help"),
		changes: strings.Fields("apply sync destroy delete charts test"),
		values: strings.Fields("-f --file -e --environment -n --namespace -l --selector --kube-context --state-values-file --state-values-set " +
			"--log-level --helm-binary -b"),
	},
	"skaffold": {
		known:   true,
		looks:   strings.Fields("build render version test diagnose config schema fix init inspect completion filter help options"),
		changes: strings.Fields("run deploy dev debug apply delete exec verify"),
		values:  strings.Fields("-v --verbosity --interactive -f --filename -p --profile -n --namespace --kube-context --kubeconfig"),
	},
	"kapp": {known: true, looks: strings.Fields("ls list inspect logs version help"), changes: []string{"deploy", "delete"}},
	"argocd": {
		known: true, changes: []string{"app", "appset"},
		looks: append(strings.Fields("login logout version context relogin help"), "app get", "app list", "app diff", "app wait", "app history",
			"app logs", "app manifests", "app resources", "cluster list", "repo list"),
	},
	"kpt": {known: true, looks: strings.Fields("pkg fn version help"), changes: []string{"live"}},
	argoRollouts: {
		known: true, looks: strings.Fields("get list status version lint dashboard completion help"), waits: []string{"status"},
		changes: strings.Fields("abort create notifications pause promote restart retry set terminate undo"),
		values:  kubectl.values,
	},
}

// argoRollouts is a plugin: kubectl argo rollouts.
const argoRollouts = "kubectl-argo-rollouts"

var kubectl = clusterTool{
	known: true,
	looks: append(strings.Fields("version kustomize config completion help get describe logs diff explain api-resources api-versions "+
		"cluster-info top options events port-forward proxy plugin krew wait convert"),
		"rollout status", "rollout history", "auth can-i", "auth whoami", "apply view-last-applied", "create token"),
	waits: []string{"wait", "rollout status"},
	changes: strings.Fields("apply create delete patch replace set scale autoscale rollout annotate label edit run expose exec cp drain " +
		"cordon uncordon taint debug"),
	values: strings.Fields("-n --namespace --context --kubeconfig --cluster --user -s --server --token --as --as-group --as-uid " +
		"--request-timeout " +
		"--certificate-authority --client-certificate --client-key --tls-server-name --cache-dir -v --v --vmodule --profile --profile-output"),
}

// cluster looks at a command of a program that can change clusters.
func (s *sight) cluster(tool string, args []word) {
	known := clusterTools[tool]
	if tool == "skaffold" && firstKnown(args, known.values) == "build" || tool == "skaffold" && firstKnown(args, known.values) == "run" {
		s.builds = true
	}
	args = upToDashes(args)
	words := known.commandWords(args)
	if tool == "kubectl" && len(words) > 1 && words[0].text == "argo" && words[1].text == "rollouts" {
		s.cluster(argoRollouts, args[1+slices.IndexFunc(args, func(w word) bool { return w.text == "rollouts" }):])
		return
	}
	hidden := false
	for len(words) > 0 && !words[0].known {
		words, hidden = words[1:], true
	}
	command, pair := "", ""
	if len(words) > 0 {
		command = words[0].text
		pair = command
	}
	if len(words) > 1 {
		pair = command + " " + words[1].text
	}
	asks := slices.ContainsFunc(args, asksForHelp)
	switch {
	case command == "" && hidden, hidden && !known.has(command):
		s.cannotSee(`runs "` + tool + `" with a command that is known only when the step runs`)
	case slices.Contains(known.waits, command) || slices.Contains(known.waits, pair):
		s.waits, s.looks = strings.TrimSpace(`runs "`+tool+" "+pair)+`"`, true
	case asks || slices.Contains(known.looks, command) || slices.Contains(known.looks, pair) || slices.ContainsFunc(args, isDryRun):
		s.looks = true
	default:
		s.change(`runs "` + strings.TrimSpace(tool+" "+command) + `"`)
	}
}

// commandWords are the operands from the command on. A word after an unknown option counts as its
// value, unless it is a command.
func (t clusterTool) commandWords(args []word) []word {
	words := operands(args, t.values)
	for len(words) > 1 && words[0].known && !t.has(words[0].text) && t.has(words[1].text) {
		at := slices.IndexFunc(args, func(w word) bool { return w.text == words[0].text })
		if at == 0 || !strings.HasPrefix(args[at-1].text, "-") || strings.Contains(args[at-1].text, "=") {
			break
		}
		words = words[1:]
	}
	return words
}

// has reports whether a command, or the first word of a longer one, is known.
func (t clusterTool) has(command string) bool {
	return slices.ContainsFunc(slices.Concat(t.looks, t.changes), func(known string) bool {
		first, _, _ := strings.Cut(known, " ")
		return first == command
	})
}

// upToDashes drops everything from -- on, which is for another program.
func upToDashes(args []word) []word {
	if end := slices.IndexFunc(args, func(w word) bool { return w.text == "--" }); end >= 0 {
		return args[:end]
	}
	return args
}

func (s *sight) change(what string) {
	if s.changes == "" {
		s.changes = what
	}
}

// isDryRun reports whether a command only prints what it would do, or what a file expands to.
func isDryRun(w word) bool {
	return slices.Contains([]string{"--dry-run", "--dry-run=client", "--dry-run=server", "--dry-run=true", "--local", "--local=true"}, w.text)
}

func asksForHelp(w word) bool { return w.text == "--help" || w.text == "-h" }

// gcloudValues are the options that take the next word: those of every gcloud command
// (gcloud help) and those of its commands on clusters.
var gcloudValues = strings.Fields("--account --access-token-file --billing-project --configuration --flags-file --flatten --format " +
	"--impersonate-service-account " +
	"--project --trace-token --verbosity --region --zone --location --cluster --filter --limit --sort-by --page-size --image --source " +
	"--platform --context")

var (
	// clusterGroups are the groups of "gcloud container" that hold clusters;
	// "images" and "binauthz" are about images.
	clusterGroups = strings.Fields("clusters node-pools fleet hub attached aws azure bare-metal vmware backup-restore operations")
	// deliveryGroups are the groups of "gcloud deploy", Cloud Deploy.
	deliveryGroups = strings.Fields("releases rollouts apply targets delete automations automation-runs job-runs delivery-pipelines")
	lookingVerbs   = regexp.MustCompile(`^(?:describe|list|status|wait|(?:get|check|query|list|print)-.*)$`)
)

// gcloud looks at a gcloud command. Other Google products do not concern Turnout, except a Cloud
// Run service that gets this very build's image.
func (s *sight) gcloud(args []word) {
	words := operands(args, gcloudValues)
	for len(words) > 0 && slices.Contains([]string{"beta", "alpha", "preview"}, words[0].text) {
		words = words[1:]
	}
	at := func(i int) string {
		if i < len(words) {
			return words[i].text
		}
		return ""
	}
	looks := slices.ContainsFunc(words[min(2, len(words)):min(6, len(words))],
		func(w word) bool { return lookingVerbs.MatchString(w.text) }) || slices.ContainsFunc(upToDashes(args), asksForHelp)
	group := strings.TrimSpace(at(0) + " " + at(1))
	switch {
	case len(words) > 0 && (!words[0].known || len(words) > 1 && !words[1].known):
		s.cannotSee(`runs "gcloud" with a command that is known only when the step runs`)
	case group == "builds submit", group == "builds triggers" && at(2) == "run":
		s.builds = s.builds || group == "builds submit"
		s.cannotSee(`runs "gcloud ` + strings.TrimSpace(group+" "+strings.TrimPrefix(at(2), ".")) + `", a build of its own`)
	case at(0) == "container" && slices.Contains(clusterGroups, at(1)):
		switch {
		case at(2) == "get-credentials" || at(3) == "get-credentials":
			s.serves = `runs "gcloud ` + group + ` get-credentials"`
		case looks:
			s.looks = true
		default:
			s.change(`runs "gcloud ` + strings.TrimSpace(group+" "+at(2)) + `"`)
		}
	case at(0) == "deploy" && slices.Contains(deliveryGroups, at(1)) && !looks:
		s.change(`runs "gcloud ` + strings.TrimSpace(group+" "+at(2)) + `"`)
	case at(0) == "compute" && slices.ContainsFunc(words, func(w word) bool { return w.text == "ssh" }) &&
		(s.suspect || suggests.MatchString(text(args))):
		s.cannotSee(`runs "gcloud compute ssh"`)
	case at(0) == "run":
		s.cloudRun(words[1:], args)
	}
}

// cloudRun looks for a Cloud Run service that gets this build's own image, which has not passed a
// gate. The service's name or --image shows it.
func (s *sight) cloudRun(words, args []word) {
	name := ""
	switch {
	case len(words) > 1 && words[0].text == "deploy":
		name = words[1].text
	case len(words) > 2 && words[0].text == "services" && words[1].text == "update":
		name = words[2].text
	case len(words) == 0 || words[0].text != "deploy":
		return
	}
	own := slices.Contains(s.own, name)
	for i, arg := range args {
		image, ok := strings.CutPrefix(arg.text, "--image=")
		if arg.text == "--image" && i+1 < len(args) {
			image, ok = args[i+1].text, true
		}
		if ok {
			own = slices.Contains(s.own, lastSegment(image))
		}
	}
	if own {
		s.change(strings.TrimSpace(`runs "gcloud run `+words[0].text) + `", which serves this build's image to the users of Cloud Run`)
	}
}
