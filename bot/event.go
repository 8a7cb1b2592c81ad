package bot

import (
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"github.com/turnout-dev/turnout/api/v1alpha1"
)

// Event is what the bot needs from a webhook. At most one of its pointers is set; if none
// is, the event does not concern the bot.
type Event struct {
	// Delivery is GitHub's id of the delivery. A redelivery has the same.
	Delivery string
	// Name is the event with its action, such as "issue_comment.created".
	Name string

	Push    *Push
	Comment *Comment
}

// Push is a push that moved a branch to a new head.
type Push struct {
	Repository string // owner/name
	// RepositoryID is the repository's number, 0 if unknown.
	RepositoryID int64
	Branch       string // without refs/heads/
	Commit       string // full hash of the new head
	Before       string // full hash of the head before; empty if the branch is new
	Actor        string // login of the pusher
	URL          string // page of the commit
}

// Comment is a new comment on a pull request.
type Comment struct {
	ID         int64
	Repository string // owner/name
	// RepositoryID is the repository's number, 0 if unknown.
	RepositoryID int64
	PullRequest  int
	Body         string // untrusted
	URL          string
	Author       Account
	Sender       Account
	// ViaApp is the id of the App that wrote it, as a bot or for a person; 0 if a person
	// typed it.
	ViaApp    int64
	WrittenAt time.Time
}

// Account is a user, a bot or an organization on GitHub.
type Account struct {
	ID    int64
	Login string
	Type  string // User, Bot or Organization
}

// person is the type of a human's [Account].
const person = "User"

// Decode turns the body of a webhook into an [Event]. If it does not concern the bot (a
// deleted branch, a tag, a comment on an issue), the Event has neither Push nor Comment. The body of an event
// that never does is not read: an App may be subscribed to many.
func Decode(event, delivery string, body []byte) (Event, error) {
	if event != "push" && event != "issue_comment" {
		return Event{Delivery: delivery, Name: event}, nil
	}
	var p payload
	if err := json.Unmarshal(body, &p); err != nil {
		return Event{}, fmt.Errorf("decoding the webhook %s: %w", event, err)
	}
	e := Event{Delivery: delivery, Name: event}
	if p.Action != "" {
		e.Name += "." + p.Action
	}
	switch e.Name {
	case "push":
		e.Push = p.push()
	case "issue_comment.created":
		e.Comment = p.comment()
	}
	return e, nil
}

// payload is the part of GitHub's webhooks that the bot reads: see the schemas webhook-push
// and webhook-issue-comment-created of its REST description.
type payload struct {
	Action     string `json:"action"`
	Ref        string `json:"ref"`
	Before     string `json:"before"`
	After      string `json:"after"`
	Deleted    bool   `json:"deleted"`
	Repository struct {
		ID       int64  `json:"id"`
		FullName string `json:"full_name"`
		HTMLURL  string `json:"html_url"`
	} `json:"repository"`
	Sender payloadAccount `json:"sender"`
	Pusher struct {
		Name string `json:"name"`
	} `json:"pusher"`
	Issue struct {
		Number      int       `json:"number"`
		PullRequest *struct{} `json:"pull_request"`
	} `json:"issue"`
	Comment struct {
		ID        int64          `json:"id"`
		Body      string         `json:"body"`
		HTMLURL   string         `json:"html_url"`
		User      payloadAccount `json:"user"`
		CreatedAt time.Time      `json:"created_at"`
		ViaApp    *struct {
			ID int64 `json:"id"`
		} `json:"performed_via_github_app"`
	} `json:"comment"`
}

type payloadAccount struct {
	ID    int64  `json:"id"`
	Login string `json:"login"`
	Type  string `json:"type"`
}

func (p *payload) push() *Push {
	branch, isBranch := strings.CutPrefix(p.Ref, "refs/heads/")
	if !isBranch || branch == "" || p.Deleted || !v1alpha1.IsCommit(p.After) || strings.Trim(p.After, "0") == "" {
		return nil
	}
	actor := p.Sender.Login
	if actor == "" { // pushes with a deploy key have no sender
		actor = p.Pusher.Name
	}
	before := p.Before
	if !v1alpha1.IsCommit(before) || strings.Trim(before, "0") == "" {
		before = "" // the branch is new
	}
	return &Push{
		Repository: p.Repository.FullName, RepositoryID: p.Repository.ID,
		Branch: branch,
		Commit: p.After,
		Before: before,
		Actor:  actor,
		URL:    p.Repository.HTMLURL + "/commit/" + p.After,
	}
}

func (p *payload) comment() *Comment {
	if p.Issue.PullRequest == nil {
		return nil
	}
	viaApp := int64(0)
	if app := p.Comment.ViaApp; app != nil {
		viaApp = app.ID
	}
	return &Comment{
		ViaApp:     viaApp,
		ID:         p.Comment.ID,
		Repository: p.Repository.FullName, RepositoryID: p.Repository.ID,
		PullRequest: p.Issue.Number,
		Body:        p.Comment.Body,
		URL:         p.Comment.HTMLURL,
		Author:      Account(p.Comment.User),
		Sender:      Account(p.Sender),
		WrittenAt:   p.Comment.CreatedAt,
	}
}
