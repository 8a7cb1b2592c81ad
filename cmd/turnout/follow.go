package main

import (
	"context"
	"fmt"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/watch"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/turnout-dev/turnout/api/v1alpha1"
	"github.com/turnout-dev/turnout/internal/prose"
)

// follower shows a release from the record until it ends. It changes nothing, and the
// release does not need it: a turnout serve moves it.
type follower struct {
	cluster *cluster
	printer printer
	// warn reports trouble with following.
	warn func(text string)
	// patience is how long a release may stay untaken before that is reported.
	patience time.Duration
	// interval is how often passing time is shown.
	interval time.Duration

	unserved, lost bool // reported already
	claim          claimWatch
}

// Times of a follower unless a test changes them. A turnout serve sees a new release within
// a second.
const (
	servePatience  = 10 * time.Second
	followInterval = time.Second
	retryAfter     = time.Second
)

// follow shows a release until it ends, needs a person, or ctx ends. It returns the release
// as last seen, and the error for its end.
func (f *follower) follow(ctx context.Context, rel *v1alpha1.Release) (*v1alpha1.Release, error) {
	start, key := time.Now(), client.ObjectKeyFromObject(rel)
	for {
		next, done, err := f.look(ctx, key, rel, start)
		if next != nil {
			rel = next
		}
		switch {
		case done:
			f.printer.done(rel)
			return rel, err
		case ctx.Err() != nil:
			f.printer.done(rel)
			return rel, stillGoing(ctx, rel)
		case err != nil && !f.lost:
			f.lost = true
			f.tell(fmt.Sprintf("the cluster does not answer; trying again: %v", err))
		case err == nil:
			f.lost = false
			continue
		}
		select {
		case <-ctx.Done():
		case <-time.After(retryAfter):
		}
	}
}

// look reads a release and watches it until the watch ends, as it does every few minutes,
// or the release is over.
func (f *follower) look(ctx context.Context, key types.NamespacedName, before *v1alpha1.Release, start time.Time) (*v1alpha1.Release, bool,
	error,
) {
	rel, err := f.cluster.record.Release(ctx, key)
	switch {
	case apierrors.IsNotFound(err):
		return before, true, fmt.Errorf("release %s was deleted while it was followed", key)
	case apierrors.IsForbidden(err):
		return before, true, err
	case err != nil:
		return nil, false, err
	case rel.UID != before.UID:
		return before, true, fmt.Errorf("release %s was deleted and made again while it was followed", key)
	}
	if done, err := f.show(ctx, rel); done {
		return rel, true, err
	}
	changes, err := f.cluster.kube.Watch(ctx, &v1alpha1.ReleaseList{}, client.InNamespace(key.Namespace),
		client.MatchingFields{"metadata.name": key.Name},
		&client.ListOptions{Raw: &metav1.ListOptions{ResourceVersion: rel.ResourceVersion}})
	if err != nil {
		return rel, false, fmt.Errorf("watching release %s: %w", key, err)
	}
	defer changes.Stop()
	return f.watch(ctx, changes, rel, start)
}

func (f *follower) watch(ctx context.Context, changes watch.Interface, rel *v1alpha1.Release, start time.Time) (*v1alpha1.Release, bool,
	error,
) {
	clock := time.NewTicker(f.interval)
	defer clock.Stop()
	for {
		select {
		case <-ctx.Done():
			return rel, false, nil
		case now := <-clock.C:
			f.printer.tick(now)
			f.remindOfServe(rel, now.Sub(start))
			f.remindOfClaim(ctx, rel, now)
		case event, open := <-changes.ResultChan():
			now, isRelease := event.Object.(*v1alpha1.Release)
			if !open || !isRelease { // the server ended the watch; read again
				return rel, false, nil
			}
			rel = now
			if event.Type == watch.Deleted {
				return rel, true, fmt.Errorf("release %s/%s was deleted while it was followed", rel.Namespace, rel.Name)
			}
			if done, err := f.show(ctx, rel); done {
				return rel, true, err
			}
		}
	}
}

// show prints a state, and reports whether following ends with it.
func (f *follower) show(ctx context.Context, rel *v1alpha1.Release) (bool, error) {
	f.printer.show(rel, time.Now())
	if rel.Status.Phase.Finished() {
		return true, verdict(rel)
	}
	if phase := rel.Status.Phase; phase != v1alpha1.ReleaseWaiting && phase != v1alpha1.ReleaseQueued {
		return false, nil
	}
	bg, err := f.cluster.record.Application(ctx, types.NamespacedName{Namespace: rel.Namespace, Name: rel.Spec.Application})
	if err != nil { // the next change or look shows it
		return false, nil //nolint:nilerr // following continues
	}
	if why := waitsFor(bg, rel); why != "" {
		return true, &ended{exitPending, rel.Name + " " + why}
	}
	return false, nil
}

// waitsFor says what a person must do for a waiting release. It is empty if nobody is
// needed: the release was approved or cancelled and the deployer has not seen that yet, or
// its turn comes by itself. A lock does not stop a rollback.
func waitsFor(bg *v1alpha1.BlueGreen, rel *v1alpha1.Release) string {
	switch {
	case rel.Spec.Cancel != nil:
		return ""
	case bg.Status.Lock != nil && rel.Spec.Kind == v1alpha1.Deploy:
		return "waits: " + lockedBy(bg.Status.Lock)
	case rel.Divides() && rel.Status.Phase == v1alpha1.ReleaseWaiting && rel.Spec.Promoted() >= rel.NextWeight():
		return ""
	case !rel.Divides() && rel.Spec.Approval != nil || rel.Status.Phase == v1alpha1.ReleaseQueued:
		return ""
	}
	return "waits for a person: " + string(v1alpha1.Shell("turnout", "promote", bg.Name, "--namespace", bg.Namespace))
}

// tell prints a warning amid the printer's output.
func (f *follower) tell(text string) {
	f.warn(text)
	f.printer.aside()
}

// remindOfServe says once that nobody takes the release.
func (f *follower) remindOfServe(rel *v1alpha1.Release, waited time.Duration) {
	if f.unserved || rel.Status.Phase != "" || waited < f.patience {
		return
	}
	f.unserved = true
	f.tell(fmt.Sprintf("no turnout serve has taken %s for %s: is it running in this cluster, and does it serve namespace %s?",
		rel.Name, prose.Span(waited), rel.Namespace))
}

// claimWatch notices that nobody renews a release's claim. It compares successive
// observations, not clocks of different machines.
type claimWatch struct {
	renewed     metav1.MicroTime // as last seen
	since, next time.Time        // since when it is the same, and when to look again
}

// claimPatience times the patience is how long a claim may stay the same: thirty seconds.
// It is renewed every five, and anybody may take it over after fifteen.
const claimPatience = 3

// stale reports whether nobody has renewed the claim of a release for long.
func (c *claimWatch) stale(bg *v1alpha1.BlueGreen, rel *v1alpha1.Release, now time.Time, patience time.Duration) bool {
	active := bg.Status.Active
	if active == nil || active.UID != string(rel.UID) {
		*c = claimWatch{next: c.next}
		return false
	}
	if c.since.IsZero() || !active.RenewedAt.Equal(&c.renewed) {
		c.renewed, c.since = active.RenewedAt, now
	}
	return now.Sub(c.since) >= claimPatience*patience
}

// remindOfClaim says once that the process that moved the release is gone.
func (f *follower) remindOfClaim(ctx context.Context, rel *v1alpha1.Release, now time.Time) {
	if f.unserved || rel.Status.Phase == "" || now.Before(f.claim.next) {
		return
	}
	f.claim.next = now.Add(f.patience)
	bg, err := f.cluster.record.Application(ctx, types.NamespacedName{Namespace: rel.Namespace, Name: rel.Spec.Application})
	if err != nil || !f.claim.stale(bg, rel, now, f.patience) {
		return // the next look shows it
	}
	f.unserved = true
	f.tell(fmt.Sprintf("no turnout serve has renewed its claim on %s for %s: is it still running in this cluster?", rel.Name,
		prose.Span(now.Sub(f.claim.since))))
}

// withTimeout bounds following; 0 means no bound.
func withTimeout(ctx context.Context, timeout time.Duration) (context.Context, context.CancelFunc) {
	if timeout <= 0 {
		return context.WithCancel(ctx)
	}
	return context.WithTimeout(ctx, timeout)
}
