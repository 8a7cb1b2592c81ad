package webhook

import (
	"bytes"
	"context"
	"crypto/rand"
	"fmt"
	mathrand "math/rand/v2"
	"net"
	"net/http"
	"os/exec"
	"slices"
	"strings"
	"time"

	"github.com/turnout-dev/turnout/bot/githubtest"
	"github.com/turnout-dev/turnout/sandbox/netns"
)

const (
	applications = 200
	// perNamespace is how many of them a namespace has.
	perNamespace = 10
	branch       = "main"
	// elsewhere is a branch that no application follows.
	elsewhere = "feature"
	project   = "acme-prod"
)

// kind is a kind of event.
type kind int

const (
	ignored   kind = iota // concerns no application
	push                  // a new push to a followed branch
	duplicate             // one that was sent before
)

// parts are how many of a hundred events are of a kind. The rest is ignored.
var parts = map[kind]int{push: 5, duplicate: 5}

func repository(i int) string { return fmt.Sprintf("acme/app-%03d", i) }

// offered is one event to send.
type offered struct {
	githubtest.Delivery
	commit string // of a push to a followed branch
}

// source makes the events of one application's repository.
type source struct {
	repo     *githubtest.Repository
	push     []byte // a push that was sent once, from before to after
	before   string
	after    string
	ignored  []githubtest.Delivery // what concerns no application
	commits  []string              // the commits to push, in their order
	pushed   int
	lastSent *offered
}

// sources makes the repositories, and lets GitHub make one payload of each kind for each. They go
// to a listener that takes everything.
func (r *run) sources(ctx context.Context) ([]*source, error) {
	l, err := net.Listen("tcp", net.JoinHostPort(netns.HostAddress, "0"))
	if err != nil {
		return nil, fmt.Errorf("listening for GitHub's payloads: %w", err)
	}
	taker := &http.Server{ReadHeaderTimeout: time.Minute, Handler: http.HandlerFunc(func(http.ResponseWriter, *http.Request) {})}
	go func() { _ = taker.Serve(l) }()
	defer taker.Close()
	r.t.App.SetWebhookURL("http://" + l.Addr().String())
	defer r.t.App.SetWebhookURL(r.t.URL + "/webhook")
	hub := r.World.GitHub
	hub.AddOrganization("acme")
	user := hub.AddUser("alice")
	all := make([]*source, applications)
	for i := range all {
		if all[i], err = r.source(repository(i), user); err != nil {
			return nil, fmt.Errorf("preparing %s: %w", repository(i), err)
		}
	}
	return all, r.takePayloads(ctx, all)
}

// source makes a repository with one push, one comment, and the commits of the pushes to come.
func (r *run) source(name string, user *githubtest.User) (*source, error) {
	repo, err := r.World.GitHub.AddRepository(name, githubtest.RepositoryConfig{Files: githubtest.Text(map[string]string{"VERSION": "v1\n"})})
	if err != nil {
		return nil, err
	}
	s := &source{repo: repo}
	if s.before, err = repo.Head(branch); err != nil {
		return nil, err
	}
	if err := repo.SetRole(user, "write"); err != nil {
		return nil, err
	}
	r.t.App.InstallOn(repo, nil)
	for _, to := range []string{branch, elsewhere} {
		files := githubtest.Text(map[string]string{"VERSION": "v2\n"})
		commit := githubtest.Commit{Branch: to, Message: "Say what changed", Files: files, Author: user}
		if to == branch {
			s.after, err = repo.CommitFiles(commit)
		} else {
			_, err = repo.CommitFiles(commit)
		}
		if err != nil {
			return nil, err
		}
	}
	issue := repo.OpenIssue(user, "A question", "How does this work?")
	if _, err := repo.Comment(issue, user, "It works well, thank you. See the documentation for what it does at night."); err != nil {
		return nil, err
	}
	s.commits, err = importCommits(repo, s.after, r.pushesEach())
	return s, err
}

// importCommits puts commits on top of the branch in one go. None of them is announced yet.
func importCommits(repo *githubtest.Repository, parent string, n int) ([]string, error) {
	var text strings.Builder
	for i := range n {
		message := fmt.Sprintf("Release %d of %s", i, repo.FullName()) // no two repositories share a commit
		fmt.Fprintf(&text, "commit refs/heads/%s\nmark :%d\ncommitter alice <alice@example.com> %d +0000\ndata %d\n%s\n",
			branch, i+1, 1_700_000_000+i, len(message), message)
		if i == 0 {
			fmt.Fprintf(&text, "from %s\n", parent)
		}
		fmt.Fprintf(&text, "M 100644 inline VERSION\ndata %d\nv%d\n\nget-mark :%d\n", len(fmt.Sprintf("v%d\n", i+3)), i+3, i+1)
	}
	git := exec.Command("git", "-C", repo.GitDir(), "fast-import", "--quiet", "--cat-blob-fd=1")
	git.Stdin = strings.NewReader(text.String())
	out, err := git.Output()
	if err != nil {
		return nil, fmt.Errorf("importing commits: %w", err)
	}
	commits := strings.Fields(string(out))
	if len(commits) != n {
		return nil, fmt.Errorf("importing commits: git made %d of %d", len(commits), n)
	}
	return commits, nil
}

// takePayloads waits until GitHub has sent everything, and keeps it.
func (r *run) takePayloads(ctx context.Context, all []*source) error {
	byID := map[int64]*source{}
	for _, s := range all {
		byID[s.repo.ID] = s
	}
	const each = 3 // a push to either branch, and a comment
	count := func() (n int) {
		for _, d := range r.t.App.Deliveries() {
			if d.Done && byID[d.RepositoryID] != nil && wanted(d) {
				n++
			}
		}
		return n
	}
	if err := r.World.GitHub.Wait(ctx, func() bool { return count() == each*len(all) }); err != nil {
		return fmt.Errorf("waiting for GitHub's payloads (%d of %d were sent): %w", count(), each*len(all), err)
	}
	for _, d := range r.t.App.Deliveries() {
		s := byID[d.RepositoryID]
		switch {
		case s == nil || !wanted(d):
		case d.Event == "push" && bytes.Contains(d.Payload, []byte(`"refs/heads/`+branch+`"`)):
			s.push = d.Payload
		default:
			s.ignored = append(s.ignored, d)
		}
	}
	return nil
}

func wanted(d githubtest.Delivery) bool {
	return d.Event == "push" || d.Event == "issue_comment"
}

// next is a new push.
func (s *source) next() offered {
	before := s.after
	if s.pushed > 0 {
		before = s.commits[s.pushed-1]
	}
	commit := s.commits[s.pushed]
	s.pushed++
	payload := bytes.ReplaceAll(s.push, []byte(s.before), []byte("BEFORE"))
	payload = bytes.ReplaceAll(payload, []byte(s.after), []byte(commit))
	payload = bytes.ReplaceAll(payload, []byte("BEFORE"), []byte(before))
	made := offered{Delivery: githubtest.Delivery{GUID: rand.Text(), Event: "push", Payload: payload}, commit: commit}
	s.lastSent = &made
	return made
}

// again is a push that was sent before: by the same delivery, or by another one of the same event.
func (s *source) again(sameDelivery bool) offered {
	repeated := *s.lastSent
	repeated.Redelivery = sameDelivery
	if !sameDelivery {
		repeated.GUID = rand.Text()
	}
	return repeated
}

// events are n events, mixed. Which ones is the same in every run.
func events(all []*source, n int) []offered {
	random := mathrand.New(mathrand.NewPCG(1, 2)) //nolint:gosec // G404: a mixture, no secret
	made := make([]offered, 0, n)
	pushed := 0
	for _, kind := range mixture(random, n) {
		of := all[random.IntN(len(all))]
		switch {
		case kind == push:
			made = append(made, all[pushed%len(all)].next())
			pushed++
		case kind == duplicate && of.lastSent != nil: // something was pushed there
			made = append(made, of.again(random.IntN(2) == 0))
		default:
			made = append(made, of.ignore(random))
		}
	}
	return made
}

// mixture is the kind of each of n events, shuffled.
func mixture(random *mathrand.Rand, n int) []kind {
	kinds := make([]kind, 0, n)
	for _, k := range []kind{push, duplicate} {
		kinds = append(kinds, slices.Repeat([]kind{k}, n*parts[k]/100)...)
	}
	kinds = append(kinds, make([]kind, n-len(kinds))...)
	random.Shuffle(n, func(i, j int) { kinds[i], kinds[j] = kinds[j], kinds[i] })
	return kinds
}

func (s *source) ignore(random *mathrand.Rand) offered {
	d := s.ignored[random.IntN(len(s.ignored))]
	return offered{Delivery: githubtest.Delivery{GUID: rand.Text(), Event: d.Event, Action: d.Action, Payload: d.Payload}}
}
