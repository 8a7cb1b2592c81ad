package bot_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/types"

	"github.com/turnout-dev/turnout/api/v1alpha1"
	"github.com/turnout-dev/turnout/bot"
	"github.com/turnout-dev/turnout/bot/bottest"
	"github.com/turnout-dev/turnout/bot/githubtest"
)

// lastAnswer returns the bot's newest comment on a pull request.
func (w *world) lastAnswer(number int) string {
	w.t.Helper()
	answers := w.answers(number)
	if len(answers) == 0 {
		return ""
	}
	return answers[len(answers)-1]
}

// expectSaid writes a comment and checks the reaction and the bot's last answer.
func (w *world) expectSaid(number int, who *githubtest.User, body, reaction string, says ...string) {
	w.t.Helper()
	before := len(w.answers(number))
	c := w.say(number, who, body)
	if got := reactions(c); got != reaction {
		w.t.Errorf("%s: reactions %q, want %q alone", body, got, reaction)
	}
	after := w.answers(number)
	if len(says) == 0 {
		if len(after) != before {
			w.t.Errorf("%s: answered %q, want the reaction alone", body, after[len(after)-1])
		}
		return
	}
	if len(after) != before+1 {
		w.t.Fatalf("%s: %d answers, want one with %q", body, len(after)-before, says)
	}
	for _, part := range says {
		if !strings.Contains(after[before], part) {
			w.t.Errorf("%s: answered %q, want …%s…", body, after[before], part)
		}
	}
}

func (w *world) lock() *v1alpha1.Lock {
	w.t.Helper()
	app := bottest.Shop()
	now, err := w.record.Application(w.t.Context(), keyOf(&app))
	check(w.t, err)
	return now.Status.Lock
}

// deliverAgain sends the webhook of a comment again, changed by change, as GitHub does when
// somebody requests a redelivery.
func (w *world) deliverAgain(c githubtest.Comment, change func([]byte) []byte) {
	w.t.Helper()
	d := w.delivered("issue_comment", func(d githubtest.Delivery) bool {
		return d.Action == "created" && strings.Contains(string(d.Payload), fmt.Sprintf(`"id":%d,`, c.ID))
	})
	body := change(d.Payload)
	req, err := http.NewRequestWithContext(w.t.Context(), http.MethodPost, w.hooks.URL, bytes.NewReader(body))
	check(w.t, err)
	req.Header = http.Header{
		"Content-Type": {"application/json"}, "X-Github-Event": {"issue_comment"}, "X-Github-Delivery": {d.GUID},
		"X-Hub-Signature-256": {bot.Sign(secret, body)},
	}
	resp, err := http.DefaultClient.Do(req)
	check(w.t, err)
	check(w.t, resp.Body.Close())
	if resp.StatusCode != http.StatusAccepted {
		w.t.Errorf("the webhook is answered %d, want 202", resp.StatusCode)
	}
}

func TestABuildIsCancelledAndThenRetried(t *testing.T) {
	w := newWorld(t)
	pr, commit := w.merge("feature")
	name := v1alpha1.DeployName("shop", commit, 1)
	w.record.change(name, func(r *v1alpha1.Release) {
		advance(r, v1alpha1.ReleaseRunning)
		r.Status.Step = v1alpha1.StepBuild
	})
	w.expectSaid(pr.Number, w.writer, "/retry", "-1", "still running")
	w.expectSaid(pr.Number, w.writer, "/cancel "+commit[:7], "rocket", "is being cancelled", "`v1.0.0` stays live", "`/retry`")
	cancel := w.only().Spec.Cancel
	if cancel == nil || cancel.By != "wanda" || cancel.Cause.CommentID == 0 || cancel.At.IsZero() ||
		!strings.Contains(cancel.Reason, "at the step build") {
		t.Fatalf("cancel %+v, want one by wanda with time, cause and step", cancel)
	}
	w.expectSaid(pr.Number, w.writer, "/cancel", "+1", "cancelled by wanda already")

	w.record.change(name, func(r *v1alpha1.Release) { advance(r, v1alpha1.ReleaseCancelled) })
	w.expectSaid(pr.Number, w.writer, "/cancel", "+1", "nothing to cancel")
	c := w.say(pr.Number, w.writer, "/retry")
	all := w.all()
	if len(all) != 2 || all[0].Spec.Deploy.Attempt != 2 || all[0].Spec.Approval != nil || all[0].Spec.Cause.CommentID != c.ID {
		t.Fatalf("releases %+v, want a second attempt by the comment, not approved", all)
	}
	if got := reactions(c); got != "eyes" {
		t.Errorf("reactions %q, want eyes until it has ended", got)
	}
}

// TestACommentThatComesTwiceIsExecutedOnce: each release ends before the comment comes
// again, so the same command could start another one. While its delivery is kept, it gets
// no answer. Later, however late, its author does not read that it was not executed.
func TestACommentThatComesTwiceIsExecutedOnce(t *testing.T) {
	for _, verb := range []string{"/promote", "/retry"} {
		w := newWorld(t)
		pr, commit := w.merge("feature")
		w.record.change(v1alpha1.DeployName("shop", commit, 1), func(r *v1alpha1.Release) { advance(r, v1alpha1.ReleaseError) })
		c := w.say(pr.Number, w.writer, verb)
		w.record.change(v1alpha1.DeployName("shop", commit, 2), func(r *v1alpha1.Release) { advance(r, v1alpha1.ReleaseError) })
		before := len(w.answers(pr.Number))
		w.deliverAgain(c, bytes.Clone)
		if n := len(w.answers(pr.Number)); n != before {
			t.Errorf("%s: answered %q to a second delivery, want silence", verb, w.lastAnswer(pr.Number))
		}
		w.forgetDeliveries()
		w.deliverAgain(c, late)
		if n := len(w.all()); n != 2 {
			t.Errorf("%s: %d releases after a second delivery, want 2", verb, n)
		}
		if last := w.lastAnswer(pr.Number); !strings.Contains(last, "asked before") {
			t.Errorf("%s: after its delivery was deleted it is answered %q, want the answer for a repeated request", verb, last)
		}
	}
	w := newWorld(t)
	pr, commit := w.merge("feature")
	c := w.say(pr.Number, w.writer, "/cancel")
	w.record.change(v1alpha1.DeployName("shop", commit, 1), func(r *v1alpha1.Release) { advance(r, v1alpha1.ReleaseCancelled) })
	w.say(pr.Number, w.writer, "/retry")
	w.forgetDeliveries()
	w.deliverAgain(c, bytes.Clone)
	if all := w.all(); len(all) != 2 || all[0].Spec.Cancel != nil {
		t.Errorf("the second delivery of a /cancel reached the next attempt: %+v", all[0].Spec.Cancel)
	}
}

// forgetDeliveries lets time pass: handled deliveries are deleted.
func (w *world) forgetDeliveries() {
	w.t.Helper()
	all, err := w.record.List(w.t.Context())
	check(w.t, err)
	for i := range all {
		check(w.t, w.record.Delete(w.t.Context(), &all[i]))
	}
}

var createdAt = regexp.MustCompile(`"created_at":"[^"]+"`)

// late changes a comment's payload to one written 16 minutes ago.
func late(payload []byte) []byte {
	then := time.Now().Add(-16 * time.Minute).UTC().Format(time.RFC3339)
	i := bytes.Index(payload, []byte(`"comment":{`))
	return append(bytes.Clone(payload[:i]), createdAt.ReplaceAll(payload[i:], []byte(`"created_at":"`+then+`"`))...)
}

func TestLateCommandsAreAnsweredNotExecuted(t *testing.T) {
	away := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusServiceUnavailable) }))
	defer away.Close()
	for _, verb := range []string{
		"/promote", "/rollback", "/cancel", "/retry", "/lock the sale is on", "/unlock", "/status", "/help",
		"/promtoe",
	} {
		w := newWorld(t)
		pr, _ := waiting(w)
		w.app.SetWebhookURL(away.URL)
		c, err := w.repo.Comment(pr.Number, w.writer, verb)
		check(t, err)
		w.deliverAgain(c, late)
		rel := w.only()
		if rel.Spec.Approval != nil || rel.Spec.Cancel != nil || w.lock() != nil {
			t.Errorf("%s was executed 16 minutes late", verb)
		}
		last := w.lastAnswer(pr.Number)
		switch verb {
		case "/status", "/help":
			if !strings.Contains(last, "is live on blue") {
				t.Errorf("%s is answered %q, want what is live", verb, last)
			}
		case "/promtoe":
			if last != "" {
				t.Errorf("%s is answered %q, want silence", verb, last)
			}
		default:
			if !strings.Contains(last, "I was away") || !strings.Contains(last, "ask again: `"+verb+"`") {
				t.Errorf("%s is answered %q, want what to type again", verb, last)
			}
		}
	}
}

func TestALockIsShownWhereverSomethingWaitsForIt(t *testing.T) {
	w := newWorld(t)
	otto := w.github.AddUser("otto")
	check(t, w.repo.SetRole(otto, "write"))
	pr, rel := waiting(w)
	w.expectSaid(pr.Number, w.writer, "/unlock", "+1", "`shop` is not locked")
	w.expectSaid(pr.Number, w.writer, "/lock shop @root <b>moves</b> `it`", "rocket",
		"`shop` is locked by wanda since ", "@&#8203;root &lt;b&gt;moves&lt;/b&gt; &#96;it&#96;", "`/unlock`", "`/rollback` still works")
	lock := w.lock()
	if lock == nil || lock.By != "wanda" || lock.Reason != "@root <b>moves</b> `it`" || lock.Cause.CommentID == 0 || lock.At.IsZero() {
		t.Fatalf("lock %+v, want one by wanda with reason, time and cause", lock)
	}
	w.expectSaid(pr.Number, otto, "/lock me too", "+1", "locked by wanda since ", "Nothing was changed")
	w.expectSaid(pr.Number, w.reader, "/status", "rocket", "🔒 locked by wanda since ", "&lt;b&gt;moves")
	w.expectSaid(pr.Number, w.reader, "/help", "rocket", "🔒 **Lock**: locked by wanda since ")
	w.expectSaid(pr.Number, w.writer, "/promote", "rocket", "has to wait", "locked by wanda since ", "`/unlock` lets it go on")
	if w.only().Spec.Approval == nil {
		t.Error("the release is not approved, though it only waits")
	}
	w.expectSaid(pr.Number, otto, "/unlock", "rocket", "It was locked by wanda since ", "`"+rel.Spec.Deploy.Commit[:7]+"` goes on")
	if w.lock() != nil {
		t.Errorf("it is still locked: %+v", w.lock())
	}
}

// relocked is a record in which somebody unlocks and locks again right before an /unlock is
// written.
type relocked struct{ *memoryRecord }

func (r relocked) Unlock(ctx context.Context, app types.NamespacedName, by string) (*v1alpha1.Lock, error) {
	if _, err := r.memoryRecord.Unlock(ctx, app, by); err != nil {
		return nil, err
	}
	if err := r.Lock(ctx, app, v1alpha1.Lock{By: "olga", Reason: "migration"}); err != nil {
		return nil, err
	}
	return r.memoryRecord.Unlock(ctx, app, by)
}

func TestUnlockSaysWhoseLockItReallyTookAway(t *testing.T) {
	w := newWorld(t)
	pr := w.open("feature")
	app := bottest.Shop()
	check(t, w.record.Lock(t.Context(), keyOf(&app), v1alpha1.Lock{By: "otto", Reason: "audit"}))
	w.inbox.Record = relocked{w.record}
	w.expectSaid(pr.Number, w.writer, "/unlock", "rocket", "It was locked by olga since", "migration")
	w.inbox.Record = w.record
	w.expectSaid(pr.Number, w.writer, "/unlock", "+1", "is not locked")
}

// behind is a record whose reads lag behind its writes.
type behind struct {
	*memoryRecord
	app      *v1alpha1.BlueGreen  // an old state; nil: the present state
	list     []v1alpha1.BlueGreen // an old list; nil: the present one
	releases bool                 // no release is visible yet
	cache    bool                 // the cache has no release yet
}

func (b *behind) Work(ctx context.Context, app types.NamespacedName) ([]v1alpha1.Release, error) {
	if b.cache {
		return nil, nil
	}
	return b.Releases(ctx, app)
}

func (b *behind) Applications(ctx context.Context, repository string, id int64) ([]v1alpha1.BlueGreen, error) {
	if b.list != nil {
		return b.list, nil
	}
	return b.memoryRecord.Applications(ctx, repository, id)
}

func (b *behind) Application(ctx context.Context, key types.NamespacedName) (*v1alpha1.BlueGreen, error) {
	if was := b.app; was != nil {
		b.app = nil
		return was, nil
	}
	return b.memoryRecord.Application(ctx, key)
}

func (b *behind) Releases(ctx context.Context, app types.NamespacedName) ([]v1alpha1.Release, error) {
	if b.releases {
		return nil, nil
	}
	return b.memoryRecord.Releases(ctx, app)
}

func TestOfTwoLocksAtOnceTheFirstStays(t *testing.T) {
	w := newWorld(t)
	pr := w.open("feature")
	before := bottest.Shop()
	check(t, w.record.Lock(t.Context(), keyOf(&before), v1alpha1.Lock{By: "otto", Reason: "audit"}))
	w.inbox.Record = &behind{memoryRecord: w.record, app: &before}
	w.expectSaid(pr.Number, w.writer, "/lock mine", "+1", "locked by otto since", "audit", "Nothing was changed")
	if l := w.lock(); l.By != "otto" {
		t.Errorf("it is locked by %s, want otto", l.By)
	}
}

func TestAPromoteThatIsFasterThanItsPushApprovesItsRelease(t *testing.T) {
	w := newWorld(t)
	pr, _ := w.merge("feature")
	w.inbox.Record = &behind{memoryRecord: w.record, releases: true}
	w.expectSaid(pr.Number, w.writer, "/promote", "rocket")
	if a := w.only().Spec.Approval; a == nil || a.By != "wanda" {
		t.Errorf("approval %+v, want wanda's on the release of the push", a)
	}
}

func TestRollbackRightAfterASwitchDoesNotDependOnTheList(t *testing.T) {
	w := newWorld(t)
	pr, before, after := released(w)
	w.inbox.Record = &behind{memoryRecord: w.record, list: []v1alpha1.BlueGreen{bottest.Shop()}}
	w.say(pr.Number, w.writer, "/rollback")
	rel := w.all()[0]
	if b := rel.Spec.Rollback; b == nil || b.From != after || b.To != before {
		t.Errorf("the newest release is %s with the rollback %+v, want one from %s to %s; answers %q",
			rel.Name, b, after.Image, before.Image, w.answers(pr.Number))
	}
}

// refusing is a record that stores no release.
type refusing struct {
	*memoryRecord
	err error
}

func (r refusing) Submit(context.Context, *v1alpha1.Release) (*v1alpha1.Release, bool, error) {
	return nil, false, r.err
}

func TestRollbackOfWhichEveryNameIsTakenSaysSo(t *testing.T) {
	w := newWorld(t)
	pr, _, _ := released(w)
	w.inbox.Record = refusing{w.record, bot.ErrIdentity}
	w.expectSaid(pr.Number, w.writer, "/rollback", "-1", "every name that this release could have", "Nothing was changed")
}

func TestPushIsTriedAgainUnlessThatIsOfNoUse(t *testing.T) {
	for _, c := range []struct {
		name    string
		err     error
		pending int
	}{
		{"every name is taken", bot.ErrIdentity, 0},
		{"the application was deleted meanwhile", bot.ErrNotFound, 0},
		{"the record is down", errors.New("no answer"), 1},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := newWorld(t)
			w.inbox.Record = refusing{w.record, c.err}
			w.merge("feature")
			if got := w.pending(); len(got) != c.pending {
				t.Errorf("%d deliveries are pending, want %d: %+v", len(got), c.pending, got)
			}
		})
	}
}

func TestCommandsThatChangeSomethingNeedWrite(t *testing.T) {
	w := newWorld(t)
	pr, _ := waiting(w)
	for _, verb := range []string{"/promote", "/rollback", "/cancel", "/retry", "/lock `x`", "/unlock"} {
		w.expectSaid(pr.Number, w.reader, verb, "-1", "*write*", "*read*")
	}
	if rel := w.only(); rel.Spec.Approval != nil || rel.Spec.Cancel != nil || w.lock() != nil {
		t.Error("a reader's command was executed")
	}
	asked := len(w.github.Requests())
	for _, verb := range []string{"/status", "/help"} {
		w.expectSaid(pr.Number, w.reader, verb, "rocket", "`v1.0.0` is live on blue")
	}
	for _, r := range w.github.Requests()[asked:] {
		if strings.HasSuffix(r.Route, "/permission") || strings.Contains(r.Route, "/pulls/") {
			t.Errorf("a command that only reads asks GitHub for %s", r.Path)
		}
	}
}

func TestHelpShowsTheSettingsAndEveryCommand(t *testing.T) {
	w := newWorld(t)
	pr := w.open("feature")
	w.expectSaid(pr.Number, w.reader, "/help", "rocket", "from `main` of acme/shop to production", "*Automatic*", "soak", "drain", "hold",
		"**Lock**: none",
		"`/promote [application] [sha] [100]`", "`/rollback", "`/cancel", "`/retry", "`/lock [application] [reason]`", "`/unlock", "`/status",
		"`/help",
		"*write* permission in acme/shop")
}

func TestANearMissIsToldToWritersOnly(t *testing.T) {
	w := newWorld(t)
	pr, _ := waiting(w)
	w.expectSaid(pr.Number, w.writer, "/promtoe", "-1", "no command `/promtoe`", "Did you mean `/promote`?", "Nothing was done")
	w.expectSaid(pr.Number, w.reader, "/promtoe", "")
	if w.only().Spec.Approval != nil {
		t.Error("what is nearly a command was executed")
	}
}

// several is a world where one branch releases two applications, and another namespace has
// an application with the first one's name.
func several(t *testing.T) (*world, *githubtest.PullRequest, string) {
	t.Helper()
	w := newWorld(t)
	for _, app := range []types.NamespacedName{{Namespace: "shop", Name: "admin"}, {Namespace: "staging", Name: "shop"}} {
		bg := bottest.Shop()
		bg.Namespace, bg.Name, bg.UID = app.Namespace, app.Name, types.UID("app-"+app.String())
		w.record.add(bg)
	}
	pr, commit := w.merge("feature")
	return w, pr, commit
}

func TestACommandForOneOfSeveralApplications(t *testing.T) {
	w, pr, commit := several(t)
	w.expectSaid(pr.Number, w.writer, "/cancel", "-1", "`/cancel admin`", "`/cancel shop/shop`", "`/cancel staging/shop`",
		"Nothing was changed")
	w.expectSaid(pr.Number, w.writer, "/cancel shop "+commit[:7], "-1", "several namespaces have one named `shop`",
		"`/cancel staging/shop "+commit[:7]+"`")
	w.expectSaid(pr.Number, w.writer, "/cancel shpo", "-1", "`shpo` is neither an application of this repository nor a commit's hash",
		"`/cancel admin`")
	w.expectSaid(pr.Number, w.reader, "/status shpo", "-1", "`shpo` is not an application of this repository", "`/status admin`")
	for _, rel := range w.record.releases {
		if rel.Spec.Cancel != nil {
			t.Fatalf("%s/%s was cancelled by a command that did not name it", rel.Namespace, rel.Name)
		}
	}
	w.expectSaid(pr.Number, w.writer, "/cancel "+commit[:7]+" admin", "rocket", "`/retry admin` releases it once more")
	w.expectSaid(pr.Number, w.writer, "/cancel staging/shop", "rocket", "`/retry staging/shop`")
	for _, rel := range w.record.releases {
		if named := rel.Spec.Application == "admin" || rel.Namespace == "staging"; (rel.Spec.Cancel != nil) != named {
			t.Errorf("%s/%s: cancel %+v, want it for admin and staging/shop only", rel.Namespace, rel.Name, rel.Spec.Cancel)
		}
	}
	w.expectSaid(pr.Number, w.reader, "/status", "rocket", "**admin** (production)", "**shop/shop** (production)",
		"**staging/shop** (production)")
	w.expectSaid(pr.Number, w.reader, "/help admin", "rocket", "**admin** (production)", "Several applications")
	if last := w.lastAnswer(pr.Number); strings.Contains(last, "**shop/shop**") {
		t.Errorf("/help admin shows the others: %q", last)
	}
}

func TestACommandWhereNoneOfSeveralApplicationsIsReleased(t *testing.T) {
	w := newWorld(t)
	next := bottest.Shop()
	next.Name, next.UID, next.Spec.Branch = "next", "app-2", "next"
	w.record.add(next)
	_, err := w.repo.CommitFiles(githubtest.Commit{Branch: "topic", Message: "Begin", Files: githubtest.Text(map[string]string{"a": "1"})})
	check(t, err)
	_, err = w.repo.CommitFiles(githubtest.Commit{Branch: "part", Message: "Go on", Files: githubtest.Text(map[string]string{"b": "1"})})
	check(t, err)
	pr, err := w.repo.OpenPullRequest(githubtest.NewPullRequest{Title: "A part", Head: "part", Base: "topic", Author: w.writer})
	check(t, err)
	for _, verb := range []string{"/promote", "/retry", "/cancel"} {
		w.expectSaid(pr.Number, w.writer, verb, "-1", "merges into `topic`; the applications of this repository are released from `main`, `next`")
	}
	w.expectSaid(pr.Number, w.writer, "/promote next", "-1", "merges into `topic`, but `next` is released from `next`")
}

func TestALocksFirstWordIsANameOnlyIfAnApplicationHasIt(t *testing.T) {
	w, pr, _ := several(t)
	w.expectSaid(pr.Number, w.writer, "/lock the sale is on", "-1", "- `/lock admin` followed by your reason", "`/lock staging/shop`")
	w.expectSaid(pr.Number, w.writer, "/lock admin the sale is on", "rocket", "`admin` is locked by wanda",
		": the sale is on. Until `/unlock admin`")
	w.expectSaid(pr.Number, w.writer, "/unlock", "-1", "`/unlock admin`")
	w.expectSaid(pr.Number, w.writer, "/unlock admin", "rocket", "`admin` is unlocked")

	// A pull request's branch does not say which application a person wants to lock.
	branches := newWorld(t)
	next := bottest.Shop()
	next.Name, next.UID, next.Spec.Branch = "next", "app-2", "next"
	branches.record.add(next)
	pr = branches.open("feature")
	branches.expectSaid(pr.Number, branches.writer, "/lock", "-1", "`/lock next`", "`/lock shop`")

	alone := newWorld(t)
	pr = alone.open("feature")
	alone.expectSaid(pr.Number, alone.writer, "/lock admin is on holiday", "rocket", ": admin is on holiday. Until `/unlock` no")
}
