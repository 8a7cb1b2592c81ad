package deployer

import (
	"cmp"
	"context"
	"fmt"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	"sigs.k8s.io/controller-runtime/pkg/manager"
	"sigs.k8s.io/controller-runtime/pkg/predicate"
	"sigs.k8s.io/controller-runtime/pkg/source"

	"github.com/turnout-dev/turnout/deployer/route"
)

// gatewayEvery is how often to check whether the cluster has the Gateway API by now.
const gatewayEvery = 30 * time.Second

// watchHTTPRoutes starts watching HTTPRoutes as soon as the cluster has the kind. A watch of an
// unknown kind would end the process.
func (d *Deployer) watchHTTPRoutes(mgr ctrl.Manager, c controller.Controller, parts handler.EventHandler) manager.RunnableFunc {
	return func(ctx context.Context) error {
		for {
			_, err := mgr.GetRESTMapper().RESTMapping(route.HTTPRouteKind.GroupKind(), route.HTTPRouteKind.Version)
			if err == nil {
				break
			}
			if !meta.IsNoMatchError(err) {
				d.Log.WarnContext(ctx, "the cluster could not be checked for HTTPRoutes", "error", err)
			}
			select {
			case <-ctx.Done():
				return nil
			case <-time.After(cmp.Or(d.gatewayEvery, gatewayEvery)):
			}
		}
		object := &unstructured.Unstructured{}
		object.SetGroupVersionKind(route.HTTPRouteKind)
		kind := source.Kind[client.Object](mgr.GetCache(), object, parts, predicate.Funcs{UpdateFunc: moreThanAFence})
		if err := c.Watch(kind); err != nil {
			return fmt.Errorf("watching HTTPRoutes: %w", err)
		}
		return nil
	}
}
