package doctor

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	coordinationv1 "k8s.io/api/coordination/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/turnout-dev/turnout/api/v1alpha1"
	"github.com/turnout-dev/turnout/config"
)

// running checks the Deployment of Turnout and its Secret.
func (w *World) running(context.Context) ([]Finding, error) {
	f := Finding{Severity: SeverityError, Object: named("deployment", config.Namespace, config.Name), Users: EffectNone}
	if w.DeploymentErr != nil {
		return nil, w.DeploymentErr
	}
	if w.Deployment == nil {
		f.Code, f.Message, f.Commands = CodeNotInstalled, "Turnout is not installed in this cluster: install it", commands(w.reinstall())
		return []Finding{f}, nil
	}
	if lacking := w.app(); lacking != nil {
		return []Finding{*lacking}, nil // the pods wait for it
	}
	want := int32(1)
	if n := w.Deployment.Spec.Replicas; n != nil {
		want = *n
	}
	status := w.Deployment.Status
	if want > 0 && status.ObservedGeneration == w.Deployment.Generation && status.UpdatedReplicas == want && status.AvailableReplicas >= want {
		return nil, w.SecretErr
	}
	f.Code, f.Field = CodeNotRunning, "status.availableReplicas"
	f.Message = fmt.Sprintf("%d of %d pods run this version and %d are available: the log and the events of the pods say why",
		status.UpdatedReplicas, want, status.AvailableReplicas)
	f.Commands = commands(v1alpha1.Kubectl("describe", "pods", "--selector=app.kubernetes.io/name="+config.Name, config.Namespace),
		v1alpha1.Shell("kubectl", "logs", "-n", config.Namespace, "deployment/"+config.Name))
	if status.AvailableReplicas > 0 {
		f.Severity = SeverityWarning // one is enough
	}
	if want == 0 {
		f.Severity, f.Field = SeverityError, "spec.replicas"
		f.Message = "it is scaled to 0, so nothing answers webhooks or moves releases: scale it"
		f.Commands = commands(v1alpha1.Kubectl("scale", "deployment", config.Name, config.Namespace, "--replicas=2"))
		f.Users = EffectReleases
	}
	return []Finding{f}, w.SecretErr
}

// app is the finding that the GitHub App is missing in the Secret; nil if it is there, or if
// nobody knows.
func (w *World) app() *Finding {
	if w.SecretErr != nil {
		return nil
	}
	f := Finding{
		Code: CodeNoApp, Severity: SeverityError, Object: named("secret", config.Namespace, config.SecretName), Users: EffectReleases,
	}
	if w.Secret == nil {
		f.Message, f.Commands = "it does not exist: install again, which makes it and opens the setup page", commands(w.reinstall())
		return &f
	}
	for _, key := range []string{config.SecretAppID, config.SecretPrivateKey, config.SecretWebhookSecret} {
		if len(w.Secret.Data[key]) > 0 {
			continue
		}
		f.Field, f.Message = "data", "it has no "+key+": complete it, or remove what it has of an App and install again"
		if len(w.Secret.Data[config.SecretSetupToken]) > 0 && key == config.SecretAppID {
			f.Message = "it has no " + key + ": register the GitHub App on the setup page, with the token that install printed"
			f.Commands = commands(v1alpha1.Shell("kubectl", "-n", config.Namespace, "port-forward", "deployment/"+config.Name, "8081:8081"))
			f.Page = "http://localhost:8081/setup"
		}
		return &f
	}
	return nil
}

// Credentials are those of the GitHub App in the Secret; there is false if it has none.
func (w *World) Credentials() (id int64, key []byte, there bool, err error) {
	if w.SecretErr != nil || w.app() != nil {
		return 0, nil, false, w.SecretErr
	}
	id, err = strconv.ParseInt(strings.TrimSpace(string(w.Secret.Data[config.SecretAppID])), 10, 64)
	if err != nil {
		err = fmt.Errorf("secret %s/%s, data: its %s is no number", config.Namespace, config.SecretName, config.SecretAppID)
	}
	return id, w.Secret.Data[config.SecretPrivateKey], true, err
}

// leads checks that a replica of Turnout leads.
func (w *World) leads(ctx context.Context) ([]Finding, error) {
	if w.DeploymentErr != nil {
		return nil, w.DeploymentErr
	}
	if w.Deployment == nil || w.app() != nil || !slices.Contains(argumentsOf(w), "--leader-elect") {
		return nil, nil // said by running, or without an election
	}
	lease := &coordinationv1.Lease{}
	f := Finding{
		Code: CodeNoLeader, Severity: SeverityError, Object: named("lease", config.Namespace, config.Name), Field: "spec.renewTime",
		Commands: commands(v1alpha1.Shell("kubectl", "logs", "-n", config.Namespace, "deployment/"+config.Name)), Users: EffectNone,
	}
	switch err := w.Kube.Get(ctx, client.ObjectKey{Namespace: config.Namespace, Name: config.Name}, lease); {
	case apierrors.IsNotFound(err):
		f.Message, f.Field = "no replica was ever elected, so no release moves: its log says why", ""
		return []Finding{f}, nil
	case err != nil:
		return nil, fmt.Errorf("reading %s: %w", f.Object, err)
	}
	if renewed := lease.Spec.RenewTime; renewed == nil || time.Since(renewed.Time) > leaseLost {
		f.Message = "no replica has renewed it for a minute or more, so no release moves: the log of the pods says why"
		return []Finding{f}, nil
	}
	return nil, nil
}

// leaseLost is when a lease of 10 s that is renewed all the time counts as lost.
const leaseLost = time.Minute

func argumentsOf(w *World) []string {
	if containers := w.Deployment.Spec.Template.Spec.Containers; len(containers) > 0 {
		return containers[0].Args
	}
	return nil
}
