package route

import (
	"context"

	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/turnout-dev/turnout/api/v1alpha1"
)

// Standbys reads standby routes.
type Standbys struct{ Reader client.Reader }

// StandbyHeader is the header by which the standby route leads a request to its colour. Use it
// only for requests; it is never shown. It is nil if there is no such route.
func (s Standbys) StandbyHeader(ctx context.Context, bg *v1alpha1.BlueGreen) (map[string]string, error) {
	standby, err := httpRoute(ctx, s.Reader, bg.Namespace, bg.StandbyRoute())
	if err != nil {
		return nil, err
	}
	value, found := storedPassword(standby)
	if !found || !ownedBy(bg, standby) {
		return nil, nil
	}
	return map[string]string{standbyHeader: value}, nil
}
