package cloudbuild_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/turnout-dev/turnout/deployer/cloudbuild"
)

// runsIn is a file with one step of a builder with these arguments.
func runsIn(builder, args string) string {
	return "steps:\n- name: " + builder + "\n  args: [" + args + "]\n"
}

// inShell is a file with one step that runs a script; rest is more of that step.
func inShell(script string, rest ...string) string {
	return "steps:\n- name: gcr.io/cloud-builders/docker\n  entrypoint: bash\n  args:\n  - -c\n  - |\n    " + strings.ReplaceAll(script, "\n",
		"\n    ") + "\n" + strings.Join(rest, "")
}

// asScript is a file with one step that has this script field.
func asScript(script string, rest ...string) string {
	return "steps:\n- name: gcr.io/cloud-builders/docker\n  script: |\n    " + strings.ReplaceAll(script, "\n", "\n    ") + "\n" +
		strings.Join(rest, "")
}

const (
	pushesCommit = "docker push gcr.io/acme-prod/orders:$COMMIT_SHA"
	atCommit     = "gcr.io/acme-prod/orders:" + commit
)

func TestAnImageThatAStepPushesIsChosenByItsName(t *testing.T) {
	const docker, kaniko = "gcr.io/cloud-builders/docker", "gcr.io/kaniko-project/executor:latest"
	env := func(lines ...string) string { return "  env: ['" + strings.Join(lines, "', '") + "']\n" }
	tests := []struct{ name, text, want string }{
		{"fault, kaniko", readFault(t, "13-image-pushed-by-the-builder/kaniko.yaml"), atCommit},
		{"fault, buildx", readFault(t, "13-image-pushed-by-the-builder/buildx.yaml"), atCommit},
		{"fault, pack", readFault(t, "13-image-pushed-by-the-builder/pack.yaml"), atCommit},
		{"push", runsIn(docker, "push, 'gcr.io/$PROJECT_ID/orders:$COMMIT_SHA'"), atCommit},
		{"push by entrypoint", "steps:\n- name: x\n  entrypoint: docker\n  args: [image, push, --quiet, " +
			"'gcr.io/$PROJECT_ID/orders:$REVISION_ID']\n", atCommit},
		{"push, short", runsIn(docker, "push, 'gcr.io/$PROJECT_ID/orders:$SHORT_SHA'"), "gcr.io/acme-prod/orders:" + commit[:7]},
		{"push, build id", runsIn(docker, "push, 'gcr.io/$PROJECT_ID/orders:$BUILD_ID'"), "gcr.io/acme-prod/orders:$BUILD_ID"},
		{
			"push, part of the build id", runsIn(docker, "push, 'gcr.io/$PROJECT_ID/orders:b-${BUILD_ID:0:8}'"),
			"gcr.io/acme-prod/orders:b-${BUILD_ID:0:8}",
		},
		{
			"push, operations", runsIn(docker, "push, 'gcr.io/$PROJECT_ID/${_APP,,}:${COMMIT_SHA:0:12}'") + "substitutions: {_APP: Orders}\n",
			"gcr.io/acme-prod/orders:" + commit[:12],
		},
		{
			"push, a substitution of substitutions",
			runsIn(docker, "push, '$_IMAGE'") + "substitutions: {_IMAGE: 'gcr.io/$PROJECT_ID/orders:$COMMIT_SHA'}\n", atCommit,
		},
		{
			"an empty one is nothing", runsIn(docker, "push, 'gcr.io/acme-prod/orders$_SUFFIX:$COMMIT_SHA'") + "substitutions: {_SUFFIX: ''}\n",
			atCommit,
		},
		{"the commit in the name", runsIn(docker, "push, 'ttl.sh/orders-$SHORT_SHA:1h'"), "ttl.sh/orders-" + commit[:7] + ":1h"},
		{"with a mutable one", runsIn(kaniko,
			"'--destination=gcr.io/acme-prod/orders:latest', '--destination=gcr.io/acme-prod/orders:$COMMIT_SHA'"), atCommit},
		{"the whole commit before a stage's", inShell("docker push gcr.io/acme-prod/orders:test-$SHORT_SHA\n" + pushesCommit), atCommit},
		{
			"two names of one image",
			runsIn(docker, "buildx, build, --push, -t, 'gcr.io/acme-prod/orders:v1-$COMMIT_SHA', --tag=gcr.io/acme-prod/orders:v2-$COMMIT_SHA, ."),
			"gcr.io/acme-prod/orders:v1-" + commit,
		},
		{"kaniko, -d", runsIn(kaniko, "-d, 'gcr.io/acme-prod/orders:$COMMIT_SHA'"), atCommit},
		{
			"kaniko by path", "steps:\n- name: x\n  entrypoint: /kaniko/executor\n  args: [--destination, 'gcr.io/acme-prod/orders:$COMMIT_SHA']\n",
			atCommit,
		},
		{"build --push", runsIn(docker, "build, --push, -tgcr.io/acme-prod/orders:$COMMIT_SHA, ."), atCommit},
		{
			"buildx, to the registry", runsIn(docker, "buildx, build, '--output=type=registry', -t, 'gcr.io/acme-prod/orders:$COMMIT_SHA', ."),
			atCommit,
		},
		{
			"buildx, a name in the output", runsIn(docker, "buildx, build, -o, 'type=image,name=gcr.io/acme-prod/orders:$COMMIT_SHA,push=true', ."),
			atCommit,
		},
		{"buildctl", "steps:\n- name: x\n  entrypoint: buildctl\n  args: [build, --output, " +
			"'type=image,name=gcr.io/acme-prod/orders:$COMMIT_SHA,push=true']\n", atCommit},
		{"a manifest list", inShell("docker manifest create gcr.io/acme-prod/orders:$COMMIT_SHA a b\ndocker manifest push " +
			"gcr.io/acme-prod/orders:$COMMIT_SHA"), atCommit},
		{"pack, another tag", runsIn("gcr.io/k8s-skaffold/pack",
			"build, gcr.io/acme-prod/orders, --publish, --tag, 'gcr.io/acme-prod/orders:$COMMIT_SHA'"), atCommit},
		{"ko, bare", runsIn("gcr.io/x/ko",
			"build, --bare, --tags, 'latest,$COMMIT_SHA', ./cmd/orders") + env("KO_DOCKER_REPO=gcr.io/$PROJECT_ID/orders"), atCommit},
		{"ko, base import path", inShell("export KO_DOCKER_REPO=gcr.io/acme-prod\nko build -B -t $COMMIT_SHA ./cmd/orders"), atCommit},
		{"ko, before the command", inShell("KO_DOCKER_REPO=gcr.io/acme-prod/orders ko build --bare -t $COMMIT_SHA ./cmd/orders"), atCommit},
		{"jib, Maven", runsIn("maven", "compile, 'jib:build', '-Dimage=gcr.io/acme-prod/orders:$COMMIT_SHA'"), atCommit},
		{"jib, its tags", "steps:\n- name: maven\n  entrypoint: ./mvnw\n  args: ['com.google.cloud.tools:jib-maven-plugin:3.4.0:build', " +
			"'-Djib.to.image=gcr.io/acme-prod/orders', '-Djib.to.tags=latest,$COMMIT_SHA']\n", atCommit},
		{
			"jib, Gradle", "steps:\n- name: x\n  entrypoint: ./gradlew\n  args: [':app:jib', '--image=gcr.io/acme-prod/orders:$COMMIT_SHA']\n",
			atCommit,
		},
		{"crane", inShell("crane push out.tar gcr.io/acme-prod/orders:$COMMIT_SHA"), atCommit},
		{"crane tag", inShell("docker push gcr.io/acme-prod/orders:latest\ncrane tag gcr.io/acme-prod/orders:latest $COMMIT_SHA"), atCommit},
		{"skopeo", inShell("skopeo copy docker-archive:x.tar docker://gcr.io/acme-prod/orders:$COMMIT_SHA"), atCommit},
		{"podman", inShell("podman push gcr.io/acme-prod/orders:$COMMIT_SHA"), atCommit},
		{"buildah, elsewhere", inShell("buildah push orders docker://gcr.io/acme-prod/orders:$COMMIT_SHA"), atCommit},
		{"Spring Boot, Maven", runsIn("maven",
			"'spring-boot:build-image', '-Dspring-boot.build-image.publish=true', "+
				"'-Dspring-boot.build-image.imageName=gcr.io/acme-prod/orders:$COMMIT_SHA'"), atCommit},
		{
			"Spring Boot, Gradle", runsIn("gradle", "':web:bootBuildImage', '--imageName=gcr.io/acme-prod/orders:$COMMIT_SHA', --publishImage"),
			atCommit,
		},
		{"Quarkus", runsIn("maven",
			"package, '-Dquarkus.container-image.push=true', '-Dquarkus.container-image.image=gcr.io/acme-prod/orders:$COMMIT_SHA'"), atCommit},
		{
			"a nested build by buildpacks",
			runsIn("gcr.io/cloud-builders/gcloud", "builds, submit, --pack, 'image=gcr.io/acme-prod/orders:$COMMIT_SHA,env=A=b'"), atCommit,
		},
		{
			"a tag added by gcloud",
			inShell("docker push gcr.io/acme-prod/orders:latest\ngcloud container images add-tag gcr.io/acme-prod/orders:latest " +
				"gcr.io/acme-prod/orders:$COMMIT_SHA --quiet"), atCommit,
		},
		{
			"a tag added by gcloud, Artifact Registry",
			inShell("docker push gcr.io/acme-prod/orders:latest\ngcloud artifacts docker tags add gcr.io/acme-prod/orders:latest " +
				"gcr.io/acme-prod/orders:$COMMIT_SHA"), atCommit,
		},
		{
			"skopeo, options last", inShell("skopeo copy docker-archive:x.tar docker://gcr.io/acme-prod/orders:$COMMIT_SHA --dest-creds a:b"),
			atCommit,
		},
		{"regctl", inShell("regctl image copy a:1 gcr.io/acme-prod/orders:$COMMIT_SHA"), atCommit},
		{"crane append", inShell("crane append -f x.tar -t gcr.io/acme-prod/orders:$COMMIT_SHA"), atCommit},
		{"depot", inShell("depot build --push -t gcr.io/acme-prod/orders:$COMMIT_SHA ."), atCommit},
		{"a variable that is added to", inShell("IMG=gcr.io/acme-prod/orders\nIMG+=:$COMMIT_SHA\ndocker push $$IMG"), atCommit},
		{"a nested build", runsIn("gcr.io/cloud-builders/gcloud", "builds, submit, --tag, 'gcr.io/acme-prod/orders:$COMMIT_SHA'"), atCommit},
		{"in a shell", inShell("set -e\nif true; then " + pushesCommit + "; fi"), atCommit},
		{"in a shell in a shell", inShell(`sudo bash -c "` + pushesCommit + `"`), atCommit},
		{"tagged after", inShell(pushesCommit + "\ndocker tag a gcr.io/acme-prod/orders:latest"), atCommit},
		{"a variable of the shell", inShell(`IMAGE="gcr.io/$PROJECT_ID/orders"; docker push "$${IMAGE}:$COMMIT_SHA"`), atCommit},
		{
			"a variable cut by the shell", inShell("SHA=$COMMIT_SHA\ndocker push gcr.io/acme-prod/orders:$${SHA:0:8}"),
			"gcr.io/acme-prod/orders:" + commit[:8],
		},
		{"a loop over one", inShell("for t in $COMMIT_SHA; do docker push gcr.io/acme-prod/orders:$$t; done"), atCommit},
		{"a loop over several tags", inShell("for t in latest $COMMIT_SHA; do docker push gcr.io/acme-prod/orders:$$t; done"), atCommit},
		{
			"a loop over a variable's words",
			inShell("TAGS=\"latest $SHORT_SHA\"\nfor t in $$TAGS; do docker tag a gcr.io/acme-prod/orders:$$t; docker push " +
				"gcr.io/acme-prod/orders:$$t; done"), "gcr.io/acme-prod/orders:" + commit[:7],
		},
		{
			"a loop that puts names together", inShell("for t in latest $COMMIT_SHA; do IMG=gcr.io/acme-prod/orders:$$t; docker push $$IMG; done"),
			atCommit,
		},
		{
			"a function", inShell("ship() { docker build -t \"$$1\" . && docker push \"$$1\"; }\nship gcr.io/acme-prod/orders:$COMMIT_SHA"),
			atCommit,
		},
		{"a function, twice", inShell("ship() { local ref=\"$$1:$$2\"; docker push \"$$ref\"; }\nship gcr.io/acme-prod/orders latest\nship " +
			"gcr.io/acme-prod/orders $COMMIT_SHA"), atCommit},
		{"a function with a default", inShell("ship() { docker push gcr.io/acme-prod/orders:$${1:-$COMMIT_SHA}; }\nship"), atCommit},
		{
			"a function of all arguments", inShell("run() { echo \"$$@\"; \"$$@\"; }\nrun docker push gcr.io/acme-prod/orders:$COMMIT_SHA"),
			atCommit,
		},
		{"a variable that is set anew", inShell("TAG=latest\nTAG=$COMMIT_SHA\ndocker push gcr.io/acme-prod/orders:$$TAG"), atCommit},
		{"a shell's arguments", inShell("bash -c 'docker push \"$$1\"' sh gcr.io/acme-prod/orders:$COMMIT_SHA"), atCommit},
		{"an empty variable is no word", inShell("FLAGS=\ndocker push $$FLAGS gcr.io/acme-prod/orders:$COMMIT_SHA"), atCommit},
		{"a script with env", asScript(`docker push "gcr.io/acme-prod/orders:${SHA}"`, env("SHA=$COMMIT_SHA")), atCommit},
		{"a script, mapped", asScript("docker push gcr.io/$PROJECT_ID/orders:$COMMIT_SHA", "  automapSubstitutions: true\n"), atCommit},
		{
			"a script, mapped for all", asScript("docker push gcr.io/$PROJECT_ID/orders:${BUILD_ID}", "options: {automapSubstitutions: true}\n"),
			"gcr.io/acme-prod/orders:$BUILD_ID",
		},
		{
			"a script, the build's id cut",
			asScript("docker push gcr.io/acme-prod/orders:${BUILD_ID:0:8}", "options: {automapSubstitutions: true}\n"),
			"gcr.io/acme-prod/orders:${BUILD_ID:0:8}",
		},
		{"env of all steps", asScript("docker push gcr.io/acme-prod/orders:$SHA", "options: {env: ['SHA=$COMMIT_SHA']}\n"), atCommit},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			got, err := chosen(t, test.text, cloudbuild.ImageChoice{})
			if err != nil || got.Reference != test.want || !strings.HasPrefix(test.want, got.Image+":") {
				t.Errorf("%s\nchosen %+v, error %v, want %s", test.text, got, err, test.want)
			}
		})
	}
}

func chosen(t *testing.T, text string, choice cloudbuild.ImageChoice) (cloudbuild.Chosen, error) {
	t.Helper()
	f, err := parse(t, text).Apply(cloudbuild.Skip)
	if err != nil {
		return cloudbuild.Chosen{}, err
	}
	return f.Choose(request(), choice)
}

func TestAnAmbiguousImageIsRefusedBeforeTheBuild(t *testing.T) {
	const docker, kaniko = "gcr.io/cloud-builders/docker", "gcr.io/kaniko-project/executor:latest"
	const movable = "cloudbuild.yaml:2: steps[0]: pushes gcr.io/acme-prod/orders:latest, whose tag another build may move"
	tests := []struct {
		name, text string
		choice     cloudbuild.ImageChoice
		says       []string
	}{
		{
			"nothing", runsIn(docker, "build, ."),
			cloudbuild.ImageChoice{},
			[]string{"cloudbuild.yaml:1: images: lists no image, and no visible step pushes one", "images: ['gcr.io/", "set spec.build.image"},
		},
		{
			"built, not pushed", runsIn(docker, "build, -t, 'gcr.io/acme-prod/orders:$COMMIT_SHA', ."),
			cloudbuild.ImageChoice{},
			[]string{"lists no image, and no visible step pushes one"},
		},
		{
			"kaniko without a push", runsIn(kaniko, "--no-push, '--destination=gcr.io/acme-prod/orders:$COMMIT_SHA'"),
			cloudbuild.ImageChoice{},
			[]string{"no visible step pushes one"},
		},
		{
			"pack without publish", runsIn("gcr.io/k8s-skaffold/pack", "build, 'gcr.io/acme-prod/orders:$COMMIT_SHA'"),
			cloudbuild.ImageChoice{},
			[]string{"no visible step pushes one"},
		},
		{
			"in a comment and a text", inShell("# " + pushesCommit + "\necho '" + pushesCommit + "'"),
			cloudbuild.ImageChoice{},
			[]string{"no visible step pushes one"},
		},
		{
			"kaniko, latest", runsIn(kaniko, "'--destination=gcr.io/acme-prod/orders:latest'"),
			cloudbuild.ImageChoice{},
			[]string{movable, "add --destination=gcr.io/acme-prod/orders:$COMMIT_SHA"},
		},
		{
			"buildx, latest", runsIn(docker, "buildx, build, --push, -t, 'gcr.io/acme-prod/orders:latest', ."),
			cloudbuild.ImageChoice{},
			[]string{movable, "add -t gcr.io/acme-prod/orders:$COMMIT_SHA"},
		},
		{
			"pack, latest", runsIn("pack", "build, 'gcr.io/acme-prod/orders:latest', --publish"),
			cloudbuild.ImageChoice{},
			[]string{movable, "add --tag=gcr.io/acme-prod/orders:$COMMIT_SHA"},
		},
		{
			"push, latest", runsIn(docker, "push, 'gcr.io/acme-prod/orders:latest'"),
			cloudbuild.ImageChoice{},
			[]string{movable, "docker push gcr.io/acme-prod/orders:$COMMIT_SHA"},
		},
		{
			"a script, latest", asScript("docker push gcr.io/acme-prod/orders:latest"),
			cloudbuild.ImageChoice{},
			[]string{movable, "with automapSubstitutions: true in the step"},
		},
		{
			"no tag", runsIn(docker, "push, gcr.io/acme-prod/orders"),
			cloudbuild.ImageChoice{},
			[]string{"pushes gcr.io/acme-prod/orders, whose tag another build may move"},
		},
		{
			"a branch", runsIn(docker, "push, 'gcr.io/acme-prod/orders:$BRANCH_NAME'"),
			cloudbuild.ImageChoice{},
			[]string{"orders:main, whose tag another build may move"},
		},
		{
			"too little of the commit", runsIn(docker, "push, 'gcr.io/acme-prod/orders:${COMMIT_SHA:0:4}'"),
			cloudbuild.ImageChoice{},
			[]string{"whose tag another build may move"},
		},
		{
			"too little of the build's id", runsIn(docker, "push, 'gcr.io/acme-prod/orders:${BUILD_ID:0:2}'"),
			cloudbuild.ImageChoice{},
			[]string{"whose tag another build may move"},
		},
		{
			"every tag", runsIn(docker, "push, --all-tags, gcr.io/acme-prod/orders"),
			cloudbuild.ImageChoice{},
			[]string{"pushes every tag of gcr.io/acme-prod/orders", "set spec.build.image", "gcr.io/acme-prod/orders:$COMMIT_SHA"},
		},
		{"every tag, -a", inShell("docker push -a gcr.io/acme-prod/orders"), cloudbuild.ImageChoice{}, []string{"pushes every tag"}},
		{
			"a substitution without a value", runsIn(docker, "push, 'gcr.io/acme-prod/orders:$_TAG'"),
			cloudbuild.ImageChoice{},
			[]string{"${_TAG} has no value", "set spec.build.substitutions._TAG"},
		},
		{
			"an empty substitution", runsIn(docker, "push, 'gcr.io/acme-prod/orders:$TAG_NAME'"),
			cloudbuild.ImageChoice{},
			[]string{"$TAG_NAME is empty", "use $COMMIT_SHA"},
		},
		{
			"a project's number", runsIn(docker, "push, 'gcr.io/p$PROJECT_NUMBER/orders:$COMMIT_SHA'"),
			cloudbuild.ImageChoice{},
			[]string{"contains $PROJECT_NUMBER, which only the build knows"},
		},
		{
			"a command's output", inShell("docker push gcr.io/acme-prod/orders:$(cat VERSION)"),
			cloudbuild.ImageChoice{},
			[]string{"gcr.io/acme-prod/orders:$(cat VERSION), which is known only when the step runs", "set spec.build.image"},
		},
		{
			"either of two values", inShell("T=$COMMIT_SHA\nif x; then T=latest; fi\ndocker push gcr.io/acme-prod/orders:$$T"),
			cloudbuild.ImageChoice{},
			[]string{"is known only when the step runs"},
		},
		{
			"a loop over what is not known", inShell("for t in $(git tag) $COMMIT_SHA; do docker push gcr.io/acme-prod/orders:$$t; done"),
			cloudbuild.ImageChoice{},
			[]string{"is known only when the step runs"},
		},
		{
			"a loop over two images", inShell("for s in web worker; do docker push gcr.io/acme-prod/$$s:$COMMIT_SHA; done"),
			cloudbuild.ImageChoice{},
			[]string{"the steps push several: gcr.io/acme-prod/web, gcr.io/acme-prod/worker"},
		},
		{
			"a variable that may change", inShell("T=$COMMIT_SHA\n[ -f x ] && T=latest\ndocker push gcr.io/acme-prod/orders:$$T"),
			cloudbuild.ImageChoice{},
			[]string{"is known only when the step runs"},
		},
		{
			"a function without its argument", inShell("ship() { docker push gcr.io/acme-prod/orders:$$1; }\nship $$TAG"),
			cloudbuild.ImageChoice{},
			[]string{"is known only when the step runs"},
		},
		{
			"what a script does not get", asScript(pushesCommit),
			cloudbuild.ImageChoice{},
			[]string{"contains $COMMIT_SHA, and a script gets no substitutions unless the step maps them; add automapSubstitutions: true to the " +
				"step, or env: ['COMMIT_SHA=$COMMIT_SHA']"},
		},
		{
			"what a script does not get, in a variable",
			asScript("IMG=gcr.io/${PROJECT_ID}/orders:$COMMIT_SHA\ndocker push gcr.io/acme-prod/orders:${SHORT_SHA}"),
			cloudbuild.ImageChoice{},
			[]string{"contains $SHORT_SHA, and a script gets no substitutions"},
		},
		{
			"two repositories", inShell(pushesCommit + "\ndocker push gcr.io/acme-prod/worker:$COMMIT_SHA"),
			cloudbuild.ImageChoice{},
			[]string{"the steps push several: gcr.io/acme-prod/orders, gcr.io/acme-prod/worker", "set spec.build.image"},
		},
		{
			"two, and neither is live", inShell(pushesCommit + "\ndocker push gcr.io/acme-prod/worker:$COMMIT_SHA"),
			cloudbuild.ImageChoice{Live: "gcr.io/x/web:1"},
			[]string{"the steps push several"},
		},
		{
			"two images of one repository",
			inShell("docker push gcr.io/acme-prod/orders:a-$COMMIT_SHA\ndocker push gcr.io/acme-prod/orders:b-$COMMIT_SHA"),
			cloudbuild.ImageChoice{},
			[]string{"several of one repository", "orders:a-", "orders:b-", "with its tag"},
		},
		{
			"two images of one repository, in two steps",
			inShell("ls\ndocker push gcr.io/acme-prod/orders:a-$COMMIT_SHA",
				"- name: gcr.io/cloud-builders/docker\n  args: [push, 'gcr.io/acme-prod/orders:b-$COMMIT_SHA']\n"),
			cloudbuild.ImageChoice{},
			[]string{"several of one repository"},
		},
		{
			"out of sight, docker-compose", inShell("docker-compose push"),
			cloudbuild.ImageChoice{},
			[]string{"runs docker-compose push, which pushes an image whose name"},
		},
		{
			"out of sight, its builder", runsIn("docker/compose:1.29", "push"),
			cloudbuild.ImageChoice{},
			[]string{"runs docker-compose push, which pushes"},
		},
		{
			"out of sight, bake", runsIn(docker, "buildx, bake, --set, '*.output=type=registry'"),
			cloudbuild.ImageChoice{},
			[]string{"runs docker bake, which pushes"},
		},
		{
			"out of sight, skaffold", runsIn("gcr.io/k8s-skaffold/skaffold", "skaffold, -v, debug, build, --default-repo=gcr.io/acme-prod"),
			cloudbuild.ImageChoice{},
			[]string{"runs skaffold build, which pushes"},
		},
		{"skaffold without a push", inShell("skaffold build --push=false"), cloudbuild.ImageChoice{}, []string{"no visible step pushes one"}},
		{"out of sight, bazel", inShell("bazel run //web:push"), cloudbuild.ImageChoice{}, []string{"runs bazel run, which pushes"}},
		{"out of sight, earthly", inShell("earthly --push +image"), cloudbuild.ImageChoice{}, []string{"which pushes an image whose name"}},
		{
			"out of sight, Spring Boot", runsIn("gradle", "bootBuildImage, --publishImage"),
			cloudbuild.ImageChoice{},
			[]string{"runs gradle with Spring Boot, which pushes"},
		},
		{
			"out of sight", runsIn(docker, "compose, push"),
			cloudbuild.ImageChoice{},
			[]string{"runs docker compose, which pushes an image whose name Turnout cannot see", "set spec.build.image"},
		},
		{"ko by a hash", runsIn("ko", "build, ./cmd/x"), cloudbuild.ImageChoice{}, []string{"runs ko build, which pushes an image whose name"}},
		{"jib by its pom", runsIn("maven", "'jib:build'"), cloudbuild.ImageChoice{}, []string{"runs mvn with jib, which pushes"}},
		{
			"a spec without a tag", runsIn(docker, "compose, push"),
			cloudbuild.ImageChoice{Image: "gcr.io/$PROJECT_ID/orders"},
			[]string{"spec.build.image gcr.io/acme-prod/orders", "set spec.build.image of the BlueGreen to gcr.io/acme-prod/orders:$COMMIT_SHA"},
		},
		{
			"a spec with a mutable tag", runsIn(docker, "compose, push"),
			cloudbuild.ImageChoice{Image: "gcr.io/acme-prod/orders:latest"},
			[]string{"may be another build's"},
		},
		{
			"a spec that a step pushes mutably", runsIn(docker, "push, 'gcr.io/acme-prod/orders:latest'"),
			cloudbuild.ImageChoice{Image: "gcr.io/acme-prod/orders"},
			[]string{movable},
		},
		{
			"a spec without a value", runsIn(docker, "compose, push"),
			cloudbuild.ImageChoice{Image: "gcr.io/acme-prod/orders:$_TAG"},
			[]string{"spec.build.image gcr.io/acme-prod/orders:$_TAG ${_TAG} has no value"},
		},
		{
			"a spec by digest", runsIn(docker, "compose, push"),
			cloudbuild.ImageChoice{Image: "gcr.io/acme-prod/orders@sha256:" + strings.Repeat("a", 64)},
			[]string{"is not the name of an image with a tag"},
		},
		{
			"a spec that is neither listed nor pushed", runsIn(docker, "push, 'gcr.io/acme-prod/worker:$COMMIT_SHA'") + someImage,
			cloudbuild.ImageChoice{Image: "gcr.io/p/b:$COMMIT_SHA"},
			[]string{"is not among them"},
		},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			got, err := chosen(t, test.text, test.choice)
			var bad *cloudbuild.FileError
			if !errors.As(err, &bad) || bad.Fix == "" || bad.Line == 0 {
				t.Fatalf("%s\nchosen %+v, error %v", test.text, got, err)
			}
			for _, want := range test.says {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("%s\nerror %v, want in it %s", test.text, err, want)
				}
			}
		})
	}
}

func TestAListedImageThatCloudBuildWillNotFindIsWarnedOf(t *testing.T) {
	const (
		kaniko = "- name: gcr.io/kaniko-project/executor\n  args: ['--destination=gcr.io/acme-prod/orders:$COMMIT_SHA']\n"
		docker = "- name: gcr.io/cloud-builders/docker\n  args: "
		images = "images: ['gcr.io/acme-prod/orders:${COMMIT_SHA}']\n"
	)
	tests := []struct {
		name, steps string
		warned      string
	}{
		{"kaniko", kaniko, "cloudbuild.yaml:4: images[0] is gcr.io/acme-prod/orders:${COMMIT_SHA}, which steps[0] pushes itself with kaniko: " +
			"it is not in the worker's Docker"},
		{"buildx", docker + "[buildx, build, --push, -t, 'gcr.io/acme-prod/orders:$COMMIT_SHA', .]\n", "pushes itself with docker build --push"},
		{
			"pack", "- name: gcr.io/k8s-skaffold/pack\n  args: [build, 'gcr.io/acme-prod/orders:$COMMIT_SHA', --publish]\n",
			"pushes itself with pack build --publish",
		},
		{"docker push", docker + "[build, -t, 'gcr.io/acme-prod/orders:$COMMIT_SHA', .]\n" + docker +
			"[push, 'gcr.io/acme-prod/orders:$COMMIT_SHA']\n", ""},
		{"kaniko, then pulled", kaniko + docker + "[pull, 'gcr.io/acme-prod/orders:$COMMIT_SHA']\n", ""},
		{"kaniko, and a script", kaniko + "- {name: docker, script: make load}\n", ""},
		{"kaniko, another image", strings.Replace(kaniko, "orders", "base", 1), ""},
	}
	for _, test := range tests {
		f := parse(t, "steps:\n"+test.steps+images)
		said := ""
		for _, w := range f.Warnings {
			said += w.String()
		}
		if test.warned == "" && said != "" || !strings.Contains(said, test.warned) {
			t.Errorf("%s: said %q, want %q", test.name, said, test.warned)
		}
	}
}

func TestAmongPushedImagesSpecAndLiveDecide(t *testing.T) {
	both := inShell(pushesCommit + "\ndocker push gcr.io/acme-prod/worker:$COMMIT_SHA\ndocker push gcr.io/acme-prod/worker:latest")
	tests := []struct {
		name, text string
		choice     cloudbuild.ImageChoice
		want       cloudbuild.Chosen
	}{
		{
			"live", both,
			cloudbuild.ImageChoice{Live: "eu.gcr.io/x/worker@sha256:1"},
			cloudbuild.Chosen{Image: "gcr.io/acme-prod/worker", Reference: "gcr.io/acme-prod/worker:" + commit},
		},
		{
			"spec", both,
			cloudbuild.ImageChoice{Image: "gcr.io/$PROJECT_ID/worker", Live: "x/orders"},
			cloudbuild.Chosen{Image: "gcr.io/acme-prod/worker", Reference: "gcr.io/acme-prod/worker:" + commit},
		},
		{
			"spec with a tag of its own", both,
			cloudbuild.ImageChoice{Image: "gcr.io/acme-prod/worker:b-$BUILD_ID"},
			cloudbuild.Chosen{Image: "gcr.io/acme-prod/worker", Reference: "gcr.io/acme-prod/worker:b-$BUILD_ID"},
		},
		{
			"spec with a mutable tag, pushed with the commit", both,
			cloudbuild.ImageChoice{Image: "gcr.io/acme-prod/worker:latest"},
			cloudbuild.Chosen{Image: "gcr.io/acme-prod/worker", Reference: "gcr.io/acme-prod/worker:" + commit},
		},
		{
			"spec, pushed out of sight", someSteps,
			cloudbuild.ImageChoice{Image: "registry.example.com:5000/orders:$SHORT_SHA"},
			cloudbuild.Chosen{Image: "registry.example.com:5000/orders", Reference: "registry.example.com:5000/orders:" + commit[:7]},
		},
		{"listed ones come first", both + someImage, cloudbuild.ImageChoice{}, cloudbuild.Chosen{Image: "gcr.io/p/a"}},
		{
			"spec, pushed beside listed ones", both + someImage,
			cloudbuild.ImageChoice{Image: "gcr.io/acme-prod/orders"},
			cloudbuild.Chosen{Image: "gcr.io/acme-prod/orders", Reference: atCommit},
		},
		{
			"every tag, and the commit's by the spec", inShell("docker push -a gcr.io/acme-prod/orders"),
			cloudbuild.ImageChoice{Image: "gcr.io/acme-prod/orders:$COMMIT_SHA"},
			cloudbuild.Chosen{Image: "gcr.io/acme-prod/orders", Reference: atCommit},
		},
	}
	for _, test := range tests {
		got, err := chosen(t, test.text, test.choice)
		got.Unseen = nil // tested separately
		if err != nil || got != test.want {
			t.Errorf("%s: chosen %+v, error %v, want %+v", test.name, got, err, test.want)
		}
	}
}

func TestACloudRunServiceThatGetsThePushedImageIsLeftOut(t *testing.T) {
	f, err := parse(t, inShell(pushesCommit,
		"- name: gcr.io/cloud-builders/gcloud\n  args: [run, deploy, shop, '--image=gcr.io/acme-prod/orders:$COMMIT_SHA']\n")).
		Apply(cloudbuild.Skip)
	if err != nil || len(f.Build.GetSteps()) != 1 {
		t.Errorf("%d steps, error %v", len(f.Build.GetSteps()), err)
	}
}

func TestKoThatAppliesIsAClusterStep(t *testing.T) {
	f, err := cloudbuild.Parse("cloudbuild.yaml", []byte(inShell("ko apply -f x")+someImage))
	if err == nil {
		_, err = f.Apply(cloudbuild.Skip)
	}
	if err == nil || !strings.Contains(err.Error(), `steps[0]: runs "ko apply" and also builds an image`) {
		t.Errorf("error %v", err)
	}
}

func TestTheBuildsIDGoesIntoTheName(t *testing.T) {
	const id = "0a1b2c3d-1111-2222-3333-444455556666"
	for reference, want := range map[string]string{
		"gcr.io/p/a:$BUILD_ID": "gcr.io/p/a:" + id, "gcr.io/p/a:b-${BUILD_ID:0:8}": "gcr.io/p/a:b-0a1b2c3d",
		"gcr.io/p/a-${BUILD_ID}:x": "gcr.io/p/a-" + id + ":x", atCommit: atCommit,
	} {
		if got, err := cloudbuild.WithBuildID(reference, id); err != nil || got != want {
			t.Errorf("%s became %q, error %v", reference, got, err)
		}
	}
}

// A file of a few KB does not expand to gigabytes.
func TestNamesOfPushedImagesAreBounded(t *testing.T) {
	var script strings.Builder
	script.WriteString("A=xxxxxxxxxx\n")
	for i := range 40 {
		fmt.Fprintf(&script, "B%d=$A$A$A$A$A$A$A$A\nA=$B%d\n", i, i)
	}
	script.WriteString(strings.Repeat("docker push $_A$_A$_A$_A$A\n", 1000))
	text := inShell(strings.ReplaceAll(script.String(), "$A", "$$A"), "substitutions: {_A: "+strings.Repeat("x", 9000)+"}\n")
	allocated := testing.Benchmark(func(b *testing.B) {
		for b.Loop() {
			if _, err := chosen(t, text, cloudbuild.ImageChoice{}); err == nil {
				t.Fatal("a name without a registry was chosen")
			}
		}
	}).AllocedBytesPerOp()
	if allocated > 64<<20 {
		t.Errorf("%d MB were used", allocated>>20)
	}
}
