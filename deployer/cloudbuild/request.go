package cloudbuild

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"time"

	"cloud.google.com/go/cloudbuild/apiv1/v2/cloudbuildpb"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/durationpb"
)

// GlobalLocation is where builds run if no region is named.
const GlobalLocation = "global"

// shortLength is how many digits of a commit $SHORT_SHA has (Cloud Build
// documentation, "Substituting variable values").
const shortLength = 7

// Request asks for one release's build.
type Request struct {
	// Project is the Google Cloud project the build runs in. Required.
	Project string
	// Location is "global" (the default) or a region.
	Location string
	// Commit is the full commit id, Branch its branch and Repository
	// owner/name. Required; they become the built-in substitutions.
	Commit, Branch, Repository string
	// Release is the release's unique id; Find uses it. Required.
	Release string
	// Retry counts the release's earlier builds that Cloud Build lost; no search finds
	// those.
	Retry int
	// Trigger to run. With a trigger, ServiceAccount, Timeout and Source are the trigger's.
	Trigger *Trigger
	// Substitutions override those of the file. Names must begin with "_".
	Substitutions map[string]string
	// ServiceAccount is an e-mail address or a full resource name; "" means the
	// project's default.
	ServiceAccount string
	// Timeout of the whole build; 0 keeps the file's, or Cloud Build's default of 60
	// minutes.
	Timeout time.Duration
	// Source is where the commit's content is. Required without a Trigger.
	Source Source
}

// Source is the content to build: exactly one of the two fields.
type Source struct {
	Object *Object
	Git    *GitSource
}

// Object is one generation of an object in Cloud Storage.
type Object struct {
	Bucket     string `json:"bucket"`
	Name       string `json:"name"`
	Generation int64  `json:"generation"`
}

// GitSource is a public repository that Cloud Build fetches itself.
type GitSource struct {
	URL string
	// Revision is a full commit id.
	Revision string
}

var tagText = regexp.MustCompile(`^[A-Za-z0-9_.-]{1,128}$`)

// Tag is the tag that identifies a release's build; retry is that of the Request.
func Tag(release string, retry int) string { return "turnout-" + key(release, retry) }

// key distinguishes a build of a release from those that Cloud Build lost.
func key(release string, retry int) string {
	if retry == 0 {
		return release
	}
	return fmt.Sprintf("%s-%d", release, retry)
}

func (r Request) key() string { return key(r.Release, r.Retry) }

// Build is the build as sent: the file's, with the request's source, substitutions, tag, service
// account and timeout.
func (r Request) Build(f *File) (*cloudbuildpb.Build, error) {
	if err := r.checkCreated(); err != nil {
		return nil, err
	}
	b := proto.CloneOf(f.Build)
	b.Source = r.Source.proto()
	b.Substitutions = r.substitutions(f)
	b.Tags = append(b.Tags, Tag(r.Release, r.Retry))
	if b.Options == nil {
		b.Options = &cloudbuildpb.BuildOptions{}
	}
	// Triggers force both on; CreateBuild does not. A file that works from a
	// trigger must work here (comments of BuildOptions.SubstitutionOption).
	b.Options.SubstitutionOption = cloudbuildpb.BuildOptions_ALLOW_LOOSE
	b.Options.DynamicSubstitutions = true
	if r.Timeout > 0 {
		b.Timeout = durationpb.New(r.Timeout)
	}
	if err := r.runAs(f.Name, b); err != nil {
		return nil, err
	}
	return b, nil
}

func (r Request) check() error {
	required := []struct{ name, value string }{
		{"project", r.Project}, {"commit", r.Commit}, {"branch", r.Branch}, {"repository", r.Repository}, {"release", r.Release},
	}
	for _, field := range required {
		if field.value == "" {
			return fmt.Errorf("build request: %s is empty", field.name)
		}
	}
	if !tagText.MatchString(Tag(r.Release, r.Retry)) {
		return fmt.Errorf("build request: release %q cannot be part of a tag: letters, digits, '_', '.' and '-' only, up to %d", r.key(),
			128-len(Tag("", 0)))
	}
	for _, key := range slices.Sorted(maps.Keys(r.Substitutions)) {
		if !userKey.MatchString(key) {
			return fmt.Errorf("spec.build.substitutions: %q is not the name of a user substitution; name it like _NAME: an underscore, then "+
				"capitals, digits and underscores", key)
		}
	}
	return nil
}

// checkCreated checks what CreateBuild needs.
func (r Request) checkCreated() error {
	if (r.Source.Object == nil) == (r.Source.Git == nil) {
		return fmt.Errorf("build request: exactly one of the two sources must be given")
	}
	return r.check()
}

// checkTriggered checks what RunBuildTrigger needs.
func (r Request) checkTriggered() error {
	if r.Trigger == nil {
		return fmt.Errorf("build request: no trigger is given")
	}
	return r.check()
}

// substitutions merges four layers, each overriding those before it: the file's, the trigger's,
// the request's, and the built-in ones that only triggered builds would have. gcloud does not let
// people set REPO_FULL_NAME, but the API accepts it.
func (r Request) substitutions(f *File) map[string]string {
	all := map[string]string{}
	maps.Copy(all, f.Build.GetSubstitutions())
	if r.Trigger != nil {
		maps.Copy(all, r.Trigger.substitutions())
	}
	maps.Copy(all, r.Substitutions)
	all["COMMIT_SHA"] = r.Commit
	all["REVISION_ID"] = r.Commit
	all["SHORT_SHA"] = r.Commit[:min(shortLength, len(r.Commit))]
	all["BRANCH_NAME"] = r.Branch
	all["REPO_NAME"] = r.Repository[strings.LastIndex(r.Repository, "/")+1:]
	all["REPO_FULL_NAME"] = r.Repository
	return all
}

// expander replaces substitutions in the file's texts as the build will. Those of triggered
// builds are empty in other builds. TAG_NAME is always empty, since Turnout builds commits
// (documentation, "Substituting variable values").
func (r Request) expander(f *File) *expander {
	all := r.substitutions(f)
	all["PROJECT_ID"] = r.Project
	all["LOCATION"] = r.location()
	all["TAG_NAME"] = ""
	later := []string{"BUILD_ID", "PROJECT_NUMBER", "SERVICE_ACCOUNT_EMAIL", "SERVICE_ACCOUNT"}
	if r.Trigger != nil {
		return &expander{values: all, later: append(later, "REF_NAME", "TRIGGER_BUILD_CONFIG_PATH")}
	}
	for _, name := range []string{"REF_NAME", "TRIGGER_NAME", "TRIGGER_BUILD_CONFIG_PATH"} {
		all[name] = ""
	}
	return &expander{values: all, later: later}
}

func (r Request) location() string {
	if r.Location == "" {
		return GlobalLocation
	}
	return r.Location
}

// runAs sets the service account. With one, Cloud Build refuses to log to the project's default
// bucket, so logs go to Cloud Logging unless the file sets another place.
func (r Request) runAs(file string, b *cloudbuildpb.Build) error {
	if r.ServiceAccount == "" {
		return nil
	}
	b.ServiceAccount = r.accountName()
	if logsAreOurs(b) {
		return nil
	}
	if b.Options.Logging != cloudbuildpb.BuildOptions_LOGGING_UNSPECIFIED {
		return &FileError{
			File: file, Step: -1, Field: "options.logging",
			Reason: fmt.Sprintf("%s needs a logsBucket when spec.build.serviceAccount is set", b.Options.Logging),
			Fix:    "set it to CLOUD_LOGGING_ONLY, or name a logsBucket",
		}
	}
	b.Options.Logging = cloudbuildpb.BuildOptions_CLOUD_LOGGING_ONLY
	return nil
}

// logsAreOurs reports whether a build with its own service account has a place for its logs (the
// API otherwise answers INVALID_ARGUMENT).
func logsAreOurs(b *cloudbuildpb.Build) bool {
	o := b.GetOptions()
	return b.GetLogsBucket() != "" ||
		o.GetDefaultLogsBucketBehavior() == cloudbuildpb.BuildOptions_REGIONAL_USER_OWNED_BUCKET ||
		o.GetLogging() == cloudbuildpb.BuildOptions_CLOUD_LOGGING_ONLY ||
		o.GetLogging() == cloudbuildpb.BuildOptions_NONE
}

// accountName is projects/P/serviceAccounts/A, the API's form. An e-mail address names its own
// project; any other account belongs to the request's project.
func (r Request) accountName() string {
	if strings.HasPrefix(r.ServiceAccount, "projects/") {
		return r.ServiceAccount
	}
	project := r.Project
	if _, domain, ok := strings.Cut(r.ServiceAccount, "@"); ok {
		if owner, found := strings.CutSuffix(domain, ".iam.gserviceaccount.com"); found {
			project = owner
		}
	}
	return fmt.Sprintf("projects/%s/serviceAccounts/%s", project, r.ServiceAccount)
}

func (s Source) proto() *cloudbuildpb.Source {
	if s.Git != nil {
		return &cloudbuildpb.Source{Source: &cloudbuildpb.Source_GitSource{GitSource: &cloudbuildpb.GitSource{
			Url:      s.Git.URL,
			Revision: s.Git.Revision,
		}}}
	}
	return &cloudbuildpb.Source{Source: &cloudbuildpb.Source_StorageSource{StorageSource: &cloudbuildpb.StorageSource{
		Bucket: s.Object.Bucket, Object: s.Object.Name, Generation: s.Object.Generation,
	}}}
}

func parent(project, location string) string {
	return "projects/" + project + "/locations/" + location
}
