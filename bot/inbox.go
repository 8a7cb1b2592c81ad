package bot

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/turnout-dev/turnout/api/v1alpha1"
	"github.com/turnout-dev/turnout/bot/command"
	"github.com/turnout-dev/turnout/bot/githubapp"
	"github.com/turnout-dev/turnout/internal/prose"
)

// Deliveries stores webhooks until they are handled, and for some days after that. It never
// caches.
type Deliveries interface {
	// Put stores a delivery durably. If the name exists, it writes nothing and returns
	// created false.
	Put(ctx context.Context, d *v1alpha1.Delivery) (created bool, err error)

	// Get returns a delivery, or ErrNotFound.
	Get(ctx context.Context, name string) (*v1alpha1.Delivery, error)

	// List returns all deliveries.
	List(ctx context.Context) ([]v1alpha1.Delivery, error)

	// Update replaces a delivery, or returns ErrRace if it was written since it was read.
	// On success d is the stored one.
	Update(ctx context.Context, d *v1alpha1.Delivery) error

	// Delete deletes a delivery as it was read. If it is missing, or another one has its name, that
	// is not an error.
	Delete(ctx context.Context, d *v1alpha1.Delivery) error
}

// ErrRace says that somebody else wrote the delivery, or what was published, since it was read.
var ErrRace = errors.New("it was written by somebody else")

// Inbox handles events durably. The webhook and the sweep of every replica store them with
// [Inbox.Handle], and the leader handles them with [Inbox.Work]. A push becomes a Deploy of
// every application of its branch. A command becomes a release, an approval, a cancel or a
// lock, or gets an answer. The same event may arrive twice under any id, but is handled
// once.
type Inbox struct {
	Record     Record
	Deliveries Deliveries
	GitHub     *githubapp.Client
	// TrustedBots are the numeric ids of bots that may give commands.
	TrustedBots []int64
	// TrustedApps are the numeric ids of Apps through which people may give commands.
	TrustedApps []int64
	// Holder names this process, uniquely, and differently after a restart.
	Holder string
	// Grace is how long to wait before looking for a reply that may have been posted.
	// Default: 10 s.
	Grace time.Duration
	// Backoff is the wait after the first failure; each further one doubles it. Default: 1
	// s.
	Backoff time.Duration
	// Settled, if set, is called with every delivery that is finished.
	Settled func(d *v1alpha1.Delivery)
	Log     *slog.Logger

	puts        puts
	stored      expiring[string, struct{}] // deliveries of pushes that this process found or made durable
	pushes      turns
	permissions permissions
	quotas      quotas
	suspects    sync.Mutex // held while handling a delivery that may have ended a process
}

// Handle stores an event that has to be handled. It neither handles it nor calls GitHub.
// After an error the event is not durable, and must come again.
func (in *Inbox) Handle(ctx context.Context, e Event) error {
	var d *v1alpha1.Delivery
	var err error
	switch {
	case e.Push != nil:
		d, err = in.pushed(ctx, *e.Push)
	case e.Comment != nil:
		d, err = in.commented(ctx, *e.Comment)
	}
	if err != nil || d == nil {
		return err
	}
	d.Spec.Delivery = prose.Characters(e.Delivery, v1alpha1.MaxDeliveryID)
	d.Spec.Event = prose.Characters(e.Name, v1alpha1.MaxDeliveryEvent)
	d.Spec.ReceivedAt = metav1.NowMicro()
	if _, _, found := in.stored.get(d.Name, storedFor); found {
		in.Log.InfoContext(ctx, "delivery came again", "name", d.Name, "delivery", d.Spec.Delivery, "event", e.Name)
		return nil
	}
	created, err := in.puts.put(ctx, in.Deliveries, d)
	if err != nil {
		return fmt.Errorf("recording the delivery %s: %w", d.Name, err)
	}
	if e.Push != nil {
		in.stored.put(d.Name, struct{}{})
	}
	in.Log.InfoContext(ctx, "delivery recorded", "name", d.Name, "delivery", d.Spec.Delivery, "event", e.Name, "created", created)
	return nil
}

// storedFor is how long the delivery of a push is known without asking Kubernetes. If it is deleted
// meanwhile, it was handled, and another one of the same push would change nothing.
const storedFor = time.Minute

// atOnce is how many deliveries are stored at once. When Kubernetes is slow, the others wait here
// and not there, where they would keep this process from renewing its lease as the leader.
const atOnce = 16

// puts bounds the writes under way. The zero value is ready.
type puts struct {
	once   sync.Once
	places chan struct{}
}

// put stores a delivery when its turn comes.
func (p *puts) put(ctx context.Context, to Deliveries, d *v1alpha1.Delivery) (created bool, err error) {
	p.once.Do(func() { p.places = make(chan struct{}, atOnce) })
	select {
	case p.places <- struct{}{}:
	case <-ctx.Done():
		return false, fmt.Errorf("%d others are being written: %w", atOnce, ctx.Err())
	}
	defer func() { <-p.places }()
	return to.Put(ctx, d) //nolint:wrapcheck // Handle wraps it
}

// pushed makes the delivery of a push to a branch that some application follows; nil for
// other pushes. Its name has both commits: a branch that was reset may reach the same
// commit again, from another one.
func (in *Inbox) pushed(ctx context.Context, p Push) (*v1alpha1.Delivery, error) {
	apps, err := in.Record.Applications(ctx, p.Repository, p.RepositoryID)
	if err != nil {
		return nil, fmt.Errorf("reading the applications of %s: %w", p.Repository, err)
	}
	if !slices.ContainsFunc(apps, func(app v1alpha1.BlueGreen) bool { return app.Spec.Branch == p.Branch }) {
		return nil, nil
	}
	d := newDelivery(ofPush, p.Repository, p.Branch, p.Before, p.Commit)
	d.Spec.RepositoryID = p.RepositoryID
	d.Spec.Push = &v1alpha1.DeliveredPush{
		Branch: p.Branch, Commit: p.Commit, Before: p.Before, Actor: prose.Characters(p.Actor, v1alpha1.MaxDeliveryLogin), URL: shortURL(p.URL),
	}
	return d, nil
}

// commented makes the delivery of a comment that may have a command, by somebody whose
// commands count, in a repository with applications; nil for other comments. Its name has
// the comment's id.
func (in *Inbox) commented(ctx context.Context, c Comment) (*v1alpha1.Delivery, error) {
	if !command.MayHold(c.Body) || !in.listens(c) {
		return nil, nil
	}
	apps, err := in.Record.Applications(ctx, c.Repository, c.RepositoryID)
	if err != nil {
		return nil, fmt.Errorf("reading the applications of %s: %w", c.Repository, err)
	}
	if len(apps) == 0 {
		return nil, nil // not granted, or not ours: no request to GitHub
	}
	d := newDelivery(ofComment, c.Repository, strconv.FormatInt(c.ID, 10))
	d.Spec.RepositoryID = c.RepositoryID
	d.Spec.Comment = &v1alpha1.DeliveredComment{
		ID: c.ID, PullRequest: c.PullRequest, Body: c.Body, URL: shortURL(c.URL),
		Author:    prose.Characters(c.Author.Login, v1alpha1.MaxDeliveryLogin),
		WrittenAt: metav1.NewTime(c.WrittenAt),
	}
	if len(c.Body) > command.MaxParsed {
		if _, err := command.Parse(c.Body); err == nil { // it has no command
			return nil, nil
		}
		d.Spec.Comment.Body, d.Spec.Comment.TooLong = "", true
	}
	return d, nil
}

// The kinds of deliveries. Their names begin with them, and a dash.
const (
	ofPush    = "push"
	ofComment = "comment"
)

// newDelivery makes a delivery whose name identifies its event. GitHub's repository names
// ignore case.
func newDelivery(kind, repository string, key ...string) *v1alpha1.Delivery {
	sum := sha256.Sum256([]byte(strings.Join(append([]string{kind, strings.ToLower(repository)}, key...), "\n")))
	return &v1alpha1.Delivery{
		TypeMeta:   metav1.TypeMeta{APIVersion: v1alpha1.GroupVersion.String(), Kind: "Delivery"},
		ObjectMeta: metav1.ObjectMeta{Name: kind + "-" + hex.EncodeToString(sum[:16])},
		Spec:       v1alpha1.DeliverySpec{Repository: repository},
	}
}

// shortURL omits an address that is longer than any of GitHub's.
func shortURL(url string) string {
	if len(url) > v1alpha1.MaxDeliveryURL {
		return ""
	}
	return url
}

// listens reports whether the commands of a comment's author count: the event's sender
// wrote the comment, and is a person or a trusted bot. A login that ends in [bot] proves
// nothing, since everybody may make an App. A comment that an App writes for a person
// counts as the App's.
func (in *Inbox) listens(c Comment) bool {
	switch {
	case c.Sender.ID == 0 || c.Sender.ID != c.Author.ID:
		return false
	case slices.Contains(in.TrustedBots, c.Sender.ID):
		return true
	case c.Sender.Type != person || c.Author.Type != person:
		return false
	}
	return c.ViaApp == 0 || slices.Contains(in.TrustedApps, c.ViaApp)
}

// longestBackoff is the longest wait between two attempts, unless GitHub asks for a longer
// one.
const longestBackoff = time.Minute

// backoff is the wait after a number of attempts.
func (in *Inbox) backoff(attempts int32) time.Duration {
	wait := in.Backoff
	if wait <= 0 {
		wait = time.Second
	}
	for ; attempts > 1 && wait < longestBackoff; attempts-- {
		wait *= 2
	}
	return min(wait, longestBackoff)
}
