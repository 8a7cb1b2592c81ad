package cloudbuild

import (
	"fmt"
	"slices"
	"strings"

	"github.com/turnout-dev/turnout/internal/imageref"
)

// Choose picks an image from those that the file lists or, if it lists none, that its steps push.
// After the build, ask State.Digest for it. An error is a *FileError.
func (f *File) Choose(r Request, choice ImageChoice) (Chosen, error) {
	x := r.expander(f)
	if len(f.images()) == 0 {
		return f.fromSteps(x, r, choice)
	}
	listed := make([]string, 0, len(f.images()))
	for i, image := range f.images() {
		name, err := f.reference(x, f.imagePath(i), image)
		if err != nil {
			return Chosen{}, err
		}
		if name = imageref.Repository(name); !slices.Contains(listed, name) {
			listed = append(listed, name)
		}
	}
	if choice.Image != "" {
		want, err := x.expand(choice.Image, maxImageBytes)
		if err != nil {
			return Chosen{}, f.choiceError(choice, listed, fmt.Sprintf("%s %s: %v", choice.field(), clipped(choice.Image), err))
		}
		if len(want.missing) > 0 {
			reason, fix := valueless(want.missing[0], "has no value")
			return Chosen{}, f.choiceError(choice, listed, fmt.Sprintf("in %s %s %s: %s", choice.field(), clipped(choice.Image), reason, fix))
		}
		if slices.Contains(listed, imageref.Repository(want.text)) {
			return Chosen{Image: imageref.Repository(want.text)}, nil
		}
		if f.seenPushing(r, want.text) {
			x.keep = true
			return f.fromSpec(x, r, choice, f.pushed(x))
		}
		return Chosen{}, f.choiceError(choice, listed, fmt.Sprintf("%s %s is not among them", choice.field(), want.text))
	}
	if len(listed) == 1 {
		return Chosen{Image: listed[0]}, nil
	}
	if match := sameName(listed, choice.Live); len(match) == 1 {
		return Chosen{Image: match[0]}, nil
	}
	if choice.Live == "" {
		return Chosen{}, f.choiceError(choice, listed, "nothing is live yet to show which one is meant")
	}
	return Chosen{}, f.choiceError(choice, listed, fmt.Sprintf("not exactly one is named like the live image %s", choice.Live))
}

// reference is a listed image with its substitutions replaced. A result that no registry accepts
// is refused.
func (f *File) reference(x *expander, field, image string) (string, error) {
	found, err := x.expand(image, maxImageBytes)
	if err != nil {
		return "", f.expandFault(field, err)
	}
	if len(found.missing) > 0 {
		reason, fix := valueless(found.missing[0], "has no value")
		return "", f.fault(field, reason, fix)
	}
	plain := laterName.ReplaceAllString(found.text, "0")
	switch {
	case imageName.MatchString(plain):
		return found.text, nil
	case len(found.empty) > 0:
		reason, fix := valueless(found.empty[0], fmt.Sprintf("is empty, which makes the image %q", clipped(found.text)))
		return "", f.fault(field, reason, fix)
	case imageName.MatchString(strings.ToLower(plain)):
		return "", f.fault(field, fmt.Sprintf("%q has capital letters, which no registry accepts", clipped(found.text)),
			"write it in lower case, or a substitution as ${_NAME,,}")
	}
	return "", f.fault(field, fmt.Sprintf("%q is not the name of an image", clipped(found.text)),
		"write it like gcr.io/$PROJECT_ID/NAME:$COMMIT_SHA")
}

// seenPushing reports whether a step pushes an image of the repository.
func (f *File) seenPushing(r Request, image string) bool {
	x := r.expander(f)
	x.keep = true
	return slices.ContainsFunc(f.pushed(x), func(p push) bool { return x.repository(p) == imageref.Repository(image) })
}

func (f *File) choiceError(choice ImageChoice, listed []string, reason string) error {
	return &FileError{
		File: f.Name, Line: f.place("images"), Step: -1, Field: "images",
		Reason: fmt.Sprintf("the images are %s, and %s", strings.Join(listed, ", "), reason),
		Fix:    "set " + choice.field() + " of the BlueGreen to one of them",
	}
}
