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

// settable are the built-in substitutions that a request may set: those that gcloud
// permits (Cloud SDK, command_lib/builds/flags.py), and REPO_FULL_NAME.
var settable = []string{"BRANCH_NAME", "COMMIT_SHA", "REPO_FULL_NAME", "REPO_NAME", "REVISION_ID", "SHORT_SHA", "TAG_NAME"}

// unset are built-in substitutions that only triggers set; in other builds they are
// empty (Cloud Build documentation, "Substituting variable values").
var unset = []string{"TRIGGER_NAME", "TRIGGER_BUILD_CONFIG_PATH", "REF_NAME", "SERVICE_ACCOUNT", "SERVICE_ACCOUNT_EMAIL"}

func invalid(format string, args ...any) error {
	return status.Errorf(codes.InvalidArgument, "invalid build: "+format, args...)
}

// validate refuses builds that Cloud Build refuses.
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
	for _, check := range []func(*cloudbuildpb.Build) error{validateSizes, validateVolumes, validateSecrets, validateAccount} {
		if err := check(b); err != nil {
			return err
		}
	}
	return nil
}

// validateSizes applies Cloud Build's limits (those of its local builder's validate.go,
// as raised since).
func validateSizes(b *cloudbuildpb.Build) error {
	if len(b.GetSteps()) > 300 {
		return invalid("cannot specify more than 300 build steps")
	}
	if len(b.GetSubstitutions()) > 200 {
		return invalid("number of substitutions %d exceeded (max: 200)", len(b.GetSubstitutions()))
	}
	for i, step := range b.GetSteps() {
		for n, arg := range step.GetArgs() {
			if len(arg) > 10_000 {
				return invalid("invalid .steps field: build step %d arg %d too long (max: 10000)", i, n)
			}
		}
	}
	for i, image := range listed(b) {
		if len(image) > 1000 {
			return invalid("image %d too long (max: 1000)", i)
		}
	}
	return nil
}

// validateVolumes requires at least two steps for each named volume (comments of
// BuildOptions.volumes and BuildStep.volumes).
func validateVolumes(b *cloudbuildpb.Build) error {
	if len(b.GetOptions().GetVolumes()) > 0 && len(b.GetSteps()) < 2 {
		return invalid("global volumes defined but there are fewer than two steps")
	}
	all := map[string]bool{}
	for _, volume := range b.GetOptions().GetVolumes() {
		all[volume.GetName()] = true
	}
	used := map[string]int{}
	for i, step := range b.GetSteps() {
		names, paths := map[string]bool{}, map[string]bool{}
		for _, volume := range step.GetVolumes() {
			if names[volume.GetName()] || paths[volume.GetPath()] || all[volume.GetName()] {
				return invalid("build step %d: volume %q or its path is defined twice", i, volume.GetName())
			}
			names[volume.GetName()], paths[volume.GetPath()] = true, true
			used[volume.GetName()]++
		}
	}
	for name, n := range used {
		if n < 2 {
			return invalid("volume %q is only used by one step", name)
		}
	}
	return nil
}

// validateSecrets requires a unique name and a step for each secret, and a definition
// for each one used (comments of Secret, SecretManagerSecret and InlineSecret).
func validateSecrets(b *cloudbuildpb.Build) error {
	defined := map[string]int{}
	for i, secret := range b.GetSecrets() {
		if len(secret.GetSecretEnv()) == 0 {
			return invalid("secret %d defines no secretEnvs", i)
		}
		for name := range secret.GetSecretEnv() {
			defined[name]++
		}
	}
	for _, secret := range b.GetAvailableSecrets().GetSecretManager() {
		defined[secret.GetEnv()]++
	}
	for _, secret := range b.GetAvailableSecrets().GetInline() {
		for name := range secret.GetEnvMap() {
			defined[name]++
		}
	}
	used := map[string]bool{}
	for _, name := range b.GetOptions().GetSecretEnv() {
		used[name] = true
	}
	for _, step := range b.GetSteps() {
		for _, name := range step.GetSecretEnv() {
			used[name] = true
		}
	}
	for name := range used {
		if defined[name] == 0 {
			return invalid("secretEnv %q is used without being defined", name)
		}
	}
	for name, n := range defined {
		if n > 1 {
			return invalid("secretEnv %q is defined more than once", name)
		}
		if !used[name] {
			return invalid("secretEnv %q is defined without being used", name)
		}
	}
	return nil
}

// validateAccount requires a separate place for the logs of a build with a service
// account.
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
	return status.Error(codes.InvalidArgument,
		"if 'build.service_account' is specified, the build must either (a) specify 'build.logs_bucket', (b) use the "+
			"REGIONAL_USER_OWNED_BUCKET build.options.default_logs_bucket_behavior option, or (c) use either CLOUD_LOGGING_ONLY / NONE logging "+
			"options")
}
