package firsthour

import (
	"cmp"
	"context"
	"flag"
	"fmt"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/turnout-dev/turnout/bot/githubtest"
	"github.com/turnout-dev/turnout/sandbox/registry"
)

// most is how many commands of Turnout's the first hour may take.
const most = 6

// story is the first hour in progress.
type story struct {
	*person
	repo  *githubtest.Repository
	alice *githubtest.User
	users *users
}

func TestTheFirstHour(t *testing.T) {
	s := begin(t)
	first := "v1.0.0"
	s.awaitVersion(first)
	s.users = visit(t)
	s.tell("an application runs in namespace shop; nothing in the cluster is Turnout's")
	s.install()
	s.register()
	s.diagnose()
	s.adopt()
	s.tell("alice merges what init wrote, with a new version")
	commit := s.merge()
	second := "v1.0.0+" + commit[:12]
	s.awaitVersion(second)
	s.tell("users have %s", second)
	s.types("turnout rollback web -n shop")
	s.awaitVersion(first)
	s.tell("users have %s again", first)
	s.end()
}

// begin has an application that runs, and a repository with its files and a clone of it.
func begin(t *testing.T) *story {
	t.Helper()
	s := &story{person: newPerson(t)}
	hub := running.GitHub
	s.alice = hub.AddUser("alice")
	hub.AddOrganization("acme")
	files, err := githubtest.Directory(example)
	if err != nil {
		t.Fatal(err)
	}
	maps.DeleteFunc(files, func(name string, _ githubtest.File) bool { return strings.HasPrefix(name, "k8s/") })
	if s.repo, err = hub.AddRepository("acme/web", githubtest.RepositoryConfig{Files: files}); err != nil {
		t.Fatal(err)
	}
	if err := s.repo.SetRole(s.alice, "write"); err != nil {
		t.Fatal(err)
	}
	if err := registry.CopyTree(example, s.dir); err != nil {
		t.Fatal(err)
	}
	if err := os.RemoveAll(filepath.Join(s.dir, "k8s")); err != nil {
		t.Fatal(err)
	}
	s.writes(".git/HEAD", "ref: refs/heads/main\n")
	s.writes(".git/config", "[remote \"origin\"]\n\turl = https://github.com/acme/web.git\n")
	web, err := filepath.Abs("testdata/web.yaml")
	if err != nil {
		t.Fatal(err)
	}
	if out, err := s.command(t.Context(), "kubectl apply -f "+web).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	s.began = time.Now()
	return s
}

// install installs Turnout, and leads it to the sandbox's GitHub and Google, and GitHub to it.
func (s *story) install() {
	out := s.types("turnout install --image " + running.image + " --webhook-host " + hookHost)
	token := s.find(out, `until the App is registered:\n\s+(\S+)`)
	s.tell("(the sandbox's GitHub and Google are elsewhere)")
	s.types("kubectl -n turnout set env deployment/turnout TURNOUT_GITHUB_URL=" + running.GitHub.URL() +
		" STORAGE_EMULATOR_HOST=" + running.StorageHost + " TURNOUT_CLOUDBUILD_ENDPOINT=" + running.CloudBuild.Endpoint() +
		" TURNOUT_CLOUDBUILD_INSECURE=true TURNOUT_BUILD_POLL=200ms TURNOUT_ALLOW_ADDRESSES=10.77.0.0/16")
	s.types("kubectl -n turnout rollout status deployment turnout")
	s.writes(".token", token)
}

// register registers the App on the setup page, and installs it on the repository.
func (s *story) register() {
	s.await("the webhook's address to lead to Turnout", func(ctx context.Context) (bool, string) {
		status, err := post(ctx, "https://"+hookHost+"/webhook")
		return status == http.StatusServiceUnavailable, fmt.Sprint(status, err)
	})
	stop := s.keeps("kubectl -n turnout port-forward deployment/turnout 8081:8081", "Forwarding from 127.0.0.1:8081")
	defer stop()
	token, err := os.ReadFile(filepath.Join(s.dir, ".token"))
	if err != nil {
		s.t.Fatal(err)
	}
	s.tell("(in a browser, %s)", setupPage)
	if text := s.registerApp(string(token)); !strings.Contains(text, "is registered") || strings.Contains(text, "did not arrive") {
		s.t.Fatalf("the last page is\n%s", text)
	}
	s.tell("the App is registered, and its test delivery arrived; alice installs it on acme/web")
	running.GitHub.Apps()[0].InstallOn(s.repo, nil)
}

// post sends an empty request.
func post(ctx context.Context, address string) (status int, err error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, address, http.NoBody)
	if err != nil {
		return 0, err
	}
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		return 0, err
	}
	return resp.StatusCode, resp.Body.Close()
}

// diagnose lets Turnout say what is missing: nothing, but for what only its pod can ask Google.
func (s *story) diagnose() {
	s.await("a leader", func(ctx context.Context) (bool, string) {
		out, err := s.command(ctx, "kubectl -n turnout get leases -o jsonpath='{.items[*].spec.holderIdentity}'").CombinedOutput()
		return err == nil && len(out) > 0, string(out)
	})
	s.types("turnout doctor")
}

// commandOf matches a command that init prints for one of its steps.
var commandOf = regexp.MustCompile(`(?m)^       (\S.*)$`)

// adopt types what `turnout init` prints until the application is Turnout's.
func (s *story) adopt() {
	out := s.types("turnout init -n shop")
	_, next, found := strings.Cut(out, "\nNext")
	if !found {
		s.t.Fatalf("init prints no steps:\n%s", out)
	}
	s.tell("(the sandbox's load balancer is %d times as fast as Google's, and what waits for it is shorter)", speed)
	s.shorten()
	for _, line := range commandOf.FindAllStringSubmatch(next, -1) {
		switch {
		case strings.HasPrefix(line[1], "kubectl get bluegreen "):
			s.await("the application to be Turnout's", func(ctx context.Context) (bool, string) {
				out, err := s.command(ctx, line[1]+" -o jsonpath='{.status.phase} {.status.live.color} {.status.conditions}'").CombinedOutput()
				return err == nil && strings.HasPrefix(string(out), "Idle blue"), string(out)
			})
			s.types(line[1])
			return // what comes next is for after the first release
		default:
			s.types(line[1])
		}
	}
	s.t.Fatalf("init prints no command that shows the application:\n%s", out)
}

// shorten shortens what a release measures, as the load balancer is faster.
func (s *story) shorten() {
	const name = "k8s/bluegreen.yaml"
	text, err := os.ReadFile(filepath.Join(s.dir, name))
	if err != nil {
		s.t.Fatal(err)
	}
	s.writes(name, strings.TrimRight(string(text), "\n")+"\n  proof: {baseline: 2s, tail: 2s}\n")
}

// merge merges the files that init wrote, and returns the commit.
func (s *story) merge() string {
	s.t.Helper()
	written, err := githubtest.Directory(filepath.Join(s.dir, "k8s"))
	if err != nil {
		s.t.Fatal(err)
	}
	files := map[string]githubtest.File{}
	for name, file := range written {
		files["k8s/"+name] = file
	}
	_, err = s.repo.CommitFiles(githubtest.Commit{Branch: "turnout", Message: "Ship with Turnout", Files: files, Author: s.alice})
	if err != nil {
		s.t.Fatal(err)
	}
	pr, err := s.repo.OpenPullRequest(githubtest.NewPullRequest{Title: "Ship with Turnout", Head: "turnout", Author: s.alice})
	if err == nil {
		_, err = pr.Merge(s.alice)
	}
	if err != nil {
		s.t.Fatal(err)
	}
	return pr.MergeCommit()
}

// awaitVersion waits until a dozen users in a row get a version, whatever front end answers.
func (s *story) awaitVersion(version string) {
	s.t.Helper()
	inARow := 0
	s.await(version+" to answer", func(ctx context.Context) (bool, string) {
		for ; inARow < 12; inARow++ {
			if got, err := visitOnce(ctx); got != version {
				inARow = 0
				return false, fmt.Sprint(got, " ", err)
			}
		}
		return true, ""
	})
}

// end checks what users got, and how much a person typed.
func (s *story) end() {
	asked, failures := s.users.leave()
	s.tell("%d requests of users meanwhile, %d failed", asked, len(failures))
	own := s.count("turnout")
	s.tell("typed: %d commands of turnout, %d of kubectl", own, s.count("kubectl"))
	s.t.Logf("the first hour\n%s", s.transcript.String())
	s.record()
	if asked < 50 || len(failures) > 0 {
		s.t.Errorf("%d of %d requests failed: %q", len(failures), asked, failures[:min(3, len(failures))])
	}
	if own > most {
		s.t.Errorf("a person types %d commands of turnout, want %d at most", own, most)
	}
}

// page shows the story.
const page = project + "/docs/first-hour.md"

var update = flag.Bool("update", false, "write the transcript into docs/first-hour.md")

// recorded is the transcript in that page.
var recorded = regexp.MustCompile("(?ms)^```\n(.*?)^```$")

// masks are for what differs from run to run, and for what nobody should copy.
var masks = []struct { //nolint:gochecknoglobals // a table
	from *regexp.Regexp
	to   string
}{
	{regexp.MustCompile(`sha256:[0-9a-f]{64}`), "sha256:DIGEST"},
	{regexp.MustCompile(`10\.77\.0\.1:\d{4,5}`), "10.77.0.1:PORT"},
	{regexp.MustCompile(`(?m)^( +)[A-Z2-7]{26}$`), "${1}TOKEN"},
	{regexp.MustCompile(`(?m)[ ]+$`), ""},
}

func masked(text string) string {
	for _, m := range masks {
		text = m.from.ReplaceAllString(text, m.to)
	}
	return text
}

// record writes the transcript into its page, or checks that the page has the same commands.
func (s *story) record() {
	s.t.Helper()
	text, err := os.ReadFile(page)
	if err != nil {
		s.t.Fatal(err)
	}
	at := recorded.FindSubmatchIndex(text)
	if at == nil {
		s.t.Fatalf("%s has no transcript", page)
	}
	if *update {
		after := string(text[:at[2]]) + masked(s.transcript.String()) + string(text[at[3]:])
		if err := os.WriteFile(page, []byte(after), 0o644); err != nil { //nolint:gosec // G306: a page
			s.t.Fatal(err)
		}
		return
	}
	if shown, typed := commandsOf(string(text[at[2]:at[3]])), commandsOf(masked(s.transcript.String())); !slices.Equal(shown, typed) {
		s.t.Errorf("%s shows the commands\n%s\nbut typed were\n%s\nrenew it with go test ./firsthour -count=1 -update", page,
			strings.Join(shown, "\n"), strings.Join(typed, "\n"))
	}
}

// commandsOf are the commands that a transcript shows.
func commandsOf(transcript string) []string {
	var all []string
	for line := range strings.Lines(transcript) {
		if _, command, found := strings.Cut(line, "s  $ "); found {
			all = append(all, strings.TrimSpace(command))
		}
	}
	return all
}

// users ask for the application all the while.
type users struct {
	stop     context.CancelFunc
	asking   sync.WaitGroup
	asked    int
	failures []string
}

func visit(t *testing.T) *users {
	t.Helper()
	ctx, stop := context.WithCancel(t.Context())
	u := &users{stop: stop}
	u.asking.Go(func() {
		for tick := time.Tick(50 * time.Millisecond); ctx.Err() == nil; <-tick {
			_, err := visitOnce(ctx)
			if ctx.Err() != nil {
				return
			}
			u.asked++
			if err != nil {
				u.failures = append(u.failures, err.Error())
			}
		}
	})
	return u
}

// leave ends the requests, and returns how many there were, and why some failed.
func (u *users) leave() (asked int, failures []string) {
	u.stop()
	u.asking.Wait()
	return u.asked, u.failures
}

// visitOnce asks for the application, on a connection of its own, and returns the version that
// answered.
func visitOnce(ctx context.Context) (version string, err error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+appHost+"/", http.NoBody)
	if err != nil {
		return "", err
	}
	r.Close = true
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		return "", err
	}
	if resp.StatusCode != http.StatusOK {
		err = fmt.Errorf("status %d", resp.StatusCode)
	}
	return resp.Header.Get("X-App-Version"), cmp.Or(err, resp.Body.Close())
}
