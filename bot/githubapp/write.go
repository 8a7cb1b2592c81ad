package githubapp

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"github.com/google/go-github/v60/github"

	"github.com/turnout-dev/turnout/bot/report"
)

// Reactions to a command (GitHub's names).
const (
	ReactionSeen    = "eyes"
	ReactionDone    = "rocket"
	ReactionRefused = "-1"
	ReactionNothing = "+1" // nothing to do
)

// pages bounds a search for what the bot wrote, in pages of 100.
const pages = 30

// account is an author in GitHub's answers.
type account struct {
	Login string `json:"login"`
	Type  string `json:"type"`
}

// byApp is the part of an answer that says which App wrote something. go-github v60 lacks
// it.
type byApp struct {
	User account `json:"user"`
	App  *struct {
		ID int64 `json:"id"`
	} `json:"performed_via_github_app"`
}

// own reports whether the App itself wrote something. A marker in the text proves nothing,
// since anybody can type it. Neither does the App alone, since a person may act through it.
func (g *connections) own(b byApp) bool {
	return b.App != nil && b.App.ID == g.appID && b.User.Type == "Bot"
}

// React adds a reaction to a comment. An existing one stays.
func (g *Client) React(ctx context.Context, repository string, comment int64, content string) error {
	return g.to.call(ctx, repository, "reacting to a comment", func(ctx context.Context, r repo) error {
		_, _, err := r.Reactions.CreateIssueCommentReaction(ctx, r.owner, r.name, comment, content)
		return err
	})
}

// Unreact removes the App's own reaction.
func (g *Client) Unreact(ctx context.Context, repository string, comment int64, content string) error {
	own, err := g.Reactions(ctx, repository, comment)
	if err != nil || own[content] == 0 {
		return err
	}
	return g.to.call(ctx, repository, "taking back a reaction", func(ctx context.Context, r repo) error {
		_, err := r.Reactions.DeleteIssueCommentReaction(ctx, r.owner, r.name, comment, own[content])
		if isStatus(err, http.StatusNotFound) {
			return nil
		}
		return err
	})
}

// Reactions returns the App's own reactions on a comment: ids by content.
func (g *Client) Reactions(ctx context.Context, repository string, comment int64) (map[string]int64, error) {
	login, err := g.to.botLogin(ctx)
	if err != nil {
		return nil, err
	}
	own := map[string]int64{}
	err = g.to.call(ctx, repository, "listing reactions", func(ctx context.Context, r repo) error {
		for page := 1; page > 0 && page <= pages; {
			list, resp, err := r.Reactions.ListIssueCommentReactions(ctx, r.owner, r.name, comment, &github.ListOptions{PerPage: 100, Page: page})
			if err != nil {
				return err
			}
			for _, reaction := range list {
				if reaction.GetUser().GetLogin() == login {
					own[reaction.GetContent()] = reaction.GetID()
				}
			}
			page = resp.NextPage
		}
		return nil
	})
	return own, err
}

// CreateComment writes a comment on a pull request and returns its id.
func (g *Client) CreateComment(ctx context.Context, repository string, pullRequest int, body string) (int64, error) {
	var id int64
	err := g.to.call(ctx, repository, "commenting on a pull request", func(ctx context.Context, r repo) error {
		made, _, err := r.Issues.CreateComment(ctx, r.owner, r.name, pullRequest, &github.IssueComment{Body: &body})
		id = made.GetID()
		return err
	})
	return id, err
}

// EditComment replaces the text of a comment. It returns false if somebody deleted the
// comment.
func (g *Client) EditComment(ctx context.Context, repository string, id int64, body string) (bool, error) {
	exists := true
	err := g.to.call(ctx, repository, "editing a comment", func(ctx context.Context, r repo) error {
		_, _, err := r.Issues.EditComment(ctx, r.owner, r.name, id, &github.IssueComment{Body: &body})
		if isStatus(err, http.StatusNotFound) {
			exists = false
			return nil
		}
		return err
	})
	return exists, err
}

// DeleteComment deletes a comment. It succeeds if the comment is gone already.
func (g *Client) DeleteComment(ctx context.Context, repository string, id int64) error {
	return g.to.call(ctx, repository, "deleting a comment", func(ctx context.Context, r repo) error {
		_, err := r.Issues.DeleteComment(ctx, r.owner, r.name, id)
		if isStatus(err, http.StatusNotFound) {
			return nil
		}
		return err
	})
}

// ownComment is a comment that the App wrote.
type ownComment struct {
	byApp
	ID   int64  `json:"id"`
	Body string `json:"body"`
}

// OwnComments returns the App's own comments on a pull request whose text starts
// with a marker, oldest first.
func (g *Client) OwnComments(ctx context.Context, repository string, pullRequest int, marker string) ([]ownComment, error) {
	var own []ownComment
	err := g.to.call(ctx, repository, "looking for our own comments", func(ctx context.Context, r repo) error {
		for page := 1; page > 0 && page <= pages; {
			var list []ownComment
			resp, err := r.get(ctx, r.path("issues/%d/comments?per_page=100&page=%d", pullRequest, page), &list)
			if err != nil {
				return err
			}
			for _, c := range list {
				if g.to.own(c.byApp) && strings.HasPrefix(c.Body, marker) {
					own = append(own, c)
				}
			}
			page = resp.NextPage
		}
		return nil
	})
	return own, err
}

// FindComment returns the id of the App's own comment on a pull request whose text starts
// with a marker: the oldest of several, 0 if there is none.
func (g *Client) FindComment(ctx context.Context, repository string, pullRequest int, marker string) (int64, error) {
	own, err := g.OwnComments(ctx, repository, pullRequest, marker)
	if err != nil || len(own) == 0 {
		return 0, err
	}
	return own[0].ID, nil
}

// deploymentPayload marks a deployment as the bot's, so that it is found after a crash and
// never mistaken for a workflow's.
type deploymentPayload struct {
	Release     string `json:"turnout_release"` // UID
	Application string `json:"turnout_application"`
}

// CreateDeployment makes the deployment of a release and returns its id.
func (g *Client) CreateDeployment(ctx context.Context, repository string, d report.Deployment) (int64, error) {
	var id int64
	err := g.to.call(ctx, repository, "creating a deployment", func(ctx context.Context, r repo) error {
		autoMerge := false
		contexts := []string{} // none: nil would ask for all of them
		made, _, err := r.Repositories.CreateDeployment(ctx, r.owner, r.name, &github.DeploymentRequest{
			Ref: &d.Ref, Task: &d.Task, Environment: &d.Environment, Description: &d.Description,
			AutoMerge: &autoMerge, RequiredContexts: &contexts,
			Payload: deploymentPayload{Release: d.ReleaseUID, Application: d.Application},
		})
		if err == nil && made.GetID() == 0 {
			return fmt.Errorf("GitHub answered without a deployment")
		}
		id = made.GetID()
		return err
	})
	return id, err
}

// FindDeployments returns the ids of the deployments that the App made for a release,
// oldest first. There is one, unless a request was executed late. A payload alone proves
// nothing, since any workflow can write it.
func (g *Client) FindDeployments(ctx context.Context, repository string, d report.Deployment) ([]int64, error) {
	login, err := g.to.botLogin(ctx)
	if err != nil {
		return nil, err
	}
	var found []int64
	err = g.to.call(ctx, repository, "looking for our own deployments", func(ctx context.Context, r repo) error {
		for page := 1; page > 0 && page <= pages; {
			var list []struct {
				ID      int64           `json:"id"`
				Payload json.RawMessage `json:"payload"`
				Creator account         `json:"creator"`
			}
			resp, err := r.get(ctx, r.path("deployments?ref=%s&task=%s&per_page=100&page=%d", d.Ref, d.Task, page), &list)
			if err != nil {
				return err
			}
			for _, made := range list {
				var p deploymentPayload
				if json.Unmarshal(made.Payload, &p) == nil && p.Release == d.ReleaseUID && made.Creator.Type == "Bot" && made.Creator.Login == login {
					found = append(found, made.ID)
				}
			}
			page = resp.NextPage
		}
		return nil
	})
	slices.Sort(found) // ids increase
	return found, err
}

// SetDeployment posts a state of a deployment.
func (g *Client) SetDeployment(ctx context.Context, repository string, id int64, d report.Deployment) error {
	return g.to.call(ctx, repository, "posting a deployment's state", func(ctx context.Context, r repo) error {
		autoInactive := false
		_, _, err := r.Repositories.CreateDeploymentStatus(ctx, r.owner, r.name, id, &github.DeploymentStatusRequest{
			State: (*string)(&d.State), Description: &d.Description, LogURL: optional(d.LogURL),
			EnvironmentURL: optional(d.EnvironmentURL), AutoInactive: &autoInactive,
		})
		return err
	})
}

// optional omits an empty field.
func optional(s string) *string {
	if s == "" {
		return nil
	}
	return &s
}

// DeploymentState returns the last state of a deployment.
func (g *Client) DeploymentState(ctx context.Context, repository string, id int64) (report.Deployment, error) {
	var last report.Deployment
	err := g.to.call(ctx, repository, "reading a deployment's state", func(ctx context.Context, r repo) error {
		var list []struct {
			State       report.DeploymentState `json:"state"`
			Description string                 `json:"description"`
			LogURL      string                 `json:"log_url"`
		}
		_, err := r.get(ctx, r.path("deployments/%d/statuses?per_page=1", id), &list)
		if err == nil && len(list) > 0 {
			last = report.Deployment{State: list[0].State, Description: list[0].Description, LogURL: list[0].LogURL}
		}
		return err
	})
	return last, err
}
