package scale

import (
	"context"
	"fmt"
	"slices"
	"time"

	apimeta "k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/turnout-dev/turnout/api/v1alpha1"
	"github.com/turnout-dev/turnout/bot/githubtest"
	"github.com/turnout-dev/turnout/sandbox/turnout"
)

// turnoutTool is Turnout, as it is installed. Its applications follow branches of one repository.
type turnoutTool struct {
	*run
	repo   *githubtest.Repository
	user   *githubtest.User
	t      *turnout.Turnout
	runs   bool                    // t
	count  int                     // versions
	merged *githubtest.PullRequest // the last one
	back   bool                    // an application was rolled back
	burst  string                  // the commit of the last one
}

func (*turnoutTool) name() string { return "turnout" }

// prepare gives Turnout its rights and its repository: it starts once, without applications, and
// stops.
func (t *turnoutTool) prepare(ctx context.Context) error {
	if err := t.makeRepository(); err != nil {
		return err
	}
	started, err := turnout.Start(ctx, turnout.Options{Project: t.Project, World: t.World, Dir: t.Dir})
	if err != nil {
		return err
	}
	started.App.InstallOn(t.repo, nil)
	if err := started.Stop(); err != nil {
		return err
	}
	t.t = started
	return nil
}

// past gives every application finished releases: copies of one that the first application makes.
func (t *turnoutTool) past(ctx context.Context) error {
	if t.FinishedReleases == 0 {
		return nil
	}
	if _, err := t.start(ctx); err != nil {
		return err
	}
	alone := t.apps()[0]
	err := t.until(ctx, "the first application to be ready", func() (bool, error) {
		var bg v1alpha1.BlueGreen
		err := t.kube.Get(ctx, alone.ObjectKey, &bg)
		return apimeta.IsStatusConditionTrue(bg.Status.Conditions, v1alpha1.ConditionReady), err
	})
	if err != nil {
		return err
	}
	t.seen.forget(alone)
	if err := t.release(ctx, alone.branch); err != nil {
		return err
	}
	var made v1alpha1.ReleaseList
	err = t.until(ctx, "the first release to be finished and reported", func() (bool, error) {
		err := t.kube.List(ctx, &made)
		return len(made.Items) == 1 && isPast(&made.Items[0]), err
	})
	if err != nil {
		return err
	}
	if err := t.stop(); err != nil {
		return err
	}
	var apps v1alpha1.BlueGreenList
	if err := t.kube.List(ctx, &apps); err != nil {
		return fmt.Errorf("listing bluegreens: %w", err)
	}
	var all []client.Object
	for i := range apps.Items {
		head, err := t.repo.Head(apps.Items[i].Spec.Branch) // or the sweep would release it
		if err != nil {
			return fmt.Errorf("looking for the head of %s: %w", apps.Items[i].Spec.Branch, err)
		}
		for n := range t.FinishedReleases {
			c := copied(&made.Items[0], &apps.Items[i], n)
			c.Spec.Deploy.Commit = head
			all = append(all, c)
		}
	}
	return t.makeAll(ctx, all, func(ctx context.Context, o client.Object) error {
		whole := o.DeepCopyObject()
		if err := t.kube.Create(ctx, o); err != nil {
			return fmt.Errorf("creating release %s: %w", client.ObjectKeyFromObject(o), err)
		}
		rel, _ := whole.(*v1alpha1.Release)
		rel.ResourceVersion, rel.UID = o.GetResourceVersion(), o.GetUID()
		if err := t.kube.Status().Update(ctx, rel); err != nil {
			return fmt.Errorf("finishing release %s: %w", rel.Name, err)
		}
		return nil
	})
}

// copied is a release of another application.
func copied(rel *v1alpha1.Release, bg *v1alpha1.BlueGreen, n int) *v1alpha1.Release {
	c := rel.DeepCopy()
	c.ObjectMeta = metav1.ObjectMeta{
		Namespace: bg.Namespace, Name: fmt.Sprintf("%s-past-%d", bg.Name, n), Annotations: rel.Annotations,
		Labels:          map[string]string{v1alpha1.ApplicationLabel: bg.Name},
		OwnerReferences: []metav1.OwnerReference{*metav1.NewControllerRef(bg, v1alpha1.GroupVersion.WithKind("BlueGreen"))},
	}
	c.Spec.Application = bg.Name
	c.Status.GitHub.Published = "long ago"
	c.Status.FinishedAt = &metav1.Time{Time: c.Status.FinishedAt.Add(-time.Duration(n+2) * 24 * time.Hour)}
	return c
}

// isPast reports whether nothing is left to do for a release. Copies of any other would all be worked on.
func isPast(rel *v1alpha1.Release) bool {
	return rel.Status.FinishedAt != nil && rel.Status.GitHub != nil && rel.Status.GitHub.Published != ""
}

func (t *turnoutTool) makeRepository() error {
	t.World.GitHub.AddOrganization("acme")
	t.user = t.World.GitHub.AddUser("wanda")
	files, err := githubtest.Directory(t.Project + "/examples/python-app")
	if err != nil {
		return fmt.Errorf("reading the example: %w", err)
	}
	if t.repo, err = t.World.GitHub.AddRepository(repository, githubtest.RepositoryConfig{Files: files}); err != nil {
		return fmt.Errorf("creating the repository: %w", err)
	}
	if err := t.repo.SetRole(t.user, "write"); err != nil {
		return fmt.Errorf("giving the right to merge: %w", err)
	}
	for _, branch := range []string{branchAlone, branchBack, branchRest} {
		if _, err := t.commit(branch); err != nil {
			return err
		}
	}
	return nil
}

// commit pushes a version of its own.
func (t *turnoutTool) commit(branch string) (string, error) {
	t.count++
	files := githubtest.Text(map[string]string{"VERSION": fmt.Sprintf("v2.%d.0\n", t.count)})
	return t.repo.CommitFiles(githubtest.Commit{Branch: branch, Message: fmt.Sprintf("release %d", t.count), Files: files, Author: t.user})
}

func (t *turnoutTool) objects(a app) ([]client.Object, error) {
	blue, green := v1alpha1.Blue, v1alpha1.Green
	hold := metav1.Duration{}
	if a.branch == branchBack {
		hold.Duration = time.Hour // it rolls back while the previous version runs
	}
	bg := &v1alpha1.BlueGreen{ObjectMeta: meta(a.ObjectKey), Spec: v1alpha1.BlueGreenSpec{
		Repository: repository, Branch: a.branch, Build: v1alpha1.BuildSpec{Project: project},
		Soak: &metav1.Duration{}, Drain: &metav1.Duration{}, Hold: &hold,
	}}
	if t.Bare {
		return []client.Object{a.ingress(), bg}, nil
	}
	return []client.Object{
		deployment(a.of(blue), a.labels(blue), podsEach), deployment(a.of(green), a.labels(green), 0),
		a.service(blue), a.service(green), a.ingress(), bg,
	}, nil
}

func (t *turnoutTool) start(ctx context.Context) (int, error) {
	if err := t.t.Run(ctx); err != nil {
		return 0, err
	}
	t.runs = true
	return t.t.PID(), nil
}

func (t *turnoutTool) lacks(ctx context.Context) (string, error) {
	var list v1alpha1.BlueGreenList
	if err := t.kube.List(ctx, &list); err != nil {
		return "", fmt.Errorf("listing bluegreens: %w", err)
	}
	i := slices.IndexFunc(list.Items, func(bg v1alpha1.BlueGreen) bool {
		ready := apimeta.FindStatusCondition(bg.Status.Conditions, v1alpha1.ConditionReady)
		return ready == nil || !t.Bare && ready.Status != metav1.ConditionTrue
	})
	switch {
	case i >= 0:
		return fmt.Sprintf("%s: %v", list.Items[i].Name, list.Items[i].Status.Conditions), nil
	case len(list.Items) != t.Applications:
		return fmt.Sprintf("%d of %d exist", len(list.Items), t.Applications), nil
	}
	return "", nil
}

func (t *turnoutTool) release(_ context.Context, branch string) (err error) {
	if branch == branchBurst {
		t.burst, err = t.commit(branchBurst)
		return err
	}
	head := fmt.Sprintf("change-%d", t.count)
	files := githubtest.Text(map[string]string{head: "a file of its own, so that changes do not conflict\n"})
	t.count++
	commit := githubtest.Commit{Branch: head, Message: head, Files: files, Author: t.user}
	if _, err := t.repo.CommitFiles(commit); err != nil {
		return err
	}
	pr, err := t.repo.OpenPullRequest(githubtest.NewPullRequest{Title: head, Head: head, Base: branch, Author: t.user})
	if err != nil {
		return fmt.Errorf("opening a pull request: %w", err)
	}
	if _, err := pr.Squash(t.user); err != nil {
		return fmt.Errorf("merging: %w", err)
	}
	t.merged = pr
	if t.back && branch == branchBack { // after a rollback a person lets the next release go on
		return t.comment("/promote")
	}
	return nil
}

func (t *turnoutTool) rollback(context.Context) (bool, error) {
	t.back = true
	return true, t.comment("/rollback")
}

// comment comments on the last pull request.
func (t *turnoutTool) comment(text string) error {
	if _, err := t.repo.Comment(t.merged.Number, t.user, text); err != nil {
		return fmt.Errorf("commenting %s: %w", text, err)
	}
	return nil
}

func (t *turnoutTool) ended(ctx context.Context, a app) (bool, error) {
	var list v1alpha1.ReleaseList
	if err := t.kube.List(ctx, &list, client.InNamespace(a.Namespace), client.MatchingLabels{v1alpha1.ApplicationLabel: a.Name}); err != nil {
		return false, fmt.Errorf("listing releases: %w", err)
	}
	for _, rel := range list.Items {
		if rel.Status.Phase.Finished() && rel.Status.Phase != v1alpha1.ReleaseSucceeded && rel.Status.Phase != v1alpha1.ReleaseSuperseded {
			return false, fmt.Errorf("%s ended as %s: %s", rel.Name, rel.Status.Phase, rel.Status.Message)
		}
		if !rel.Status.Phase.Finished() {
			return false, nil
		}
	}
	n, err := t.podsOf(ctx, a)
	return n == podsEach || a.branch == branchBack, err
}

func (t *turnoutTool) requests(ctx context.Context) (float64, error) {
	return requests(ctx, t.t.MetricsURL)
}

// reported waits until GitHub has every report of the burst, and records how the push was
// answered.
func (t *turnoutTool) reported(ctx context.Context, row *Row) error {
	switched := time.Now()
	err := t.until(ctx, "GitHub to hear of every switch", func() (bool, error) {
		done := 0
		for _, d := range t.repo.Deployments() {
			statuses := t.repo.DeploymentStatuses(d.ID)
			if d.SHA == t.burst && len(statuses) > 0 && statuses[len(statuses)-1].State == "success" {
				done++
			}
		}
		return done == row.Burst, nil
	})
	row.ReportLagS = round(since(switched))
	for _, d := range t.t.App.Deliveries() {
		if d.Event == "push" && d.Done {
			row.WebhookMS = max(row.WebhookMS, ms(d.Duration))
		}
	}
	t.progress("GitHub heard of it %.1f s later; a push was answered after at most %.0f ms", row.ReportLagS, row.WebhookMS)
	return err
}

func (t *turnoutTool) stop() error {
	if !t.runs {
		return nil
	}
	t.runs = false
	return t.t.Stop()
}
