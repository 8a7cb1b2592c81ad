package githubtest

import "fmt"

// issuePage is the web address of an issue or pull request.
func (s *Server) issuePage(is *issue) string {
	kind := "issues"
	if is.pull != nil {
		kind = "pull"
	}
	return fmt.Sprintf("%s/%s/%d", is.repo.WebURL(), kind, is.number)
}

// pullJSON is the schema pull-request-simple.
func (s *Server) pullJSON(is *issue) map[string]any {
	pr, repo := is.pull, is.repo
	api, page := s.repoAPI(repo), s.issuePage(is)
	self := fmt.Sprintf("%s/pulls/%d", api, is.number)
	issueURL := fmt.Sprintf("%s/issues/%d", api, is.number)
	links := map[string]string{
		"self": self, "html": page, "issue": issueURL, "comments": issueURL + "/comments",
		"review_comments": self + "/comments", "review_comment": api + "/pulls/comments{/number}",
		"commits": self + "/commits", "statuses": api + "/statuses/" + pr.headSHA,
	}
	linked := map[string]any{}
	for name, href := range links {
		linked[name] = map[string]any{"href": href}
	}
	return map[string]any{
		"url": self, "id": pr.id, "node_id": nodeID("PullRequest", pr.id), "html_url": page, "number": is.number,
		"diff_url": page + ".diff", "patch_url": page + ".patch", "issue_url": issueURL,
		"commits_url": links["commits"], "review_comments_url": links["review_comments"],
		"review_comment_url": links["review_comment"], "comments_url": links["comments"],
		"statuses_url": links["statuses"], "state": is.state, "locked": false, "active_lock_reason": nil,
		"title": is.title, "user": s.userJSON(is.author), "body": orNil(is.body), "labels": []any{}, "milestone": nil,
		"created_at": stamp(is.createdAt), "updated_at": stamp(is.updatedAt), "closed_at": stamp(is.closedAt),
		"merged_at": stamp(pr.mergedAt), "merge_commit_sha": orNil(pr.mergeCommit), "assignee": nil, "assignees": []any{},
		"requested_reviewers": []any{}, "requested_teams": []any{}, "draft": false, "auto_merge": nil,
		"author_association": repo.association(is.author), "_links": linked,
		"head": s.sideJSON(repo, pr.head, pr.headSHA), "base": s.sideJSON(repo, pr.base, pr.baseSHA),
	}
}

// sideJSON is head or base of a pull request.
func (s *Server) sideJSON(repo *Repository, branch, sha string) map[string]any {
	return map[string]any{
		"label": repo.owner.Login + ":" + branch, "ref": branch, "sha": sha, "user": s.userJSON(repo.owner),
		"repo": s.repositoryJSON(repo),
	}
}

// fullPullJSON is the schema pull-request, with the fields that need git.
func (s *Server) fullPullJSON(is *issue) map[string]any {
	pr, git := is.pull, is.repo.git
	additions, deletions := 0, 0
	mergeBase, _ := git.git("merge-base", pr.baseSHA, pr.headSHA)
	changes, _ := git.changes(mergeBase, pr.headSHA) // a failure leaves the counts at zero
	for _, change := range changes {
		additions += change.Additions
		deletions += change.Deletions
	}
	return merged(s.pullJSON(is), map[string]any{
		"merged": pr.mergedBy != nil, "merged_by": orNull(s.userJSON(pr.mergedBy)), "mergeable": nil, "rebaseable": nil,
		"mergeable_state": "unknown", "comments": len(is.repo.commentsOn(int64(is.number))), "review_comments": 0,
		"maintainer_can_modify": false, "commits": git.count(pr.baseSHA + ".." + pr.headSHA),
		"additions": additions, "deletions": deletions, "changed_files": len(changes),
	})
}

// issueJSON is an issue, or a pull request as an issue, in webhooks about comments.
func (s *Server) issueJSON(is *issue) map[string]any {
	repo := is.repo
	self := fmt.Sprintf("%s/issues/%d", s.repoAPI(repo), is.number)
	object := map[string]any{
		"url": self, "repository_url": s.repoAPI(repo), "labels_url": self + "/labels{/name}",
		"comments_url": self + "/comments", "events_url": self + "/events", "html_url": s.issuePage(is),
		"timeline_url": self + "/timeline", "id": is.id, "node_id": nodeID("Issue", is.id), "number": is.number,
		"title": is.title, "user": s.userJSON(is.author), "labels": []any{}, "state": is.state, "locked": false,
		"assignee": nil, "assignees": []any{}, "milestone": nil,
		"comments":   len(repo.commentsOn(int64(is.number))),
		"created_at": stamp(is.createdAt), "updated_at": stamp(is.updatedAt), "closed_at": stamp(is.closedAt),
		"author_association": repo.association(is.author), "active_lock_reason": nil, "body": orNil(is.body),
		"reactions": rollup(self, nil), "performed_via_github_app": nil, "state_reason": nil,
	}
	if is.pull != nil {
		page := s.issuePage(is)
		object["draft"] = false
		object["pull_request"] = map[string]any{
			"url": fmt.Sprintf("%s/pulls/%d", s.repoAPI(repo), is.number), "html_url": page,
			"diff_url": page + ".diff", "patch_url": page + ".patch", "merged_at": stamp(is.pull.mergedAt),
		}
	}
	return object
}

// orNil turns the empty string into null.
func orNil(s string) any {
	if s == "" {
		return nil
	}
	return s
}
