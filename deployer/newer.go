package deployer

import (
	"context"
	"log/slog"

	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/turnout-dev/turnout/api/v1alpha1"
)

// leaveToNewer leaves an application alone that a newer version has written. Its record is not
// ours to write, so an event and the log report it.
func (d *Deployer) leaveToNewer(ctx context.Context, log *slog.Logger, app client.ObjectKey, newer *v1alpha1.NewerFormatError) {
	d.wired().beside.leave(app)
	log.ErrorContext(ctx, "left to a newer version", "error", newer)
	var bg v1alpha1.BlueGreen
	if err := d.Client.Get(ctx, app, &bg); err != nil || d.Events == nil {
		return // the log is enough
	}
	d.Events.Eventf(&bg, nil, corev1.EventTypeWarning, "NewerRecord", "Inspect", "%s", newer.Error())
}
