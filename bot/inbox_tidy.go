package bot

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/turnout-dev/turnout/api/v1alpha1"
)

const (
	// keepDeliveries is how long a delivery is kept after it was handled: as long as
	// releases are, and longer than GitHub can deliver it again (see sweepBack).
	keepDeliveries = 8 * 24 * time.Hour
	// maxDeliveries is how many handled ones are kept at most, the newest. Each takes
	// about 1 KB, here and in Kubernetes.
	maxDeliveries = 2000
)

// Tidy deletes the deliveries that were handled long ago, and the oldest of too
// many. One that is to be handled is never deleted, nor one that a newer version wrote.
func (in *Inbox) Tidy(ctx context.Context) error {
	all, err := in.Deliveries.List(ctx)
	if err != nil {
		return fmt.Errorf("listing the deliveries: %w", err)
	}
	handled := slices.DeleteFunc(all, func(d v1alpha1.Delivery) bool {
		return d.Readable() != nil || !d.Status.Phase.Finished() || d.Status.FinishedAt == nil
	})
	slices.SortFunc(handled, func(a, b v1alpha1.Delivery) int {
		return cmp.Or(b.Status.FinishedAt.Compare(a.Status.FinishedAt.Time), cmp.Compare(a.Name, b.Name))
	})
	var errs []error
	for i, d := range handled {
		if i < maxDeliveries && time.Since(d.Status.FinishedAt.Time) < keepDeliveries {
			continue
		}
		if err := in.Deliveries.Delete(ctx, d.Name); err != nil {
			errs = append(errs, fmt.Errorf("deleting the delivery %s: %w", d.Name, err))
		}
	}
	return errors.Join(errs...)
}
