package githubtest

import (
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-github/v60/github"
)

func TestAppFindsItsInstallationAndIsNamed(t *testing.T) {
	w := newWorld(t, Config{})
	ctx := t.Context()
	app, _, err := w.asApp.Apps.Get(ctx, "")
	check(t, err)
	if app.GetSlug() != "turnout" || app.GetID() != w.app.ID {
		t.Errorf("the App is %s %d", app.GetSlug(), app.GetID())
	}
	in, _, err := w.asApp.Apps.FindRepositoryInstallation(ctx, "acme", "shop")
	check(t, err)
	if in.GetID() != w.installation.ID || in.GetPermissions().GetDeployments() != "write" {
		t.Errorf("the installation is %v", in)
	}
	all, _, err := w.asApp.Apps.ListInstallations(ctx, nil)
	check(t, err)
	if len(all) != 1 {
		t.Errorf("%d installations, want 1", len(all))
	}
	_, _, err = w.asApp.Apps.GetInstallation(ctx, w.installation.ID)
	check(t, err)
	repos, _, err := w.client.Apps.ListRepos(ctx, nil)
	check(t, err)
	if repos.GetTotalCount() != 1 || repos.Repositories[0].GetFullName() != "acme/shop" {
		t.Errorf("repositories: %v", repos)
	}
}

func TestSourceIsWhatGitHas(t *testing.T) {
	w := newWorld(t, Config{})
	ctx := t.Context()
	head, err := w.repo.Head("main")
	check(t, err)

	branch, _, err := w.client.Repositories.GetBranch(ctx, "acme", "shop", "main", 1)
	check(t, err)
	commit, _, err := w.client.Repositories.GetCommit(ctx, "acme", "shop", "main", nil)
	check(t, err)
	short, _, err := w.client.Repositories.GetCommitSHA1(ctx, "acme", "shop", "main", "")
	check(t, err)
	ref, _, err := w.client.Git.GetRef(ctx, "acme", "shop", "heads/main")
	check(t, err)
	for _, got := range []string{branch.GetCommit().GetSHA(), commit.GetSHA(), short, ref.GetObject().GetSHA()} {
		if got != head {
			t.Errorf("main is at %s, want %s", got, head)
		}
	}
	if len(commit.Files) != 2 || commit.GetAuthor().GetLogin() != "acme" {
		t.Errorf("the commit has %d files by %s", len(commit.Files), commit.GetAuthor().GetLogin())
	}

	file, _, _, err := w.client.Repositories.GetContents(ctx, "acme", "shop", "deploy/cloudbuild.yaml",
		&github.RepositoryContentGetOptions{Ref: head})
	check(t, err)
	if content, err := file.GetContent(); err != nil || content != "steps: []\n" {
		t.Errorf("the file has %q, %v", content, err)
	}
	_, dir, _, err := w.client.Repositories.GetContents(ctx, "acme", "shop", "deploy", nil)
	check(t, err)
	if len(dir) != 1 || dir[0].GetPath() != "deploy/cloudbuild.yaml" {
		t.Errorf("the directory has %v", dir)
	}
	_, _, _, err = w.client.Repositories.GetContents(ctx, "acme", "shop", "nothing", nil)
	if status(err) != http.StatusNotFound {
		t.Errorf("a missing file: %v", err)
	}
}

func TestTarballWorksOnceAndHasATopDirectory(t *testing.T) {
	w := newWorld(t, Config{})
	head, err := w.repo.Head("main")
	check(t, err)
	at, _, err := w.client.Repositories.GetArchiveLink(t.Context(), "acme", "shop", github.Tarball,
		&github.RepositoryContentGetOptions{Ref: head}, 0)
	check(t, err)
	response, err := http.Get(at.String())
	check(t, err)
	files, err := ReadTarball(response.Body)
	check(t, err)
	response.Body.Close()
	if got := files["acme-shop-"+head[:7]+"/app.py"]; got != "print('v1')\n" {
		t.Errorf("the tarball has %v", files)
	}
	again, err := http.Get(at.String())
	check(t, err)
	defer again.Body.Close()
	if body, _ := io.ReadAll(again.Body); again.StatusCode != http.StatusNotFound {
		t.Errorf("the second download: %d %s", again.StatusCode, body)
	}
}

func TestCompareTellsAncestry(t *testing.T) {
	w := newWorld(t, Config{})
	base, err := w.repo.Head("main")
	check(t, err)
	topic, err := w.repo.CommitFiles(Commit{Branch: "topic", Message: "t", Files: Text(map[string]string{"t": "t"})})
	check(t, err)
	ahead, err := w.repo.CommitFiles(Commit{Message: "m", Files: Text(map[string]string{"m": "m"})})
	check(t, err)
	for _, tt := range []struct{ base, head, want string }{
		{base, base, "identical"},
		{base, ahead, "ahead"},
		{ahead, base, "behind"},
		{topic, ahead, "diverged"},
		{"main", "topic", "diverged"},
	} {
		got, _, err := w.client.Repositories.CompareCommits(t.Context(), "acme", "shop", tt.base, tt.head, nil)
		check(t, err)
		if got.GetStatus() != tt.want {
			t.Errorf("%.7s...%.7s is %s, want %s", tt.base, tt.head, got.GetStatus(), tt.want)
		}
	}
}

func TestMergeIsAGitMergeAndTheCommitNamesItsPullRequest(t *testing.T) {
	w := newWorld(t, Config{})
	ctx := t.Context()
	pr := w.openPull(t, "topic", "print('v2')\n")
	open, _, err := w.client.PullRequests.List(ctx, "acme", "shop", nil)
	check(t, err)
	if len(open) != 1 || open[0].GetHead().GetSHA() != pr.HeadSHA() {
		t.Errorf("open pull requests: %v", open)
	}
	if _, err := pr.Merge(w.reader); err == nil {
		t.Error("a reader merged")
	}
	sha, err := pr.Merge(w.writer)
	check(t, err)

	got, _, err := w.client.PullRequests.Get(ctx, "acme", "shop", pr.Number)
	check(t, err)
	if !got.GetMerged() || got.GetMergeCommitSHA() != sha || got.GetMergedBy().GetLogin() != "wanda" || got.GetState() != "closed" {
		t.Errorf("the merged pull request: %v", got)
	}
	commit, _, err := w.client.Repositories.GetCommit(ctx, "acme", "shop", "main", nil)
	check(t, err)
	if commit.GetSHA() != sha || len(commit.Parents) != 2 {
		t.Errorf("main is at %s with %d parents", commit.GetSHA(), len(commit.Parents))
	}
	for _, of := range []string{sha, pr.HeadSHA()} {
		found, _, err := w.client.PullRequests.ListPullRequestsWithCommit(ctx, "acme", "shop", of, nil)
		check(t, err)
		if len(found) != 1 || found[0].GetNumber() != pr.Number {
			t.Errorf("pull requests of %s: %v", of, found)
		}
	}
}

func TestSquashHasOneParentAndAForcedPushSaysSo(t *testing.T) {
	w := newWorld(t, Config{})
	first, err := w.repo.Head("main")
	check(t, err)
	pr := w.openPull(t, "topic", "print('v2')\n")
	sha, err := pr.Squash(w.writer)
	check(t, err)
	commit, _, err := w.client.Repositories.GetCommit(t.Context(), "acme", "shop", sha, nil)
	check(t, err)
	if len(commit.Parents) != 1 || commit.Parents[0].GetSHA() != first || commit.GetCommit().GetMessage() != "A change (#1)" {
		t.Errorf("the squashed commit: %v", commit)
	}
	check(t, w.repo.ForcePush("main", first, w.writer))
	w.awaitMatch(t, func(d Delivery) bool {
		return d.Event == "push" && strings.Contains(string(d.Payload), `"forced":true`)
	})
	if _, err := w.openPull(t, "conflict", "print('other')\n").Merge(w.writer); err != nil {
		t.Errorf("merging without a conflict: %v", err)
	}
}

func TestRepositoriesOfAnEarlierServerAreReplaced(t *testing.T) {
	dir := t.TempDir()
	for _, content := range []string{"one", "two"} {
		s := New(t, Config{Dir: dir})
		repo, err := s.AddRepository("acme/shop", RepositoryConfig{Files: Text(map[string]string{"a": content})})
		check(t, err)
		if _, err := s.AddRepository("acme/shop", RepositoryConfig{Files: Text(map[string]string{"a": content})}); err == nil {
			t.Error("the same name was accepted twice")
		}
		head, err := repo.Head("main")
		check(t, err)
		if got, err := repo.git.git("show", head+":a"); err != nil || got != content {
			t.Errorf("the file has %q, %v, want %q", got, err, content)
		}
	}
}

func TestConflictIsNotMerged(t *testing.T) {
	w := newWorld(t, Config{})
	pr := w.openPull(t, "topic", "print('mine')\n")
	head, err := w.repo.CommitFiles(Commit{Message: "theirs", Files: Text(map[string]string{"app.py": "print('theirs')\n"})})
	check(t, err)
	if _, err := pr.Merge(w.writer); err == nil || !strings.Contains(err.Error(), "app.py") {
		t.Errorf("a conflict: %v, want an error that names the file", err)
	}
	if now, err := w.repo.Head("main"); err != nil || now != head {
		t.Errorf("main moved to %s, %v", now, err)
	}
}

func TestPermissionIsReportedAsGitHubDoes(t *testing.T) {
	w := newWorld(t, Config{})
	triager := w.AddUser("tim")
	check(t, w.repo.SetRole(triager, "triage"))
	for _, tt := range []struct{ login, permission, role string }{
		{"acme", "admin", "admin"},
		{"wanda", "write", "maintain"},
		{"tim", "read", "triage"},
		{"rita", "read", "read"},
	} {
		got, _, err := w.client.Repositories.GetPermissionLevel(t.Context(), "acme", "shop", tt.login)
		check(t, err)
		if got.GetPermission() != tt.permission || got.GetUser().GetRoleName() != tt.role {
			t.Errorf("%s: %s, role %s", tt.login, got.GetPermission(), got.GetUser().GetRoleName())
		}
	}
	_, _, err := w.client.Repositories.GetPermissionLevel(t.Context(), "acme", "shop", "nobody")
	if status(err) != http.StatusNotFound {
		t.Errorf("an unknown user: %v", err)
	}
	user, _, err := w.client.Users.Get(t.Context(), "wanda")
	check(t, err)
	if user.GetID() != w.writer.ID {
		t.Errorf("wanda is %d", user.GetID())
	}
}

func TestCommentsAreTheAppsAndCanBeEdited(t *testing.T) {
	w := newWorld(t, Config{})
	ctx := t.Context()
	pr := w.openPull(t, "topic", "print('v2')\n")
	_, err := w.repo.Comment(pr.Number, w.writer, "/promote")
	check(t, err)
	mine, _, err := w.client.Issues.CreateComment(ctx, "acme", "shop", pr.Number, &github.IssueComment{Body: new("Building")})
	check(t, err)
	if mine.GetUser().GetLogin() != "turnout[bot]" || mine.GetUser().GetType() != "Bot" {
		t.Errorf("the comment is by %v", mine.GetUser())
	}
	_, _, err = w.client.Issues.EditComment(ctx, "acme", "shop", mine.GetID(), &github.IssueComment{Body: new("Live")})
	check(t, err)
	got, _, err := w.client.Issues.GetComment(ctx, "acme", "shop", mine.GetID())
	check(t, err)
	if got.GetBody() != "Live" {
		t.Errorf("the edited comment says %q", got.GetBody())
	}
	_, _, err = w.client.Issues.CreateComment(ctx, "acme", "shop", pr.Number,
		&github.IssueComment{Body: new(strings.Repeat("x", maxCommentBody+1))})
	if status(err) != http.StatusUnprocessableEntity {
		t.Errorf("a body too long: %v", err)
	}
	all := w.repo.Comments(pr.Number)
	if len(all) != 2 || all[1].App != w.app || all[1].Edits != 1 {
		t.Errorf("comments: %+v", all)
	}
	_, err = w.client.Issues.DeleteComment(ctx, "acme", "shop", mine.GetID())
	check(t, err)
	if left := w.repo.Comments(pr.Number); len(left) != 1 {
		t.Errorf("after deleting: %d comments", len(left))
	}
}

func TestReactionIsGivenOnce(t *testing.T) {
	w := newWorld(t, Config{})
	ctx := t.Context()
	pr := w.openPull(t, "topic", "print('v2')\n")
	comment, err := w.repo.Comment(pr.Number, w.writer, "/promote")
	check(t, err)
	for _, want := range []int{http.StatusCreated, http.StatusOK} {
		_, response, err := w.client.Reactions.CreateIssueCommentReaction(ctx, "acme", "shop", comment.ID, "eyes")
		check(t, err)
		if response.StatusCode != want {
			t.Errorf("reacting: %d, want %d", response.StatusCode, want)
		}
	}
	list, _, err := w.client.Reactions.ListIssueCommentReactions(ctx, "acme", "shop", comment.ID, nil)
	check(t, err)
	if len(list) != 1 || list[0].GetContent() != "eyes" {
		t.Fatalf("reactions: %v", list)
	}
	_, err = w.client.Reactions.DeleteIssueCommentReaction(ctx, "acme", "shop", comment.ID, list[0].GetID())
	check(t, err)
	if left := w.repo.Comments(pr.Number)[0].Reactions; len(left) != 0 {
		t.Errorf("left: %v", left)
	}
}

// TestGroupIsMergedInOnePush: each pull request gets its own commits. The comparison lists
// them page by page, and their pull requests are known once they are closed.
func TestGroupIsMergedInOnePush(t *testing.T) {
	for _, tt := range []struct {
		method  MergeMethod
		commits int // on the branch
	}{{MergeCommit, 3 + 2*3}, {Squash, 3}, {Rebase, 2 * 3}} {
		w := newWorld(t, Config{})
		ctx := t.Context()
		before, err := w.repo.Head("main")
		check(t, err)
		var prs []*PullRequest
		for _, branch := range []string{"one", "two", "three"} {
			for _, file := range []string{branch, branch + ".more"} {
				_, err := w.repo.CommitFiles(Commit{Branch: branch, Message: file, Author: w.writer, Files: Text(map[string]string{file: "x"})})
				check(t, err)
			}
			pr, err := w.repo.OpenPullRequest(NewPullRequest{Title: branch, Head: branch, Author: w.writer})
			check(t, err)
			prs = append(prs, pr)
		}
		head, closed, err := w.repo.MergeTogether(w.writer, tt.method, prs...)
		check(t, err)
		push := w.awaitMatch(t, func(d Delivery) bool {
			return d.Event == "push" && strings.Contains(string(d.Payload), `"after":"`+head+`"`)
		})
		if !strings.Contains(string(push.Payload), `"before":"`+before+`"`) {
			t.Errorf("method %d: the push does not start at %s", tt.method, before)
		}
		if prs[0].MergeCommit() != "" {
			t.Errorf("method %d: #%d is closed before the push was sent", tt.method, prs[0].Number)
		}
		closed()

		var listed []string
		for page := 1; page > 0; {
			got, resp, err := w.client.Repositories.CompareCommits(ctx, "acme", "shop", before, head, &github.ListOptions{Page: page, PerPage: 2})
			check(t, err)
			if got.GetTotalCommits() != tt.commits || (len(got.Files) > 0) != (page == 1) {
				t.Errorf("method %d, page %d: %d commits in all, want %d; %d files", tt.method, page, got.GetTotalCommits(), tt.commits, len(got.Files))
			}
			for _, commit := range got.Commits {
				listed = append(listed, commit.GetSHA())
			}
			page = resp.NextPage
		}
		if len(listed) != tt.commits || listed[len(listed)-1] != head {
			t.Errorf("method %d: the comparison lists %d commits, want %d, the head last", tt.method, len(listed), tt.commits)
		}
		for _, pr := range prs {
			of, _, err := w.client.PullRequests.ListPullRequestsWithCommit(ctx, "acme", "shop", pr.MergeCommit(), nil)
			check(t, err)
			if len(of) != 1 || of[0].GetNumber() != pr.Number || of[0].GetMergeCommitSHA() != pr.MergeCommit() {
				t.Errorf("method %d: %s is of %v, want #%d", tt.method, pr.MergeCommit(), of, pr.Number)
			}
		}
	}
}

// TestPullRequestsOfAnUnknownCommit tests an answer that GitHub gives and its description
// lacks.
func TestPullRequestsOfAnUnknownCommit(t *testing.T) {
	w := newWorld(t, Config{})
	_, _, err := w.client.PullRequests.ListPullRequestsWithCommit(t.Context(), "acme", "shop", strings.Repeat("d", 40), nil)
	if status(err) != http.StatusUnprocessableEntity {
		t.Errorf("got %v, want 422", err)
	}
}
