package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"

	"github.com/go-logr/logr"
	"github.com/spf13/pflag"
	authenticationv1 "k8s.io/api/authentication/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/tools/clientcmd"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/turnout-dev/turnout/api/v1alpha1"
	"github.com/turnout-dev/turnout/record"
)

// clusterFlags choose the cluster and the namespace, like kubectl's flags of the same
// names.
type clusterFlags struct {
	kubeconfig, context, namespace string
	// inline is the content of a kubeconfig; it takes precedence over the file.
	inline []byte
}

func (c *clusterFlags) bind(f *pflag.FlagSet) {
	c.bindCluster(f)
	f.StringVarP(&c.namespace, "namespace", "n", "", "namespace of the application; default: the context's")
}

// bindCluster binds the flags of a command that needs no namespace.
func (c *clusterFlags) bindCluster(f *pflag.FlagSet) {
	f.StringVar(&c.kubeconfig, "kubeconfig", "", "kubeconfig file; default: kubectl's own rules, then in-cluster")
	f.StringVar(&c.context, "context", "", "context of the kubeconfig; default: its current one")
}

// cluster is a connection for somebody who may write releases.
type cluster struct {
	record    *record.Record
	kube      client.WithWatch
	namespace string
}

// connect reads the kubeconfig. It does not call the cluster.
func (c *clusterFlags) connect() (*cluster, error) {
	config, err := c.clientConfig()
	if err != nil {
		return nil, err
	}
	if err := c.known(config); err != nil {
		return nil, err
	}
	namespace, _, err := config.Namespace()
	if err != nil {
		return nil, c.unusable(err)
	}
	cfg, err := config.ClientConfig()
	if err != nil {
		return nil, c.unusable(err)
	}
	cfg.UserAgent = "turnout/" + version()
	cfg.QPS = -1                   // doctor asks a few hundred questions; the API server's priority and fairness limits them
	ctrl.SetLogger(logr.Discard()) // a person reads this program's output
	scheme := runtime.NewScheme()
	if err := errors.Join(clientgoscheme.AddToScheme(scheme), v1alpha1.AddToScheme(scheme)); err != nil {
		return nil, fmt.Errorf("building the scheme: %w", err)
	}
	kube, err := client.NewWithWatch(cfg, client.Options{Scheme: scheme})
	if err != nil {
		return nil, fmt.Errorf("connecting to Kubernetes at %s: %w", cfg.Host, err)
	}
	rec := &record.Record{Client: kube, Reader: kube, Namespaces: []string{namespace}}
	return &cluster{record: rec, kube: kube, namespace: namespace}, nil
}

// unusable says why a kubeconfig cannot be used.
func (c *clusterFlags) unusable(err error) error {
	if clientcmd.IsEmptyConfig(err) {
		return fmt.Errorf("there is no kubeconfig: --kubeconfig (%s) or KUBECONFIG names one, and "+
			"gcloud container clusters get-credentials writes one for a cluster of GKE", variable("kubeconfig"))
	}
	return fmt.Errorf("--kubeconfig (%s), or KUBECONFIG: %w", variable("kubeconfig"), withoutSecrets(err, c.inline))
}

// known checks that the kubeconfig has the context. What else is wrong with it, others say.
func (c *clusterFlags) known(config clientcmd.ClientConfig) error {
	raw, err := config.RawConfig()
	if err == nil && c.context != "" && raw.Contexts[c.context] == nil {
		names := slices.Sorted(maps.Keys(raw.Contexts))
		return fmt.Errorf("--context %q: the kubeconfig has no such context; it has %s", c.context, cmp.Or(strings.Join(names, ", "), "none"))
	}
	return nil
}

func (c *clusterFlags) clientConfig() (clientcmd.ClientConfig, error) {
	overrides := &clientcmd.ConfigOverrides{CurrentContext: c.context}
	overrides.Context.Namespace = c.namespace
	if c.inline == nil && (strings.ContainsAny(c.kubeconfig, "\n{") || len(c.kubeconfig) > 255) { // a text, or a very long name
		var err error
		if c.kubeconfig, c.inline, err = readKubeconfig(c.kubeconfig); err != nil {
			return nil, fmt.Errorf("--kubeconfig (%s): %w", variable("kubeconfig"), err)
		}
	}
	if c.inline != nil {
		config, err := loadKubeconfig(c.inline)
		if err != nil {
			return nil, fmt.Errorf("the kubeconfig given: %w", err)
		}
		return clientcmd.NewDefaultClientConfig(*config, overrides), nil
	}
	if file := os.Getenv(clientcmd.RecommendedConfigPathEnvVar); c.kubeconfig == "" && strings.ContainsAny(file, "\n{") {
		return nil, errors.New("KUBECONFIG holds text and not the name of a file (it is not shown): write it to a file")
	}
	rules := clientcmd.NewDefaultClientConfigLoadingRules()
	rules.ExplicitPath = c.kubeconfig
	rules.WarnIfAllMissing = false // that warning shows the content of KUBECONFIG
	return clientcmd.NewNonInteractiveDeferredLoadingClientConfig(rules, overrides), nil
}

// releasesOf reads an application and its releases.
func (c *cluster) releasesOf(ctx context.Context, app string) (*v1alpha1.BlueGreen, []v1alpha1.Release, error) {
	bg, err := c.application(ctx, app)
	if err != nil {
		return nil, nil, err
	}
	all, err := c.record.Releases(ctx, client.ObjectKeyFromObject(bg))
	return bg, all, err
}

// application reads one application. If it does not exist, the error lists the existing
// ones.
func (c *cluster) application(ctx context.Context, name string) (*v1alpha1.BlueGreen, error) {
	bg, err := c.record.Application(ctx, types.NamespacedName{Namespace: c.namespace, Name: name})
	switch {
	case meta.IsNoMatchError(err):
		return nil, noTurnout(err)
	case !apierrors.IsNotFound(err):
		return bg, err
	}
	var list v1alpha1.BlueGreenList
	if err := c.kube.List(ctx, &list, client.InNamespace(c.namespace)); err != nil {
		return nil, fmt.Errorf("namespace %s has no application %s, and listing its applications failed: %w", c.namespace, name, err)
	}
	if len(list.Items) == 0 {
		return nil, fmt.Errorf("namespace %s has no application %s, nor any other: "+
			"--namespace names another namespace, --context another cluster", c.namespace, name)
	}
	names := make([]string, len(list.Items))
	for i := range list.Items {
		names[i] = list.Items[i].Name
	}
	return nil, fmt.Errorf("namespace %s has no application %s; it has %s", c.namespace, name, strings.Join(names, ", "))
}

func noTurnout(err error) error {
	return fmt.Errorf("this cluster does not know applications: Turnout's CRDs (config/crd) are not applied, or --context means another "+
		"cluster: %w", err)
}

// actor is the user that the API server sees; without an answer, this machine's user.
func (c *cluster) actor(ctx context.Context) string {
	review := &authenticationv1.SelfSubjectReview{ObjectMeta: metav1.ObjectMeta{}}
	if err := c.kube.Create(ctx, review); err == nil && review.Status.UserInfo.Username != "" {
		return review.Status.UserInfo.Username
	}
	if user := os.Getenv("USER"); user != "" {
		return user
	}
	return "somebody"
}

// readiness is the condition that says whether an application can be released; nil if
// nobody has checked yet.
func readiness(bg *v1alpha1.BlueGreen) *metav1.Condition {
	return meta.FindStatusCondition(bg.Status.Conditions, v1alpha1.ConditionReady)
}

// blocked is the condition that blocks releases of an application; nil if none does.
func blocked(bg *v1alpha1.BlueGreen) *metav1.Condition {
	c := readiness(bg)
	if c == nil || c.Status != metav1.ConditionFalse {
		return nil
	}
	return c
}
