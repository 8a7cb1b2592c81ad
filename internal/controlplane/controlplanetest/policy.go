package controlplanetest

import (
	"context"
	"errors"
	"fmt"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/wait"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/turnout-dev/turnout/api/v1alpha1"
	"github.com/turnout-dev/turnout/config/policy"
	"github.com/turnout-dev/turnout/internal/controlplane"
)

// InstallPolicies installs the admission policies of config/, and returns once the API
// server enforces the one of releases. It needs the CRD of releases.
func InstallPolicies(ctx context.Context, cp *controlplane.ControlPlane) error {
	scheme := runtime.NewScheme()
	if err := errors.Join(clientgoscheme.AddToScheme(scheme), v1alpha1.AddToScheme(scheme)); err != nil {
		return err
	}
	c, err := client.New(cp.Config, client.Options{Scheme: scheme})
	if err != nil {
		return fmt.Errorf("connecting: %w", err)
	}
	for _, p := range policy.All() {
		for _, o := range []client.Object{p.Policy, p.Binding} {
			if err := c.Create(ctx, o); err != nil {
				return fmt.Errorf("installing the admission policy %s: %w", o.GetName(), err)
			}
		}
	}
	// Nobody, not even an administrator, may write a release without its label.
	unlabelled := &v1alpha1.Release{
		ObjectMeta: metav1.ObjectMeta{Namespace: metav1.NamespaceDefault, Name: "unlabelled"},
		Spec: v1alpha1.ReleaseSpec{
			Kind: v1alpha1.Deploy, Application: "a", Cause: v1alpha1.Cause{Kind: v1alpha1.CauseCLI},
			Deploy: &v1alpha1.DeploySpec{Repository: "a/b", Commit: "0123456789012345678901234567890123456789", Attempt: 1},
		},
	}
	var last error
	err = wait.PollUntilContextTimeout(ctx, 50*time.Millisecond, 30*time.Second, true, func(ctx context.Context) (bool, error) {
		last = c.Create(ctx, unlabelled.DeepCopy(), client.DryRunAll)
		return apierrors.IsInvalid(last) || apierrors.IsForbidden(last), nil
	})
	if err != nil {
		return fmt.Errorf("waiting for the admission policy to take effect: %w (a release without a label: %w)", err, last)
	}
	return nil
}
