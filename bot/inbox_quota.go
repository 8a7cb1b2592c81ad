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

// permissionLife is how long a permission is cached. The cache decides only whether and how
// somebody is answered.
const permissionLife = time.Minute

// permissions caches what people may do. No command is executed because of it. The zero
// value is ready.
type permissions struct {
	known expiring[string, string]
}

// ask returns what somebody may do, or could do within the last minute; now says that GitHub was
// asked for it.
func (p *permissions) ask(ctx context.Context, github *githubapp.Client, repository, login string) (has string, now bool, err error) {
	who := strings.ToLower(repository + " " + login)
	if has, _, found := p.known.get(who, permissionLife); found {
		return has, false, nil
	}
	if has, err = github.Permission(ctx, repository, login); err != nil {
		return "", false, err
	}
	p.known.put(who, has)
	return has, true, nil
}

// How many comments by people without permission are answered in an hour. Each answer is
// two writes to GitHub, which allows an App 500 an hour for content (GitHub docs, "Rate
// limits for the REST API"). Commands need the rest.
const (
	quotaTime   = time.Hour
	threadQuota = 10  // per person and pull request
	personQuota = 30  // per person
	totalQuota  = 100 // all people together, per owner of repositories
)

// quotas counts the answers. The zero value is ready; a restart resets them.
type quotas struct {
	mu     sync.Mutex
	counts expiring[string, *int]     // of the hour that began with the first answer
	taken  expiring[string, struct{}] // deliveries that were counted
}

// take counts a delivery once, and reports whether it may be answered.
func (q *quotas) take(d *v1alpha1.Delivery) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	if _, _, counted := q.taken.get(d.Name, quotaTime); counted {
		return true
	}
	c := d.Spec.Comment
	owner, _, _ := strings.Cut(strings.ToLower(d.Spec.Repository), "/")
	person := owner + " " + strings.ToLower(c.Author)
	thread := fmt.Sprintf("%s %s#%d", person, strings.ToLower(d.Spec.Repository), c.PullRequest)
	all, own, here := q.of(owner), q.of(person), q.of(thread)
	if *all >= totalQuota || *own >= personQuota || *here >= threadQuota {
		return false
	}
	*all++
	*own++
	*here++
	q.taken.put(d.Name, struct{}{})
	return true
}

// of returns the counter of this hour.
func (q *quotas) of(whose string) *int {
	n, _, found := q.counts.get(whose, quotaTime)
	if !found {
		n = new(int)
		q.counts.put(whose, n)
	}
	return n
}
