package bot

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/turnout-dev/turnout/api/v1alpha1"
	"github.com/turnout-dev/turnout/bot/githubapp"
)

// permissionLife is how long it is believed what somebody may do, where nothing
// depends on it but whether and how they are answered.
const permissionLife = time.Minute

// maxRemembered bounds what is remembered of people, who are as many as like.
const maxRemembered = 10000

// permissions remember for a moment what people may do. Nothing is executed on
// their word. The zero value is ready.
type permissions struct {
	mu    sync.Mutex
	known map[string]permission
}

type permission struct {
	has string
	at  time.Time
}

// ask returns what somebody may do, or could lately.
func (p *permissions) ask(ctx context.Context, github *githubapp.Client, repository, login string) (string, error) {
	who := strings.ToLower(repository + " " + login)
	p.mu.Lock()
	known, found := p.known[who]
	p.mu.Unlock()
	if found && time.Since(known.at) < permissionLife {
		return known.has, nil
	}
	has, err := github.Permission(ctx, repository, login)
	if err != nil {
		return "", err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.known == nil || len(p.known) >= maxRemembered {
		p.known = map[string]permission{}
	}
	p.known[who] = permission{has, time.Now()}
	return has, nil
}

// How many comments of people who may not command are answered in an hour. Each
// answer is two writes to GitHub, which allows an App 500 an hour for content
// (GitHub docs, "Rate limits for the REST API"); commands need the rest.
const (
	quotaTime   = time.Hour
	threadQuota = 10  // of one person on one pull request
	personQuota = 30  // of one person
	totalQuota  = 100 // of all of them in one owner's repositories
)

// quotas count the answers. The zero value is ready; a restart forgets.
type quotas struct {
	mu     sync.Mutex
	began  time.Time
	counts map[string]int
	taken  map[string]bool // deliveries that were counted
}

// take counts a delivery, once, and reports whether it may be answered.
func (q *quotas) take(d *v1alpha1.Delivery) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.counts == nil || time.Since(q.began) > quotaTime || len(q.counts) >= maxRemembered {
		q.began, q.counts, q.taken = time.Now(), map[string]int{}, map[string]bool{}
	}
	if q.taken[d.Name] {
		return true
	}
	c := d.Spec.Comment
	owner, _, _ := strings.Cut(strings.ToLower(d.Spec.Repository), "/")
	person := owner + " " + strings.ToLower(c.Author)
	thread := fmt.Sprintf("%s %s#%d", person, strings.ToLower(d.Spec.Repository), c.PullRequest)
	if q.counts[owner] >= totalQuota || q.counts[person] >= personQuota || q.counts[thread] >= threadQuota {
		return false
	}
	q.counts[owner]++
	q.counts[person]++
	q.counts[thread]++
	q.taken[d.Name] = true
	return true
}
