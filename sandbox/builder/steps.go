package builder

import (
	"context"
	"fmt"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"cloud.google.com/go/cloudbuild/apiv1/v2/cloudbuildpb"
	"github.com/spf13/pflag"

	"github.com/turnout-dev/turnout/deployer/cloudbuild/cloudbuildtest"
	"github.com/turnout-dev/turnout/sandbox/registry"
)

// steps carries out the steps in their order and stops at the first failure.
func (w *work) steps(ctx context.Context, steps []*cloudbuildpb.BuildStep) ([]cloudbuildtest.Step, error) {
	done := make([]cloudbuildtest.Step, 0, len(steps))
	for i, step := range steps {
		name := fmt.Sprintf("step %d", i)
		if step.GetId() != "" {
			name += " (" + step.GetId() + ")"
		}
		fmt.Fprintf(w, "Starting %s: %s %s\n", name, step.GetName(), strings.Join(step.GetArgs(), " "))
		err := w.step(ctx, step)
		if err == nil {
			done = append(done, cloudbuildtest.Step{Status: cloudbuildpb.Build_SUCCESS})
			continue
		}
		done = append(done, cloudbuildtest.Step{Status: cloudbuildpb.Build_FAILURE, ExitCode: 1})
		err = fmt.Errorf("%s failed: %w", name, err)
		if !step.GetAllowFailure() {
			return done, err
		}
		fmt.Fprintf(w, "%v (allowed)\n", err)
	}
	return done, nil
}

func (w *work) step(ctx context.Context, step *cloudbuildpb.BuildStep) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if d, ok := sleeps(step); ok {
		select {
		case <-time.After(d):
		case <-ctx.Done():
		}
		return ctx.Err()
	}
	builder, _, _ := strings.Cut(step.GetName(), ":")
	if !strings.HasSuffix(builder, "/docker") && builder != "docker" {
		fmt.Fprintf(w, "%s: not run in the sandbox, which runs steps of the docker builder only\n", step.GetName())
		return nil
	}
	args := step.GetArgs()
	switch {
	case step.GetScript() != "", step.GetEntrypoint() != "" && step.GetEntrypoint() != "docker":
		return fmt.Errorf("the sandbox runs docker build, tag, push and pull given as args, no script and no entrypoint %q", step.GetEntrypoint())
	case len(args) == 0:
		return fmt.Errorf("args are empty: nothing to do")
	}
	switch args[0] {
	case "build":
		return w.build(ctx, step, args[1:])
	case "buildx":
		if len(args) > 1 && args[1] == "build" {
			return w.build(ctx, step, args[2:])
		}
	case "tag":
		if len(args) == 3 {
			return w.tag(args[1], args[2])
		}
	case "push":
		if images := positional(args[1:]); len(images) == 1 {
			return w.push(images[0])
		}
	case "pull":
		if images := positional(args[1:]); len(images) == 1 {
			return w.pull(images[0])
		}
	}
	return fmt.Errorf("the sandbox does not understand docker %s", strings.Join(args, " "))
}

// sleeps reports how long a step sleeps, if it does nothing else: no builder needs a container
// for that.
func sleeps(step *cloudbuildpb.BuildStep) (time.Duration, bool) {
	line := step.GetArgs()
	if entrypoint := step.GetEntrypoint(); entrypoint != "" {
		line = append([]string{entrypoint}, line...)
	}
	if len(line) != 2 || line[0] != "sleep" {
		return 0, false
	}
	seconds, err := strconv.ParseFloat(line[1], 64)
	return time.Duration(seconds * float64(time.Second)), err == nil
}

// positional leaves out the flags.
func positional(args []string) []string {
	var rest []string
	for _, a := range args {
		if !strings.HasPrefix(a, "-") {
			rest = append(rest, a)
		}
	}
	return rest
}

// build is `docker build`.
func (w *work) build(ctx context.Context, step *cloudbuildpb.BuildStep, args []string) error {
	flags := pflag.NewFlagSet("docker build", pflag.ContinueOnError)
	flags.SetOutput(w)
	tags := flags.StringArrayP("tag", "t", nil, "")
	file := flags.StringP("file", "f", "", "")
	target := flags.String("target", "", "")
	buildArgs := flags.StringArray("build-arg", nil, "")
	for _, ignored := range []string{"cache-from", "cache-to", "label", "platform", "network", "progress", "secret", "ssh", "memory"} {
		flags.StringArray(ignored, nil, "")
	}
	for _, ignored := range []string{"no-cache", "pull", "rm", "force-rm", "push", "load", "squash"} {
		flags.Bool(ignored, false, "")
	}
	flags.BoolP("quiet", "q", false, "")
	if err := flags.Parse(args); err != nil {
		return fmt.Errorf("reading the arguments of docker build: %w", err)
	}
	if flags.NArg() != 1 {
		return fmt.Errorf("docker build needs one path, got %q", flags.Args())
	}
	request := registry.BuildRequest{
		Context: filepath.Join(w.dir(step), filepath.Clean("/"+flags.Arg(0))), Target: *target, Args: map[string]string{}, Log: w,
	}
	for _, pair := range *buildArgs {
		key, value, _ := strings.Cut(pair, "=")
		request.Args[key] = value
	}
	if *file != "" { // named from the step's directory, read from the context's
		relative, err := filepath.Rel(request.Context, filepath.Join(w.dir(step), *file))
		if err != nil || strings.HasPrefix(relative, "..") {
			return fmt.Errorf("the Dockerfile %s must lie in the build context %s", *file, flags.Arg(0))
		}
		request.Dockerfile = relative
	}
	digest, err := w.Registry.Build(ctx, request)
	if err != nil {
		return err
	}
	fmt.Fprintf(w, "Successfully built %s\n", digest)
	for _, tag := range *tags {
		w.local[tag] = digest
	}
	return nil
}

func (w *work) tag(from, to string) error {
	digest, ok := w.local[from]
	if !ok {
		return fmt.Errorf("docker tag: no such image: %s", from)
	}
	w.local[to] = digest
	return nil
}

// push is `docker push`, and what Cloud Build does with the listed images.
func (w *work) push(image string) error {
	digest, ok := w.local[image]
	if !ok {
		return fmt.Errorf("an image does not exist locally with the tag: %s", image)
	}
	if err := w.Registry.Push(image, digest); err != nil {
		return err
	}
	w.pushed[image] = digest
	fmt.Fprintf(w, "%s: digest: %s\n", image, digest)
	return nil
}

func (w *work) pull(image string) error {
	found, _, err := w.Registry.Pull(image)
	if err != nil {
		return err
	}
	w.local[image] = found.Digest
	return nil
}
