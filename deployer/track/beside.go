package track

import (
	"slices"

	"github.com/turnout-dev/turnout/api/v1alpha1"
	"github.com/turnout-dev/turnout/internal/imageref"
)

// Beside is something that gets an image beside the served Deployments.
type Beside struct {
	// Kind and Name as the record has them.
	Kind v1alpha1.BesideKind
	Name string

	// Field of the BlueGreen that names its image.
	Field string

	// Repository of its image; "" for the application's.
	Repository string

	// Ran is the image that it runs now, by digest where the digest is known; "" if nothing is
	// there.
	Ran string
}

// ran is what runs in a worker's or a singleton's Deployment.
func (s WorkerSide) ran() string {
	if s.RunningImage != "" {
		return s.RunningImage
	}
	return s.Image
}

// Beside describes the worker's side on a colour.
func (w Worker) Beside(c v1alpha1.Color) Beside {
	return Beside{
		Kind: v1alpha1.BesideWorker, Name: w.Name, Field: "spec.workers[" + w.Name + "].image", Repository: w.Repository,
		Ran: w.Sides[c].ran(),
	}
}

// Beside describes the singleton.
func (s Singleton) Beside() Beside {
	return Beside{
		Kind: v1alpha1.BesideSingleton, Name: s.Deployment, Field: "spec.singletons[" + s.Deployment + "].image", Repository: s.Repository,
		Ran: s.ran(),
	}
}

// Beside describes the CronJob.
func (j CronJob) Beside() Beside {
	return Beside{
		Kind: v1alpha1.BesideCronJob, Name: j.Name, Field: "spec.cronJobs[" + j.Name + "].image", Repository: j.Repository, Ran: j.Image,
	}
}

// besides are all of them, with the workers of one side.
func (o Observed) besides(c v1alpha1.Color) []Beside {
	var all []Beside
	for _, w := range o.Workers {
		all = append(all, w.Beside(c))
	}
	for _, s := range o.Singletons {
		all = append(all, s.Beside())
	}
	for _, j := range o.CronJobs {
		all = append(all, j.Beside())
	}
	return all
}

// RanBeside are the images to remember of the version on a colour: those that nobody could tell
// from the version's own image later.
func RanBeside(o Observed, c v1alpha1.Color, own string) []v1alpha1.BesideImage {
	var all []v1alpha1.BesideImage
	for _, b := range o.besides(c) {
		if b.Ran != "" && (b.Repository != "" || imageref.Repository(b.Ran) != imageref.Repository(own)) {
			all = append(all, v1alpha1.BesideImage{Kind: b.Kind, Name: b.Name, Image: b.Ran})
		}
	}
	return all
}

// BackBeside are the images of the version that a rollback returns to, as the record of the switch
// that it takes back has them.
func BackBeside(bg *v1alpha1.BlueGreen, r *v1alpha1.RollbackSpec, releases []v1alpha1.Release) []v1alpha1.BesideImage {
	if last := bg.Status.LastSwitch; last != nil && last.UID == r.Switch {
		return last.Beside
	}
	for i := range releases {
		if string(releases[i].UID) == r.Switch {
			return releases[i].Status.Milestones.Beside
		}
	}
	return nil
}

// Gets is the image that something beside the served Deployments gets from the version that users
// have at the end of a release; "" if it is not known, or the build did not make it.
func Gets(r *v1alpha1.Release, b Beside) string {
	m := r.Status.Milestones
	switch {
	case r.Spec.Rollback != nil:
		return ranBefore(m.Beside, b, r.Spec.Rollback.To.Image)
	case EndsForward(r):
		return builtImage(m.Built, b.Repository)
	}
	return ranBefore(m.Beside, b, m.Previous.Image)
}

// builtImage is the build's image of a repository; "" means the application's.
func builtImage(built *v1alpha1.BuiltMilestone, repository string) string {
	if repository == "" || imageref.Repository(built.Image) == repository {
		return built.Image
	}
	i := slices.IndexFunc(built.Images, func(image string) bool { return imageref.Repository(image) == repository })
	if i < 0 {
		return ""
	}
	return built.Images[i]
}

// ranBefore is the image that something had beside a version: the version's own, unless another
// repository's was recorded. An earlier Turnout recorded none.
func ranBefore(recorded []v1alpha1.BesideImage, b Beside, own string) string {
	i := slices.IndexFunc(recorded, func(r v1alpha1.BesideImage) bool { return r.Kind == b.Kind && r.Name == b.Name })
	switch {
	case i >= 0 && imageref.Repository(recorded[i].Image) != imageref.Repository(own):
		return recorded[i].Image
	case i < 0 && b.Repository != "" && b.Repository != imageref.Repository(own):
		return ""
	}
	return own
}

// LiveImages are the images of the live version: own, and the others of its build that the spec
// names. If the release that built them is gone, what its workers, singletons and CronJobs run
// counts; what nobody knows is a repository without a digest.
func LiveImages(bg *v1alpha1.BlueGreen, o Observed, own string, releases []v1alpha1.Release) []string {
	all := []string{own}
	for _, other := range bg.OtherImages() {
		all = append(all, liveImage(o, other.Image, own, releases))
	}
	return all
}

func liveImage(o Observed, repository, own string, releases []v1alpha1.Release) string {
	live := o.Routes.Live()
	by := func(same func(r *v1alpha1.Release) bool) string {
		for i := range releases {
			if r := &releases[i]; r.Status.Milestones.Built != nil && same(r) {
				if image := builtImage(r.Status.Milestones.Built, repository); image != "" {
					return image
				}
			}
		}
		return ""
	}
	staged := by(func(r *v1alpha1.Release) bool { return r.Name == o.Sides[live].Release })
	made := by(func(r *v1alpha1.Release) bool {
		return imageref.Digest(own) != "" && imageref.Digest(r.Status.Milestones.Built.Image) == imageref.Digest(own)
	})
	for _, image := range []string{staged, made} {
		if image != "" {
			return image
		}
	}
	for _, b := range o.besides(live) {
		if imageref.Repository(b.Ran) == repository {
			return b.Ran
		}
	}
	return repository + "@"
}
