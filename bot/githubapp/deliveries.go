package githubapp

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/google/go-github/v60/github"
)

// LostDelivery is a webhook without a successful attempt.
type LostDelivery struct {
	ID    int64
	GUID  string
	Event string
}

// LostDeliveries lists the deliveries since a time that concern the bot and have no
// successful attempt, oldest first. It does not let GitHub filter by failures: that filter
// misses timeouts and broken connections (REST docs, "List deliveries for an app webhook":
// 400 to 599).
func (g *Client) LostDeliveries(ctx context.Context, since time.Time) ([]LostDelivery, error) {
	ok := map[string]bool{}
	var failed []LostDelivery
	cursor := ""
	for range pages {
		list, next, err := g.to.deliveryPage(ctx, cursor)
		if err != nil {
			return nil, err
		}
		old := false
		for _, d := range list {
			old = old || d.GetDeliveredAt().Before(since)
			switch {
			case d.GetStatus() == "OK":
				ok[d.GetGUID()] = true
			case d.GetEvent() == "push" || (d.GetEvent() == "issue_comment" && d.GetAction() == "created"):
				failed = append(failed, LostDelivery{d.GetID(), d.GetGUID(), d.GetEvent()})
			}
		}
		if cursor = next; cursor == "" || old {
			break
		}
	}
	slices.Reverse(failed)
	seen := map[string]bool{}
	return slices.DeleteFunc(failed, func(d LostDelivery) bool {
		again := ok[d.GUID] || seen[d.GUID]
		seen[d.GUID] = true
		return again
	}), nil
}

func (g *connections) deliveryPage(ctx context.Context, cursor string) ([]*github.HookDelivery, string, error) {
	ctx, cancel := context.WithTimeout(ctx, g.timeout)
	defer cancel()
	list, resp, err := g.app.Apps.ListHookDeliveries(ctx, &github.ListCursorOptions{PerPage: 100, Cursor: cursor})
	if err != nil {
		return nil, "", fmt.Errorf("listing the App's webhook deliveries: %w", err)
	}
	return list, resp.Cursor, nil
}

// DeliveryPayload returns the body of a delivery.
func (g *Client) DeliveryPayload(ctx context.Context, id int64) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, g.to.timeout)
	defer cancel()
	d, _, err := g.to.app.Apps.GetHookDelivery(ctx, id)
	if err != nil {
		return nil, fmt.Errorf("reading a webhook delivery: %w", err)
	}
	if d.Request == nil || d.Request.RawPayload == nil {
		return nil, errors.New("reading a webhook delivery: GitHub did not keep its payload")
	}
	return *d.Request.RawPayload, nil
}
