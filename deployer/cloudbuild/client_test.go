package cloudbuild_test

import (
	"context"
	"errors"
	"os"
	"strings"
	"testing"
	"time"

	"cloud.google.com/go/cloudbuild/apiv1/v2/cloudbuildpb"
	"google.golang.org/grpc/codes"

	"github.com/turnout-dev/turnout/deployer/cloudbuild"
	"github.com/turnout-dev/turnout/deployer/cloudbuild/cloudbuildtest"
)

const commit = "0123456789abcdef0123456789abcdef01234567"

// reference is the pipeline that Turnout replaces.
func reference(t *testing.T) *cloudbuild.File {
	t.Helper()
	data, err := os.ReadFile("testdata/reference/cloudbuild.yaml")
	if err != nil {
		t.Fatal(err)
	}
	return parse(t, string(data))
}

func parse(t *testing.T, text string) *cloudbuild.File {
	t.Helper()
	f, err := cloudbuild.Parse("cloudbuild.yaml", []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	f, err = f.Apply(cloudbuild.Skip)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

func request() cloudbuild.Request {
	return cloudbuild.Request{
		Project: "acme-prod", Commit: commit, Branch: "main", Repository: "acme/my-python-app", Release: "5f1c",
		Source: cloudbuild.Source{Object: &cloudbuild.Object{Bucket: "acme-prod_cloudbuild", Name: "source.tar.gz", Generation: 7}},
	}
}

func search(r cloudbuild.Request) cloudbuild.Search {
	return cloudbuild.Search{Project: r.Project, Location: r.Location, Release: r.Release, Since: time.Now().Add(-time.Hour)}
}

func connect(t *testing.T, server *cloudbuildtest.Server) *cloudbuild.Client {
	t.Helper()
	client, err := cloudbuild.NewClient(t.Context(), cloudbuild.Config{Endpoint: server.Endpoint(), Insecure: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = client.Close() })
	return client
}

func start(t *testing.T, client *cloudbuild.Client, r cloudbuild.Request, f *cloudbuild.File) cloudbuild.Handle {
	t.Helper()
	handle, err := client.Start(t.Context(), r, f)
	if err != nil {
		t.Fatal(err)
	}
	return handle
}

// await polls until the build is in the wanted state.
func await(t *testing.T, client *cloudbuild.Client, h cloudbuild.Handle, want func(cloudbuild.State) bool) cloudbuild.State {
	t.Helper()
	tick := time.NewTicker(2 * time.Millisecond)
	defer tick.Stop()
	for {
		state, err := client.Poll(t.Context(), h)
		if err != nil {
			t.Fatal(err)
		}
		if want(state) {
			return state
		}
		select {
		case <-tick.C:
		case <-time.After(10 * time.Second):
			t.Fatalf("the build stays %s", state.Status)
		}
	}
}

func TestBuildsTheReferenceToADigest(t *testing.T) {
	server := cloudbuildtest.New(t, cloudbuildtest.Config{})
	client := connect(t, server)
	f, r := reference(t), request()
	chosen, err := f.Choose(r, cloudbuild.ImageChoice{})
	if err != nil {
		t.Fatal(err)
	}
	handle := start(t, client, r, f)
	state := await(t, client, handle, cloudbuild.State.Done)
	digest, err := state.Digest(chosen.Image)
	if err != nil {
		t.Fatal(err)
	}
	if state.Phase != cloudbuild.Succeeded || !strings.HasPrefix(digest, "gcr.io/acme-prod/my-python-app@sha256:") {
		t.Errorf("state %+v, image %s", state, digest)
	}
	if want := "gcr.io/acme-prod/my-python-app:" + commit; state.Images[0].Name != want {
		t.Errorf("pushed %s, want %s", state.Images[0].Name, want)
	}
	if !strings.Contains(handle.LogURL, handle.ID) || state.LogURL != handle.LogURL {
		t.Errorf("the log URL is %q in the handle, %q in the state", handle.LogURL, state.LogURL)
	}
	if state.Created.IsZero() || state.Started.Before(state.Created) || state.Finished.Before(state.Started) {
		t.Errorf("times %v, %v, %v", state.Created, state.Started, state.Finished)
	}
	if calls := server.Calls(); calls["CreateBuild"] != 1 {
		t.Errorf("calls %v", calls)
	}
}

func TestALostReplyIsFoundByTag(t *testing.T) {
	server := cloudbuildtest.New(t, cloudbuildtest.Config{ListLag: 200 * time.Millisecond})
	client := connect(t, server)
	server.Fail("CreateBuild", cloudbuildtest.Fault{Performed: true})
	r := request()
	_, err := client.Start(t.Context(), r, reference(t))
	var failed *cloudbuild.Error
	if !errors.As(err, &failed) || !failed.Uncertain || failed.Fault != cloudbuild.FaultWorld {
		t.Fatalf("error %v", err)
	}
	if server.Calls()["CreateBuild"] != 1 {
		t.Fatalf("created %d times", server.Calls()["CreateBuild"])
	}
	if found, err := client.Find(t.Context(), search(r)); err != nil || found != nil {
		t.Fatalf("found %v, %v while the list lags", found, err)
	}
	deadline := time.Now().Add(10 * time.Second)
	for {
		found, err := client.Find(t.Context(), search(r))
		if err != nil {
			t.Fatal(err)
		}
		if found != nil {
			if made := server.Builds("acme-prod", "global"); len(made) != 1 || made[0].GetId() != found.ID {
				t.Errorf("found %v of %v", found, made)
			}
			return
		}
		if time.Now().After(deadline) {
			t.Fatal("not found in ten seconds")
		}
	}
}

func TestFindSeesOnlyItsReleaseItsLocationAndItsTime(t *testing.T) {
	server := cloudbuildtest.New(t, cloudbuildtest.Config{})
	client := connect(t, server)
	r := request()
	r.Location = "europe-west1"
	handle := start(t, client, r, reference(t))
	second := start(t, client, r, reference(t))
	if found, err := client.Find(t.Context(), search(r)); err != nil || found == nil || *found != handle {
		t.Errorf("found %v, %v, want the first, %v (not %v)", found, err, handle, second)
	}
	for name, change := range map[string]func(*cloudbuild.Search){
		"other release":  func(s *cloudbuild.Search) { s.Release = "5f1" },
		"other location": func(s *cloudbuild.Search) { s.Location = "" },
		"other project":  func(s *cloudbuild.Search) { s.Project = "acme-staging" },
		"later":          func(s *cloudbuild.Search) { s.Since = time.Now().Add(time.Hour) },
	} {
		s := search(r)
		change(&s)
		if found, err := client.Find(t.Context(), s); err != nil || found != nil {
			t.Errorf("%s: found %v, %v", name, found, err)
		}
	}
	if handle.Location != "europe-west1" || !await(t, client, handle, cloudbuild.State.Done).Done() {
		t.Errorf("handle %v", handle)
	}
}

func TestEveryEndOfABuildIsReported(t *testing.T) {
	failure := func(kind cloudbuildpb.Build_FailureInfo_FailureType) cloudbuildtest.Result {
		return cloudbuildtest.Result{Failure: &cloudbuildtest.Failure{Type: kind, Detail: "denied"}}
	}
	tests := []struct {
		name   string
		result cloudbuildtest.Result
		err    error
		phase  cloudbuild.Phase
		fault  cloudbuild.Fault
		says   []string
	}{
		{name: "success", phase: cloudbuild.Succeeded},
		{
			name: "a step fails", phase: cloudbuild.Failed, fault: cloudbuild.FaultRelease,
			result: cloudbuildtest.Result{Steps: []cloudbuildtest.Step{{Status: cloudbuildpb.Build_FAILURE, ExitCode: 17}}},
			says:   []string{"steps[0] (Build Image)", "gcr.io/cloud-builders/docker", "exited with 17", "USER_BUILD_STEP"},
		},
		{
			name: "image not built", result: failure(cloudbuildpb.Build_FailureInfo_PUSH_IMAGE_NOT_FOUND), phase: cloudbuild.Failed,
			fault: cloudbuild.FaultRelease, says: []string{"PUSH_IMAGE_NOT_FOUND: denied"},
		},
		{
			name: "push fails", result: failure(cloudbuildpb.Build_FailureInfo_PUSH_FAILED), phase: cloudbuild.Failed, fault: cloudbuild.FaultWorld,
			says: []string{"PUSH_FAILED"},
		},
		{
			name: "push not allowed", result: failure(cloudbuildpb.Build_FailureInfo_PUSH_NOT_AUTHORIZED), phase: cloudbuild.Failed,
			fault: cloudbuild.FaultWorld, says: []string{"PUSH_NOT_AUTHORIZED"},
		},
		{
			name: "source lost", result: failure(cloudbuildpb.Build_FailureInfo_FETCH_SOURCE_FAILED), phase: cloudbuild.Failed,
			fault: cloudbuild.FaultWorld, says: []string{"FETCH_SOURCE_FAILED"},
		},
		{
			name: "logging fails", result: failure(cloudbuildpb.Build_FailureInfo_LOGGING_FAILURE), phase: cloudbuild.Failed,
			fault: cloudbuild.FaultWorld, says: []string{"LOGGING_FAILURE"},
		},
		{
			name: "internal error", err: errors.New("worker lost"), phase: cloudbuild.Failed, fault: cloudbuild.FaultWorld,
			says: []string{"internal error", "worker lost"},
		},
		{
			name: "timeout", result: cloudbuildtest.Result{Status: cloudbuildpb.Build_TIMEOUT}, phase: cloudbuild.TimedOut,
			fault: cloudbuild.FaultRelease, says: []string{"spec.build.timeout"},
		},
		{
			name: "expired", result: cloudbuildtest.Result{Status: cloudbuildpb.Build_EXPIRED}, phase: cloudbuild.TimedOut,
			fault: cloudbuild.FaultWorld, says: []string{"queueTtl"},
		},
		{
			name: "cancelled by others", result: cloudbuildtest.Result{Status: cloudbuildpb.Build_CANCELLED}, phase: cloudbuild.Cancelled,
			says: []string{"cancelled"},
		},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			server := cloudbuildtest.New(t,
				cloudbuildtest.Config{Builder: func(context.Context, *cloudbuildpb.Build) (cloudbuildtest.Result, error) {
					return test.result, test.err
				}})
			client := connect(t, server)
			state := await(t, client, start(t, client, request(), reference(t)), cloudbuild.State.Done)
			if state.Phase != test.phase || state.Fault != test.fault {
				t.Errorf("phase %q, fault %q, want %q, %q", state.Phase, state.Fault, test.phase, test.fault)
			}
			for _, want := range test.says {
				if !strings.Contains(state.Message, want) {
					t.Errorf("message %q does not say %q", state.Message, want)
				}
			}
			if test.phase == cloudbuild.Succeeded && state.Message != "" {
				t.Errorf("message %q of a success", state.Message)
			}
		})
	}
}

func TestABuildOverItsTimeoutIsReported(t *testing.T) {
	server := cloudbuildtest.New(t, cloudbuildtest.Config{Builder: waiting})
	client := connect(t, server)
	r := request()
	r.Timeout = 20 * time.Millisecond
	if state := await(t, client, start(t, client, r, reference(t)), cloudbuild.State.Done); state.Phase != cloudbuild.TimedOut {
		t.Errorf("state %+v", state)
	}
}

// waiting is a builder that ends only with its context.
func waiting(ctx context.Context, _ *cloudbuildpb.Build) (cloudbuildtest.Result, error) {
	<-ctx.Done()
	return cloudbuildtest.Result{}, ctx.Err()
}

func TestCancelEndsABuildAndMayBeRepeated(t *testing.T) {
	server := cloudbuildtest.New(t, cloudbuildtest.Config{Builder: waiting})
	client := connect(t, server)
	handle := start(t, client, request(), reference(t))
	await(t, client, handle, func(s cloudbuild.State) bool { return s.Phase == cloudbuild.Working })
	for range 2 {
		if err := client.Cancel(t.Context(), handle); err != nil {
			t.Fatal(err)
		}
	}
	if state := await(t, client, handle, cloudbuild.State.Done); state.Phase != cloudbuild.Cancelled || state.Fault != cloudbuild.FaultNone {
		t.Errorf("state %+v", state)
	}
}

func TestABuildThatWaitsForAnApprovalSaysSo(t *testing.T) {
	server := cloudbuildtest.New(t, cloudbuildtest.Config{NeedsApproval: true})
	client := connect(t, server)
	handle := start(t, client, request(), reference(t))
	state, err := client.Poll(t.Context(), handle)
	if err != nil || state.Phase != cloudbuild.AwaitingApproval || state.Done() || !strings.Contains(state.Message, "approve") {
		t.Fatalf("state %+v, %v", state, err)
	}
	if !server.Approve(handle.ID) {
		t.Fatal("nothing to approve")
	}
	if state := await(t, client, handle, cloudbuild.State.Done); state.Phase != cloudbuild.Succeeded {
		t.Errorf("state %+v", state)
	}
}

func TestASuccessWithoutTheWantedDigestSaysSo(t *testing.T) {
	server := cloudbuildtest.New(t, cloudbuildtest.Config{Builder: func(context.Context, *cloudbuildpb.Build) (cloudbuildtest.Result, error) {
		return cloudbuildtest.Result{Images: []cloudbuildtest.Image{{Name: "gcr.io/acme-prod/unlisted:1", Digest: "sha256:00"}}}, nil
	}})
	client := connect(t, server)
	state := await(t, client, start(t, client, request(), reference(t)), cloudbuild.State.Done)
	_, err := state.Digest("gcr.io/acme-prod/my-python-app")
	var none *cloudbuild.NoDigestError
	if !errors.As(err, &none) || len(state.Images) != 0 || !strings.Contains(err.Error(), "images in cloudbuild.yaml") {
		t.Errorf("error %v, images %v", err, state.Images)
	}
}

func TestFaultsAreSortedAndNeverRetriedHere(t *testing.T) {
	tests := []struct {
		code      codes.Code
		fault     cloudbuild.Fault
		uncertain bool
	}{
		{codes.ResourceExhausted, cloudbuild.FaultWorld, false},
		{codes.Unavailable, cloudbuild.FaultWorld, true},
		{codes.PermissionDenied, cloudbuild.FaultWorld, false},
		{codes.FailedPrecondition, cloudbuild.FaultWorld, false},
		{codes.InvalidArgument, cloudbuild.FaultRelease, false},
	}
	for _, test := range tests {
		t.Run(test.code.String(), func(t *testing.T) {
			server := cloudbuildtest.New(t, cloudbuildtest.Config{})
			client := connect(t, server)
			calls := map[string]func() error{
				"CreateBuild": func() error { _, err := client.Start(t.Context(), request(), reference(t)); return err },
				"GetBuild": func() error {
					_, err := client.Poll(t.Context(), cloudbuild.Handle{Project: "acme-prod", Location: "global", ID: "x"})
					return err
				},
				"ListBuilds": func() error { _, err := client.Find(t.Context(), search(request())); return err },
			}
			for method, call := range calls {
				server.Fail(method, cloudbuildtest.Fault{Code: test.code})
				var failed *cloudbuild.Error
				if err := call(); !errors.As(err, &failed) || failed.Fault != test.fault || failed.Uncertain != test.uncertain ||
					failed.Code != test.code {
					t.Errorf("%s: error %#v", method, err)
				}
				if n := server.Calls()[method]; n != 1 {
					t.Errorf("%s was called %d times", method, n)
				}
			}
		})
	}
}

func TestTheServiceAccountIsAccepted(t *testing.T) {
	server := cloudbuildtest.New(t, cloudbuildtest.Config{})
	client := connect(t, server)
	r := request()
	r.ServiceAccount = "builder@acme-prod.iam.gserviceaccount.com"
	f := parse(t, "steps: [{name: docker, args: [build, .]}]\nimages: [gcr.io/p/a]\n")
	handle := start(t, client, r, f)
	made := server.Builds("acme-prod", "global")[0]
	if made.GetId() != handle.ID ||
		made.GetServiceAccount() != "projects/acme-prod/serviceAccounts/builder@acme-prod.iam.gserviceaccount.com" ||
		made.GetOptions().GetLogging() != cloudbuildpb.BuildOptions_CLOUD_LOGGING_ONLY {
		t.Errorf("made %v", made)
	}
}
