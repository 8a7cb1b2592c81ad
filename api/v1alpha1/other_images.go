package v1alpha1

// OtherImages are the images of a build that the spec names for workers, singletons and
// CronJobs, each once, with the field that names it first.
func (b *BlueGreen) OtherImages() []BuildImage {
	var all []BuildImage
	seen := map[ImageRepository]bool{"": true}
	add := func(list, name string, image ImageRepository) {
		if !seen[image] {
			seen[image] = true
			all = append(all, BuildImage{Field: "spec." + list + "[" + name + "].image", Image: string(image)})
		}
	}
	for _, w := range b.Spec.Workers {
		add("workers", w.Name, w.Image)
	}
	for _, s := range b.Spec.Singletons {
		add("singletons", s.Deployment, s.Image)
	}
	for _, j := range b.Spec.CronJobs {
		add("cronJobs", j.Name, j.Image)
	}
	return all
}
