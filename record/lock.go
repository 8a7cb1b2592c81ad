package record

import (
	"context"
	"fmt"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/turnout-dev/turnout/api/v1alpha1"
)

// Lock keeps the releases of an application from moving traffic. If it is locked already,
// Lock returns [ErrSet]: the first lock stays, with its reason.
func (r *Record) Lock(ctx context.Context, app types.NamespacedName, l v1alpha1.Lock) error {
	return r.setLock(ctx, app, l.By, func(now *v1alpha1.Lock) (*v1alpha1.Lock, error) {
		if now != nil {
			return nil, fmt.Errorf("bluegreen %s: status.lock: %w", app, ErrSet)
		}
		return &l, nil
	})
}

// Unlock removes the lock of an application, whoever set it, and returns it; nil if there
// was none. It records who removed it.
func (r *Record) Unlock(ctx context.Context, app types.NamespacedName, by string) (*v1alpha1.Lock, error) {
	var was *v1alpha1.Lock
	err := r.setLock(ctx, app, by, func(now *v1alpha1.Lock) (*v1alpha1.Lock, error) {
		was = now
		return nil, nil
	})
	if err != nil {
		return nil, err
	}
	return was, nil
}

// setLock changes status.lock by compare-and-swap, reading again when the
// deployer wrote the status in between.
func (r *Record) setLock(ctx context.Context, app types.NamespacedName, by string,
	change func(*v1alpha1.Lock) (*v1alpha1.Lock, error),
) error {
	for {
		bg, err := r.Application(ctx, app)
		if err != nil {
			return err
		}
		before := bg.Status.Lock
		if bg.Status.Lock, err = change(before); err != nil {
			return err
		}
		if before == nil && bg.Status.Lock == nil {
			return nil
		}
		if bg.Status.Lock == nil {
			now := metav1.Now()
			bg.Status.UnlockedAt, bg.Status.UnlockedBy = &now, by
		}
		bg.Status.Format = v1alpha1.Format
		if err := FitApplication(&bg.Status); err != nil {
			return fmt.Errorf("bluegreen %s: status.lock: %w", app, err)
		}
		err = r.Client.Status().Update(ctx, bg, client.FieldOwner(v1alpha1.BotManager))
		if apierrors.IsConflict(err) && ctx.Err() == nil {
			continue
		}
		if err != nil {
			return fmt.Errorf("writing status.lock of bluegreen %s: %w", app, err)
		}
		return nil
	}
}
