package cloudbuild

import (
	"fmt"
	"maps"
	"slices"

	"cloud.google.com/go/cloudbuild/apiv1/v2/cloudbuildpb"
)

// tidy removes from the build what only removed steps of whole used: Cloud Build refuses a secret
// that no step uses, and a volume that only one step uses (comments of Secret and of
// BuildStep.volumes). Entries that were unused before stay, and Cloud Build refuses them.
func (f *File) tidy(whole *File, drop []bool) {
	gone := map[string]bool{}
	for i, step := range whole.Build.GetSteps() {
		if drop[i] {
			for _, name := range step.GetSecretEnv() {
				gone[name] = true
			}
		}
	}
	for _, step := range f.Build.GetSteps() {
		for _, name := range step.GetSecretEnv() {
			delete(gone, name)
		}
	}
	for _, name := range f.Build.GetOptions().GetSecretEnv() {
		delete(gone, name)
	}
	f.dropSecrets(gone)
	f.dropVolumes(whole, drop)
}

// dropSecrets removes secrets by the name of their variable, and every entry that
// becomes empty.
func (f *File) dropSecrets(gone map[string]bool) {
	if len(gone) == 0 {
		return
	}
	unused := func(name string, _ []byte) bool { return gone[name] }
	f.Build.Secrets = slices.DeleteFunc(f.Build.GetSecrets(), func(s *cloudbuildpb.Secret) bool {
		had := len(s.GetSecretEnv())
		maps.DeleteFunc(s.GetSecretEnv(), unused)
		return had > 0 && len(s.GetSecretEnv()) == 0
	})
	available := f.Build.GetAvailableSecrets()
	if available == nil {
		return
	}
	available.SecretManager = slices.DeleteFunc(available.GetSecretManager(),
		func(s *cloudbuildpb.SecretManagerSecret) bool { return gone[s.GetEnv()] })
	available.Inline = slices.DeleteFunc(available.GetInline(), func(s *cloudbuildpb.InlineSecret) bool {
		had := len(s.GetEnvMap())
		maps.DeleteFunc(s.GetEnvMap(), unused)
		return had > 0 && len(s.GetEnvMap()) == 0
	})
	if len(available.GetSecretManager())+len(available.GetInline()) == 0 {
		f.Build.AvailableSecrets = nil
	}
}

// dropVolumes removes a volume from the last step that has it, if removed steps shared
// it. If only one step is left, it also removes the volumes of all steps.
func (f *File) dropVolumes(whole *File, drop []bool) {
	shared, left := map[string]bool{}, map[string]int{}
	for i, step := range whole.Build.GetSteps() {
		for _, volume := range step.GetVolumes() {
			if drop[i] {
				shared[volume.GetName()] = true
			} else {
				left[volume.GetName()]++
			}
		}
	}
	for i, step := range f.Build.GetSteps() {
		step.Volumes = slices.DeleteFunc(step.GetVolumes(), func(v *cloudbuildpb.Volume) bool {
			lone := shared[v.GetName()] && left[v.GetName()] == 1
			if lone {
				f.Warnings = append(f.Warnings, Warning{File: f.Name, Line: f.place(join(f.stepPath(i), "volumes")), Message: fmt.Sprintf(
					"%s no longer has the volume %s, which it shared only with steps that were left out: what it writes to %s is lost",
					stepName(f.index(i), step.GetId()), clipped(v.GetName()), clipped(v.GetPath()))})
			}
			return lone
		})
	}
	if len(f.Build.GetSteps()) == 1 && len(whole.Build.GetSteps()) > 1 && len(f.Build.GetOptions().GetVolumes()) > 0 {
		f.Build.Options.Volumes = nil
		f.Warnings = append(f.Warnings,
			Warning{
				File: f.Name, Line: f.place("options.volumes"),
				Message: "options.volumes was left out of the build: one step is left, and Cloud Build refuses volumes that only one step uses",
			})
	}
}

// unloaded warns of images that Cloud Build will not find for its push: a step builds and pushes
// them outside the worker's Docker, and no step loads them there.
func (f *File) unloaded(seen []sight, drop []bool) []Warning {
	for i, s := range seen {
		if s.loads && !drop[i] {
			return nil
		}
	}
	var out []Warning
	all := f.pushed(nil)
	for i, image := range f.images() {
		for _, p := range all {
			if p.outside && !drop[p.step] && unbraced(p.ref) == unbraced(image) {
				out = append(out, Warning{File: f.Name, Line: f.place(f.imagePath(i)), Message: fmt.Sprintf(
					"%s is %s, which %s pushes itself with %s: it is not in the worker's Docker, so Cloud Build cannot push it; remove it from "+
						"images, and Turnout asks the registry for it",
					f.imagePath(i), clipped(image), stepName(f.index(p.step), f.Build.GetSteps()[p.step].GetId()), p.by)})
				break
			}
		}
	}
	return out
}
