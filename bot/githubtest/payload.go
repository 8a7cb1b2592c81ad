package githubtest

import (
	"fmt"
	"slices"
)

// sendPush sends a branch's new head to Apps. The caller holds s.mu.
func (s *Server) sendPush(r *Repository, m move) {
	commits := []any{}
	revisions := m.after
	if m.before != "" {
		revisions = m.before + ".." + m.after
	}
	list := r.git.revList(revisions, 20)
	for _, l := range slices.Backward(list) {
		commits = append(commits, s.pushedCommitJSON(r, l))
	}
	compare := fmt.Sprintf("%s/compare/%.12s...%.12s", r.WebURL(), orZero(m.before), m.after)
	s.broadcast(event{name: "push", repo: r, needs: "contents", payload: map[string]any{
		"ref": "refs/heads/" + m.branch, "before": orZero(m.before), "after": m.after, "created": m.before == "",
		"deleted": false, "forced": m.before != "" && !r.git.isAncestor(m.before, m.after), "base_ref": nil,
		"compare": compare, "commits": commits, "head_commit": s.pushedCommitJSON(r, m.after),
		"repository": s.pushedRepositoryJSON(r), "pusher": map[string]any{"name": m.by.Login, "email": m.by.Email},
		"sender": s.userJSON(m.by),
	}})
}

// pushedRepositoryJSON is the repository in push events: times in Unix seconds, and the
// owner with name and email.
func (s *Server) pushedRepositoryJSON(r *Repository) map[string]any {
	return merged(s.repositoryJSON(r), map[string]any{
		"created_at": r.createdAt.Unix(), "pushed_at": r.pushedAt.Unix(), "stargazers": 0, "master_branch": r.defaultBranch,
		"url":   r.WebURL(),
		"owner": merged(s.userJSON(r.owner), map[string]any{"name": r.owner.Login, "email": r.owner.Email}),
	})
}

// pushedCommitJSON is a commit in push events.
func (s *Server) pushedCommitJSON(r *Repository, sha string) map[string]any {
	info, err := r.git.commit(sha)
	if err != nil {
		return nil // a commit that git cannot read was never pushed
	}
	parent := ""
	if len(info.Parents) > 0 {
		parent = info.Parents[0]
	}
	files := map[string][]any{"added": {}, "removed": {}, "modified": {}}
	changes, _ := r.git.changes(parent, sha) // a failure leaves the lists empty
	for _, change := range changes {
		files[change.Status] = append(files[change.Status], change.Path)
	}
	return map[string]any{
		"id": sha, "tree_id": info.Tree, "distinct": true, "message": info.Message, "timestamp": stamp(info.Committer.At),
		"url": r.WebURL() + "/commit/" + sha, "author": s.pushedSignature(info.Author),
		"committer": s.pushedSignature(info.Committer), "added": files["added"], "removed": files["removed"],
		"modified": files["modified"],
	}
}

func (s *Server) pushedSignature(sig signature) map[string]any {
	object := map[string]any{"name": sig.Name, "email": sig.Email}
	if user := s.userOf(sig); user != nil {
		object["username"] = user.Login
	}
	return object
}

// sendPullRequest sends a pull request to Apps. The caller holds s.mu.
func (s *Server) sendPullRequest(is *issue, by *User, action string, more map[string]any) {
	s.broadcast(event{name: "pull_request", action: action, repo: is.repo, needs: "pull_requests", payload: merged(map[string]any{
		"action": action, "number": is.number, "pull_request": s.fullPullJSON(is), "repository": s.repositoryJSON(is.repo),
		"sender": s.userJSON(by),
	}, more)})
}

// sendComment sends a comment to Apps. The caller holds s.mu.
func (s *Server) sendComment(comment *Comment, by *User, action string, more map[string]any) {
	repo := comment.is.repo
	s.broadcast(event{name: "issue_comment", action: action, repo: repo, needs: "issues", payload: merged(map[string]any{
		"action": action, "issue": s.issueJSON(comment.is), "comment": s.commentJSON(comment),
		"repository": s.repositoryJSON(repo), "sender": s.userJSON(by),
	}, more)})
}

// sendInstallation sends the event that an App was installed or removed, whether it is
// subscribed or not. The caller holds s.mu.
func (s *Server) sendInstallation(in *Installation, action string) {
	repos := []any{}
	for _, r := range in.repositories {
		repos = append(repos, map[string]any{
			"id": r.ID, "node_id": nodeID("Repository", r.ID), "name": r.name, "full_name": r.FullName(), "private": r.private,
		})
	}
	s.send(in.app, in, event{name: "installation", action: action}, map[string]any{
		"action": action, "installation": s.installationJSON(in), "repositories": repos, "requester": nil,
		"sender": s.userJSON(in.account),
	})
}

// Ping sends the event that GitHub sends when a webhook is set up.
func (a *App) Ping() {
	s := a.server
	s.mu.Lock()
	defer s.mu.Unlock()
	s.send(a, nil, event{name: "ping"}, map[string]any{
		"zen": "Keep it logically awesome.", "hook_id": a.hookID,
		"hook": map[string]any{
			"type": "App", "id": a.hookID, "name": "web", "active": true, "events": append([]string{}, a.events...),
			"config":     map[string]any{"content_type": "json", "insecure_ssl": "0", "secret": "********", "url": a.webhookURL},
			"created_at": stamp(a.createdAt), "updated_at": stamp(a.createdAt), "app_id": a.ID,
			"deliveries_url": s.APIURL() + "/app/hook/deliveries",
		},
	})
}

// organizationJSON is an organization in webhooks.
func (s *Server) organizationJSON(u *User) map[string]any {
	api := s.APIURL() + "/orgs/" + u.Login
	return map[string]any{
		"login": u.Login, "id": u.ID, "node_id": nodeID("Organization", u.ID), "url": api, "repos_url": api + "/repos",
		"events_url": api + "/events", "hooks_url": api + "/hooks", "issues_url": api + "/issues",
		"members_url": api + "/members{/member}", "public_members_url": api + "/public_members{/member}",
		"avatar_url": fmt.Sprintf("%s/avatars/u/%d", s.url, u.ID), "description": "",
	}
}
