package demo

import (
	"context"
	"fmt"
	"html"
	"os"
	"path/filepath"
	"regexp"
	"strings"

	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/turnout-dev/turnout/api/v1alpha1"
	"github.com/turnout-dev/turnout/bot/githubtest"
)

// edit changes files of the example: name → content.
type edit func(files map[string]string)

// replacing replaces a text of a file, once.
func replacing(file, old, new string) edit {
	return func(files map[string]string) { files[file] = strings.Replace(files[file], old, new, 1) }
}

// merge opens a pull request with a new version of the example and merges it.
func (s *story) merge(title, version string, change edit) (*githubtest.PullRequest, error) {
	pr, err := s.propose(title, version, change)
	if err != nil {
		return nil, err
	}
	if _, err := pr.Merge(s.writer); err != nil {
		return nil, fmt.Errorf("merging %s: %w", version, err)
	}
	s.merged = append(s.merged, pr)
	s.say("%s merges #%d, %q (%s, %s)", s.writer.Login, pr.Number, title, version, v1alpha1.ShortCommit(pr.MergeCommit()))
	return pr, nil
}

// propose opens a pull request with a new version of the example.
func (s *story) propose(title, version string, change edit) (*githubtest.PullRequest, error) {
	files := map[string]string{"VERSION": version + "\n"}
	for _, name := range []string{"app.py", "cloudbuild.yaml"} {
		text, err := os.ReadFile(filepath.Join(s.Project, "examples", "python-app", name))
		if err != nil {
			return nil, fmt.Errorf("reading the example: %w", err)
		}
		files[name] = string(text)
	}
	if change != nil {
		change(files)
	}
	branch := "release-" + version
	if _, err := s.repo.CommitFiles(githubtest.Commit{
		Branch: branch, Message: title, Files: githubtest.Text(files),
		Author: s.writer,
	}); err != nil {
		return nil, fmt.Errorf("committing %s: %w", version, err)
	}
	return s.open(githubtest.NewPullRequest{Title: title, Head: branch, Author: s.writer})
}

func (s *story) open(opened githubtest.NewPullRequest) (*githubtest.PullRequest, error) {
	pr, err := s.repo.OpenPullRequest(opened)
	if err != nil {
		return nil, fmt.Errorf("opening the pull request of %s: %w", opened.Head, err)
	}
	return pr, nil
}

func (s *story) lastMerged() *githubtest.PullRequest { return s.merged[len(s.merged)-1] }

func (s *story) comment(pr *githubtest.PullRequest, by *githubtest.User, body string) error {
	s.say("%s comments %s on #%d", by.Login, body, pr.Number)
	if _, err := s.repo.Comment(pr.Number, by, body); err != nil {
		return fmt.Errorf("commenting: %w", err)
	}
	return nil
}

// follow prints a release's steps as they end, until it reaches a phase.
func (s *story) follow(ctx context.Context, pr *githubtest.PullRequest, phase v1alpha1.ReleasePhase) (*v1alpha1.Release, error) {
	var rel *v1alpha1.Release
	err := s.until(ctx, string(phase), func() (bool, string) {
		var err error
		if rel, err = s.releaseOf(ctx, pr); err != nil || rel == nil {
			return false, fmt.Sprint("no release: ", err)
		}
		s.printSteps(rel)
		if rel.Status.Phase.Finished() && rel.Status.Phase != phase {
			return true, ""
		}
		return rel.Status.Phase == phase, fmt.Sprintf("%s is %s at %s: %s", rel.Name, rel.Status.Phase, rel.Status.Step, rel.Status.Message)
	})
	if err != nil {
		return nil, err
	}
	s.say("%s: %s — %s", rel.Name, rel.Status.Phase, rel.Status.Message)
	if rel.Status.Phase != phase {
		return nil, fmt.Errorf("%s ended as %s, not as %s", rel.Name, rel.Status.Phase, phase)
	}
	return rel, nil
}

// printSteps prints the steps that ended since the last call.
func (s *story) printSteps(rel *v1alpha1.Release) {
	for i, e := range rel.Status.Timeline {
		if i < s.printed[rel.Name] || e.FinishedAt == nil {
			continue
		}
		s.printed[rel.Name] = i + 1
		s.say("    %-8s %5.1fs  %s", e.Step, e.FinishedAt.Sub(e.StartedAt.Time).Seconds(), e.Message)
	}
}

func (s *story) releases(ctx context.Context) ([]v1alpha1.Release, error) {
	var list v1alpha1.ReleaseList
	if err := s.kube.List(ctx, &list, client.InNamespace(namespace)); err != nil {
		return nil, fmt.Errorf("listing releases: %w", err)
	}
	return list.Items, nil
}

// releaseOf returns the deploy of a pull request, nil if there is none yet.
func (s *story) releaseOf(ctx context.Context, pr *githubtest.PullRequest) (*v1alpha1.Release, error) {
	releases, err := s.releases(ctx)
	if err != nil {
		return nil, err
	}
	for i := range releases {
		if d := releases[i].Spec.Deploy; d != nil && d.Commit == pr.MergeCommit() {
			return &releases[i], nil
		}
	}
	return nil, nil
}

// deployment waits until the Deployments tab shows a state for a pull request.
func (s *story) deployment(ctx context.Context, pr *githubtest.PullRequest, state string) error {
	err := s.until(ctx, "deployment state "+state, func() (bool, string) {
		got := s.stateOf(pr)
		return got == state, got
	})
	if err != nil {
		return err
	}
	s.check(fmt.Sprintf("Deployments tab: #%d is %s", pr.Number, state), true, "")
	return nil
}

// stateOf is the newest state of the deployment of a pull request's commit.
func (s *story) stateOf(pr *githubtest.PullRequest) string {
	for _, d := range s.repo.Deployments() {
		if d.SHA != pr.MergeCommit() || d.Task != "deploy" {
			continue
		}
		if statuses := s.repo.DeploymentStatuses(d.ID); len(statuses) > 0 {
			return statuses[len(statuses)-1].State
		}
		return "no status"
	}
	return "no deployment"
}

// earlierInactive waits until only one deployment counts as the live one.
func (s *story) earlierInactive(ctx context.Context, but *githubtest.PullRequest) error {
	err := s.until(ctx, "the earlier deployment is inactive", func() (bool, string) {
		for _, pr := range s.merged {
			if state := s.stateOf(pr); pr.Number != but.Number && state != "inactive" {
				return false, fmt.Sprintf("#%d is %s", pr.Number, state)
			}
		}
		return true, ""
	})
	if err != nil {
		return err
	}
	s.check("the earlier deployment is inactive", true, "")
	return nil
}

// said waits until Turnout's comment on a pull request contains a text.
func (s *story) said(ctx context.Context, pr *githubtest.PullRequest, text string) error {
	err := s.until(ctx, "the comment says "+text, func() (bool, string) {
		var all []string
		for _, c := range s.repo.Comments(pr.Number) {
			if strings.Contains(c.Body, text) {
				return true, ""
			}
			all = append(all, c.Body)
		}
		return false, strings.Join(all, "\n---\n")
	})
	if err != nil {
		return err
	}
	s.check(fmt.Sprintf("the comment on #%d shows it: %s", pr.Number, text), true, "")
	return nil
}

// seen matches the line of Turnout's comment about the users' experience of a switch.
var seen = regexp.MustCompile(`(?m)^Seen from outside: .*`)

// proved waits until Turnout's comment on a pull request reports that its switch failed no
// request.
func (s *story) proved(ctx context.Context, pr *githubtest.PullRequest) error {
	var line string
	if err := s.until(ctx, "the proof", func() (bool, string) {
		for _, c := range s.repo.Comments(pr.Number) {
			if found := seen.FindString(c.Body); found != "" && c.App != nil {
				line = found
			}
		}
		return strings.Contains(line, " 0 failed"), line
	}); err != nil {
		return err
	}
	s.check(fmt.Sprintf("the comment on #%d proves that nobody's request failed", pr.Number), true, line)
	return nil
}

// show prints Turnout's comment on a pull request as a person reads it.
func (s *story) show(pr *githubtest.PullRequest) error {
	for _, c := range s.repo.Comments(pr.Number) {
		if c.App == nil || !strings.HasPrefix(c.Body, "<!-- turnout:") {
			continue
		}
		s.say("Turnout's comment on #%d:", pr.Number)
		for line := range strings.Lines(plain(c.Body)) {
			s.line("%8s  │ %s", "", strings.TrimSpace(line))
		}
		return nil
	}
	return fmt.Errorf("turnout has no comment on #%d", pr.Number)
}

// folded is how a comment hides details.
var folded = strings.NewReplacer("<details><summary>", "▸ ", "</summary>", "", "</details>", "", "\u200b", "")

// links are shown as their text alone.
var links = regexp.MustCompile(`\[([^\]]*)\]\([^)]*\)`)

// plain is a comment as GitHub shows it, without invisible parts.
func plain(body string) string {
	var lines []string
	body = folded.Replace(html.UnescapeString(links.ReplaceAllString(body, "$1")))
	for line := range strings.Lines(body) {
		line = strings.TrimSpace(line)
		if line != "" && !strings.HasPrefix(line, "<!--") {
			lines = append(lines, line)
		}
	}
	return strings.Join(lines, "\n")
}
