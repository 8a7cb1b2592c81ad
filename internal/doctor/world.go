package doctor

import (
	"context"
	"fmt"
	"slices"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	authenticationv1 "k8s.io/api/authentication/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/turnout-dev/turnout/api/v1alpha1"
	"github.com/turnout-dev/turnout/config"
)

// Scope chooses what is checked.
type Scope struct {
	// Application is the one to check, in Namespace; empty for everything.
	Application, Namespace string
}

// World is what several checks need of the cluster, read once. A part that could not be read
// has its error beside it.
type World struct {
	Kube  client.Client
	Scope Scope
	// Me is the user that the API server sees; empty if it does not say.
	Me string
	// Deployment of Turnout; nil if there is none.
	Deployment    *appsv1.Deployment
	DeploymentErr error
	// Secret of the GitHub App; nil if there is none.
	Secret    *corev1.Secret
	SecretErr error
	// Applications in scope.
	Applications    []v1alpha1.BlueGreen
	ApplicationsErr error
}

// readTimeout bounds each read of [Observe].
const readTimeout = 10 * time.Second

// maxApplications bounds how many applications are checked.
const maxApplications = 2000

// Observe reads the world.
func Observe(ctx context.Context, kube client.Client, scope Scope) *World {
	w := &World{Kube: kube, Scope: scope}
	bounded(ctx, w, observeMe)
	bounded(ctx, w, observeInstall)
	bounded(ctx, w, observeApplications)
	return w
}

func bounded(ctx context.Context, w *World, read func(context.Context, *World)) {
	ctx, cancel := context.WithTimeout(ctx, readTimeout)
	defer cancel()
	read(ctx, w)
}

func observeMe(ctx context.Context, w *World) {
	review := &authenticationv1.SelfSubjectReview{ObjectMeta: metav1.ObjectMeta{}}
	if err := w.Kube.Create(ctx, review); err == nil {
		w.Me = review.Status.UserInfo.Username
	}
}

func observeInstall(ctx context.Context, w *World) {
	d, s := &appsv1.Deployment{}, &corev1.Secret{}
	switch err := w.Kube.Get(ctx, client.ObjectKey{Namespace: config.Namespace, Name: config.Name}, d); {
	case err == nil:
		w.Deployment = d
	case !apierrors.IsNotFound(err):
		w.DeploymentErr = fmt.Errorf("reading deployment %s/%s: %w", config.Namespace, config.Name, err)
	}
	switch err := w.Kube.Get(ctx, client.ObjectKey{Namespace: config.Namespace, Name: config.SecretName}, s); {
	case err == nil:
		w.Secret = s
	case !apierrors.IsNotFound(err):
		w.SecretErr = fmt.Errorf("reading secret %s/%s: %w", config.Namespace, config.SecretName, err)
	}
}

// servedBy are the namespaces that Turnout serves; empty for all.
func servedBy(w *World) []string {
	if w.Deployment == nil {
		return nil
	}
	return config.ServedBy(w.Deployment)
}

func observeApplications(ctx context.Context, w *World) {
	if w.Scope.Application != "" {
		bg := &v1alpha1.BlueGreen{}
		err := w.Kube.Get(ctx, client.ObjectKey{Namespace: w.Scope.Namespace, Name: w.Scope.Application}, bg)
		if err != nil {
			w.ApplicationsErr = fmt.Errorf("reading bluegreen %s/%s: %w", w.Scope.Namespace, w.Scope.Application, err)
			return
		}
		w.Applications = []v1alpha1.BlueGreen{*bg}
		return
	}
	namespaces := servedBy(w)
	if len(namespaces) == 0 {
		namespaces = []string{metav1.NamespaceAll}
	}
	for _, namespace := range namespaces {
		var list v1alpha1.BlueGreenList
		if err := w.Kube.List(ctx, &list, client.InNamespace(namespace), client.Limit(maxApplications)); err != nil {
			w.ApplicationsErr = fmt.Errorf("listing bluegreens: %w", err)
			return
		}
		w.Applications = append(w.Applications, list.Items...)
	}
	w.Applications = w.Applications[:min(len(w.Applications), maxApplications)]
}

// namespacesOf are those of the applications in scope.
func namespacesOf(w *World) []string {
	var all []string
	for i := range w.Applications {
		if ns := w.Applications[i].Namespace; !slices.Contains(all, ns) {
			all = append(all, ns)
		}
	}
	return all
}

// account is the user name of Turnout's ServiceAccount.
const account = "system:serviceaccount:" + config.Namespace + ":" + config.Name

// AsTurnout reports whether this process has Turnout's own rights.
func (w *World) AsTurnout() bool { return w.Me == account }

// reinstall is the command that applies config/ of this version.
func (w *World) reinstall() v1alpha1.ShellCommand {
	if w.Deployment == nil {
		return v1alpha1.Shell("turnout", "install", "--image", "NAME@sha256:DIGEST")
	}
	return v1alpha1.Shell("turnout", "install", "--upgrade", "--image", config.ImageOf(w.Deployment))
}
