package record

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"time"

	"k8s.io/apimachinery/pkg/api/equality"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/turnout-dev/turnout/api/v1alpha1"
)

// Defaults of the [Record] fields with the same names.
const (
	// RenewEvery is how often a holder renews its claim while a release runs.
	RenewEvery = 5 * time.Second
	// StaleAfter is the age at which another process may take over a claim: three missed
	// renewals, and longer than a leader election takes (lease 10 s).
	StaleAfter = 15 * time.Second
)

// ErrHeld says that another process drives the application. The caller looks again when the
// claim would be stale.
var ErrHeld = errors.New("another process holds the claim")

// Renewal is how often a claim is renewed.
func (r *Record) Renewal() time.Duration { return cmp.Or(r.RenewEvery, RenewEvery) }

// StaleAt is when another process may take over a claim.
func (r *Record) StaleAt(c *v1alpha1.Claim) time.Time {
	return c.RenewedAt.Add(cmp.Or(r.StaleAfter, StaleAfter))
}

// Fresh reports whether another, living process holds a claim.
func (r *Record) Fresh(c *v1alpha1.Claim, holder string, now time.Time) bool {
	return c != nil && c.Holder != holder && now.Before(r.StaleAt(c))
}

// Claim makes a release the active one, by compare-and-swap on the BlueGreen as read. It
// returns [ErrHeld] if another unfinished release is active, if a living process holds the
// claim, or if it lost a race. On success bg is as written. Renewing one's own claim too
// early does nothing; in good time it only changes bg, so that the look's next write of the
// application, which is to follow, renews the claim as well.
func (r *Record) Claim(ctx context.Context, bg *v1alpha1.BlueGreen, rel *v1alpha1.Release, holder string, now time.Time) error {
	active := bg.Status.Active
	if r.Fresh(active, holder, now) {
		return fmt.Errorf("bluegreen %s/%s: %w (%s)", bg.Namespace, bg.Name, ErrHeld, active.Holder)
	}
	same := active != nil && active.UID == string(rel.UID)
	if same && active.Holder == holder {
		left := r.StaleAt(active).Sub(now)
		if now.Sub(active.RenewedAt.Time) < r.Renewal() {
			return nil
		}
		if left > cmp.Or(r.StaleAfter, StaleAfter)/3 {
			active.RenewedAt = metav1.NewMicroTime(now)
			return nil
		}
	}
	next := bg.DeepCopy()
	next.Status.Active = &v1alpha1.Claim{Release: rel.Name, UID: string(rel.UID), Holder: holder, RenewedAt: metav1.NewMicroTime(now)}
	if !same {
		next.Status.Phase = v1alpha1.PhaseReleasing // with the claim, which saves a write
	}
	if err := r.UpdateApplication(ctx, next); err != nil {
		return err
	}
	next.DeepCopyInto(bg)
	return nil
}

// UpdateApplication writes the status of a BlueGreen by compare-and-swap. A lost race is
// [ErrHeld]: another process changed it, so look again. [FitApplication] makes the status
// fit; if it is still refused, the error is [ErrTooLarge].
func (r *Record) UpdateApplication(ctx context.Context, bg *v1alpha1.BlueGreen) error {
	if err := bg.Readable(); err != nil {
		return err
	}
	bg.Status.Format = v1alpha1.Format
	if err := FitApplication(&bg.Status); err != nil {
		return fmt.Errorf("bluegreen %s/%s: %w", bg.Namespace, bg.Name, err)
	}
	bg.ManagedFields = nil // the API server keeps its own
	err := r.Client.Status().Update(ctx, bg, client.FieldOwner(v1alpha1.DeployerManager))
	if apierrors.IsConflict(err) {
		return fmt.Errorf("bluegreen %s/%s: %w", bg.Namespace, bg.Name, ErrHeld)
	}
	if tooLarge(err) {
		return fmt.Errorf("the status of bluegreen %s/%s: %w: %w", bg.Namespace, bg.Name, ErrTooLarge, err)
	}
	if err != nil {
		return fmt.Errorf("writing the status of bluegreen %s/%s: %w", bg.Namespace, bg.Name, err)
	}
	return nil
}

// UpdateRelease writes the status of a release by compare-and-swap; read is the status as
// read or last written. A lost race is [ErrHeld]: somebody wrote the status since, so look
// again. A change of the bot's field, status.github, is not a race: the new value is kept,
// so publishing never delays a release. [FitRelease] makes the status fit; if it is still
// refused, the error is [ErrTooLarge].
func (r *Record) UpdateRelease(ctx context.Context, rel *v1alpha1.Release, read *v1alpha1.ReleaseStatus) error {
	if err := rel.Readable(); err != nil {
		return err
	}
	rel.Status.Format = v1alpha1.Format
	if err := FitRelease(&rel.Status); err != nil {
		return fmt.Errorf("release %s/%s: %w", rel.Namespace, rel.Name, err)
	}
	rel.ManagedFields = nil // the API server keeps its own
	for {
		asked := time.Now()
		err := r.Client.Status().Update(ctx, rel, client.FieldOwner(v1alpha1.DeployerManager))
		if err == nil {
			r.lately.note(rel, asked)
			return nil
		}
		r.lately.forget(rel.UID) // somebody has written it, or nobody knows
		if tooLarge(err) {
			return fmt.Errorf("the status of release %s/%s: %w: %w", rel.Namespace, rel.Name, ErrTooLarge, err)
		}
		if !apierrors.IsConflict(err) {
			return fmt.Errorf("writing the status of release %s/%s: %w", rel.Namespace, rel.Name, err)
		}
		now, readErr := r.Release(ctx, client.ObjectKeyFromObject(rel))
		if readErr != nil {
			return readErr
		}
		if now.UID != rel.UID || now.ResourceVersion == rel.ResourceVersion || !sameButGitHub(now, rel, read) {
			return fmt.Errorf("release %s/%s: %w", rel.Namespace, rel.Name, ErrHeld)
		}
		rel.ResourceVersion, rel.Status.GitHub = now.ResourceVersion, now.Status.GitHub
	}
}

// sameButGitHub reports whether a release is as it was read, except for the bot's field.
func sameButGitHub(now, rel *v1alpha1.Release, read *v1alpha1.ReleaseStatus) bool {
	a, b := now.Status.DeepCopy(), read.DeepCopy()
	a.GitHub, b.GitHub = nil, nil
	return equality.Semantic.DeepEqual(now.Spec, rel.Spec) && equality.Semantic.DeepEqual(a, b)
}
