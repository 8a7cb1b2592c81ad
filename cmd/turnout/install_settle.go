package main

import (
	"cmp"
	"context"
	"fmt"
	"time"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/util/wait"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/turnout-dev/turnout/config"
	"github.com/turnout-dev/turnout/internal/setup"
)

// settle waits until everything is in effect, and says what to do next.
func (i *installation) settle(ctx context.Context, c *cluster, objects []*unstructured.Unstructured) error {
	for _, object := range objects {
		if object.GetKind() != "CustomResourceDefinition" {
			continue
		}
		if err := c.await(ctx, object, established); err != nil {
			return err
		}
	}
	if i.only == onlyClusterWide {
		return say(i.out, "The cluster-wide part is in effect. Next, whoever may write in the namespaces: turnout install --only "+onlyNamespaced)
	}
	token, err := (&setup.Secret{Client: c.kube, Namespace: config.Namespace}).Issue(ctx)
	if err != nil {
		return err
	}
	if token != "" {
		return say(i.out, fmt.Sprintf(nextSteps, i.webhook.next(), token))
	}
	for _, object := range objects {
		if object.GetKind() != "Deployment" {
			continue
		}
		if err := c.await(ctx, object, available); err != nil {
			return err
		}
	}
	if i.webhook.Host != "" {
		if err := say(i.out, "For GitHub's webhooks:\n     "+i.webhook.next()); err != nil {
			return err
		}
	}
	return say(i.out, "Turnout runs.")
}

// nextSteps is what only a person can do.
const nextSteps = `Installed. Turnout starts once it has a GitHub App (docs/install.md):
  1. %s
  2. Register the App at http://localhost:8081/setup, which this command opens:
       kubectl -n turnout port-forward deployment/turnout 8081:8081
     The page asks for this token, until the App is registered:
       %s
  3. Give the ServiceAccount turnout/turnout its Google roles.
  4. Grant each namespace its repositories and projects:
       kubectl annotate namespace NAMESPACE turnout.dev/repositories=OWNER/NAME turnout.dev/projects=PROJECT
  5. Let Turnout say what is missing:
       turnout doctor`

// await waits until an object is in effect; state says briefly what is missing.
func (c *cluster) await(ctx context.Context, object *unstructured.Unstructured, state func(*unstructured.Unstructured) string) error {
	var missing string
	err := wait.PollUntilContextCancel(ctx, 200*time.Millisecond, true, func(ctx context.Context) (bool, error) {
		now := object.DeepCopy()
		if err := c.kube.Get(ctx, client.ObjectKeyFromObject(object), now); err != nil {
			missing = cmp.Or(missing, err.Error())
			return false, nil
		}
		missing = state(now)
		return missing == "", nil
	})
	if err != nil {
		return fmt.Errorf("waiting for %s: %s (%w)", nameOf(object), missing, err)
	}
	return nil
}

// established says what a CRD lacks before its objects can be written.
func established(crd *unstructured.Unstructured) string { return lacks(crd, "Established") }

// available says what a Deployment lacks before all of its pods run its template.
func available(d *unstructured.Unstructured) string {
	observed, _, _ := unstructured.NestedInt64(d.Object, "status", "observedGeneration")
	want, _, _ := unstructured.NestedInt64(d.Object, "spec", "replicas")
	updated, _, _ := unstructured.NestedInt64(d.Object, "status", "updatedReplicas")
	ready, _, _ := unstructured.NestedInt64(d.Object, "status", "availableReplicas")
	all, _, _ := unstructured.NestedInt64(d.Object, "status", "replicas")
	if observed == d.GetGeneration() && updated == want && ready == want && all == want {
		return ""
	}
	return fmt.Sprintf("%d of %d pods run the new version, %d are available; the events of its pods in namespace %s show why", updated, want,
		ready, d.GetNamespace())
}

// lacks names a condition that is not true.
func lacks(object *unstructured.Unstructured, condition string) string {
	all, _, _ := unstructured.NestedSlice(object.Object, "status", "conditions")
	for _, one := range all {
		if c, ok := one.(map[string]any); ok && c["type"] == condition && c["status"] == "True" {
			return ""
		}
	}
	return "it is not " + condition
}
