package cloudbuild

import (
	"cmp"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/turnout-dev/turnout/internal/imageref"
)

// Chosen is an image that a release deploys.
type Chosen struct {
	// Image is its repository (no tag, no digest) with substitutions replaced as the build will
	// replace them. Those that only the build knows stay as $NAME.
	Image string
	// Reference is the tagged name that a registry is asked for, if a step pushes the image and
	// the finished build does not report it. It contains the commit or the build's id, see
	// [WithBuildID]. "" if Cloud Build pushes the image.
	Reference string
	// Unseen warns that no step of the file names Reference; nil if one does, or may.
	Unseen *Warning
}

// fromSteps chooses among the images that steps push themselves.
func (f *File) fromSteps(x *expander, r Request, choice ImageChoice) (Chosen, error) {
	x.keep = true
	all := f.pushed(x)
	if choice.Image != "" {
		return f.fromSpec(x, r, choice, all)
	}
	var repositories []string
	for _, p := range all {
		if p.ref != "" {
			repositories = union(repositories, []string{x.repository(p)})
		}
	}
	if len(repositories) == 0 {
		return Chosen{}, f.nothingPushed(all)
	}
	match := repositories
	if len(match) > 1 {
		match = sameName(repositories, choice.Live)
	}
	if len(match) != 1 {
		return Chosen{}, f.fault("images", "lists no image, and the steps push several: "+clippedList(repositories),
			"set spec.build.image of the BlueGreen to the one to deploy")
	}
	return f.pin(x, r, slices.DeleteFunc(all, func(p push) bool { return x.repository(p) != match[0] }))
}

// fromSpec is the image that the spec names.
func (f *File) fromSpec(x *expander, r Request, choice ImageChoice, all []push) (Chosen, error) {
	field, image := choice.field(), choice.Image
	out, err := x.expand(image, maxImageBytes)
	if err != nil {
		return Chosen{}, f.fault("images", fmt.Sprintf("%s %s: %v", field, clipped(image), err),
			"set "+field+" of the BlueGreen to the name of an image")
	}
	want := push{ref: out.text}
	if reason, fix := x.unclear(want); reason != "" {
		return Chosen{}, f.fault("images", field+" "+clipped(image)+" "+reason, fix)
	}
	want.ref = x.settled(want.ref)
	if r.pins(want.ref) {
		return Chosen{Image: x.repository(want), Reference: want.ref, Unseen: f.unnamed(x, want, all)}, nil
	}
	own := slices.DeleteFunc(all, func(p push) bool { return x.repository(p) != x.repository(want) })
	if len(own) > 0 {
		return f.pin(x, r, own)
	}
	name := x.repository(want) + ":$COMMIT_SHA"
	if choice.Field != "" { // it has no tag
		return Chosen{}, f.fault("images", fmt.Sprintf("lists no image, and no visible step pushes %s %s", field, clipped(want.ref)),
			fmt.Sprintf("list %s there, or correct %s of the BlueGreen", name, field))
	}
	return Chosen{}, f.fault("images",
		fmt.Sprintf("lists no image, no visible step pushes spec.build.image %s, and its tag does not contain the commit, so it may be another "+
			"build's", clipped(want.ref)),
		fmt.Sprintf("push it as %[1]s, and set spec.build.image of the BlueGreen to %[1]s", name))
}

// nothingPushed is the error for a file in which no image name can be seen.
func (f *File) nothingPushed(all []push) error {
	const name = "gcr.io/$PROJECT_ID/NAME:$COMMIT_SHA"
	if len(all) > 0 {
		return f.stepFault(all[0].step, "", "runs "+all[0].by+", which pushes an image whose name Turnout cannot see",
			"set spec.build.image of the BlueGreen to its name with the commit, such as "+name)
	}
	return f.fault("images", "lists no image, and no visible step pushes one",
		"add the image your steps build, for example images: ['"+name+
			"']; if a script pushes it, set spec.build.image of the BlueGreen to its name with the commit, such as "+name)
}

// pin picks the name with this commit or this build's id among the names that one repository's
// image is pushed under: another build may move any other tag. A tag that is only the commit wins
// over a longer one, such as another stage's. Several longer tags from several commands may be
// several images, so they are refused.
func (f *File) pin(x *expander, r Request, all []push) (Chosen, error) {
	var bare, decorated []push
	for _, p := range all {
		if reason, _ := x.unclear(p); reason != "" || p.all {
			continue
		}
		p.ref = x.settled(p.ref)
		switch {
		case !r.pins(p.ref):
		case r.isKey(strings.TrimPrefix(p.ref, x.repository(p)+":")):
			bare = append(bare, p)
		default:
			decorated = append(decorated, p)
		}
	}
	found := slices.Concat(bare, decorated)
	if len(found) == 0 {
		return Chosen{}, f.notPinned(x, all)
	}
	first := found[0]
	if len(bare) == 0 && slices.ContainsFunc(found, func(p push) bool { return p.ref != first.ref && p.command != first.command }) {
		return Chosen{}, f.fault("images", "lists no image, and the steps push several of one repository: "+clippedList(refsOf(found)),
			"set spec.build.image of the BlueGreen to the one to deploy, with its tag")
	}
	return Chosen{Image: x.repository(first), Reference: first.ref}, nil
}

// notPinned reports what is wrong with the first push's name, and which line to add.
func (f *File) notPinned(x *expander, all []push) error {
	p := all[0]
	if i := slices.IndexFunc(all, func(p push) bool { reason, _ := x.unclear(p); return reason == "" && !p.all }); i >= 0 {
		p = all[i]
	}
	reason, fix := x.unclear(p)
	name := x.repository(p) + ":$COMMIT_SHA"
	switch {
	case p.all:
		return f.stepFault(p.step, "", fmt.Sprintf("pushes every tag of %s, so Turnout cannot tell which is this build's", clipped(p.ref)),
			"set spec.build.image of the BlueGreen to the one that contains the commit, such as "+name)
	case reason != "":
		if given := f.notMapped(x, p); given != "" {
			reason = "contains $" + given + ", and a script gets no substitutions unless the step maps them"
			fix = fmt.Sprintf("add automapSubstitutions: true to the step, or env: ['%[1]s=$%[1]s']", given)
		}
		return f.stepFault(p.step, "", fmt.Sprintf("pushes %s, which %s", clipped(p.ref), reason), fix)
	}
	line := fmt.Sprintf(p.add, name)
	if f.isBareScript(p.step) && !slices.Contains(f.Build.GetSteps()[p.step].GetEnv(), "COMMIT_SHA=$COMMIT_SHA") {
		line += ", with automapSubstitutions: true in the step"
	}
	return f.stepFault(p.step, "",
		fmt.Sprintf("pushes %s, whose tag another build may move", clipped(x.settled(p.ref))),
		"push it with the commit, too: add "+line)
}

// isBareScript reports whether a step is a script that gets no substitutions.
func (f *File) isBareScript(i int) bool {
	step := f.Build.GetSteps()[i]
	return step.GetScript() != "" && !step.GetAutomapSubstitutions() && !f.Build.GetOptions().GetAutomapSubstitutions()
}

// notMapped is a substitution in a script's push that the script does not get; "" if there is
// none.
func (f *File) notMapped(x *expander, p push) string {
	if !f.isBareScript(p.step) {
		return ""
	}
	for _, name := range substitutionText.FindAllStringSubmatch(p.ref, -1) {
		if _, ok := x.values[name[1]]; ok || slices.Contains(x.later, name[1]) {
			return name[1]
		}
	}
	return ""
}

// substitutionText matches a substitution and captures its name.
var substitutionText = regexp.MustCompile(`\$\{?([A-Z_][A-Z0-9_]*)`)

func refsOf(all []push) []string {
	var refs []string
	for _, p := range all {
		refs = union(refs, []string{p.ref})
	}
	return refs
}

func clippedList(names []string) string {
	out := make([]string, 0, 6)
	for _, name := range names[:min(5, len(names))] {
		out = append(out, clipped(name))
	}
	if len(names) > 5 {
		out = append(out, fmt.Sprintf("%d more", len(names)-5))
	}
	return strings.Join(out, ", ")
}

// repository is the repository of a push, as far as it is known.
func (x *expander) repository(p push) string {
	ref := x.settled(p.ref)
	masked := inBrackets.ReplaceAllStringFunc(ref, func(text string) string { return strings.Repeat("x", len(text)) })
	return ref[:len(imageref.Repository(masked))]
}

// inBrackets matches text in which a colon does not begin a tag.
var inBrackets = regexp.MustCompile(`\$\{[^{}]*\}|\$\([^()]*\)`)

// settled removes empty substitutions from a name.
func (x *expander) settled(ref string) string {
	return laterName.ReplaceAllStringFunc(ref, func(name string) string {
		if value, ok := x.values[name[1:]]; ok && value == "" {
			return ""
		}
		return name
	})
}

// unclear reports why a registry cannot be asked for a name after the build, and the way out.
func (x *expander) unclear(p push) (reason, fix string) {
	const visible = "write it so that Turnout can see it before the build, with $COMMIT_SHA for the tag, or set spec.build.image of the " +
		"BlueGreen to it"
	text := buildIDText.ReplaceAllString(x.settled(p.ref), "0")
	for _, name := range laterName.FindAllString(text, -1) {
		if slices.Contains(x.later, name[1:]) {
			return "contains " + name + ", which only the build knows", "write its value out"
		}
		if userKey.MatchString(name[1:]) {
			return valueless(name[1:], "has no value")
		}
	}
	if strings.ContainsAny(text, "$`…") {
		return "is known only when the step runs", visible
	}
	if imageName.MatchString(text) && !strings.Contains(text, "@") {
		return "", ""
	}
	for _, name := range laterName.FindAllString(p.ref, -1) {
		if value, ok := x.values[name[1:]]; ok && value == "" {
			return valueless(name[1:], "is empty")
		}
	}
	return "is not the name of an image with a tag", "write it like gcr.io/$PROJECT_ID/NAME:$COMMIT_SHA"
}

// pins reports whether a name contains the commit or the build's id.
func (r Request) pins(ref string) bool {
	return len(r.Commit) >= shortLength && strings.Contains(ref, r.Commit[:shortLength]) || wholeBuildID.MatchString(ref)
}

// wholeBuildID matches enough of the build's id to distinguish it from others.
var wholeBuildID = regexp.MustCompile(`\$BUILD_ID\b|\$\{BUILD_ID(?::0:(?:[89]|[123][0-9]))?\}`)

// isKey reports whether a tag is the commit or the build's id, and nothing else.
func (r Request) isKey(tag string) bool {
	return len(tag) >= shortLength && strings.HasPrefix(r.Commit, tag) || wholeBuildID.FindString(tag) == tag && tag != ""
}

// ImageChoice selects which of a file's images to deploy.
type ImageChoice struct {
	// Image is spec.build.image of the BlueGreen: a repository such as gcr.io/acme/app, with or
	// without tag; substitutions are expanded. If empty, it is the only image, or the one named
	// like Live. If a step pushes the image, the tag to ask for must contain the commit or the
	// build's id.
	Image string
	// Live is the image running now, in any notation; only the last segment of
	// its path counts. May be empty.
	Live string
	// Field of the BlueGreen that Image is from. Default: spec.build.image. Another one's has
	// no tag.
	Field string
}

func (c ImageChoice) field() string { return cmp.Or(c.Field, "spec.build.image") }
