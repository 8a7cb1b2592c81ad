package main

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"net/url"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/pflag"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"

	"github.com/turnout-dev/turnout/bot"
	"github.com/turnout-dev/turnout/deployer/urlmap"
	"github.com/turnout-dev/turnout/internal/publicnet"
)

// serveConfig is the configuration of `turnout serve`. Every flag has an environment
// variable: --github-url is TURNOUT_GITHUB_URL.
type serveConfig struct {
	listen, metricsListen, setupListen string

	githubURL, privateKeyFile, webhookSecretFile string
	githubAppID                                  int64
	trustedBots, trustedApps                     []string

	kubeconfig   string
	namespaces   []string
	ownNamespace string
	podAccess    string

	allowAddresses []string
	proofProxy     string

	loadBalancerProject string
	computeEndpoint     string
	monitoringEndpoint  string

	cloudbuildEndpoint string
	cloudbuildInsecure bool
	buildPoll          time.Duration

	leaderElect          bool
	leaderElectNamespace string
	logLevel             string
}

func (c *serveConfig) bind(f *pflag.FlagSet) {
	f.StringVar(&c.listen, "listen", ":8080", "address for webhooks (POST /webhook), /healthz and /readyz")
	f.StringVar(&c.metricsListen, "metrics-listen", ":9090", "address for Prometheus (GET /metrics); 0 turns it off")
	f.StringVar(&c.setupListen, "setup-listen", "127.0.0.1:8081",
		"address of the page that registers the GitHub App, served while there is none; 0 turns it off")
	f.StringVar(&c.githubURL, "github-url", "https://github.com", "address of GitHub, or of a GitHub Enterprise Server")
	f.Int64Var(&c.githubAppID, "github-app-id", 0, "id of the GitHub App (required)")
	f.StringVar(&c.privateKeyFile, "github-private-key-file", "", "file with the App's private key, PEM (required)")
	f.StringVar(&c.webhookSecretFile, "webhook-secret-file", "", "file with the webhook secrets, one per line; each is accepted (required)")
	f.StringSliceVar(&c.trustedBots, "trusted-bots", nil, "numeric ids of bots whose comments may be commands")
	f.StringSliceVar(&c.trustedApps, "trusted-apps", nil, "numeric ids of GitHub Apps through which people may command")
	f.StringVar(&c.kubeconfig, "kubeconfig", "", "kubeconfig file; default: in-cluster, then kubectl's own rules")
	f.StringSliceVar(&c.namespaces, "namespaces", nil, "namespaces to serve; default: all")
	f.StringVar(&c.ownNamespace, "own-namespace", "",
		"Turnout's own namespace, where webhooks are stored; default: the pod's own, else that of the lease, else turnout")
	f.StringVar(&c.podAccess, "pod-access", "auto",
		"how the health gate reaches pods: auto (direct in the cluster, proxy elsewhere), direct, or proxy (through the API server)")
	f.StringSliceVar(&c.allowAddresses, "allow-addresses", nil,
		"ranges, such as 10.0.0.0/8, in which applications' addresses (spec.url) and registries may be; default: public ones, and the "+
			"Ingress's own")
	f.StringVar(&c.proofProxy, "proof-proxy", "",
		"address of a proxy for requests to applications' addresses (spec.url) and to registries; default: none, even if the "+
			"environment names one")
	f.StringVar(&c.loadBalancerProject, "load-balancer-project", "",
		"Google project of the cluster: Turnout reads its load balancers' URL maps (compute.urlMaps.get); default: reads none")
	f.StringVar(&c.computeEndpoint, "compute-endpoint", "",
		"address of the Compute API, such as https://compute-x.p.googleapis.com/compute/v1/; default: Google's. One without TLS is an "+
			"emulator, and gets no credentials")
	f.StringVar(&c.monitoringEndpoint, "monitoring-endpoint", "",
		"address of Cloud Monitoring; default: Google's. One without TLS is an emulator, and gets no credentials")
	f.StringVar(&c.cloudbuildEndpoint, "cloudbuild-endpoint", "", "host:port of Cloud Build; default: Google's")
	f.BoolVar(&c.cloudbuildInsecure, "cloudbuild-insecure", false, "call Cloud Build without TLS and credentials, for an emulator")
	f.DurationVar(&c.buildPoll, "build-poll", 0, "least time between two looks at a build; default 5s, which Cloud Build's quotas suggest")
	f.BoolVar(&c.leaderElect, "leader-elect", false, "with several replicas: let one of them move releases")
	f.StringVar(&c.leaderElectNamespace, "leader-elect-namespace", "", "namespace of the election's lease; default: the pod's own")
	f.StringVar(&c.logLevel, "log-level", "info", "debug, info, warn or error")
}

// secrets are the files that a configuration names, read and checked.
type secrets struct {
	privateKey []byte
	webhook    bot.Secrets
	bots, apps []int64
}

// outside says how to reach applications' public addresses.
type outside struct {
	allowed []netip.Prefix
	proxy   *url.URL
}

func (c *serveConfig) outside() (o outside, err error) {
	if o.allowed, err = publicnet.Ranges(c.allowAddresses); err != nil {
		return o, fmt.Errorf("--allow-addresses (%s): %w", variable("allow-addresses"), err)
	}
	if c.proofProxy == "" {
		return o, nil
	}
	if o.proxy, err = url.Parse(c.proofProxy); err != nil || o.proxy.Host == "" {
		return o, fmt.Errorf("--proof-proxy (%s): %q is no address, such as http://proxy:3128", variable("proof-proxy"), c.proofProxy)
	}
	return o, nil
}

// urlMaps reads the URL maps of Google's load balancers; nil if not configured.
func (c *serveConfig) urlMaps(ctx context.Context) (*urlmap.Client, error) {
	if c.loadBalancerProject == "" {
		return nil, nil
	}
	client, err := urlmap.New(ctx, urlmap.Config{Project: c.loadBalancerProject, Endpoint: c.computeEndpoint})
	if err != nil {
		return nil, fmt.Errorf("--load-balancer-project (%s), --compute-endpoint (%s): %w", variable("load-balancer-project"),
			variable("compute-endpoint"), err)
	}
	return client, nil
}

// load reads and checks whatever can be checked without network. An error names the flag
// and the variable.
func (c *serveConfig) load() (secrets, error) {
	var s secrets
	var errs []error
	if !c.unregistered() {
		errs = append(errs, c.loadApp(&s))
	}
	var err error
	if s.bots, err = ids(c.trustedBots); err != nil {
		errs = append(errs, fmt.Errorf("--trusted-bots (%s): %w: find it at /users/LOGIN of the API", variable("trusted-bots"), err))
	}
	if s.apps, err = ids(c.trustedApps); err != nil {
		errs = append(errs, fmt.Errorf("--trusted-apps (%s): %w: find it at /apps/NAME of the API", variable("trusted-apps"), err))
	}
	if _, err := c.outside(); err != nil {
		errs = append(errs, err)
	}
	switch c.podAccess {
	case "auto", "direct", "proxy":
	default:
		errs = append(errs, fmt.Errorf("--pod-access (%s): %q is none of auto, direct and proxy", variable("pod-access"), c.podAccess))
	}
	return s, errors.Join(errs...)
}

// loadApp reads what the GitHub App needs.
func (c *serveConfig) loadApp(s *secrets) error {
	var errs []error
	if c.githubAppID <= 0 {
		errs = append(errs, missing("github-app-id", "the number GitHub shows on the App's page"))
	}
	if c.privateKeyFile == "" {
		errs = append(errs, missing("github-private-key-file", "a file with the App's private key"))
	} else if key, err := os.ReadFile(c.privateKeyFile); err != nil {
		errs = append(errs, fmt.Errorf("--github-private-key-file (%s): %w", variable("github-private-key-file"), err))
	} else {
		s.privateKey = key
	}
	lines, err := readSecrets(c.webhookSecretFile)
	if err == nil {
		s.webhook, err = bot.NewSecrets(lines...)
	}
	return errors.Join(append(errs, err)...)
}

// ids parses numeric ids.
func ids(texts []string) ([]int64, error) {
	var all []int64
	for _, text := range texts {
		id, err := strconv.ParseInt(strings.TrimSpace(text), 10, 64)
		if err != nil {
			return nil, fmt.Errorf("%q is not a numeric id", text)
		}
		all = append(all, id)
	}
	return all, nil
}

func missing(flag, what string) error {
	return fmt.Errorf("--%s (%s) is required: %s", flag, variable(flag), what)
}

// cluster returns the connection to Kubernetes, and whether this process runs in the
// cluster.
func (c *serveConfig) cluster() (cfg *rest.Config, inside bool, err error) {
	if c.kubeconfig == "" {
		cfg, err = rest.InClusterConfig()
		if err == nil {
			return cfg, true, nil
		}
		if !errors.Is(err, rest.ErrNotInCluster) {
			return nil, false, fmt.Errorf("connecting to the cluster this runs in: %w", err)
		}
	}
	rules := clientcmd.NewDefaultClientConfigLoadingRules()
	rules.ExplicitPath = c.kubeconfig
	cfg, err = clientcmd.NewNonInteractiveDeferredLoadingClientConfig(rules, nil).ClientConfig()
	if err != nil {
		return nil, false, fmt.Errorf("--kubeconfig (%s): %w", variable("kubeconfig"), err)
	}
	return cfg, false, nil
}
