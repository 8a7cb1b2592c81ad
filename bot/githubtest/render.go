package githubtest

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"maps"
	"strings"
	"time"
)

// stamp formats a time as the REST API does; the zero time is null.
func stamp(t time.Time) any {
	if t.IsZero() {
		return nil
	}
	return t.UTC().Format(time.RFC3339)
}

// nodeID is an opaque id like GraphQL's.
func nodeID(kind string, id any) string {
	return base64.RawURLEncoding.EncodeToString(fmt.Appendf(nil, "%s:%v", kind, id))
}

// merged returns a copy of base, overwritten by more.
func merged(base, more map[string]any) map[string]any {
	all := maps.Clone(base)
	maps.Copy(all, more)
	return all
}

// userJSON is the schema simple-user; a nil user is null.
func (s *Server) userJSON(u *User) map[string]any {
	if u == nil {
		return nil
	}
	path := strings.NewReplacer("[", "%5B", "]", "%5D").Replace(u.Login)
	api := s.APIURL() + "/users/" + path
	page := s.url + "/" + u.Login
	if slug, isBot := strings.CutSuffix(u.Login, "[bot]"); isBot {
		page = s.url + "/apps/" + slug
	}
	return map[string]any{
		"login": u.Login, "id": u.ID, "node_id": nodeID("User", u.ID), "type": u.Type, "site_admin": false,
		"user_view_type": "public", "gravatar_id": "", "avatar_url": fmt.Sprintf("%s/avatars/u/%d", s.url, u.ID),
		"url": api, "html_url": page, "followers_url": api + "/followers",
		"following_url": api + "/following{/other_user}", "gists_url": api + "/gists{/gist_id}",
		"starred_url": api + "/starred{/owner}{/repo}", "subscriptions_url": api + "/subscriptions",
		"organizations_url": api + "/orgs", "repos_url": api + "/repos", "events_url": api + "/events{/privacy}",
		"received_events_url": api + "/received_events",
	}
}

// orNull turns a nil object into an untyped null: it encodes the same, but compares
// differently.
func orNull(object map[string]any) any {
	if object == nil {
		return nil
	}
	return object
}

// repositoryLinks are the addresses in a repository's JSON, relative to its own API address.
var repositoryLinks = map[string]string{
	"archive_url": "/{archive_format}{/ref}", "assignees_url": "/assignees{/user}", "blobs_url": "/git/blobs{/sha}",
	"branches_url": "/branches{/branch}", "collaborators_url": "/collaborators{/collaborator}",
	"comments_url": "/comments{/number}", "commits_url": "/commits{/sha}", "compare_url": "/compare/{base}...{head}",
	"contents_url": "/contents/{+path}", "contributors_url": "/contributors", "deployments_url": "/deployments",
	"downloads_url": "/downloads", "events_url": "/events", "forks_url": "/forks", "git_commits_url": "/git/commits{/sha}",
	"git_refs_url": "/git/refs{/sha}", "git_tags_url": "/git/tags{/sha}", "hooks_url": "/hooks",
	"issue_comment_url": "/issues/comments{/number}", "issue_events_url": "/issues/events{/number}",
	"issues_url": "/issues{/number}", "keys_url": "/keys{/key_id}", "labels_url": "/labels{/name}",
	"languages_url": "/languages", "merges_url": "/merges", "milestones_url": "/milestones{/number}",
	"notifications_url": "/notifications{?since,all,participating}", "pulls_url": "/pulls{/number}",
	"releases_url": "/releases{/id}", "stargazers_url": "/stargazers", "statuses_url": "/statuses/{sha}",
	"subscribers_url": "/subscribers", "subscription_url": "/subscription", "tags_url": "/tags", "teams_url": "/teams",
	"trees_url": "/git/trees{/sha}", "url": "",
}

// repoAPI is the API address of a repository.
func (s *Server) repoAPI(r *Repository) string { return s.APIURL() + "/repos/" + r.FullName() }

// repositoryJSON is the schema repository.
func (s *Server) repositoryJSON(r *Repository) map[string]any {
	visibility := "public"
	if r.private {
		visibility = "private"
	}
	open := 0
	for _, is := range r.issues {
		if is.state == "open" {
			open++
		}
	}
	object := map[string]any{
		"id": r.ID, "node_id": nodeID("Repository", r.ID), "name": r.name, "full_name": r.FullName(),
		"owner": s.userJSON(r.owner), "private": r.private, "visibility": visibility, "html_url": r.WebURL(),
		"description": nil, "fork": false, "homepage": nil, "language": nil, "mirror_url": nil, "license": nil,
		"git_url": "git" + strings.TrimPrefix(r.WebURL(), "http") + ".git", "clone_url": r.WebURL() + ".git",
		"ssh_url": "git@" + strings.TrimPrefix(s.url, "http://") + ":" + r.FullName() + ".git", "svn_url": r.WebURL(),
		"default_branch": r.defaultBranch, "forks": 0, "forks_count": 0, "stargazers_count": 0, "watchers": 0,
		"watchers_count": 0, "size": 0, "open_issues": open, "open_issues_count": open, "topics": []any{},
		"has_issues": true, "has_projects": true, "has_wiki": true, "has_pages": false, "has_downloads": true,
		"has_discussions": false, "archived": false, "disabled": false, "is_template": false, "allow_forking": true,
		"web_commit_signoff_required": false, "custom_properties": map[string]any{},
		"created_at": stamp(r.createdAt), "updated_at": stamp(r.pushedAt), "pushed_at": stamp(r.pushedAt),
	}
	for name, path := range repositoryLinks {
		object[name] = s.repoAPI(r) + path
	}
	return object
}

func getRepository(c *call) (reply, error) {
	return reply{body: merged(c.repositoryJSON(c.repo), map[string]any{"network_count": 0, "subscribers_count": 0})}, nil
}

// appJSON is the schema integration; a nil App is null.
func (s *Server) appJSON(a *App) map[string]any {
	if a == nil {
		return nil
	}
	return map[string]any{
		"id": a.ID, "client_id": a.ClientID, "slug": a.Slug, "node_id": nodeID("App", a.ID), "name": a.Slug,
		"owner": s.userJSON(a.owner), "description": "", "external_url": s.url + "/apps/" + a.Slug,
		"html_url": s.url + "/apps/" + a.Slug, "created_at": stamp(a.createdAt), "updated_at": stamp(a.createdAt),
		"permissions": a.permissions, "events": append([]string{}, a.events...),
	}
}

// installationJSON is the schema installation.
func (s *Server) installationJSON(in *Installation) map[string]any {
	var suspendedAt, suspendedBy any
	if !in.suspendedAt.IsZero() {
		suspendedAt, suspendedBy = stamp(in.suspendedAt), s.userJSON(in.account)
	}
	return map[string]any{
		"id": in.ID, "client_id": in.app.ClientID, "account": s.userJSON(in.account), "app_id": in.app.ID,
		"app_slug": in.app.Slug, "target_id": in.account.ID, "target_type": in.account.Type,
		"repository_selection": "selected", "permissions": in.permissions, "events": append([]string{}, in.app.events...),
		"access_tokens_url": fmt.Sprintf("%s/app/installations/%d/access_tokens", s.APIURL(), in.ID),
		"repositories_url":  s.APIURL() + "/installation/repositories",
		"html_url":          fmt.Sprintf("%s/settings/installations/%d", s.url, in.ID),
		"created_at":        stamp(in.createdAt), "updated_at": stamp(in.createdAt), "single_file_name": nil,
		"has_multiple_single_files": false, "single_file_paths": []any{}, "suspended_by": suspendedBy, "suspended_at": suspendedAt,
	}
}

// tokenJSON is the schema installation-token.
func (s *Server) tokenJSON(g *grant) map[string]any {
	object := map[string]any{
		"token": g.token, "expires_at": stamp(g.expires), "permissions": g.permissions, "repository_selection": "selected",
	}
	if g.selected != nil {
		var list []any
		for _, repo := range g.selected {
			list = append(list, s.repositoryJSON(repo))
		}
		object["repositories"] = list
	}
	return object
}

// association is a user's relation to the repository, as shown beside what they write.
func (r *Repository) association(u *User) string {
	switch {
	case u == r.owner:
		return "OWNER"
	case r.access[u] != "" && r.access[u] != "none":
		return "COLLABORATOR"
	}
	return "NONE"
}

// commentJSON is the schema issue-comment.
func (s *Server) commentJSON(comment *Comment) map[string]any {
	repo := comment.is.repo
	self := fmt.Sprintf("%s/issues/comments/%d", s.repoAPI(repo), comment.ID)
	return map[string]any{
		"id": comment.ID, "node_id": nodeID("IssueComment", comment.ID), "url": self,
		"html_url":  fmt.Sprintf("%s#issuecomment-%d", s.issuePage(comment.is), comment.ID),
		"issue_url": fmt.Sprintf("%s/issues/%d", s.repoAPI(repo), comment.Number), "body": comment.Body,
		"user": s.userJSON(comment.Author), "author_association": repo.association(comment.Author),
		"created_at": stamp(comment.CreatedAt), "updated_at": stamp(comment.UpdatedAt),
		"performed_via_github_app": orNull(s.appJSON(comment.App)), "reactions": rollup(self, comment.Reactions),
	}
}

// rollup is the schema reaction-rollup.
func rollup(of string, reactions []Reaction) map[string]any {
	object := map[string]any{"url": of + "/reactions", "total_count": len(reactions)}
	for _, content := range []string{"+1", "-1", "laugh", "confused", "heart", "hooray", "rocket", "eyes"} {
		n := 0
		for _, r := range reactions {
			if r.Content == content {
				n++
			}
		}
		object[content] = n
	}
	return object
}

func (s *Server) reactionJSON(r Reaction) map[string]any {
	return map[string]any{
		"id": r.ID, "node_id": nodeID("Reaction", r.ID), "user": s.userJSON(r.User), "content": r.Content,
		"created_at": stamp(r.CreatedAt),
	}
}

// deploymentJSON is the schema deployment.
func (c *call) deploymentJSON(d *Deployment) map[string]any {
	self := fmt.Sprintf("%s/deployments/%d", c.repoAPI(c.repo), d.ID)
	var description any
	if d.Description != "" {
		description = d.Description
	}
	return map[string]any{
		"id": d.ID, "node_id": nodeID("Deployment", d.ID), "url": self, "sha": d.SHA, "ref": d.Ref, "task": d.Task,
		"payload": json.RawMessage(d.Payload), "original_environment": d.Environment, "environment": d.Environment,
		"description": description, "creator": c.userJSON(d.Creator), "created_at": stamp(d.CreatedAt),
		"updated_at": stamp(d.UpdatedAt), "statuses_url": self + "/statuses", "repository_url": c.repoAPI(c.repo),
		"transient_environment": d.Transient, "production_environment": d.Production,
		"performed_via_github_app": orNull(c.appJSON(d.app)),
	}
}

// statusJSON is the schema deployment-status.
func (c *call) statusJSON(d *Deployment, status DeploymentStatus) map[string]any {
	deployment := fmt.Sprintf("%s/deployments/%d", c.repoAPI(c.repo), d.ID)
	return map[string]any{
		"id": status.ID, "node_id": nodeID("DeploymentStatus", status.ID), "state": status.State,
		"url": fmt.Sprintf("%s/statuses/%d", deployment, status.ID), "creator": c.userJSON(status.Creator),
		"description": status.Description, "environment": status.Environment, "target_url": status.LogURL,
		"log_url": status.LogURL, "environment_url": status.EnvironmentURL, "created_at": stamp(status.CreatedAt),
		"updated_at": stamp(status.CreatedAt), "deployment_url": deployment, "repository_url": c.repoAPI(c.repo),
		"performed_via_github_app": orNull(c.appJSON(status.app)),
	}
}
