package cloudbuild_test

import (
	"context"
	"errors"
	"io/fs"
	"slices"
	"strings"
	"testing"
	"time"

	"cloud.google.com/go/cloudbuild/apiv1/v2/cloudbuildpb"
	"google.golang.org/grpc/codes"

	"github.com/turnout-dev/turnout/api/v1alpha1"
	"github.com/turnout-dev/turnout/deployer/cloudbuild"
	"github.com/turnout-dev/turnout/deployer/cloudbuild/cloudbuildtest"
)

const pipeline = "steps:\n- name: docker\n  args: [build, .]\nimages: ['gcr.io/$PROJECT_ID/${_NAME}:$SHORT_SHA']\nsubstitutions: {_NAME: " +
	"file}\n"

// clusterPipeline is a pipeline whose second step changes the cluster.
const clusterPipeline = "steps:\n- name: docker\n  args: [build, .]\n- name: gcr.io/cloud-builders/kubectl\n  id: deploy\n  args: " +
	"[apply, -f, k8s]\nimages: [gcr.io/p/a]\n"

// onPush is a trigger that builds cloudbuild.yaml at every push to main, with the
// changes applied.
func onPush(change ...func(*cloudbuildpb.BuildTrigger)) *cloudbuildpb.BuildTrigger {
	pb := &cloudbuildpb.BuildTrigger{
		Name: "deploy-main", BuildTemplate: &cloudbuildpb.BuildTrigger_Filename{Filename: "cloudbuild.yaml"},
		Github: &cloudbuildpb.GitHubEventsConfig{Owner: "Acme", Name: "My-Python-App", Event: &cloudbuildpb.GitHubEventsConfig_Push{
			Push: &cloudbuildpb.PushFilter{GitRef: &cloudbuildpb.PushFilter_Branch{Branch: "^main$"}},
		}},
	}
	for _, c := range change {
		c(pb)
	}
	return pb
}

// manual removes the event: only people and Turnout run the trigger.
func manual(pb *cloudbuildpb.BuildTrigger) {
	pb.Github = nil
	pb.SourceToBuild = &cloudbuildpb.GitRepoSource{
		Uri: "https://github.com/acme/my-python-app.git", Ref: "refs/heads/main", RepoType: cloudbuildpb.GitFileSource_GITHUB,
	}
}

func inline(text string) func(*cloudbuildpb.BuildTrigger) {
	return func(pb *cloudbuildpb.BuildTrigger) {
		f, err := cloudbuild.Parse("inline", []byte(text))
		if err != nil {
			panic(err)
		}
		pb.BuildTemplate = &cloudbuildpb.BuildTrigger_Build{Build: f.Build}
	}
}

// repository serves one file at its only commit.
func repository(text string) cloudbuildtest.Repository {
	return func(_ context.Context, _, revision, path string) ([]byte, error) {
		if revision != commit || path != "cloudbuild.yaml" {
			return nil, fs.ErrNotExist
		}
		return []byte(text), nil
	}
}

// keep creates triggers in the server and reads the first back by its name.
func keep(t *testing.T, server *cloudbuildtest.Server, client *cloudbuild.Client,
	triggers ...*cloudbuildpb.BuildTrigger,
) *cloudbuild.Trigger {
	t.Helper()
	for _, pb := range triggers {
		if _, err := server.CreateBuildTrigger(t.Context(),
			&cloudbuildpb.CreateBuildTriggerRequest{Parent: "projects/acme-prod/locations/global", Trigger: pb}); err != nil {
			t.Fatal(err)
		}
	}
	found, err := client.Trigger(t.Context(), "acme-prod", "", triggers[0].GetName())
	if err != nil {
		t.Fatal(err)
	}
	return found
}

func triggered(trigger *cloudbuild.Trigger) cloudbuild.Request {
	r := request()
	r.Source, r.Trigger = cloudbuild.Source{}, trigger
	return r
}

func searchTriggered(r cloudbuild.Request) cloudbuild.Search {
	s := search(r)
	s.Trigger, s.Commit, s.Retry = r.Trigger.ID, r.Commit, r.Retry
	return s
}

func TestATriggerIsRunAtTheCommitToADigest(t *testing.T) {
	server := cloudbuildtest.New(t, cloudbuildtest.Config{Repository: repository(pipeline)})
	client := connect(t, server)
	trigger := keep(t, server, client,
		onPush(manual, func(pb *cloudbuildpb.BuildTrigger) { pb.Substitutions = map[string]string{"_NAME": "trigger"} }))
	byID, err := client.Trigger(t.Context(), "acme-prod", "global", trigger.ID)
	if err != nil || byID.Name != "deploy-main" {
		t.Fatalf("by its id: %+v, %v", byID, err)
	}
	warnings, err := trigger.Usable("acme/my-python-app", "main")
	path, warning, pathErr := trigger.Path("acme/my-python-app", "main", commit)
	if len(warnings) != 0 || warning != "" || err != nil || pathErr != nil || path != "cloudbuild.yaml" {
		t.Fatalf("warnings %v %q, path %q, errors %v, %v", warnings, warning, path, err, pathErr)
	}
	r := triggered(trigger)
	f := parse(t, pipeline)
	if chosen, err := f.Choose(r, cloudbuild.ImageChoice{}); chosen.Image != "gcr.io/acme-prod/trigger" || err != nil {
		t.Errorf("the image is %s, %v, want the trigger's", chosen.Image, err)
	}
	r.Substitutions = map[string]string{"_NAME": "spec"}
	if chosen, err := f.Choose(r, cloudbuild.ImageChoice{}); chosen.Image != "gcr.io/acme-prod/spec" || err != nil {
		t.Errorf("the image is %s, %v, want the spec's", chosen.Image, err)
	}
	handle, err := client.Run(t.Context(), r)
	if err != nil {
		t.Fatal(err)
	}
	state := await(t, client, handle, cloudbuild.State.Done)
	if digest, err := state.Digest("gcr.io/acme-prod/spec"); err != nil || !strings.Contains(digest, "@sha256:") {
		t.Errorf("digest %q, %v of %+v", digest, err, state)
	}
	made := server.Builds("acme-prod", "global")[0]
	got := made.GetSubstitutions()
	if got["COMMIT_SHA"] != commit || got["BRANCH_NAME"] != "main" || got[cloudbuild.ReleaseSubstitution] != "5f1c" ||
		made.GetBuildTriggerId() != trigger.ID {
		t.Errorf("made %v", made)
	}
	if calls := server.Calls(); calls["RunBuildTrigger"] != 1 || calls["CreateBuild"] != 0 {
		t.Errorf("calls %v", calls)
	}
}

func TestALostRunIsFoundByWhatItCarries(t *testing.T) {
	server := cloudbuildtest.New(t, cloudbuildtest.Config{ListLag: 200 * time.Millisecond, Repository: repository(pipeline)})
	client := connect(t, server)
	trigger := keep(t, server, client, onPush(manual), onPush(manual, func(pb *cloudbuildpb.BuildTrigger) { pb.Name = "other" }))
	// The trigger also ran by itself at the same commit; that build is not ours.
	if _, err := server.RunBuildTrigger(t.Context(), &cloudbuildpb.RunBuildTriggerRequest{
		ProjectId: "acme-prod", TriggerId: trigger.ID,
		Source: &cloudbuildpb.RepoSource{Revision: &cloudbuildpb.RepoSource_CommitSha{CommitSha: commit}},
	}); err != nil {
		t.Fatal(err)
	}
	server.Fail("RunBuildTrigger", cloudbuildtest.Fault{Performed: true})
	r := triggered(trigger)
	_, err := client.Run(t.Context(), r)
	var failed *cloudbuild.Error
	if !errors.As(err, &failed) || !failed.Uncertain || failed.Fault != cloudbuild.FaultWorld {
		t.Fatalf("error %v", err)
	}
	if found, err := client.Find(t.Context(), searchTriggered(r)); err != nil || found != nil {
		t.Fatalf("found %v, %v while the list lags", found, err)
	}
	var found *cloudbuild.Handle
	for deadline := time.Now().Add(10 * time.Second); found == nil; {
		if found, err = client.Find(t.Context(), searchTriggered(r)); err != nil || time.Now().After(deadline) {
			t.Fatalf("found %v, %v", found, err)
		}
	}
	if made := server.Builds("acme-prod", "global"); len(made) != 2 || made[1].GetId() != found.ID {
		t.Errorf("found %v of %v", found, made)
	}
	for name, change := range map[string]func(*cloudbuild.Search){
		"other release": func(s *cloudbuild.Search) { s.Release = "5f1" },
		"other retry":   func(s *cloudbuild.Search) { s.Retry = 1 },
		"other commit":  func(s *cloudbuild.Search) { s.Commit = strings.Repeat("d", 40) },
		"other trigger": func(s *cloudbuild.Search) { s.Trigger = "other" },
		"later":         func(s *cloudbuild.Search) { s.Since = time.Now().Add(time.Hour) },
		"created":       func(s *cloudbuild.Search) { s.Trigger = "" },
	} {
		s := searchTriggered(r)
		change(&s)
		if found, err := client.Find(t.Context(), s); err != nil || found != nil {
			t.Errorf("%s: found %v, %v", name, found, err)
		}
	}
}

func TestALostBuildIsNotFoundInPlaceOfItsRetry(t *testing.T) {
	server := cloudbuildtest.New(t, cloudbuildtest.Config{})
	client := connect(t, server)
	r := request()
	lost := start(t, client, r, reference(t))
	r.Retry = 1
	s := search(r)
	s.Retry = 1
	if found, err := client.Find(t.Context(), s); err != nil || found != nil {
		t.Errorf("before it was created: found %v, %v", found, err)
	}
	again := start(t, client, r, reference(t))
	if found, err := client.Find(t.Context(), s); err != nil || found == nil || *found != again {
		t.Errorf("found %v, %v, want %v, not %v", found, err, again, lost)
	}
	s.Retry = 0
	if found, err := client.Find(t.Context(), s); err != nil || found == nil || *found != lost {
		t.Errorf("the first: found %v, %v, want %v", found, err, lost)
	}
}

func TestAMissingTriggerNamesTheWayOut(t *testing.T) {
	server := cloudbuildtest.New(t, cloudbuildtest.Config{})
	client := connect(t, server)
	keep(t, server, client, onPush())
	_, err := client.Trigger(t.Context(), "acme-prod", "europe-west1", "deploy-main")
	refused, ok := errors.AsType[*cloudbuild.TriggerError](err)
	if !ok {
		t.Fatalf("error %v", err)
	}
	if got := v1alpha1.Lines(refused.ShellCommands()); got != "gcloud builds triggers list --project=acme-prod --region=europe-west1" {
		t.Errorf("the commands are %q", got)
	}
	for _, want := range []string{"trigger deploy-main does not exist in projects/acme-prod/locations/europe-west1", "spec.build.location"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("%q does not say %q", err, want)
		}
	}
	server.Fail("GetBuildTrigger", cloudbuildtest.Fault{Code: codes.PermissionDenied})
	var failed *cloudbuild.Error
	if _, err := client.Trigger(t.Context(), "acme-prod", "", "deploy-main"); !errors.As(err, &failed) ||
		failed.Fault != cloudbuild.FaultWorld {
		t.Errorf("error %v", err)
	}
}

// judge makes all the checks that a release makes before it runs a trigger.
func judge(trigger *cloudbuild.Trigger, text string, policy cloudbuild.ClusterSteps) ([]string, error) {
	said, err := trigger.Usable("acme/my-python-app", "main")
	if err != nil {
		return nil, err
	}
	path, warning, err := trigger.Path("acme/my-python-app", "main", commit)
	if err != nil {
		return nil, err
	}
	if warning != "" {
		said = append(said, warning)
	}
	f, err := cloudbuild.Parse(path, []byte(text))
	if path == "" {
		f, err = trigger.File()
	}
	if err != nil {
		return nil, err
	}
	if err := trigger.Apply(f, policy); err != nil {
		return nil, err
	}
	_, err = f.Choose(triggered(trigger), cloudbuild.ImageChoice{})
	return said, err
}

func TestATriggerIsRefusedOrWarnedOf(t *testing.T) {
	connected := func(name string) func(*cloudbuildpb.BuildTrigger) {
		return func(pb *cloudbuildpb.BuildTrigger) {
			pb.Github = nil
			pb.RepositoryEventConfig = &cloudbuildpb.RepositoryEventConfig{Repository: "projects/p/locations/l/connections/c/repositories/" + name}
		}
	}
	gitFile := func(uri, revision string) func(*cloudbuildpb.BuildTrigger) {
		return func(pb *cloudbuildpb.BuildTrigger) {
			pb.BuildTemplate = &cloudbuildpb.BuildTrigger_GitFileSource{GitFileSource: &cloudbuildpb.GitFileSource{
				Path: "cloudbuild.yaml", Uri: uri,
				Revision: revision,
			}}
		}
	}
	type change = func(*cloudbuildpb.BuildTrigger)
	tests := []struct {
		name    string
		trigger []change
		file    string // default: one that changes nothing
		policy  cloudbuild.ClusterSteps
		refused []string
		remark  []string
	}{
		{name: "a manual one", trigger: []change{manual}},
		{name: "another branch's", trigger: []change{func(pb *cloudbuildpb.BuildTrigger) {
			pb.Github.GetPush().GitRef = &cloudbuildpb.PushFilter_Branch{Branch: "^release-"}
		}}},
		{name: "one that runs by itself", remark: []string{"deploy-main also runs by itself at every push to main", "built twice", "manual"}},
		{
			name: "disabled", trigger: []change{manual, func(pb *cloudbuildpb.BuildTrigger) { pb.Disabled = true }},
			refused: []string{"trigger deploy-main is disabled", "enable it", "manual trigger"},
		},
		{
			name: "another repository", trigger: []change{func(pb *cloudbuildpb.BuildTrigger) { pb.Github.Name = "shop" }},
			refused: []string{"builds Acme/shop, not acme/my-python-app", "spec.build.trigger"},
		},
		{
			name:    "another repository by address",
			trigger: []change{manual, func(pb *cloudbuildpb.BuildTrigger) { pb.SourceToBuild.Uri = "git@github.com:acme/shop.git" }},
			refused: []string{"builds acme/shop, not"},
		},
		{
			name: "no repository", trigger: []change{func(pb *cloudbuildpb.BuildTrigger) { pb.Github = nil }},
			refused: []string{"has no repository as its source"},
		},
		{name: "a mirror", trigger: []change{func(pb *cloudbuildpb.BuildTrigger) {
			pb.Github, pb.TriggerTemplate = nil, &cloudbuildpb.RepoSource{RepoName: "github_acme_my-python-app"}
		}}},
		{name: "another Cloud Source Repository", trigger: []change{func(pb *cloudbuildpb.BuildTrigger) {
			pb.Github, pb.TriggerTemplate = nil, &cloudbuildpb.RepoSource{RepoName: "my-python-app"}
		}}, refused: []string{"builds my-python-app, not acme/my-python-app"}},
		{name: "connected under its name", trigger: []change{connected("acme-my-python-app")}},
		{
			name: "connected under some name", trigger: []change{connected("x")},
			remark: []string{
				"connected repository projects/p/locations/l/connections/c/repositories/x",
				"if it is not acme/my-python-app, the build fails",
			},
		},
		{name: "a manual one of the console", trigger: []change{manual, gitFile("https://github.com/acme/my-python-app", "refs/heads/main")}},
		{
			name: "a file of another branch", trigger: []change{manual, gitFile("https://github.com/acme/my-python-app", "refs/heads/ci")},
			remark: []string{"reads cloudbuild.yaml from refs/heads/ci, not from the commit"},
		},
		{name: "a file at the commit", trigger: []change{manual, gitFile("", "")}},
		{
			name: "a file of elsewhere", trigger: []change{manual, gitFile("https://github.com/acme/pipelines", "")},
			refused: []string{"reads cloudbuild.yaml from acme/pipelines, not from acme/my-python-app", "spec.build.config"},
		},
		{name: "autodetected", trigger: []change{manual, func(pb *cloudbuildpb.BuildTrigger) {
			pb.BuildTemplate = &cloudbuildpb.BuildTrigger_Autodetect{Autodetect: true}
		}}, refused: []string{"cannot check what it would run"}},
		{name: "a build of its own", trigger: []change{manual, inline(pipeline)}},
		{
			name:    "a build of its own without an image",
			trigger: []change{manual, inline(pipeline), func(pb *cloudbuildpb.BuildTrigger) { pb.GetBuild().Images = nil }},
			refused: []string{"trigger deploy-main: images: lists no image", "set spec.build.image"},
		},
		{
			name: "a cluster step in the file", trigger: []change{manual}, file: clusterPipeline,
			refused: []string{
				"cloudbuild.yaml:4: steps[1] (deploy)", "kubectl", "trigger deploy-main runs every step as it is written",
				"remove the step", "to Allow", "spec.build.config instead of spec.build.trigger",
			},
		},
		{name: "and Fail", trigger: []change{manual}, file: clusterPipeline, policy: cloudbuild.Fail, refused: []string{"trigger deploy-main"}},
		{name: "and Allow", trigger: []change{manual}, file: clusterPipeline, policy: cloudbuild.Allow},
		{
			name: "a cluster step of its own", trigger: []change{manual, inline(clusterPipeline)},
			refused: []string{"trigger deploy-main would change the cluster: steps[1] (deploy)", "kubectl", "to Allow"},
		},
		{
			name: "a file that chooses its account", trigger: []change{manual}, file: pipeline + "serviceAccount: x\n",
			refused: []string{"cloudbuild.yaml:6", "serviceAccount"},
		},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			server := cloudbuildtest.New(t, cloudbuildtest.Config{})
			trigger := keep(t, server, connect(t, server), onPush(test.trigger...))
			if test.file == "" {
				test.file = pipeline
			}
			said, err := judge(trigger, test.file, test.policy)
			if (err != nil) != (test.refused != nil) || (len(said) > 0) != (test.remark != nil) {
				t.Fatalf("said %q, error %v", said, err)
			}
			for _, want := range test.refused {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("%q does not say %q", err, want)
				}
			}
			for _, want := range test.remark {
				if !strings.Contains(strings.Join(said, "\n"), want) {
					t.Errorf("%q does not say %q", said, want)
				}
			}
		})
	}
}

func TestRivalsAreTriggersThatChangeTheClusterAtTheSamePush(t *testing.T) {
	named := func(name string, change ...func(*cloudbuildpb.BuildTrigger)) *cloudbuildpb.BuildTrigger {
		pb := onPush(change...)
		pb.Name = name
		return pb
	}
	server := cloudbuildtest.New(t, cloudbuildtest.Config{})
	client := connect(t, server)
	keep(
		t, server, client,
		named("same-file"),
		named("its-own", inline(clusterPipeline)),
		named("ours"),
		named("tests-only", inline(pipeline)),
		named("other-file", func(pb *cloudbuildpb.BuildTrigger) {
			pb.BuildTemplate = &cloudbuildpb.BuildTrigger_Filename{Filename: "other.yaml"}
		}),
		named("disabled", func(pb *cloudbuildpb.BuildTrigger) { pb.Disabled = true }),
		named("manual", manual),
		named("other-repository", func(pb *cloudbuildpb.BuildTrigger) { pb.Github.Name = "shop" }),
		named("other-branch", func(pb *cloudbuildpb.BuildTrigger) { pb.Github.GetPush().InvertRegex = true }),
		named("tags", func(pb *cloudbuildpb.BuildTrigger) {
			pb.Github.GetPush().GitRef = &cloudbuildpb.PushFilter_Tag{Tag: ".*"}
		}),
	)
	triggers, err := client.Triggers(t.Context(), "acme-prod", "")
	if err != nil {
		t.Fatal(err)
	}
	known, err := cloudbuild.Parse("cloudbuild.yaml", []byte(clusterPipeline))
	if err != nil {
		t.Fatal(err)
	}
	ours := triggers[slices.IndexFunc(triggers, func(t *cloudbuild.Trigger) bool { return t.Name == "ours" })]
	for _, but := range []string{"ours", ours.ID} {
		got := cloudbuild.Rivals(triggers, "acme/my-python-app", "main", but, known)
		if len(got) != 2 || !strings.Contains(got[0], "trigger same-file ") || !strings.Contains(got[1], "trigger its-own ") {
			t.Fatalf("found %q", got)
		}
		for _, want := range []string{
			"every push to main of acme/my-python-app", "steps[1] (deploy)", "kubectl", "disable it",
			"project acme-prod, location global",
		} {
			if !strings.Contains(got[0], want) {
				t.Errorf("%q does not say %q", got[0], want)
			}
		}
	}
}

func TestStatesReportLossQueueAndClusterSteps(t *testing.T) {
	for want, status := range map[bool]cloudbuildpb.Build_Status{true: cloudbuildpb.Build_EXPIRED, false: cloudbuildpb.Build_FAILURE} {
		server := cloudbuildtest.New(t,
			cloudbuildtest.Config{
				QueueTime: 30 * time.Millisecond,
				Builder: func(context.Context, *cloudbuildpb.Build) (cloudbuildtest.Result, error) {
					return cloudbuildtest.Result{Status: status}, nil
				},
			})
		client := connect(t, server)
		f, err := cloudbuild.Parse("cloudbuild.yaml", []byte(clusterPipeline))
		if err != nil {
			t.Fatal(err)
		}
		handle := start(t, client, request(), f)
		if state, err := client.Poll(t.Context(), handle); err != nil || state.Phase == cloudbuild.Queued &&
			state.Queued(state.Created.Add(time.Minute)) != time.Minute {
			t.Errorf("while queued %+v, %v", state, err)
		}
		state := await(t, client, handle, cloudbuild.State.Done)
		if state.Lost() != want || state.Queued(time.Now()) < 30*time.Millisecond ||
			state.Queued(time.Now()) != state.Started.Sub(state.Created) || state.Worked() != state.Finished.Sub(state.Started) {
			t.Errorf("state %+v: lost %v, queued %s, worked %s", state, state.Lost(), state.Queued(time.Now()), state.Worked())
		}
		if !strings.Contains(state.ClusterStep, "steps[1] (deploy)") {
			t.Errorf("the cluster step is %q", state.ClusterStep)
		}
	}
}

func TestAFailedCloneNamesTheWayOut(t *testing.T) {
	server := cloudbuildtest.New(t, cloudbuildtest.Config{Builder: func(context.Context, *cloudbuildpb.Build) (cloudbuildtest.Result, error) {
		return cloudbuildtest.Result{Failure: &cloudbuildtest.Failure{Type: cloudbuildpb.Build_FailureInfo_FETCH_SOURCE_FAILED}}, nil
	}})
	client := connect(t, server)
	r := request()
	r.Source = cloudbuild.Source{Git: &cloudbuild.GitSource{URL: "https://github.com/acme/my-python-app.git", Revision: commit}}
	state := await(t, client, start(t, client, r, reference(t)), cloudbuild.State.Done)
	for _, want := range []string{"https://github.com/acme/my-python-app.git", "public", "spec.build.source.git"} {
		if !strings.Contains(state.Message, want) {
			t.Errorf("%q does not say %q", state.Message, want)
		}
	}
}
