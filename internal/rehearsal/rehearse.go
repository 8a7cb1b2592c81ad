package rehearsal

import (
	"context"
	"fmt"
	"strings"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/turnout-dev/turnout/api/v1alpha1"
	"github.com/turnout-dev/turnout/deployer/route"
	"github.com/turnout-dev/turnout/deployer/track"
	"github.com/turnout-dev/turnout/deployer/workload"
)

// Request is the release to rehearse.
type Request struct {
	Application *v1alpha1.BlueGreen
	// Release by name, and the commit that it releases.
	Release, Commit string
}

// Report is what a release would change.
type Report struct {
	// Target is the colour that it would put in front of users; Replicas is its size there.
	Target   v1alpha1.Color
	Replicas int32
	// Image has [Unbuilt] for its digest.
	Image string
	// Changes in their order.
	Changes []Change
}

// Change is one write.
type Change struct {
	// Step of the release that makes it.
	Step v1alpha1.Step
	// Object is its kind and name, such as "deployment my-python-app-green".
	Object string
	// Created: there is no such object yet.
	Created bool
	// Diff of the object as YAML; empty if nothing changes.
	Diff string
}

// Unbuilt stands for the digest of an image that is not built yet.
const Unbuilt = "sha256:0000000000000000000000000000000000000000000000000000000000000000"

// Try sends what a release would write to the API server, as dry runs. An error is what the
// release would meet, or that the caller may not write these objects; the report has what
// came before.
func Try(ctx context.Context, kube client.Client, q Request) (*Report, error) {
	t := &trial{Request: q, report: &Report{}}
	dry := &dryClient{Client: kube, results: map[string]*result{}, wrote: t.note}
	t.router = &route.Router{Client: dry, Reader: dry}
	t.workloads = &workload.Workloads{Client: dry, Reader: dry}
	return t.report, t.run(ctx)
}

// trial is one rehearsal.
type trial struct {
	Request
	router    *route.Router
	workloads *workload.Workloads
	report    *Report
	step      v1alpha1.Step
	err       error // of showing a write
}

// note keeps a write.
func (t *trial) note(before, after *unstructured.Unstructured) {
	diff, err := diffOf(before, after)
	if err != nil {
		t.err = err
	}
	if diff != "" || before == nil {
		t.report.Changes = append(t.report.Changes, Change{
			Step: t.step, Object: strings.ToLower(after.GetKind()) + " " + after.GetName(), Created: before == nil, Diff: diff,
		})
	}
}

func (t *trial) run(ctx context.Context) error {
	routes, err := t.router.Observe(ctx, t.Application)
	if err != nil {
		return err
	}
	live := routes.Live()
	if live == "" {
		return fmt.Errorf("%s sends users to neither colour alone, so no release can run", routes)
	}
	t.report.Target = live.Other()
	for _, step := range []struct {
		name v1alpha1.Step
		do   func(context.Context) error
	}{{v1alpha1.StepAttach, t.attach}, {v1alpha1.StepStage, t.stage}, {v1alpha1.StepSwitch, t.move}} {
		t.step = step.name
		if err := step.do(ctx); err != nil {
			return fmt.Errorf("%s: %w", step.name, err)
		}
	}
	return t.err
}

// attach creates what the target lacks, and references its Service. On a Gateway that takes
// several writes.
func (t *trial) attach(ctx context.Context) error {
	if _, err := t.workloads.CreateMissing(ctx, t.Application, t.report.Target); err != nil {
		return err
	}
	for range 4 {
		routes, err := t.router.Observe(ctx, t.Application)
		if err != nil || routes.Attached(t.report.Target) {
			return err
		}
		if err := t.router.Attach(ctx, t.Application, routes, t.report.Target); err != nil {
			return err
		}
	}
	return nil
}

// stage puts the version on the target, at the size that users need.
func (t *trial) stage(ctx context.Context) error {
	bg, sides := t.Application, map[v1alpha1.Color]track.Side{}
	for _, c := range []v1alpha1.Color{v1alpha1.Blue, v1alpha1.Green} {
		var err error
		if sides[c], err = t.workloads.Observe(ctx, bg, c); err != nil {
			return err
		}
	}
	target := t.report.Target
	live := sides[target.Other()]
	t.report.Replicas, _ = track.Size(bg.Spec.MinReplicas, live, sides[target])
	t.report.Image = imageOf(bg, live.Image)
	if err := t.workloads.RaiseMinimum(ctx, bg, sides[target], t.report.Replicas); err != nil {
		return err
	}
	_, err := t.workloads.Stage(ctx, bg, workload.StageRequest{
		Target: target, Image: t.report.Image, Commit: t.Commit, Release: t.Release, Replicas: t.report.Replicas,
	})
	return err
}

// move sends users to the target. A canary comes to the same routes in steps.
func (t *trial) move(ctx context.Context) error {
	routes, err := t.router.Observe(ctx, t.Application)
	if err != nil {
		return err
	}
	return t.router.Switch(ctx, t.Application, routes, t.report.Target, t.router.Ports(ctx, t.Application, t.report.Target))
}

// imageOf is the image that the build would make: of the repository that the spec names, or
// that the live colour runs.
func imageOf(bg *v1alpha1.BlueGreen, live string) string {
	repository := bg.Spec.Build.Image
	if repository == "" {
		repository = live
	}
	repository, _, _ = strings.Cut(repository, "@")
	if slash := strings.LastIndex(repository, "/"); strings.LastIndex(repository, ":") > slash {
		repository = repository[:strings.LastIndex(repository, ":")]
	}
	return repository + "@" + Unbuilt
}
