package githubtest

import (
	"net/http"
	"slices"
)

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
