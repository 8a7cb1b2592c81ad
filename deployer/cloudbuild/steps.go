package cloudbuild

import (
	"fmt"
	"slices"

	"cloud.google.com/go/cloudbuild/apiv1/v2/cloudbuildpb"
	"google.golang.org/protobuf/proto"
)

// startAtOnce in a waitFor means: wait for nothing.
const startAtOnce = "-"

// ClusterSteps says what becomes of steps that would change the cluster.
type ClusterSteps string

// The policies of spec.build.clusterSteps.
const (
	// Skip removes them: Turnout does their work. The default.
	Skip ClusterSteps = "Skip"
	// Fail refuses the file.
	Fail ClusterSteps = "Fail"
	// Allow keeps them.
	Allow ClusterSteps = "Allow"
)

// Apply returns the file as the policy wants it; the file itself is unchanged.
// Each step removed is told by a warning. What waited for a removed step waits
// for what that one waited for.
func (f *File) Apply(policy ClusterSteps) (*File, error) {
	if policy == "" {
		policy = Skip
	}
	if f.account != "" {
		return nil, f.fault(f.account, "a repository's file may not choose whom its build runs as", "remove the field and set spec.build.serviceAccount of the BlueGreen")
	}
	if policy == Allow {
		return f, nil
	}
	if policy != Skip && policy != Fail {
		return nil, fmt.Errorf("spec.build.clusterSteps: %q is not one of Skip, Fail, Allow", policy)
	}
	drop := make([]bool, len(f.Build.GetSteps()))
	out := &File{Name: f.Name, Build: proto.CloneOf(f.Build), Warnings: slices.Clone(f.Warnings), lines: f.lines, first: f.first}
	for i, step := range f.Build.GetSteps() {
		why := changesCluster(step)
		if why == "" {
			continue
		}
		if policy == Fail {
			return nil, f.stepError(i, why, "remove the step: Turnout switches the colours; or set spec.build.clusterSteps of the BlueGreen to Skip or Allow")
		}
		if buildsImage(step) {
			return nil, f.stepError(i, why+" and builds an image too, so it can be neither kept nor removed", "split it in two steps, or set spec.build.clusterSteps of the BlueGreen to Allow")
		}
		drop[i] = true
		out.Warnings = append(out.Warnings, Warning{File: f.Name, Line: f.place(f.stepPath(i)), Message: fmt.Sprintf("%s was left out: it %s, which Turnout does itself", stepName(i, step.GetId()), why)})
	}
	out.Build.Steps, out.steps = f.without(drop)
	if len(out.Build.Steps) == 0 {
		return nil, &FileError{File: f.Name, Line: f.place("steps"), Step: -1, Field: "steps", Reason: "every step changes the cluster, so none is left to build the image", Fix: "add a step that builds it, or set spec.build.clusterSteps of the BlueGreen to Allow"}
	}
	return out, nil
}

// clusterStep is the first step that would change the cluster, and in words why
// it would; "" if there is none.
func (f *File) clusterStep() (i int, why string) {
	for i, step := range f.Build.GetSteps() {
		if why := changesCluster(step); why != "" {
			return i, why
		}
	}
	return -1, ""
}

func (f *File) stepError(i int, why, fix string) error {
	return f.stepFault(i, "", why, fix)
}

// without copies the steps that stay, their waitFor rewired.
func (f *File) without(drop []bool) (steps []*cloudbuildpb.BuildStep, indices []int) {
	w := wiring{steps: cloneSteps(f.Build.GetSteps()), drop: drop, index: map[string]int{}}
	for i, step := range w.steps {
		if step.GetId() != "" {
			w.index[step.GetId()] = i
		}
	}
	for i, step := range w.steps {
		if drop[i] {
			continue
		}
		step.WaitFor = w.rewire(step.GetWaitFor())
		steps = append(steps, step)
		indices = append(indices, f.index(i))
	}
	return steps, indices
}

func cloneSteps(steps []*cloudbuildpb.BuildStep) []*cloudbuildpb.BuildStep {
	out := make([]*cloudbuildpb.BuildStep, len(steps))
	for i, step := range steps {
		out[i] = proto.CloneOf(step)
	}
	return out
}

// wiring rewrites waitFor around the steps that go.
type wiring struct {
	steps []*cloudbuildpb.BuildStep // ids are added to those that must be named
	drop  []bool
	index map[string]int
}

// rewire keeps the order that waitFor gave. No waitFor means "after every step
// above", and that stays true of the steps that are left. A waitFor that comes
// out empty must become '-', or it would turn into its opposite.
func (w *wiring) rewire(waitFor []string) []string {
	if !slices.ContainsFunc(waitFor, func(id string) bool { return id != startAtOnce && w.drop[w.index[id]] }) {
		return waitFor
	}
	var ids []string
	for _, i := range w.kept(waitFor, len(w.steps)) {
		ids = append(ids, w.name(i))
	}
	if len(ids) == 0 {
		return []string{startAtOnce}
	}
	return ids
}

// kept are the steps left, in the file's order, that a step at position at
// with this waitFor had to wait for, directly or through removed ones.
func (w *wiring) kept(waitFor []string, at int) []int {
	seen := make([]bool, len(w.steps))
	var visit func(waitFor []string, at int)
	visit = func(waitFor []string, at int) {
		for _, i := range w.direct(waitFor, at) {
			if seen[i] {
				continue
			}
			seen[i] = true
			if w.drop[i] {
				visit(w.steps[i].GetWaitFor(), i)
			}
		}
	}
	visit(waitFor, at)
	var out []int
	for i := range w.steps {
		if seen[i] && !w.drop[i] {
			out = append(out, i)
		}
	}
	return out
}

// direct are the steps that a waitFor names; all above if it is empty.
func (w *wiring) direct(waitFor []string, at int) []int {
	var out []int
	if len(waitFor) == 0 {
		for i := range at {
			out = append(out, i)
		}
	}
	for _, id := range waitFor {
		if id != startAtOnce {
			out = append(out, w.index[id])
		}
	}
	return out
}

// name is the step's id; one without gets one, since waitFor knows only ids.
func (w *wiring) name(i int) string {
	if id := w.steps[i].GetId(); id != "" {
		return id
	}
	id := fmt.Sprintf("turnout-step-%d", i)
	for _, taken := w.index[id]; taken; _, taken = w.index[id] {
		id += "-"
	}
	w.index[id] = i
	w.steps[i].Id = id
	return id
}
