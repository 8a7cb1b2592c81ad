package cloudbuild

import (
	"fmt"
	"slices"
	"strings"
)

// ImageChoice says which of a file's images is deployed.
type ImageChoice struct {
	// Image is spec.build.image of the BlueGreen: a repository such as
	// gcr.io/acme/app, with or without tag; substitutions are expanded. Empty:
	// the only image, or the one named like Live.
	Image string
	// Live is the image running now, in any notation; only the last segment of
	// its path counts. May be empty.
	Live string
}

// Image picks the image to deploy and returns its repository (no tag, no
// digest) with substitutions expanded as the request will have them. Ask
// State.Digest for it when the build is over.
func (f *File) Image(r Request, choice ImageChoice) (string, error) {
	values := r.values(f)
	listed := make([]string, 0, len(f.images()))
	for _, image := range f.images() {
		expanded, _ := Expand(image, values)
		if name := Repository(expanded); !slices.Contains(listed, name) {
			listed = append(listed, name)
		}
	}
	if choice.Image != "" {
		want, _ := Expand(choice.Image, values)
		if slices.Contains(listed, Repository(want)) {
			return Repository(want), nil
		}
		return "", f.choiceError(listed, fmt.Sprintf("spec.build.image %s is not among them", want))
	}
	if len(listed) == 1 {
		return listed[0], nil
	}
	if match := sameName(listed, choice.Live); len(match) == 1 {
		return match[0], nil
	}
	if choice.Live == "" {
		return "", f.choiceError(listed, "nothing is live yet to tell which one is meant")
	}
	return "", f.choiceError(listed, fmt.Sprintf("not exactly one is named like the live image %s", choice.Live))
}

func (f *File) choiceError(listed []string, reason string) error {
	return &FileError{
		File: f.Name, Step: -1, Field: "images",
		Reason: fmt.Sprintf("the images are %s, and %s", strings.Join(listed, ", "), reason),
		Fix:    "set spec.build.image of the BlueGreen to one of them",
	}
}

// sameName are the repositories whose last path segment is the live image's.
func sameName(listed []string, live string) []string {
	var match []string
	for _, name := range listed {
		if live != "" && lastSegment(name) == lastSegment(live) {
			match = append(match, name)
		}
	}
	return match
}

// Repository is an image reference without its tag and digest.
func Repository(image string) string {
	image, _, _ = strings.Cut(image, "@")
	if colon := strings.LastIndex(image, ":"); colon > strings.LastIndex(image, "/") {
		return image[:colon]
	}
	return image
}

// lastSegment is the last part of an image's path, without tag and digest.
func lastSegment(image string) string {
	name := Repository(image)
	return name[strings.LastIndex(name, "/")+1:]
}
