package githubtest

import (
	"errors"
	"fmt"
	"net/http"
	"slices"
	"time"
	"unicode/utf8"
)

// maxCommentBody is the longest comment that GitHub accepts, in characters.
const maxCommentBody = 65536

// Comment is a comment on an issue or a pull request.
type Comment struct {
	ID        int64
	Number    int // of the issue or pull request
	Author    *User
	App       *App // whose token wrote it; nil for a person
	Body      string
	CreatedAt time.Time
	UpdatedAt time.Time
	Edits     int // how often it was edited
	Reactions []Reaction

	is *issue
}

// Reaction is somebody's emoji under a comment.
type Reaction struct {
	ID        int64
	User      *User
	Content   string // +1 -1 laugh confused heart hooray rocket eyes
	CreatedAt time.Time
}

// Comment lets a person comment on the issue or pull request of a number.
func (r *Repository) Comment(number int, author *User, body string) (Comment, error) {
	r.server.mu.Lock()
	defer r.server.mu.Unlock()
	is := r.issue(int64(number))
	switch {
	case is == nil:
		return Comment{}, fmt.Errorf("commenting: %s has no issue or pull request #%d", r.FullName(), number)
	case r.role(author) == "none":
		return Comment{}, fmt.Errorf("commenting: %s may not read %s", author.Login, r.FullName())
	}
	if err := checkBody(body); err != nil {
		return Comment{}, fmt.Errorf("commenting on %s#%d: %w", r.FullName(), number, err)
	}
	return *r.addComment(is, author, nil, body), nil
}

// EditComment changes a comment as a person does in the browser. The editor need not be the author.
func (r *Repository) EditComment(id int64, editor *User, body string) error {
	r.server.mu.Lock()
	defer r.server.mu.Unlock()
	comment := r.comment(id)
	if comment == nil {
		return fmt.Errorf("editing: %s has no comment %d", r.FullName(), id)
	}
	if comment.Author != editor && !r.mayWrite(editor) {
		return fmt.Errorf("editing comment %d: %s is neither its author nor may write", id, editor.Login)
	}
	r.edit(comment, editor, body)
	return nil
}

// DeleteComment deletes a comment as a person does in the browser.
func (r *Repository) DeleteComment(id int64, by *User) error {
	r.server.mu.Lock()
	defer r.server.mu.Unlock()
	comment := r.comment(id)
	if comment == nil {
		return errors.New("deleting: there is no such comment")
	}
	r.remove(comment, by)
	return nil
}

// Comments returns the comments on an issue or pull request, oldest first.
func (r *Repository) Comments(number int) []Comment {
	r.server.mu.Lock()
	defer r.server.mu.Unlock()
	var list []Comment
	for _, comment := range r.commentsOn(int64(number)) {
		copied := *comment
		copied.Reactions = slices.Clone(comment.Reactions)
		list = append(list, copied)
	}
	return list
}

func (r *Repository) commentsOn(number int64) []*Comment {
	var list []*Comment
	for _, comment := range r.comments {
		if int64(comment.Number) == number {
			list = append(list, comment)
		}
	}
	return list
}

func (r *Repository) comment(id int64) *Comment {
	for _, comment := range r.comments {
		if comment.ID == id {
			return comment
		}
	}
	return nil
}

func (r *Repository) addComment(is *issue, author *User, app *App, body string) *Comment {
	comment := &Comment{
		ID: r.server.nextID(), Number: is.number, Author: author, App: app, Body: body,
		CreatedAt: now(), UpdatedAt: now(), is: is,
	}
	r.comments = append(r.comments, comment)
	is.updatedAt = now()
	r.server.sendComment(comment, author, "created", nil)
	r.server.notify()
	return comment
}

func (r *Repository) edit(comment *Comment, editor *User, body string) {
	before := comment.Body
	comment.Body, comment.UpdatedAt = body, now()
	comment.Edits++
	r.server.sendComment(comment, editor, "edited", map[string]any{"changes": map[string]any{"body": map[string]any{"from": before}}})
	r.server.notify()
}

func (r *Repository) remove(comment *Comment, by *User) {
	r.comments = slices.DeleteFunc(r.comments, func(other *Comment) bool { return other == comment })
	r.server.sendComment(comment, by, "deleted", nil)
	r.server.notify()
}

// checkBody enforces what GitHub's description of comments lacks.
func checkBody(body string) error {
	switch {
	case body == "":
		return invalid("IssueComment", "body", "body can't be blank")
	case utf8.RuneCountInString(body) > maxCommentBody:
		return invalid("IssueComment", "body", fmt.Sprintf("body is too long (maximum is %d characters)", maxCommentBody))
	}
	return nil
}

func listComments(c *call) (reply, error) {
	number := c.number("issue_number")
	if c.repo.issue(number) == nil {
		return reply{}, errNotFound
	}
	list := c.repo.commentsOn(number)
	if since, err := time.Parse(time.RFC3339, c.query("since")); err == nil {
		list = slices.DeleteFunc(list, func(comment *Comment) bool { return comment.UpdatedAt.Before(since) })
	}
	return listReply(c, list, func(comment *Comment) any { return c.commentJSON(comment) })
}

func createComment(c *call) (reply, error) {
	is := c.repo.issue(c.number("issue_number"))
	if is == nil {
		return reply{}, errNotFound
	}
	var sent struct{ Body string }
	if err := c.decode(&sent); err != nil {
		return reply{}, err
	}
	if err := checkBody(sent.Body); err != nil {
		return reply{}, err
	}
	comment := c.repo.addComment(is, c.app.bot, c.app, sent.Body)
	return reply{status: http.StatusCreated, body: c.commentJSON(comment)}, nil
}

// pathComment finds the comment in the path.
func (c *call) pathComment() (*Comment, error) {
	if comment := c.repo.comment(c.number("comment_id")); comment != nil {
		return comment, nil
	}
	return nil, errNotFound
}

func getComment(c *call) (reply, error) {
	comment, err := c.pathComment()
	if err != nil {
		return reply{}, err
	}
	return reply{body: c.commentJSON(comment)}, nil
}

func editComment(c *call) (reply, error) {
	comment, err := c.pathComment()
	if err != nil {
		return reply{}, err
	}
	var sent struct{ Body string }
	if err := c.decode(&sent); err != nil {
		return reply{}, err
	}
	if err := checkBody(sent.Body); err != nil {
		return reply{}, err
	}
	c.repo.edit(comment, c.app.bot, sent.Body)
	return reply{body: c.commentJSON(comment)}, nil
}

func deleteComment(c *call) (reply, error) {
	comment, err := c.pathComment()
	if err != nil {
		return reply{}, err
	}
	c.repo.remove(comment, c.app.bot)
	return reply{status: http.StatusNoContent}, nil
}

func listReactions(c *call) (reply, error) {
	comment, err := c.pathComment()
	if err != nil {
		return reply{}, err
	}
	list := slices.Clone(comment.Reactions)
	if content := c.query("content"); content != "" {
		list = slices.DeleteFunc(list, func(r Reaction) bool { return r.Content != content })
	}
	return listReply(c, list, func(r Reaction) any { return c.reactionJSON(r) })
}

// createReaction answers 201 for a new reaction, and 200 for one that the App's bot has
// given before.
func createReaction(c *call) (reply, error) {
	comment, err := c.pathComment()
	if err != nil {
		return reply{}, err
	}
	var sent struct{ Content string }
	if err := c.decode(&sent); err != nil {
		return reply{}, err
	}
	for _, r := range comment.Reactions {
		if r.User == c.app.bot && r.Content == sent.Content {
			return reply{body: c.reactionJSON(r)}, nil
		}
	}
	r := Reaction{ID: c.nextID(), User: c.app.bot, Content: sent.Content, CreatedAt: now()}
	comment.Reactions = append(comment.Reactions, r)
	return reply{status: http.StatusCreated, body: c.reactionJSON(r)}, nil
}

func deleteReaction(c *call) (reply, error) {
	comment, err := c.pathComment()
	if err != nil {
		return reply{}, err
	}
	id, before := c.number("reaction_id"), len(comment.Reactions)
	comment.Reactions = slices.DeleteFunc(comment.Reactions, func(r Reaction) bool {
		return r.ID == id && r.User == c.app.bot
	})
	if len(comment.Reactions) == before {
		return reply{}, errNotFound
	}
	return reply{status: http.StatusNoContent}, nil
}
