package cloudbuildtest_test

import (
	"context"
	"io/fs"
	"strings"
	"testing"

	build "cloud.google.com/go/cloudbuild/apiv1/v2"
	"cloud.google.com/go/cloudbuild/apiv1/v2/cloudbuildpb"
	"github.com/google/go-cmp/cmp"
	"google.golang.org/api/iterator"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/turnout-dev/turnout/deployer/cloudbuild/cloudbuildtest"
)

const sha = "0123456789abcdef0123456789abcdef01234567"

// onPush is a trigger that builds a file at every push to main.
func onPush(name string) *cloudbuildpb.BuildTrigger {
	return &cloudbuildpb.BuildTrigger{
		Name: name, BuildTemplate: &cloudbuildpb.BuildTrigger_Filename{Filename: "cloudbuild.yaml"},
		Github: &cloudbuildpb.GitHubEventsConfig{Owner: "acme", Name: "app", Event: &cloudbuildpb.GitHubEventsConfig_Push{
			Push: &cloudbuildpb.PushFilter{GitRef: &cloudbuildpb.PushFilter_Branch{Branch: "^main$"}},
		}},
	}
}

func createTrigger(t *testing.T, client *build.Client, pb *cloudbuildpb.BuildTrigger) *cloudbuildpb.BuildTrigger {
	t.Helper()
	made, err := client.CreateBuildTrigger(t.Context(), &cloudbuildpb.CreateBuildTriggerRequest{Parent: parent, ProjectId: "p", Trigger: pb})
	if err != nil {
		t.Fatal(err)
	}
	return made
}

// files is a repository with the same files at its only commit.
func files(content map[string]string) cloudbuildtest.Repository {
	return func(_ context.Context, repository, revision, path string) ([]byte, error) {
		text, ok := content[path]
		if !ok || repository != "acme/app" || revision != sha {
			return nil, fs.ErrNotExist
		}
		return []byte(text), nil
	}
}

func TestTriggersThatTheAPIRefusesAreRefused(t *testing.T) {
	server := cloudbuildtest.New(t, cloudbuildtest.Config{})
	client := connect(t, server)
	createTrigger(t, client, onPush("taken"))
	for name, test := range map[string]struct {
		change func(*cloudbuildpb.BuildTrigger)
		want   codes.Code
	}{
		"a name twice":      {func(b *cloudbuildpb.BuildTrigger) { b.Name = "taken" }, codes.AlreadyExists},
		"a name with a dot": {func(b *cloudbuildpb.BuildTrigger) { b.Name = "a.b" }, codes.InvalidArgument},
		"no build":          {func(b *cloudbuildpb.BuildTrigger) { b.BuildTemplate = nil }, codes.InvalidArgument},
		"two sources":       {func(b *cloudbuildpb.BuildTrigger) { b.TriggerTemplate = &cloudbuildpb.RepoSource{} }, codes.InvalidArgument},
		"a built-in to set": {
			func(b *cloudbuildpb.BuildTrigger) { b.Substitutions = map[string]string{"COMMIT_SHA": "x"} },
			codes.InvalidArgument,
		},
		"no regular branch": {func(b *cloudbuildpb.BuildTrigger) {
			b.Github.GetPush().GitRef = &cloudbuildpb.PushFilter_Branch{Branch: "("}
		}, codes.InvalidArgument},
		"a build of its own": {func(b *cloudbuildpb.BuildTrigger) {
			b.BuildTemplate = &cloudbuildpb.BuildTrigger_Build{Build: &cloudbuildpb.Build{Steps: docker()}}
		}, codes.OK},
		"a build without step": {func(b *cloudbuildpb.BuildTrigger) {
			b.BuildTemplate = &cloudbuildpb.BuildTrigger_Build{Build: &cloudbuildpb.Build{}}
		}, codes.InvalidArgument},
	} {
		pb := onPush("new")
		test.change(pb)
		_, err := client.CreateBuildTrigger(t.Context(), &cloudbuildpb.CreateBuildTriggerRequest{Parent: parent, Trigger: pb})
		if status.Code(err) != test.want {
			t.Errorf("%s: error %v, want %v", name, err, test.want)
		}
	}
	if _, err := client.CreateBuildTrigger(t.Context(),
		&cloudbuildpb.CreateBuildTriggerRequest{Parent: parent}); status.Code(err) != codes.InvalidArgument {
		t.Errorf("nothing: error %v", err)
	}
}

func TestATriggerIsFoundByNameByIDAndInItsLocation(t *testing.T) {
	server := cloudbuildtest.New(t, cloudbuildtest.Config{})
	client := connect(t, server)
	var names []string
	var last *cloudbuildpb.BuildTrigger
	for _, name := range []string{"one", "two", "three"} {
		last = createTrigger(t, client, onPush(name))
		names = append(names, name)
	}
	for _, request := range []*cloudbuildpb.GetBuildTriggerRequest{
		{Name: last.GetResourceName()},
		{Name: parent + "/triggers/three"},
		{ProjectId: "p", TriggerId: "three"},
		{ProjectId: "p", TriggerId: last.GetId()},
	} {
		if got, err := client.GetBuildTrigger(t.Context(), request); err != nil || got.GetId() != last.GetId() {
			t.Errorf("%v: got %v, %v", request, got, err)
		}
	}
	for _, name := range []string{
		parent + "/triggers/four", "projects/p/locations/europe-west1/triggers/three",
		"projects/q/locations/global/triggers/three",
	} {
		if _, err := client.GetBuildTrigger(t.Context(), &cloudbuildpb.GetBuildTriggerRequest{Name: name}); status.Code(err) != codes.NotFound {
			t.Errorf("%s: error %v", name, err)
		}
	}
	var listed []string
	for found := client.ListBuildTriggers(t.Context(), &cloudbuildpb.ListBuildTriggersRequest{Parent: parent, PageSize: 2}); ; {
		pb, err := found.Next()
		if err == iterator.Done { //nolint:errorlint // as documented for iterators
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		listed = append(listed, pb.GetName())
	}
	if diff := cmp.Diff(names, listed); diff != "" {
		t.Error(diff)
	}
	elsewhere := client.ListBuildTriggers(t.Context(), &cloudbuildpb.ListBuildTriggersRequest{Parent: "projects/p/locations/europe-west1"})
	if pb, err := elsewhere.Next(); err != iterator.Done { //nolint:errorlint // as documented for iterators
		t.Errorf("in another location: %v, %v", pb, err)
	}
}

func TestATriggeredBuildHasWhatOnlyTriggersGive(t *testing.T) {
	server := cloudbuildtest.New(t, cloudbuildtest.Config{Repository: files(map[string]string{
		"cloudbuild.yaml": "steps: [{name: docker, args: ['$_A-$_B-$_C-$BRANCH_NAME-$TRIGGER_NAME']}]\nimages: " +
			"['gcr.io/$PROJECT_ID/$REPO_NAME:$SHORT_SHA']\nsubstitutions: {_A: file, _B: file, _C: file}\noptions: {substitutionOption: " +
			"MUST_MATCH}\n",
	})})
	client := connect(t, server)
	pb := onPush("main")
	pb.Substitutions = map[string]string{"_B": "trigger", "_C": "trigger"}
	made := createTrigger(t, client, pb)
	op, err := client.RunBuildTrigger(t.Context(), &cloudbuildpb.RunBuildTriggerRequest{
		Name: parent + "/triggers/main", ProjectId: "p", TriggerId: "main",
		Source: &cloudbuildpb.RepoSource{
			Revision:      &cloudbuildpb.RepoSource_CommitSha{CommitSha: sha},
			Substitutions: map[string]string{"_C": "run", "_UNDECLARED": "kept", "BRANCH_NAME": "main"},
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	b, err := op.Wait(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	got := []string{
		b.GetSteps()[0].GetArgs()[0], b.GetResults().GetImages()[0].GetName(), b.GetBuildTriggerId(), strings.Join(b.GetTags(), " "),
		b.GetSubstitutions()["_UNDECLARED"], b.GetSubstitutions()["COMMIT_SHA"], b.GetSubstitutions()["TRIGGER_BUILD_CONFIG_PATH"],
		b.GetSource().GetGitSource().GetRevision(),
	}
	want := []string{
		"file-trigger-run-main-main", "gcr.io/p/app:0123456", made.GetId(), "trigger-" + made.GetId(), "kept", sha,
		"cloudbuild.yaml", sha,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if got := list(t, client, &cloudbuildpb.ListBuildsRequest{Parent: parent, Filter: `trigger_id="` + made.GetId() + `"`}); len(got) != 1 {
		t.Errorf("listed by its trigger: %v", got)
	}
}

func TestACreatedBuildCannotPretendATrigger(t *testing.T) {
	server := cloudbuildtest.New(t, cloudbuildtest.Config{})
	if _, err := create(t, connect(t, server), &cloudbuildpb.Build{Steps: docker(), BuildTriggerId: "x"}); err != nil {
		t.Fatal(err)
	}
	if id := server.Builds("p", "global")[0].GetBuildTriggerId(); id != "" {
		t.Errorf("its trigger is %q", id)
	}
}

func TestRunsThatTheAPIRefusesAreRefused(t *testing.T) {
	server := cloudbuildtest.New(t,
		cloudbuildtest.Config{Repository: files(map[string]string{"bad.yaml": "steps: 1", "cloudbuild.yaml": "steps: [{name: docker}]"})})
	client := connect(t, server)
	for name, file := range map[string]string{"good": "cloudbuild.yaml", "bad": "bad.yaml", "missing": "none.yaml"} {
		pb := onPush(name)
		pb.BuildTemplate = &cloudbuildpb.BuildTrigger_Filename{Filename: file}
		createTrigger(t, client, pb)
	}
	for name, test := range map[string]struct {
		trigger, commit string
		substitutions   map[string]string
		want            codes.Code
	}{
		"as it should be":    {"good", sha, nil, codes.OK},
		"no id":              {"", sha, nil, codes.InvalidArgument},
		"no such trigger":    {"other", sha, nil, codes.NotFound},
		"a short commit":     {"good", sha[:7], nil, codes.FailedPrecondition},
		"an unknown commit":  {"good", strings.Repeat("d", 40), nil, codes.NotFound},
		"a file that is bad": {"bad", sha, nil, codes.InvalidArgument},
		"a file that lacks":  {"missing", sha, nil, codes.NotFound},
		"a key of the API's": {"good", sha, map[string]string{"PROJECT_ID": "x"}, codes.InvalidArgument},
	} {
		_, err := client.RunBuildTrigger(t.Context(), &cloudbuildpb.RunBuildTriggerRequest{
			ProjectId: "p", TriggerId: test.trigger,
			Source: &cloudbuildpb.RepoSource{
				Revision:      &cloudbuildpb.RepoSource_CommitSha{CommitSha: test.commit},
				Substitutions: test.substitutions,
			},
		})
		if status.Code(err) != test.want {
			t.Errorf("%s: error %v, want %v", name, err, test.want)
		}
	}
	if made := server.Builds("p", "global"); len(made) != 1 {
		t.Errorf("made %d builds", len(made))
	}
}
