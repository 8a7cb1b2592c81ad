package cloudbuild_test

import (
	"strings"
	"testing"

	"github.com/turnout-dev/turnout/deployer/cloudbuild"
)

func TestAnImageOfTheSpecThatNoStepNamesIsWarnedOfBeforeTheBuild(t *testing.T) {
	const docker, kaniko = "gcr.io/cloud-builders/docker", "gcr.io/kaniko-project/executor:latest"
	const orders = "gcr.io/acme-prod/orders:$COMMIT_SHA"
	tests := []struct {
		name, text, image string
		line              int // of the warning; 0: none
		says              string
	}{
		{"mistyped", runsIn(docker, "push, '"+orders+"'"), "gcr.io/acme-prod/order:$COMMIT_SHA", 2, "steps[0] pushes " + atCommit},
		{
			"another's beginning", runsIn(docker, "push, 'gcr.io/acme-prod/orders:$COMMIT_SHA-slim'"), orders, 2,
			"steps[0] pushes " + atCommit + "-slim",
		},
		{"another's end", inShell("make push IMAGE=eu.gcr.io/acme-prod/orders:$COMMIT_SHA"), orders, 2, "no visible step pushes it"},
		{
			"mistyped, the second step",
			runsIn(docker, "build, .") + "- name: " + kaniko + "\n  id: Image\n  args: ['--destination=" + orders + "']\n",
			"gcr.io/acme-prod/orders:v-$COMMIT_SHA", 4, "steps[1] (Image) pushes " + atCommit,
		},
		{"out of sight", runsIn("gcr.io/x/make", "push"), orders, 2, "no visible step pushes it"},
		{
			"with the build's id", runsIn(docker, "push, 'gcr.io/acme-prod/orders:$BUILD_ID'"), "gcr.io/acme-prod/order:$BUILD_ID", 2,
			"steps[0] pushes gcr.io/acme-prod/orders:$BUILD_ID",
		},
		{
			"built only, under another name", runsIn(docker, "build, -t, 'gcr.io/acme-prod/orders:latest', ."), orders, 2,
			"no visible step pushes it",
		},

		{"pushed", runsIn(docker, "push, '"+orders+"'"), orders, 0, ""},
		{"pushed, cut", runsIn(docker, "push, 'gcr.io/$PROJECT_ID/orders:${COMMIT_SHA:0:7}'"), "gcr.io/acme-prod/orders:$SHORT_SHA", 0, ""},
		{"pushed by the build's id", runsIn(docker, "push, 'gcr.io/acme-prod/orders:${BUILD_ID}'"), "gcr.io/acme-prod/orders:$BUILD_ID", 0, ""},
		{"every tag", runsIn(docker, "push, -a, gcr.io/acme-prod/orders"), orders, 0, ""},
		{"every tag of another", runsIn(docker, "push, -a, gcr.io/acme-prod/worker"), orders, 2, "steps[0] pushes gcr.io/acme-prod/worker"},
		{"a tag that nobody sees", inShell("docker push gcr.io/acme-prod/orders:$(cat VERSION)"), orders, 0, ""},
		{"a name that nobody sees", inShell("docker push $(cat NAME)"), orders, 0, ""},
		{
			"a tag that nobody sees, of another", inShell("docker push gcr.io/acme-prod/worker:$(cat VERSION)"), orders, 2,
			"steps[0] pushes gcr.io/acme-prod/worker",
		},
		{"pushed without a name", runsIn(docker, "compose, push"), orders, 0, ""},
		{"given to a script", inShell("./push.sh " + orders), orders, 0, ""},
		{"given to make", runsIn("gcr.io/x/make", "push, 'IMAGE="+orders+"'"), orders, 0, ""},
		{"in a variable", inShell("export IMAGE=" + orders + "\nmake push"), orders, 0, ""},
		{"made of variables", inShell("REPO=gcr.io/acme-prod/orders\n./push.sh --to $${REPO}:$COMMIT_SHA"), orders, 0, ""},
		{"in the environment", runsIn("gcr.io/x/make", "push") + "  env: ['IMAGE=" + orders + "']\n", orders, 0, ""},
		{"in everybody's environment", runsIn("gcr.io/x/make", "push") + "options: {env: ['IMAGE=" + orders + "']}\n", orders, 0, ""},
		{
			"in another interpreter's script",
			asScript("#!/usr/bin/env python3\npush('gcr.io/acme-prod/orders:$COMMIT_SHA')", "  automapSubstitutions: true\n"), orders, 0, "",
		},
		{"with a scheme", inShell("./push.sh docker://" + orders), orders, 0, ""},
		{"not pinned by the spec", runsIn(docker, "push, '"+orders+"'"), "gcr.io/acme-prod/orders", 0, ""},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			got, err := chosen(t, test.text, cloudbuild.ImageChoice{Image: test.image})
			switch w := got.Unseen; {
			case err != nil:
				t.Error(err)
			case w == nil && test.line == 0:
			case w == nil || w.Line != test.line || !strings.Contains(w.Message, "no step names spec.build.image gcr.io/") ||
				!strings.Contains(w.Message, test.says):
				t.Errorf("%s\nwarned %v, want line %d: %s", test.text, w, test.line, test.says)
			}
		})
	}
}
