package cloudbuild

import (
	"fmt"
	"maps"
	"net/url"
	"regexp"
	"slices"
	"strings"

	"cloud.google.com/go/cloudbuild/apiv1/v2/cloudbuildpb"
	"google.golang.org/protobuf/proto"

	"github.com/turnout-dev/turnout/api/v1alpha1"
)

// ReleaseSubstitution is the user substitution that carries a release's key into a triggered
// build, for Find. A run of a trigger cannot be given a tag.
const ReleaseSubstitution = "_TURNOUT_RELEASE"

// Trigger is a build trigger: a build that the project keeps, with the events that
// start it.
type Trigger struct {
	// ID never changes; Name is unique in its project.
	ID, Name string
	// Project and Location the trigger lives in.
	Project, Location string
	// Disabled: no event starts it.
	Disabled bool

	pb *cloudbuildpb.BuildTrigger
}

func triggerOf(pb *cloudbuildpb.BuildTrigger, project, location string) *Trigger {
	return &Trigger{ID: pb.GetId(), Name: pb.GetName(), Project: project, Location: location, Disabled: pb.GetDisabled(), pb: pb}
}

// name is the trigger's resource name.
func (t *Trigger) name() string { return parent(t.Project, t.Location) + "/triggers/" + t.ID }

// TriggerError is a trigger that a release cannot use. It is the release's fault: only another
// trigger, or another spec, fixes it.
type TriggerError struct {
	// Trigger is its name.
	Trigger string
	// Reason is what is wrong, and Fix the way out.
	Reason, Fix string
	// Commands help with the fix.
	Commands []v1alpha1.ShellCommand
}

// ShellCommands returns the commands that help to fix it.
func (e *TriggerError) ShellCommands() []v1alpha1.ShellCommand { return e.Commands }

// Error names the trigger, its fault and the way out.
func (e *TriggerError) Error() string {
	return fmt.Sprintf("trigger %s %s; %s", e.Trigger, e.Reason, e.Fix)
}

func (t *Trigger) fault(fix, reason string, args ...any) *TriggerError {
	return &TriggerError{Trigger: t.Name, Reason: fmt.Sprintf(reason, args...), Fix: fix}
}

// Usable checks that a release of the repository may run the trigger; an error is a
// *TriggerError. Warnings are for people and do not stop the release.
func (t *Trigger) Usable(repository, branch string) ([]string, error) {
	if t.Disabled {
		return nil, t.fault("enable it, or name another in spec.build.trigger of the BlueGreen; a trigger that only Turnout runs is a "+
			"manual trigger", "is disabled")
	}
	var warnings []string
	switch source := t.source(); {
	case source.name == "":
		return nil, t.fault("give it the source "+repository+", or name another in spec.build.trigger of the BlueGreen",
			"has no repository as its source")
	case source.unsure(repository):
		warnings = append(warnings,
			fmt.Sprintf("trigger %s builds from the connected repository %s, whose address Turnout does not know: if it is not %s, the build "+
				"fails because it lacks the commit", t.Name, source.name, repository))
	case !source.is(repository):
		return nil, t.fault("name one that builds "+repository+" in spec.build.trigger of the BlueGreen", "builds %s, not %s", source.name,
			repository)
	}
	if t.RunsOnPush(branch) {
		warnings = append(warnings,
			fmt.Sprintf("trigger %s also runs by itself at every push to %s, so each commit is built twice: make it a manual trigger, which only "+
				"Turnout runs", t.Name, branch))
	}
	return warnings, nil
}

// origin is the source of a trigger.
type origin struct {
	// name is owner/name, or the resource name of a connected repository.
	name string
	// connected: a resource of the project, whose name the project chose.
	connected bool
	// mirror: a Cloud Source Repository; those that mirror GitHub are named
	// github_OWNER_NAME.
	mirror bool
}

// source is the repository that the trigger builds.
func (t *Trigger) source() origin {
	pb := t.pb
	switch {
	case pb.GetGithub() != nil:
		return origin{name: pb.GetGithub().GetOwner() + "/" + pb.GetGithub().GetName()}
	case pb.GetRepositoryEventConfig() != nil:
		return origin{name: pb.GetRepositoryEventConfig().GetRepository(), connected: true}
	case pb.GetTriggerTemplate() != nil:
		return origin{name: pb.GetTriggerTemplate().GetRepoName(), mirror: true}
	case pb.GetSourceToBuild().GetRepository() != "":
		return origin{name: pb.GetSourceToBuild().GetRepository(), connected: true}
	}
	return origin{name: addressed(pb.GetSourceToBuild().GetUri())}
}

// Builds reports whether the trigger certainly builds the repository behind an address. The names
// of connected repositories and of GitHub Enterprise servers are freely chosen and prove nothing,
// so Builds reports false for them.
func (t *Trigger) Builds(cloneURL string) bool {
	repository, host := addressed(cloneURL), hostOf(cloneURL)
	source := t.source()
	switch {
	case source.connected:
		return false
	case t.pb.GetGithub() != nil:
		// The server of GitHub Enterprise is in a field that the Go API lacks.
		return host == "github.com" && len(t.pb.GetGithub().ProtoReflect().GetUnknown()) == 0 && source.is(repository)
	case source.mirror:
		home := t.pb.GetTriggerTemplate().GetProjectId()
		return host == "github.com" && (home == "" || home == t.Project) && source.is(repository)
	}
	return source.is(repository) && hostOf(t.pb.GetSourceToBuild().GetUri()) == host
}

// hostOf is the host and port of a repository's address, https or scp-like.
func hostOf(uri string) string {
	if host, _, ok := strings.Cut(uri, ":"); ok && !strings.Contains(uri, "://") {
		return strings.ToLower(host[strings.LastIndex(host, "@")+1:])
	}
	u, err := url.Parse(uri)
	if err != nil {
		return ""
	}
	return strings.ToLower(u.Host)
}

// addressed is owner/name of a repository's address, https or scp-like.
func addressed(uri string) string {
	if _, path, ok := strings.Cut(uri, ":"); ok && !strings.Contains(uri, "://") {
		return strings.TrimSuffix(path, ".git")
	}
	u, err := url.Parse(uri)
	if err != nil {
		return uri
	}
	parts := strings.Split(strings.Trim(strings.TrimSuffix(u.Path, ".git"), "/"), "/")
	return strings.Join(parts[max(0, len(parts)-2):], "/")
}

// is reports whether the source is the repository, judging by its name.
func (o origin) is(repository string) bool {
	owner, name, _ := strings.Cut(repository, "/")
	switch {
	case o.connected: // the console proposes owner-name
		return strings.EqualFold(o.segment(), owner+"-"+name) || strings.EqualFold(o.segment(), name)
	case o.mirror:
		return strings.EqualFold(o.name, "github_"+owner+"_"+name)
	}
	return strings.EqualFold(o.name, repository)
}

// unsure reports whether the source may be the repository under another name.
func (o origin) unsure(repository string) bool { return o.connected && !o.is(repository) }

func (o origin) segment() string { return o.name[strings.LastIndex(o.name, "/")+1:] }

// RunsOnPush reports whether a push to the branch starts the trigger.
func (t *Trigger) RunsOnPush(branch string) bool {
	pattern, inverted := t.pb.GetTriggerTemplate().GetBranchName(), t.pb.GetTriggerTemplate().GetInvertRegex()
	for _, push := range []*cloudbuildpb.PushFilter{t.pb.GetGithub().GetPush(), t.pb.GetRepositoryEventConfig().GetPush()} {
		if push.GetBranch() != "" {
			pattern, inverted = push.GetBranch(), push.GetInvertRegex()
		}
	}
	matcher, err := regexp.Compile(pattern) // RE2, as in Cloud Build
	return pattern != "" && err == nil && !t.Disabled && matcher.MatchString(branch) != inverted
}

// Path is the file in the repository that holds the trigger's build, or "" if the trigger holds
// the build itself, see [Trigger.File]. A warning, if not "", is for people. An error is a
// *TriggerError.
//
// A manual trigger names the revision of that file. The released branch is accepted instead of
// the commit: the two differ only for a moment.
func (t *Trigger) Path(repository, branch, commit string) (path, warning string, err error) {
	const fix = "let it read a file of the repository it builds, or use spec.build.config of the BlueGreen instead of spec.build.trigger"
	switch {
	case t.pb.GetBuild() != nil:
		return "", "", nil
	case t.pb.GetFilename() != "":
		return t.pb.GetFilename(), "", nil
	case t.pb.GetGitFileSource() == nil:
		return "", "", t.fault(fix, "has its build neither in itself nor in a named file, so Turnout cannot check what it would run")
	}
	file := t.pb.GetGitFileSource()
	from := origin{name: addressed(file.GetUri())}
	if file.GetRepository() != "" {
		from = origin{name: file.GetRepository(), connected: true}
	}
	if from.name != "" && !from.is(repository) {
		return "", "", t.fault(fix, "reads %s from %s, not from %s, so Turnout cannot check what it would run", file.GetPath(), from.name,
			repository)
	}
	if revision := file.GetRevision(); !slices.Contains([]string{"", commit, branch, "refs/heads/" + branch}, revision) {
		warning = fmt.Sprintf("trigger %s reads %s from %s, not from the commit that is built: if the two differ, Turnout looks at the "+
			"build itself, while it runs", t.Name, file.GetPath(), revision)
	}
	return file.GetPath(), warning, nil
}

// File is the build that the trigger itself holds, checked like a file of the repository. An
// error is a *TriggerError.
func (t *Trigger) File() (*File, error) {
	f := &File{Name: "trigger " + t.Name, Build: proto.CloneOf(t.pb.GetBuild())}
	if len(f.Build.GetSteps()) == 0 {
		return nil, t.fault("add a step that builds the image", "has no steps")
	}
	return f, nil
}

// Apply refuses the trigger if its build has steps that would change the cluster, unless the
// policy allows them. The steps cannot be left out: a run takes only a commit and substitutions.
// f is the build, from the repository or from File. An error is a *FileError if the build is the
// repository's, otherwise a *TriggerError.
func (t *Trigger) Apply(f *File, policy ClusterSteps) error {
	const fix = "remove the step: Turnout switches the colours; or set spec.build.clusterSteps of the BlueGreen to Allow; or use " +
		"spec.build.config instead of spec.build.trigger, which leaves the step out"
	if f.account != "" {
		return f.fault(f.account, "a repository's file may not choose the account its build runs as",
			"remove the field and set the service account of the trigger "+t.Name+" in Cloud Build")
	}
	i, why := f.clusterStep()
	if why == "" || policy == Allow {
		return nil
	}
	if t.pb.GetBuild() != nil {
		return t.fault(fix, "would change the cluster: %s %s, and a trigger runs every step as it is written",
			stepName(f.index(i), f.Build.Steps[i].GetId()), why)
	}
	return f.stepError(i, why+", and trigger "+t.Name+" runs every step as it is written", fix)
}

// ChangesCluster is the step of the trigger's build that would change the cluster, or "" if none
// is visible. Of the files that triggers name, it looks only at known, as written; known may be
// nil.
func (t *Trigger) ChangesCluster(known *File) string {
	var f *File
	switch {
	case t.pb.GetBuild() != nil:
		f = &File{Build: t.pb.GetBuild()}
	case known != nil && (t.pb.GetFilename() == known.Name || t.pb.GetGitFileSource().GetPath() == known.Name):
		f = known
	default:
		return ""
	}
	i, why := f.clusterStep()
	if why == "" {
		return ""
	}
	return stepName(f.index(i), f.Build.Steps[i].GetId()) + " " + why
}

// Rivals are the triggers that run on a push to the repository's branch and change the cluster:
// one sentence each, with the way out. but is the name or id of the trigger that Turnout runs;
// known is that of ChangesCluster.
func Rivals(triggers []*Trigger, repository, branch, but string, known *File) []string {
	var found []string
	for _, t := range triggers {
		if t.ID == but || t.Name == but || !t.source().is(repository) || !t.RunsOnPush(branch) {
			continue
		}
		if step := t.ChangesCluster(known); step != "" {
			found = append(found, fmt.Sprintf("trigger %s also runs at every push to %s of %s, and changes the cluster while Turnout works on it "+
				"(%s): disable it in Cloud Build, project %s, location %s", t.Name, branch, repository, step, t.Project, t.Location))
		}
	}
	return found
}

// substitutions are the trigger's own, which override those of its build.
func (t *Trigger) substitutions() map[string]string {
	all := maps.Clone(t.pb.GetSubstitutions())
	if all == nil {
		all = map[string]string{}
	}
	all["TRIGGER_NAME"] = t.Name
	return all
}
