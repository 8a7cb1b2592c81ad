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

// maxDeliveries is how many handled deliveries are kept, the newest. Each takes about 1 KB,
// here and in Kubernetes.
const maxDeliveries = 2000

// Tidy deletes old handled deliveries, and the oldest if there are too many. It never
// deletes one that is not handled yet, or that a newer version wrote.
func (in *Inbox) Tidy(ctx context.Context) error {
	all, err := in.Deliveries.List(ctx)
	if err != nil {
		return fmt.Errorf("listing the deliveries: %w", err)
	}
	handled := slices.DeleteFunc(all, func(d v1alpha1.Delivery) bool {
		return d.Readable() != nil || d.Status.FinishedAt == nil
	})
	slices.SortFunc(handled, func(a, b v1alpha1.Delivery) int {
		return cmp.Or(b.Status.FinishedAt.Compare(a.Status.FinishedAt.Time), cmp.Compare(a.Name, b.Name))
	})
	var errs []error
	for i := range handled {
		d := &handled[i]
		if i < maxDeliveries && time.Since(d.Status.FinishedAt.Time) < v1alpha1.KeptFor {
			continue
		}
		if err := in.Deliveries.Delete(ctx, d); err != nil {
			errs = append(errs, fmt.Errorf("deleting the delivery %s: %w", d.Name, err))
		}
	}
	return errors.Join(errs...)
}
