package githubapp

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"time"

	"github.com/google/go-github/v60/github"
)

// LostDelivery is a webhook without a successful attempt.
type LostDelivery struct {
	ID    int64
	GUID  string
	Event string

	// At is when it was sent.
	At time.Time
}

// Stretch is a part of the list of the App's deliveries: all that were sent since a time, or
// those before a page that was read. GitHub lists the newest first.
type Stretch struct {
	Since time.Time
	// failed: only those that were answered with 400 to 599.
	failed bool
	cursor string // of the next page; empty: the newest
}

// Whole is the stretch from the newest delivery on: GitHub may have forgotten its cursor.
func (s Stretch) Whole() Stretch { return Stretch{Since: s.Since, failed: s.failed} }

// How many pages of 100 deliveries one search reads, and as many again of the rest. The App has 5,000 requests an hour, and
// each lost delivery costs one more.
const (
	// maxFailed is for the list that GitHub filters by failures. When Kubernetes was away, all
	// that matters is there.
	maxFailed = 60
	// maxListed is for the list of all deliveries.
	maxListed = 30
)

// LostDeliveries lists the deliveries since a time that concern the bot and have no
// successful attempt, oldest first. It reads two lists: those that were answered with an
// error, which GitHub filters, and all. The filter alone misses timeouts and broken
// connections (REST docs, "List deliveries for an app webhook": 400 to 599).
//
// A list may be longer than one search may read. The rest is returned: pass it to the next
// search, or these deliveries are never looked at. After an error, search the same again; what was
// found is returned all the same.
func (g *Client) LostDeliveries(ctx context.Context, since time.Time, rest []Stretch) ([]LostDelivery, []Stretch, error) {
	s := search{answered: map[string]bool{}}
	s.pages = map[bool]int{true: maxFailed, false: maxListed}
	s.read(ctx, g.to, Stretch{Since: since, failed: true})
	s.read(ctx, g.to, Stretch{Since: since})
	s.pages = map[bool]int{true: maxFailed, false: maxListed} // or the newest would leave nothing for the rest
	for _, stretch := range rest {
		s.read(ctx, g.to, stretch)
	}
	slices.SortStableFunc(s.lost, func(a, b LostDelivery) int { return a.At.Compare(b.At) })
	seen := map[string]bool{}
	lost := slices.DeleteFunc(s.lost, func(d LostDelivery) bool {
		again := s.answered[d.GUID] || seen[d.GUID]
		seen[d.GUID] = true
		return again
	})
	return lost, s.left, errors.Join(s.errs...)
}

// search is one search for lost deliveries.
type search struct {
	pages    map[bool]int    // that may still be read, of failures and of all
	answered map[string]bool // GUIDs with a successful attempt
	lost     []LostDelivery
	left     []Stretch
	errs     []error
}

// read reads a stretch as far as it may.
func (s *search) read(ctx context.Context, to *connections, of Stretch) {
	for ; s.pages[of.failed] > 0; s.pages[of.failed]-- {
		page, next, err := to.deliveryPage(ctx, of)
		if err != nil {
			s.errs = append(s.errs, err)
			return
		}
		old := false
		for _, d := range page {
			s.take(d)
			old = old || d.GetDeliveredAt().Before(of.Since)
		}
		if of.cursor = next; next == "" || old {
			return
		}
	}
	s.left = append(s.left, of)
}

func (s *search) take(d *github.HookDelivery) {
	switch {
	case d.GetStatus() == "OK":
		s.answered[d.GetGUID()] = true
	case d.GetEvent() == "push" || (d.GetEvent() == "issue_comment" && d.GetAction() == "created"):
		s.lost = append(s.lost, LostDelivery{d.GetID(), d.GetGUID(), d.GetEvent(), d.GetDeliveredAt().Time})
	}
}

// deliveryPage reads the next page of a stretch. go-github v60 cannot ask for failures alone.
func (g *connections) deliveryPage(ctx context.Context, of Stretch) ([]*github.HookDelivery, string, error) {
	ctx, cancel := context.WithTimeout(ctx, g.timeout)
	defer cancel()
	query := url.Values{"per_page": {"100"}}
	if of.cursor != "" {
		query.Set("cursor", of.cursor)
	}
	if of.failed {
		query.Set("status", "failure")
	}
	request, err := g.app.NewRequest(http.MethodGet, "app/hook/deliveries?"+query.Encode(), nil)
	if err != nil {
		return nil, "", fmt.Errorf("listing the App's webhook deliveries: %w", err)
	}
	var list []*github.HookDelivery
	resp, err := g.app.Do(ctx, request, &list)
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
