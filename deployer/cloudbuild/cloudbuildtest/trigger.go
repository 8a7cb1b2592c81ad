package cloudbuildtest

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"cloud.google.com/go/cloudbuild/apiv1/v2/cloudbuildpb"
	"cloud.google.com/go/longrunning/autogen/longrunningpb"
	"github.com/google/uuid"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"
	"sigs.k8s.io/yaml"
)

// Repository reads a file of a repository (owner/name), as Cloud Build does over its
// own connection. If the file or the commit does not exist, errors.Is(err,
// fs.ErrNotExist) holds.
type Repository func(ctx context.Context, repository, revision, path string) ([]byte, error)

// trigger is a trigger and the place where it was made.
type trigger struct {
	project, location string
	pb                *cloudbuildpb.BuildTrigger
}

var (
	// triggerText is the form that the comments of BuildTrigger.name demand.
	triggerText  = regexp.MustCompile(`^[A-Za-z0-9]([A-Za-z0-9-]{0,62}[A-Za-z0-9])?$`)
	resourceName = regexp.MustCompile(`^projects/([^/]+)/locations/([^/]+)/triggers/([^/]+)$`)
	commitID     = regexp.MustCompile(`^[0-9a-f]{40}$`)
)

func invalidTrigger(format string, args ...any) error {
	return status.Errorf(codes.InvalidArgument, "invalid trigger: "+format, args...)
}

// CreateBuildTrigger keeps a trigger under a new id.
func (s *Server) CreateBuildTrigger(_ context.Context, r *cloudbuildpb.CreateBuildTriggerRequest) (*cloudbuildpb.BuildTrigger, error) {
	project, location, err := where(r.GetParent(), r.GetProjectId())
	if err != nil {
		return nil, err
	}
	if err := validateTrigger(r.GetTrigger()); err != nil {
		return nil, err
	}
	pb := proto.CloneOf(r.GetTrigger())
	pb.Id = uuid.NewString()
	pb.ResourceName = "projects/" + project + "/locations/" + location + "/triggers/" + pb.GetId()
	pb.CreateTime = timestamppb.Now()
	if pb.GetName() == "" {
		pb.Name = "trigger-" + pb.GetId()[:8]
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, other := range s.triggers {
		if other.project == project && other.location == location && other.pb.GetName() == pb.GetName() {
			return nil, status.Errorf(codes.AlreadyExists, "trigger %q already exists", pb.GetName())
		}
	}
	s.triggers = append(s.triggers, &trigger{project: project, location: location, pb: pb})
	return proto.CloneOf(pb), nil
}

// validateTrigger refuses what the comments of BuildTrigger forbid.
func validateTrigger(t *cloudbuildpb.BuildTrigger) error {
	switch {
	case t == nil:
		return invalidTrigger("trigger is required")
	case t.GetName() != "" && !triggerText.MatchString(t.GetName()):
		return invalidTrigger("name %q", t.GetName())
	case t.GetGithub() != nil && t.GetTriggerTemplate() != nil:
		return invalidTrigger("github and trigger_template are mutually exclusive")
	case t.GetBuildTemplate() == nil:
		return invalidTrigger("one of autodetect, build, filename, git_file_source is required")
	}
	for _, pattern := range []string{
		t.GetTriggerTemplate().GetBranchName(), t.GetGithub().GetPush().GetBranch(),
		t.GetRepositoryEventConfig().GetPush().GetBranch(),
	} {
		if _, err := regexp.Compile(pattern); err != nil {
			return invalidTrigger("branch %q is not a regular expression", pattern)
		}
	}
	for _, key := range slices.Sorted(maps.Keys(t.GetSubstitutions())) {
		if !userKey.MatchString(key) {
			return invalidTrigger("substitution key %q", key)
		}
	}
	if t.GetBuild() != nil {
		return validate(t.GetBuild())
	}
	return nil
}

// GetBuildTrigger finds a trigger by its id or its name.
func (s *Server) GetBuildTrigger(_ context.Context, r *cloudbuildpb.GetBuildTriggerRequest) (*cloudbuildpb.BuildTrigger, error) {
	t, err := s.trigger(r.GetName(), r.GetProjectId(), r.GetTriggerId())
	if err != nil {
		return nil, err
	}
	return proto.CloneOf(t.pb), nil
}

// trigger looks a trigger up by its resource name, or by project and id in global.
func (s *Server) trigger(name, project, id string) (*trigger, error) {
	location := "global"
	if name != "" {
		m := resourceName.FindStringSubmatch(name)
		if m == nil {
			return nil, status.Errorf(codes.InvalidArgument, "invalid trigger name %q", name)
		}
		project, location, id = m[1], m[2], m[3]
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, t := range s.triggers {
		if t.project == project && t.location == location && (t.pb.GetId() == id || t.pb.GetName() == id) {
			return t, nil
		}
	}
	return nil, status.Error(codes.NotFound, "Requested entity was not found.")
}

// ListBuildTriggers lists the location's triggers in order of creation.
func (s *Server) ListBuildTriggers(_ context.Context, r *cloudbuildpb.ListBuildTriggersRequest) (*cloudbuildpb.ListBuildTriggersResponse,
	error,
) {
	project, location, err := where(r.GetParent(), r.GetProjectId())
	if err != nil {
		return nil, err
	}
	start, err := offset(r.GetPageToken())
	if err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	var found []*cloudbuildpb.BuildTrigger
	for _, t := range s.triggers {
		if t.project == project && t.location == location {
			found = append(found, proto.CloneOf(t.pb))
		}
	}
	page, next := page(found, start, r.GetPageSize())
	return &cloudbuildpb.ListBuildTriggersResponse{Triggers: page, NextPageToken: next}, nil
}

// offset reads a page token.
func offset(token string) (int, error) {
	if token == "" {
		return 0, nil
	}
	start, err := strconv.Atoi(token)
	if err != nil || start < 0 {
		return 0, status.Errorf(codes.InvalidArgument, "invalid page token %q", token)
	}
	return start, nil
}

// page cuts one page out of a list, and returns the next page's token.
func page[T any](all []T, start int, size int32) (found []T, next string) {
	if size <= 0 {
		size = defaultPage
	}
	start = min(start, len(all))
	end := min(start+int(min(size, maxPage)), len(all))
	if end < len(all) {
		next = strconv.Itoa(end)
	}
	return all[start:end], next
}

// RunBuildTrigger queues the trigger's build at a commit. It also runs a disabled
// trigger: disabled only means that no event starts it (comments of
// BuildTrigger.disabled).
func (s *Server) RunBuildTrigger(ctx context.Context, r *cloudbuildpb.RunBuildTriggerRequest) (*longrunningpb.Operation, error) {
	if r.GetProjectId() == "" || r.GetTriggerId() == "" {
		return nil, status.Error(codes.InvalidArgument, "project_id and trigger_id are required")
	}
	t, err := s.trigger(r.GetName(), r.GetProjectId(), r.GetTriggerId())
	if err != nil {
		return nil, err
	}
	commit := r.GetSource().GetCommitSha()
	if !commitID.MatchString(commit) {
		return nil, status.Errorf(codes.FailedPrecondition, "Couldn't read commit %q", commit)
	}
	template, config, err := s.template(ctx, t.pb, commit)
	if err != nil {
		return nil, err
	}
	pb, err := accept(triggered(t, template, r.GetSource(), config), t.project, t.location)
	if err != nil {
		return nil, err
	}
	return s.add(pb, s.config.NeedsApproval || t.pb.GetApprovalConfig().GetApprovalRequired())
}

// template is the build that a trigger describes, and the path of its file if it is in
// one.
func (s *Server) template(ctx context.Context, t *cloudbuildpb.BuildTrigger, commit string) (*cloudbuildpb.Build, string, error) {
	if t.GetBuild() != nil {
		return proto.CloneOf(t.GetBuild()), "", nil
	}
	path, revision := t.GetFilename(), commit
	if file := t.GetGitFileSource(); file != nil {
		path = file.GetPath()
		if file.GetRevision() != "" {
			revision = file.GetRevision()
		}
	}
	if path == "" || s.config.Repository == nil {
		return nil, "", status.Error(codes.FailedPrecondition, "the trigger's repository is not connected")
	}
	data, err := s.config.Repository(ctx, repositoryOf(t), revision, path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, "", status.Errorf(codes.NotFound, "%s:%s", repositoryOf(t), path)
	}
	if err != nil {
		return nil, "", status.Errorf(codes.FailedPrecondition, "Couldn't read commit %s: %v", commit, err)
	}
	b := &cloudbuildpb.Build{}
	asJSON, err := yaml.YAMLToJSON(data)
	if err == nil {
		// Cloud Build knows fields that its Go API lacks.
		err = protojson.UnmarshalOptions{DiscardUnknown: true}.Unmarshal(asJSON, b)
	}
	if err != nil {
		return nil, "", status.Errorf(codes.InvalidArgument, "failed unmarshalling build config %s: %v", path, err)
	}
	return b, path, nil
}

// repositoryOf is owner/name of the trigger's source, or "".
func repositoryOf(t *cloudbuildpb.BuildTrigger) string {
	if g := t.GetGithub(); g != nil {
		return g.GetOwner() + "/" + g.GetName()
	}
	uri := strings.TrimSuffix(t.GetSourceToBuild().GetUri(), ".git")
	parts := strings.Split(uri, "/")
	return strings.Join(parts[max(0, len(parts)-2):], "/")
}

// triggered is the build of one run. Cloud Build adds what a created build must bring itself.
func triggered(t *trigger, b *cloudbuildpb.Build, source *cloudbuildpb.RepoSource, config string) *cloudbuildpb.Build {
	repository, commit := repositoryOf(t.pb), source.GetCommitSha()
	all := map[string]string{}
	maps.Copy(all, b.GetSubstitutions())
	maps.Copy(all, t.pb.GetSubstitutions())
	maps.Copy(all, map[string]string{
		"COMMIT_SHA": commit, "REVISION_ID": commit, "SHORT_SHA": commit[:7],
		"REPO_FULL_NAME": repository, "REPO_NAME": repository[strings.LastIndex(repository, "/")+1:],
		"TRIGGER_NAME": t.pb.GetName(),
	})
	if config != "" {
		all["TRIGGER_BUILD_CONFIG_PATH"] = config
	}
	maps.Copy(all, source.GetSubstitutions())
	b.Substitutions = all
	b.BuildTriggerId = t.pb.GetId()
	b.Tags = append(append(b.Tags, t.pb.GetTags()...), "trigger-"+t.pb.GetId())
	if b.Options == nil {
		b.Options = &cloudbuildpb.BuildOptions{}
	}
	// Forced on for triggered builds (comments of BuildOptions).
	b.Options.SubstitutionOption = cloudbuildpb.BuildOptions_ALLOW_LOOSE
	b.Options.DynamicSubstitutions = true
	if t.pb.GetServiceAccount() != "" {
		b.ServiceAccount = t.pb.GetServiceAccount()
	}
	b.Source = &cloudbuildpb.Source{Source: &cloudbuildpb.Source_GitSource{GitSource: &cloudbuildpb.GitSource{
		Url: fmt.Sprintf("https://github.com/%s.git", repository), Revision: commit,
	}}}
	return b
}
