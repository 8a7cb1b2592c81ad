package record

// What somebody does by hand, with the rights of the ClusterRole turnout-release.

import (
	"context"
	"fmt"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/turnout-dev/turnout/api/v1alpha1"
)

// LockByHand is [Record.Lock] for somebody who may write nothing of a status but its lock.
func LockByHand(ctx context.Context, r *Record, app types.NamespacedName, l v1alpha1.Lock) error {
	return lockChange{app, l.By, func(now *v1alpha1.Lock) (*v1alpha1.Lock, error) {
		if now != nil {
			return nil, fmt.Errorf("bluegreen %s: status.lock: %w", app, ErrSet)
		}
		return &l, nil
	}}.patch(ctx, r)
}

// UnlockByHand is [Record.Unlock] for somebody who may write nothing of a status but its
// lock.
func UnlockByHand(ctx context.Context, r *Record, app types.NamespacedName, by string) (*v1alpha1.Lock, error) {
	var was *v1alpha1.Lock
	err := lockChange{app, by, func(now *v1alpha1.Lock) (*v1alpha1.Lock, error) {
		was = now
		return nil, nil
	}}.patch(ctx, r)
	if err != nil {
		return nil, err
	}
	return was, nil
}

// patch changes status.lock and what belongs to it, and sends nothing else: the admission
// policy of statuses.yaml refuses everything else, the format included. A lock means the
// same in each format.
func (c lockChange) patch(ctx context.Context, r *Record) error {
	for {
		bg, err := r.Application(ctx, c.app)
		if err != nil {
			return err
		}
		read := bg.DeepCopy()
		if bg.Status.Lock, err = c.change(read.Status.Lock); err != nil {
			return err
		}
		if read.Status.Lock == nil && bg.Status.Lock == nil {
			return nil
		}
		if bg.Status.Lock == nil {
			now := metav1.Now()
			bg.Status.UnlockedAt, bg.Status.UnlockedBy = &now, c.by
		}
		patch := client.MergeFromWithOptions(read, client.MergeFromWithOptimisticLock{})
		err = r.Client.Status().Patch(ctx, bg, patch, client.FieldOwner(v1alpha1.BotManager))
		if apierrors.IsConflict(err) && ctx.Err() == nil {
			continue
		}
		if err != nil {
			return fmt.Errorf("writing status.lock of bluegreen %s: %w", c.app, err)
		}
		return nil
	}
}
