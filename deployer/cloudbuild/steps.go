package cloudbuild

import (
	"fmt"
	"slices"
	"strings"

	"cloud.google.com/go/cloudbuild/apiv1/v2/cloudbuildpb"
	"google.golang.org/protobuf/proto"
)

// startAtOnce in waitFor means: wait for nothing.
const startAtOnce = "-"

// ClusterSteps is the policy for steps that would change the cluster.
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

// Apply returns the file under the policy; the file itself is unchanged. A warning reports each
// removed step. A step that waited for a removed one now waits for what that one waited for.
func (f *File) Apply(policy ClusterSteps) (*File, error) {
	if policy == "" {
		policy = Skip
	}
	if f.account != "" {
		return nil, f.fault(f.account, "a repository's file may not choose the account its build runs as",
			"remove the field and set spec.build.serviceAccount of the BlueGreen")
	}
	if policy == Allow {
		return f, nil
	}
	if policy != Skip && policy != Fail {
		return nil, fmt.Errorf("spec.build.clusterSteps: %q is not one of Skip, Fail, Allow", policy)
	}
	seen := f.sees()
	drop, why := f.clusterSteps(seen)
	if i := slices.Index(drop, true); policy == Fail && i >= 0 {
		return nil, f.stepError(i, why[i],
			"remove the step: Turnout switches the colours; or set spec.build.clusterSteps of the BlueGreen to Skip or Allow")
	}
	out := &File{
		Name: f.Name, Build: proto.CloneOf(f.Build),
		Warnings: slices.Concat(f.Warnings, f.unseen(seen, drop), f.unloaded(seen, drop)), lines: f.lines, first: f.first,
	}
	for i, step := range f.Build.GetSteps() {
		if !drop[i] {
			continue
		}
		if seen[i].builds {
			return nil, f.stepError(i, why[i]+" and also builds an image, so Turnout can neither keep nor remove it",
				"split it in two steps, or set spec.build.clusterSteps of the BlueGreen to Allow")
		}
		out.Warnings = append(out.Warnings, f.leftOut(i, step, why[i], seen[i].others))
	}
	out.Build.Steps, out.steps = f.without(drop)
	if len(out.Build.Steps) == 0 {
		return nil, &FileError{
			File: f.Name, Line: f.place("steps"), Step: -1, Field: "steps",
			Reason: "every step changes the cluster, so none is left to build the image",
			Fix:    "add a step that builds it, or set spec.build.clusterSteps of the BlueGreen to Allow",
		}
	}
	out.tidy(f, drop)
	return out, nil
}

// leftOut reports a removed step, and what else goes with it.
func (f *File) leftOut(i int, step *cloudbuildpb.BuildStep, why string, others []string) Warning {
	text := fmt.Sprintf("%s was left out: it %s, and only Turnout changes the cluster", stepName(f.index(i), step.GetId()), why)
	if len(others) > 0 {
		text += "; " + strings.Join(others[:min(3, len(others))], ", ") + " of that step does not run either"
	}
	return Warning{
		File: f.Name, Line: f.place(f.stepPath(i)),
		Message: text + "; to keep it, set spec.build.clusterSteps of the BlueGreen to Allow",
	}
}

// clusterSteps are the steps that change the cluster, with those that only serve them, and the
// reasons.
func (f *File) clusterSteps(seen []sight) (drop []bool, why []string) {
	drop, why = make([]bool, len(seen)), make([]string, len(seen))
	looks := slices.ContainsFunc(seen, func(s sight) bool { return s.looks && s.changes == "" && s.waits == "" })
	above := false
	for i, s := range seen {
		unseen := slices.ContainsFunc(seen[i:], func(s sight) bool { return s.changes == "" && len(s.unseen) > 0 })
		switch {
		case s.changes != "":
			drop[i], why[i], above = true, s.changes, true
		case s.serves != "" && !looks && !s.looks && !unseen && len(s.others) == 0:
			drop[i], why[i] = true, s.serves
		case s.waits != "" && above: // waits for something that no longer happens
			drop[i], why[i] = true, s.waits
		}
	}
	return drop, why
}

// Unseen reports the steps that may change the cluster. They are kept.
func (f *File) Unseen() []Warning {
	seen := f.sees()
	return f.unseen(seen, make([]bool, len(seen)))
}

func (f *File) unseen(seen []sight, drop []bool) []Warning {
	var out []Warning
	for i, s := range seen {
		if drop[i] || len(s.unseen) == 0 {
			continue
		}
		step := stepName(f.index(i), f.Build.GetSteps()[i].GetId())
		out = append(out, Warning{File: f.Name, Line: f.place(f.stepPath(i)), Message: fmt.Sprintf(
			"%s is kept, but Turnout cannot see whether it changes the cluster: it %s; if it does, take it out of the file", step,
			strings.Join(s.unseen[:min(3, len(s.unseen))], " and "))})
	}
	return out
}

// clusterStep is the first step that would change the cluster, and the reason; "" if there is
// none.
func (f *File) clusterStep() (i int, why string) {
	drop, reasons := f.clusterSteps(f.sees())
	if i = slices.Index(drop, true); i < 0 {
		return -1, ""
	}
	return i, reasons[i]
}

func (f *File) stepError(i int, why, fix string) error {
	return f.stepFault(i, "", why, fix)
}

// without copies the remaining steps, with their waitFor rewired.
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

// wiring rewrites waitFor around the removed steps.
type wiring struct {
	steps []*cloudbuildpb.BuildStep // a step that another must name gets an id
	drop  []bool
	index map[string]int
}

// rewire keeps the order that waitFor gave. No waitFor means "after every step above", which
// stays true of the remaining steps. A waitFor that becomes empty must turn into '-', or it would
// mean the opposite.
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

// kept are the remaining steps, in the file's order, that a step at position at with this waitFor
// had to wait for, directly or through removed ones.
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

// direct are the steps that a waitFor names, or all above if it is empty.
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

// name is the step's id. A step without one gets one, since waitFor needs ids.
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

// sees looks at the commands of every step.
func (f *File) sees() []sight {
	out := make([]sight, 0, len(f.Build.GetSteps()))
	var own []string
	files := map[string]string{}
	budget := maxShellBytes
	for _, image := range f.images() {
		own = append(own, lastSegment(image))
	}
	for _, p := range f.pushed(nil) {
		own = append(own, lastSegment(p.ref))
	}
	for _, step := range f.Build.GetSteps() {
		s := sight{own: own, budget: &budget, files: files, suspect: suggests.MatchString(step.GetId())}
		s.step(step)
		out = append(out, s)
	}
	return out
}
