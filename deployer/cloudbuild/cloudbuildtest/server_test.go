package cloudbuildtest_test

import (
	"context"
	"slices"
	"strings"
	"testing"
	"time"

	build "cloud.google.com/go/cloudbuild/apiv1/v2"
	"cloud.google.com/go/cloudbuild/apiv1/v2/cloudbuildpb"
	"github.com/google/go-cmp/cmp"
	"google.golang.org/api/iterator"
	"google.golang.org/api/option"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/status"

	"github.com/turnout-dev/turnout/deployer/cloudbuild/cloudbuildtest"
)

const parent = "projects/p/locations/global"

// connect is Google's own client, set up as for any user of the API.
func connect(t *testing.T, server *cloudbuildtest.Server) *build.Client {
	t.Helper()
	client, err := build.NewClient(t.Context(), option.WithEndpoint(server.Endpoint()), option.WithoutAuthentication(),
		option.WithGRPCDialOption(grpc.WithTransportCredentials(insecure.NewCredentials())))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = client.Close() })
	return client
}

func create(t *testing.T, client *build.Client, b *cloudbuildpb.Build) (*build.CreateBuildOperation, error) {
	t.Helper()
	return client.CreateBuild(t.Context(), &cloudbuildpb.CreateBuildRequest{Parent: parent, Build: b})
}

func docker(args ...string) []*cloudbuildpb.BuildStep {
	return []*cloudbuildpb.BuildStep{{Name: "docker", Args: args}}
}

func TestFaultsThatNobodyMetPass(t *testing.T) {
	server := cloudbuildtest.New(t, cloudbuildtest.Config{})
	client := connect(t, server)
	server.Fail("CreateBuild", cloudbuildtest.Fault{Times: 5, Until: time.Now()})
	if _, err := create(t, client, &cloudbuildpb.Build{Steps: docker()}); err != nil {
		t.Fatal(err)
	}
	server.Fail("CreateBuild", cloudbuildtest.Fault{Code: codes.Internal, Until: time.Now().Add(time.Hour)})
	if _, err := create(t, client, &cloudbuildpb.Build{Steps: docker()}); status.Code(err) != codes.Internal {
		t.Errorf("before it passes: %v", err)
	}
	if failed := server.Failed(); len(failed) != 1 || failed[cloudbuildtest.Fault{Code: codes.Internal}] != 1 {
		t.Errorf("the calls that failed are %v", failed)
	}
}

func TestBuildsThatTheAPIRefusesAreRefused(t *testing.T) {
	server := cloudbuildtest.New(t, cloudbuildtest.Config{})
	client := connect(t, server)
	for name, b := range map[string]*cloudbuildpb.Build{
		"nothing":              nil,
		"no steps":             {},
		"no builder":           {Steps: []*cloudbuildpb.BuildStep{{Args: []string{"x"}}}},
		"script and args":      {Steps: []*cloudbuildpb.BuildStep{{Name: "a", Script: "x", Args: []string{"y"}}}},
		"unknown wait":         {Steps: []*cloudbuildpb.BuildStep{{Name: "a", WaitFor: []string{"b"}}}},
		"an id twice":          {Steps: []*cloudbuildpb.BuildStep{{Name: "a", Id: "x"}, {Name: "a", Id: "x"}}},
		"account without logs": {Steps: docker(), ServiceAccount: "projects/p/serviceAccounts/a"},
		"account as an address": {
			Steps: docker(), ServiceAccount: "a@b",
			Options: &cloudbuildpb.BuildOptions{Logging: cloudbuildpb.BuildOptions_NONE},
		},
		"tag":                  {Steps: docker(), Tags: []string{"a b"}},
		"unused substitution":  {Steps: docker(), Substitutions: map[string]string{"_A": "x"}},
		"missing substitution": {Steps: docker("$_A")},
		"unused secret": {
			Steps:            docker(),
			AvailableSecrets: &cloudbuildpb.Secrets{SecretManager: []*cloudbuildpb.SecretManagerSecret{{VersionName: "v", Env: "T"}}},
		},
		"unused inline secret": {
			Steps:            docker(),
			AvailableSecrets: &cloudbuildpb.Secrets{Inline: []*cloudbuildpb.InlineSecret{{EnvMap: map[string][]byte{"T": {1}}}}},
		},
		"unused old secret":     {Steps: docker(), Secrets: []*cloudbuildpb.Secret{{KmsKeyName: "k", SecretEnv: map[string][]byte{"T": {1}}}}},
		"old secret of nothing": {Steps: docker(), Secrets: []*cloudbuildpb.Secret{{KmsKeyName: "k"}}},
		"unknown secret":        {Steps: []*cloudbuildpb.BuildStep{{Name: "a", SecretEnv: []string{"T"}}}},
		"volume of one step":    {Steps: []*cloudbuildpb.BuildStep{{Name: "a", Volumes: volumes("v")}, {Name: "a"}}},
		"volume twice in one":   {Steps: []*cloudbuildpb.BuildStep{{Name: "a", Volumes: volumes("v", "v")}, {Name: "a", Volumes: volumes("v")}}},
		"volumes of one step":   {Steps: docker(), Options: &cloudbuildpb.BuildOptions{Volumes: volumes("v")}},
		"long argument":         {Steps: docker(strings.Repeat("x", 10_001))},
		"argument grown long": {
			Steps: docker(strings.Repeat("$_A", 11)), Substitutions: map[string]string{"_A": strings.Repeat("x", 1_000)},
		},
		"too many steps":        {Steps: slices.Repeat(docker(), 301)},
		"built-in substitution": {Steps: docker(), Substitutions: map[string]string{"PROJECT_ID": "x"}},
	} {
		if _, err := create(t, client, b); status.Code(err) != codes.InvalidArgument {
			t.Errorf("%s: error %v", name, err)
		}
	}
	if made := server.Builds("p", "global"); len(made) != 0 {
		t.Errorf("made %v", made)
	}
}

func volumes(names ...string) []*cloudbuildpb.Volume {
	var out []*cloudbuildpb.Volume
	for _, name := range names {
		out = append(out, &cloudbuildpb.Volume{Name: name, Path: "/" + name})
	}
	return out
}

func TestSecretsAndVolumesThatAreUsedAreTaken(t *testing.T) {
	client := connect(t, cloudbuildtest.New(t, cloudbuildtest.Config{}))
	step := &cloudbuildpb.BuildStep{Name: "a", SecretEnv: []string{"T", "U"}, Volumes: volumes("v")}
	b := &cloudbuildpb.Build{
		Steps: []*cloudbuildpb.BuildStep{step, step}, Options: &cloudbuildpb.BuildOptions{Volumes: volumes("w"), SecretEnv: []string{"V"}},
		Secrets: []*cloudbuildpb.Secret{{KmsKeyName: "k", SecretEnv: map[string][]byte{"T": {1}}}},
		AvailableSecrets: &cloudbuildpb.Secrets{
			SecretManager: []*cloudbuildpb.SecretManagerSecret{{VersionName: "v", Env: "U"}},
			Inline:        []*cloudbuildpb.InlineSecret{{EnvMap: map[string][]byte{"V": {1}}}},
		},
	}
	if _, err := create(t, client, b); err != nil {
		t.Error(err)
	}
}

func TestSubstitutionsAreExpandedWhereTheAPIDoes(t *testing.T) {
	server := cloudbuildtest.New(t, cloudbuildtest.Config{})
	client := connect(t, server)
	op, err := create(t, client, &cloudbuildpb.Build{
		Steps: []*cloudbuildpb.BuildStep{
			{Name: "gcr.io/$PROJECT_ID/b", Args: []string{"a:$COMMIT_SHA", "${_A}-$_B-$_NONE", "$$HOME"}, Env: []string{"ID=$BUILD_ID"}},
			{Name: "ubuntu", Script: "echo $PROJECT_ID"},
		},
		Images:        []string{"gcr.io/$PROJECT_ID/app:$SHORT_SHA"},
		Tags:          []string{"keep"},
		Substitutions: map[string]string{"_A": "$LOCATION", "_B": "b", "SHORT_SHA": "0123456"},
		Options:       &cloudbuildpb.BuildOptions{SubstitutionOption: cloudbuildpb.BuildOptions_ALLOW_LOOSE, DynamicSubstitutions: true},
	})
	if err != nil {
		t.Fatal(err)
	}
	b, err := op.Wait(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	step := b.GetSteps()[0]
	got := append([]string{step.GetName(), b.GetSteps()[1].GetScript(), b.GetImages()[0], step.GetEnv()[0]}, step.GetArgs()...)
	want := []string{"gcr.io/p/b", "echo $PROJECT_ID", "gcr.io/p/app:0123456", "ID=" + b.GetId(), "a:", "global-b-", "$HOME"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if b.GetResults().GetImages()[0].GetName() != "gcr.io/p/app:0123456" || step.GetStatus() != cloudbuildpb.Build_SUCCESS {
		t.Errorf("build %v", b)
	}
}

func TestStepsReportTheirStatusOnlyAtTheEnd(t *testing.T) {
	working, done := make(chan string), make(chan struct{})
	server := cloudbuildtest.New(t,
		cloudbuildtest.Config{Builder: func(_ context.Context, b *cloudbuildpb.Build) (cloudbuildtest.Result, error) {
			working <- b.GetName()
			<-done
			return cloudbuildtest.Result{Steps: []cloudbuildtest.Step{{Status: cloudbuildpb.Build_FAILURE, ExitCode: 3}}}, nil
		}})
	client := connect(t, server)
	op, err := create(t, client, &cloudbuildpb.Build{Steps: docker(), Images: []string{"a"}})
	if err != nil {
		t.Fatal(err)
	}
	name := <-working
	b, err := client.GetBuild(t.Context(), &cloudbuildpb.GetBuildRequest{Name: name})
	if err != nil || b.GetStatus() != cloudbuildpb.Build_WORKING || b.GetSteps()[0].GetStatus() != cloudbuildpb.Build_STATUS_UNKNOWN ||
		b.GetFinishTime() != nil {
		t.Errorf("build %v, %v", b, err)
	}
	close(done)
	if _, err := op.Wait(t.Context()); err == nil {
		t.Error("the operation of a failed build succeeded")
	}
	b, err = client.GetBuild(t.Context(), &cloudbuildpb.GetBuildRequest{Name: name})
	if err != nil || b.GetSteps()[0].GetExitCode() != 3 || b.GetFailureInfo().GetType() != cloudbuildpb.Build_FailureInfo_USER_BUILD_STEP {
		t.Errorf("build %v, %v", b, err)
	}
}

func list(t *testing.T, client *build.Client, request *cloudbuildpb.ListBuildsRequest) []string {
	t.Helper()
	var out []string
	for builds := client.ListBuilds(t.Context(), request); ; {
		b, err := builds.Next()
		if err == iterator.Done { //nolint:errorlint // as documented for iterators
			return out
		}
		if err != nil {
			return []string{status.Code(err).String()}
		}
		out = append(out, strings.Join(b.GetTags(), "+"))
	}
}

func TestListsAreFilteredAndPaged(t *testing.T) {
	server := cloudbuildtest.New(t, cloudbuildtest.Config{})
	client := connect(t, server)
	for _, tags := range [][]string{{"a"}, {"b"}, {"a", "b"}} {
		op, err := create(t, client, &cloudbuildpb.Build{Steps: docker(), Tags: tags})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := op.Wait(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	hourAgo := time.Now().Add(-time.Hour).UTC().Format(time.RFC3339)
	for filter, want := range map[string][]string{
		"":                                   {"a+b", "b", "a"},
		`tags="a"`:                           {"a+b", "a"},
		`tags="a" AND tags="b"`:              {"a+b"},
		`tags="a" AND tags!="b" OR tags="x"`: {"a"},
		`status="WORKING"`:                   nil,
		`status="SUCCESS" AND create_time>"` + hourAgo + `"`: {"a+b", "b", "a"},
		`create_time<"` + hourAgo + `"`:                      nil,
		`substitutions._A="x"`:                               {"InvalidArgument"},
		`tags="a" tags="b"`:                                  {"InvalidArgument"},
		`tags="a" AND`:                                       {"InvalidArgument"},
	} {
		if diff := cmp.Diff(want, list(t, client, &cloudbuildpb.ListBuildsRequest{Parent: parent, Filter: filter, PageSize: 2})); diff != "" {
			t.Errorf("%s: %s", filter, diff)
		}
	}
	if got := list(t, client, &cloudbuildpb.ListBuildsRequest{Parent: "projects/p/locations/europe-west1"}); got != nil {
		t.Errorf("in another location: %v", got)
	}
}

func TestUnknownMethodsAreRemembered(t *testing.T) {
	server := cloudbuildtest.New(t, cloudbuildtest.Config{})
	_, err := connect(t, server).GetWorkerPool(t.Context(), &cloudbuildpb.GetWorkerPoolRequest{Name: "x"})
	if status.Code(err) != codes.Unimplemented || !cmp.Equal(server.Unknown(), []string{"GetWorkerPool"}) {
		t.Errorf("error %v, unknown %v", err, server.Unknown())
	}
}

func TestCloseEndsBuilds(t *testing.T) {
	ended := make(chan struct{})
	server, err := cloudbuildtest.Start(cloudbuildtest.Config{Builder: func(ctx context.Context, _ *cloudbuildpb.Build) (cloudbuildtest.Result,
		error,
	) {
		defer close(ended)
		<-ctx.Done()
		return cloudbuildtest.Result{}, ctx.Err()
	}})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := create(t, connect(t, server), &cloudbuildpb.Build{Steps: docker()}); err != nil {
		t.Fatal(err)
	}
	server.Close()
	select {
	case <-ended:
	default: // cancelled before its builder was called
		if b := server.Builds("p", "global")[0]; b.GetStatus() != cloudbuildpb.Build_CANCELLED {
			t.Errorf("build %v", b)
		}
	}
}
