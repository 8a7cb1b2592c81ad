package cloudbuildtest

import (
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"cloud.google.com/go/cloudbuild/apiv1/v2/cloudbuildpb"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/reflect/protoreflect"
)

var (
	accountName = regexp.MustCompile(`^projects/[^/]+/serviceAccounts/[^/]+$`)
	tagText     = regexp.MustCompile(`^[A-Za-z0-9_.-]{1,128}$`)
	userKey     = regexp.MustCompile(`^_[A-Z0-9_]+$`)
)

// settable are the built-in substitutions that a request may carry: what
// gcloud permits (Cloud SDK, command_lib/builds/flags.py), and REPO_FULL_NAME.
var settable = []string{"BRANCH_NAME", "COMMIT_SHA", "REPO_FULL_NAME", "REPO_NAME", "REVISION_ID", "SHORT_SHA", "TAG_NAME"}

// unset are built-in substitutions that only triggers fill; in other builds
// they are empty (Cloud Build
// documentation, "Substituting variable values").
var unset = []string{"TRIGGER_NAME", "TRIGGER_BUILD_CONFIG_PATH", "REF_NAME", "SERVICE_ACCOUNT", "SERVICE_ACCOUNT_EMAIL"}

func invalid(format string, args ...any) error {
	return status.Errorf(codes.InvalidArgument, "invalid build: "+format, args...)
}

// validate refuses what Cloud Build refuses.
func validate(b *cloudbuildpb.Build) error {
	if len(b.GetSteps()) == 0 {
		return invalid("no build steps defined")
	}
	var above []string
	for i, step := range b.GetSteps() {
		if step.GetName() == "" {
			return invalid("build step %d has no name", i)
		}
		if step.GetScript() != "" && len(step.GetArgs()) > 0 {
			return invalid("build step %d has both a script and args", i)
		}
		for _, id := range step.GetWaitFor() {
			if id != "-" && !slices.Contains(above, id) {
				return invalid("build step %d waits for %q, which has not been defined above", i, id)
			}
		}
		if id := step.GetId(); id != "" {
			if slices.Contains(above, id) {
				return invalid("build step %d: id %q is not unique", i, id)
			}
			above = append(above, id)
		}
	}
	for _, tag := range b.GetTags() {
		if !tagText.MatchString(tag) {
			return invalid("tag %q", tag)
		}
	}
	return validateAccount(b)
}

// validateAccount: a build that runs as someone needs a place of its own for
// its logs.
func validateAccount(b *cloudbuildpb.Build) error {
	if b.GetServiceAccount() == "" {
		return nil
	}
	if !accountName.MatchString(b.GetServiceAccount()) {
		return invalid("service account %q is not projects/PROJECT/serviceAccounts/ACCOUNT", b.GetServiceAccount())
	}
	options := b.GetOptions()
	if b.GetLogsBucket() != "" ||
		options.GetDefaultLogsBucketBehavior() == cloudbuildpb.BuildOptions_REGIONAL_USER_OWNED_BUCKET ||
		options.GetLogging() == cloudbuildpb.BuildOptions_CLOUD_LOGGING_ONLY || options.GetLogging() == cloudbuildpb.BuildOptions_NONE {
		return nil
	}
	return status.Error(codes.InvalidArgument, "if 'build.service_account' is specified, the build must either (a) specify 'build.logs_bucket', (b) use the REGIONAL_USER_OWNED_BUCKET build.options.default_logs_bucket_behavior option, or (c) use either CLOUD_LOGGING_ONLY / NONE logging options")
}

var variable = regexp.MustCompile(`\$(?:\$|([A-Z_][A-Z0-9_]*)|\{([A-Z_][A-Z0-9_]*)\})`)

// substitute expands substitutions in place, as Cloud Build does before it
// queues the build. The build keeps the substitutions it was sent.
func substitute(b *cloudbuildpb.Build, project, location, id string) error {
	x := expansion{values: map[string]string{}, used: map[string]bool{}, missing: map[string]bool{}}
	for _, name := range append(slices.Clone(settable), unset...) {
		x.values[name] = ""
	}
	given := settable
	if b.GetBuildTriggerId() != "" {
		given = append(slices.Clone(settable), unset...)
	}
	for key, value := range b.GetSubstitutions() {
		if !userKey.MatchString(key) && !slices.Contains(given, key) {
			return invalid("key %q in the substitution data is not a valid built-in or user-defined substitution", key)
		}
		x.values[key] = value
	}
	x.values["PROJECT_ID"], x.values["LOCATION"], x.values["BUILD_ID"] = project, location, id
	x.values["PROJECT_NUMBER"] = projectNumber(project)
	if b.GetOptions().GetDynamicSubstitutions() {
		x.resolveValues()
	}
	x.message(b.ProtoReflect())
	if b.GetOptions().GetSubstitutionOption() == cloudbuildpb.BuildOptions_ALLOW_LOOSE {
		return nil
	}
	for _, key := range slices.Sorted(maps.Keys(b.GetSubstitutions())) {
		if userKey.MatchString(key) && !x.used[key] {
			return invalid("key %q in the substitution data is not matched in the template", key)
		}
	}
	for _, key := range slices.Sorted(maps.Keys(x.missing)) {
		return invalid("key in the template %q is not matched in the substitution data", key)
	}
	return nil
}

// projectNumber invents a number of twelve digits for a project, always the
// same.
func projectNumber(project string) string {
	number := uint64(100_000_000_000)
	for _, c := range []byte(project) {
		number = 100_000_000_000 + (number*31+uint64(c))%900_000_000_000
	}
	return strconv.FormatUint(number, 10)
}

// expansion replaces substitutions and remembers which were met.
type expansion struct {
	values        map[string]string
	used, missing map[string]bool
}

// text expands one text; a user substitution without a value becomes empty.
func (x *expansion) text(text string) string {
	return variable.ReplaceAllStringFunc(text, func(found string) string {
		if found == "$$" {
			return "$"
		}
		name := strings.Trim(found, "${}")
		x.used[name] = true
		value, ok := x.values[name]
		if !ok {
			x.missing[name] = true
		}
		return value
	})
}

// resolveValues expands values that mention other substitutions, one level
// after another; what refers to itself is cut off.
func (x *expansion) resolveValues() {
	const levels = 10
	for range levels {
		for _, key := range slices.Sorted(maps.Keys(x.values)) {
			if userKey.MatchString(key) && len(x.values[key]) < 4000 {
				x.values[key] = x.text(x.values[key])
			}
		}
	}
}

// verbatim are the fields of Build that substitutions do not reach: script is
// the shell's, substitutions are the values themselves, source and tags and
// logs_bucket and the API's own fields are taken as sent.
var verbatim = []protoreflect.Name{"script", "substitutions", "source", "tags", "logs_bucket", "name", "id", "project_id", "log_url", "wait_for"}

// message expands every text of a message but the verbatim ones. A step's name
// is its image and is expanded; the build's own is not.
func (x *expansion) message(m protoreflect.Message) {
	isStep := m.Descriptor() == (&cloudbuildpb.BuildStep{}).ProtoReflect().Descriptor()
	m.Range(func(fd protoreflect.FieldDescriptor, value protoreflect.Value) bool {
		if slices.Contains(verbatim, fd.Name()) && (!isStep || fd.Name() != "name") {
			return true
		}
		switch {
		case fd.IsList():
			x.list(fd, value.List())
		case fd.IsMap():
		case fd.Kind() == protoreflect.StringKind:
			m.Set(fd, protoreflect.ValueOfString(x.text(value.String())))
		case fd.Kind() == protoreflect.MessageKind:
			x.message(value.Message())
		}
		return true
	})
}

func (x *expansion) list(fd protoreflect.FieldDescriptor, list protoreflect.List) {
	for i := range list.Len() {
		switch fd.Kind() {
		case protoreflect.StringKind:
			list.Set(i, protoreflect.ValueOfString(x.text(list.Get(i).String())))
		case protoreflect.MessageKind:
			x.message(list.Get(i).Message())
		default: // holds no text
		}
	}
}
