package cloudbuildtest

import (
	"regexp"
	"slices"

	"cloud.google.com/go/cloudbuild/apiv1/v2/cloudbuildpb"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
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
