package cloudbuild

import (
	"path"
	"slices"
	"strings"

	"github.com/turnout-dev/turnout/internal/imageref"
)

// pushing looks at a command that may push an image, following the documentation of each
// program's options.
func (p *pusher) pushing(tool string, args []word, vars values) {
	p.commands++
	switch tool {
	case "docker", "podman", "nerdctl", "buildah", "img", "depot":
		p.dockerPush(tool, args)
	case "docker-compose", "earthly", "skaffold", "bazel", "bazelisk":
		p.pushesUnnamed(tool, args)
	case "executor", "kaniko":
		if !isSet(args, "--no-push") {
			p.pushesTo("kaniko", "--destination=%s", flagValues(args, "--destination", "-d"))
		}
	case "pack":
		words := operands(args, packValues)
		if len(words) > 1 && words[0].text == "build" && isSet(args, "--publish") {
			p.pushesTo("pack build --publish", "--tag=%s", append(words[1:2], flagValues(args, "--tag", "-t")...))
		}
	case "ko":
		p.koPush(args, vars)
	case "mvn", "mvnw", "gradle", "gradlew", "jib":
		p.jibPush(tool, args)
		p.pluginPush(tool, args)
	case "buildctl":
		p.pushesTo("buildctl", "--output type=image,push=true,name=%s", pushedOutputs(args))
	case "crane":
		p.cranePush(args)
	case "skopeo", "regctl", "oras":
		p.copyPush(tool, args)
	case "gcloud":
		p.gcloudPush(args)
	}
}

// copyPush looks at commands that copy an image from one place to another.
func (p *pusher) copyPush(tool string, args []word) {
	words := operands(args, strings.Fields("--authfile --src-creds --dest-creds --creds -a --format -f --src-cert-dir --dest-cert-dir "+
		"--override-arch --override-os --platform"))
	if tool == "regctl" && len(words) > 0 {
		words = words[1:]
	}
	if len(words) < 3 || words[0].text != "copy" && words[0].text != "cp" {
		return
	}
	if to := words[2]; tool != "skopeo" || strings.HasPrefix(to.text, "docker://") {
		p.pushesTo(tool+" "+words[0].text, "another "+tool+" "+words[0].text+" to %s", []word{to})
	}
}

// gcloudPush looks at gcloud's builds that name an image, and at its commands that add tags.
func (p *pusher) gcloudPush(args []word) {
	words := operands(args, gcloudValues)
	texts := strings.Fields(text(words[:min(4, len(words))]))
	switch {
	case len(texts) > 1 && texts[0] == "builds" && texts[1] == "submit":
		names := flagValues(args, "--tag", "-t")
		for _, w := range flagValues(args, "--pack") {
			for field := range strings.SplitSeq(w.text, ",") {
				if name, ok := strings.CutPrefix(field, "image="); ok {
					names = append(names, word{text: name, known: w.known})
				}
			}
		}
		p.pushesTo("gcloud builds submit", "--tag=%s", names)
	case len(words) > 4 && strings.HasPrefix(text(words), "container images add-tag "):
		p.pushesTo("gcloud container images add-tag", "%s to it", words[4:])
	case len(words) > 5 && strings.HasPrefix(text(words), "artifacts docker tags add "):
		p.pushesTo("gcloud artifacts docker tags add", "another one with %s", words[5:6])
	}
}

// pushesUnnamed looks at programs that push an image named in their own configuration.
func (p *pusher) pushesUnnamed(tool string, args []word) {
	words := operands(args, clusterTools["skaffold"].values)
	command := ""
	if len(words) > 0 {
		command = words[0].text
	}
	switch {
	case tool == "docker-compose" && (command == "push" || isSet(args, "--push")),
		tool == "earthly" && isSet(args, "--push"),
		tool == "skaffold" && (command == "build" || command == "run") && !isOff(args, "--push"),
		strings.HasPrefix(tool, "bazel") && command == "run" && len(words) > 1 && strings.Contains(words[1].text, "push"):
		p.unnamedPush(strings.TrimSpace(tool + " " + command))
	}
}

// pluginPush looks at Spring Boot and Quarkus, as plugins of Maven and Gradle.
func (p *pusher) pluginPush(tool string, args []word) {
	goal := func(name string) bool {
		return slices.ContainsFunc(operands(args, nil), func(w word) bool { return w.text == name || strings.HasSuffix(w.text, ":"+name) })
	}
	by := tool + " with "
	switch {
	case goal("build-image") && isSet(args, "-Dspring-boot.build-image.publish"), goal("build-image-no-fork") &&
		isSet(args, "-Dspring-boot.build-image.publish"),
		goal("bootBuildImage") && isSet(args, "--publishImage"):
		p.pushesOrUnnamed(by+"Spring Boot", flagValues(args, "-Dspring-boot.build-image.imageName", "--imageName"))
	case isSet(args, "-Dquarkus.container-image.push"):
		p.pushesOrUnnamed(by+"Quarkus", flagValues(args, "-Dquarkus.container-image.image"))
	}
}

func (p *pusher) pushesOrUnnamed(by string, names []word) {
	if len(names) == 0 {
		p.unnamedPush(by)
		return
	}
	p.pushesTo(by, "another "+by+" with %s", names)
}

// pushesTo records a command that pushes one image under some names.
func (p *pusher) pushesTo(by, add string, names []word) {
	for _, name := range names {
		outside := !strings.HasSuffix(by, " push") && !strings.HasPrefix(by, "gcloud")
		p.pushes = append(p.pushes,
			push{step: p.at, command: p.commands, by: by, ref: strings.TrimPrefix(name.text, "docker://"), outside: outside, add: add})
	}
}

// unnamedPush records a command that pushes an image without naming it.
func (p *pusher) unnamedPush(by string) {
	p.pushes = append(p.pushes, push{step: p.at, command: p.commands, by: by})
}

var (
	dockerValues = []string{"--config", "-c", "--context", "-H", "--host", "-l", "--log-level"}
	packValues   = strings.Fields("-B --builder -b --buildpack -e --env --env-file -p --path -r --run-image --network -t --tag -d " +
		"--descriptor -D --default-process " +
		"--cache --cache-image --creation-time --docker-host --extension --gid --uid --insecure-registry --lifecycle-image --platform " +
		"--post-buildpack --pre-buildpack " +
		"--previous-image --pull-policy --report-output-dir --sbom-output-dir --volume --workspace")
)

// dockerPush looks at docker push, docker build --push and docker buildx, and at
// programs with the same commands.
func (p *pusher) dockerPush(tool string, args []word) {
	words := operands(args, slices.Concat(dockerValues,
		[]string{"--platform", "--creds", "--authfile", "--cert-dir", "--format", "-f", "--digestfile", "-t", "--tag", "-o", "--output"}))
	for len(words) > 0 && slices.Contains([]string{"image", "manifest", "builder"}, words[0].text) {
		words = words[1:]
	}
	if len(words) == 0 {
		return
	}
	command := words[0].text
	if command == "buildx" && len(words) > 1 {
		command, words = words[1].text, words[1:]
		if command == "imagetools" {
			p.pushesTo(tool+" buildx imagetools", "-t %s", flagValues(args, "-t", "--tag"))
			return
		}
	}
	switch command {
	case "push":
		if len(words) > 1 {
			name := tool + " push"
			p.pushesTo(name, "-t %[1]s to its build, and "+name+" %[1]s", words[len(words)-1:])
			p.pushes[len(p.pushes)-1].all = isSet(args, "--all-tags") || isSet(args, "-a")
		}
	case "build", "b":
		if names := pushedOutputs(args); len(names) > 0 {
			p.pushesTo(tool+" build --output", "-t %s", names)
		} else if isSet(args, "--push") || pushesOutput(args) {
			p.pushesTo(tool+" build --push", "-t %s", flagValues(args, "-t", "--tag"))
		}
	case "compose", "bake":
		set := flagValues(args, "--set")
		out := slices.ContainsFunc(set, func(w word) bool {
			return strings.Contains(w.text, "type=registry") || strings.Contains(w.text, "push=true")
		})
		if isSet(args, "--push") || out || len(words) > 1 && words[1].text == "push" {
			p.unnamedPush(tool + " " + command)
		}
	}
}

// pushesOutput reports whether BuildKit's --output goes to a registry.
func pushesOutput(args []word) bool {
	return slices.ContainsFunc(flagValues(args, "-o", "--output"), func(w word) bool {
		fields := strings.Split(w.text, ",")
		return slices.Contains(fields, "type=registry") || slices.Contains(fields, "push=true")
	})
}

// pushedOutputs are the names that --output gives to what it pushes.
func pushedOutputs(args []word) []word {
	var names []word
	if !pushesOutput(args) {
		return nil
	}
	for _, w := range flagValues(args, "-o", "--output") {
		for field := range strings.SplitSeq(w.text, ",") {
			if name, ok := strings.CutPrefix(field, "name="); ok {
				names = append(names, word{text: name, known: w.known})
			}
		}
	}
	return names
}

// koPush looks at ko, which names images by $KO_DOCKER_REPO and, by default, a hash of
// the import path.
func (p *pusher) koPush(args []word, vars values) {
	words := operands(args, []string{
		"-t", "--tags", "--image-refs", "--platform", "--sbom", "--sbom-dir", "--image-label", "--image-user",
		"-f", "--filename", "--ldflags", "--tarball", "--oci-layout-path",
	})
	if len(words) == 0 || !slices.Contains([]string{"build", "publish", "resolve", "apply", "create", "run"}, words[0].text) ||
		isSet(args, "--local") || isSet(args, "-L") || isOff(args, "--push") {
		return
	}
	repository, known := vars["KO_DOCKER_REPO"]
	switch {
	case !known:
		repository = ""
	case isSet(args, "--bare"):
	case (isSet(args, "--base-import-paths") || isSet(args, "-B")) && len(words) == 2 && words[1].known && path.Base(words[1].text) != ".":
		repository += "/" + strings.ToLower(path.Base(words[1].text))
	default:
		repository = ""
	}
	if repository == "" || repository == "ko.local" || repository == "kind.local" {
		p.unnamedPush("ko " + words[0].text)
		return
	}
	names := flagValues(args, "-t", "--tags")
	if len(names) == 0 {
		names = plainWords([]string{"latest"})
	}
	p.pushesTo("ko "+words[0].text, "--tags with the tag of %s", tagged(repository, names))
}

// tagged are the names of a repository with each tag; an element may be a list of tags.
func tagged(repository string, tags []word) []word {
	var out []word
	for _, w := range tags {
		for tag := range strings.SplitSeq(w.text, ",") {
			out = append(out, word{text: imageref.Repository(repository) + ":" + tag, known: w.known})
		}
	}
	return out
}

// jibPush looks at jib, as a plugin of Maven and Gradle and on its own.
func (p *pusher) jibPush(tool string, args []word) {
	goal := slices.ContainsFunc(operands(args, nil), func(w word) bool {
		return strings.HasPrefix(w.text, "jib:build") || strings.Contains(w.text, "jib-maven-plugin") && strings.HasSuffix(w.text, ":build") ||
			strings.HasPrefix(tool, "gradle") && (w.text == "jib" || strings.HasSuffix(w.text, ":jib"))
	})
	if tool == "jib" {
		names := slices.DeleteFunc(flagValues(args, "-t", "--target"), func(w word) bool {
			return strings.HasPrefix(w.text, "docker://") || strings.HasPrefix(w.text, "tar://")
		})
		p.pushesTo("jib", "--additional-tags with the tag of %s", names)
		return
	}
	if !goal {
		return
	}
	names := flagValues(args, "-Dimage", "-Djib.to.image", "--image")
	by, add := tool+" with jib", "-Djib.to.tags with the tag of %s"
	if len(names) == 0 {
		p.unnamedPush(by)
		return
	}
	p.pushesTo(by, add, append(names, tagged(names[0].text, flagValues(args, "-Djib.to.tags"))...))
}

func (p *pusher) cranePush(args []word) {
	words := operands(args, []string{"--platform", "--image-refs"})
	switch {
	case len(words) > 0 && (words[0].text == "append" || words[0].text == "mutate"):
		p.pushesTo("crane "+words[0].text, "another crane "+words[0].text+" with -t %s", flagValues(args, "-t", "--new_tag", "--tag"))
	case len(words) < 3:
	case words[0].text == "push", words[0].text == "copy", words[0].text == "cp":
		p.pushesTo("crane "+words[0].text, "crane tag IMAGE with the tag of %s", words[2:3])
	case words[0].text == "tag":
		p.pushesTo("crane tag", "crane tag IMAGE with the tag of %s", tagged(words[1].text, words[2:3]))
	}
}
