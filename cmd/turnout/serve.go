package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"time"

	"github.com/go-logr/logr"
	"github.com/spf13/cobra"
	"golang.org/x/net/netutil"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/uuid"
	"k8s.io/client-go/kubernetes"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/rest"
	"k8s.io/klog/v2"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/manager"
	ctrlmetrics "sigs.k8s.io/controller-runtime/pkg/metrics"
	"sigs.k8s.io/controller-runtime/pkg/metrics/server"

	"github.com/turnout-dev/turnout/api/v1alpha1"
	"github.com/turnout-dev/turnout/bot"
	"github.com/turnout-dev/turnout/bot/githubapp"
	"github.com/turnout-dev/turnout/deployer"
	"github.com/turnout-dev/turnout/deployer/cloudbuild"
	"github.com/turnout-dev/turnout/deployer/gate"
	"github.com/turnout-dev/turnout/deployer/proof"
	"github.com/turnout-dev/turnout/deployer/route"
	"github.com/turnout-dev/turnout/deployer/workload"
	"github.com/turnout-dev/turnout/record"
)

func serveCommand() *cobra.Command {
	var c serveConfig
	cmd := &cobra.Command{
		Use:   "serve",
		Short: "Answer GitHub's webhooks and move releases",
		Args:  arguments{}.check,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return serve(cmd.Context(), c, beyond(cmd.ErrOrStderr())) // its log is JSON, and already masked
		},
	}
	c.bind(cmd.Flags())
	return cmd
}

// shutdownTimeout is how long running webhooks may take to end; a pod has 30 s by default.
const shutdownTimeout = 15 * time.Second

// serve runs until ctx ends.
func serve(ctx context.Context, c serveConfig, logs io.Writer) error {
	log, err := newLogger(c.logLevel, logs)
	if err != nil {
		return err
	}
	s, err := c.load()
	if err != nil {
		return err
	}
	cfg, inside, err := c.cluster()
	if err != nil {
		return err
	}
	if c.unregistered() {
		if err := c.register(ctx, cfg, c.home(inside), &s, log); err != nil {
			return err
		}
	}
	counted, err := newMetrics(ctrlmetrics.Registry)
	if err != nil {
		return fmt.Errorf("registering metrics: %w", err)
	}
	github, err := githubapp.New(githubapp.Config{
		URL: c.githubURL, AppID: c.githubAppID, PrivateKey: s.privateKey, Transport: gitHubTransport{http.DefaultTransport, counted},
	})
	if err != nil {
		return err
	}
	mgr, err := untilAnswered(ctx, log, func() (ctrl.Manager, error) { return c.manager(cfg, c.home(inside), log) })
	if err != nil {
		return err
	}
	if err := ctrlmetrics.Registry.Register(&recordMetrics{
		reader: mgr.GetClient(), log: log, now: time.Now,
		begin: counted.begin,
	}); err != nil {
		return fmt.Errorf("registering metrics: %w", err)
	}
	rec := &record.Record{Client: mgr.GetClient(), Reader: mgr.GetAPIReader(), Namespaces: c.namespaces}
	if err := c.addDeployer(ctx, mgr, rec, github, counted, inside, log); err != nil {
		return err
	}
	inbox := &bot.Inbox{
		Record: botRecord{rec}, GitHub: github, TrustedBots: s.bots, TrustedApps: s.apps, Holder: holder(), Settled: settled(mgr, counted),
		Log: log,
	}
	if err := c.addInbox(ctx, mgr, inbox, c.home(inside)); err != nil {
		return err
	}
	if err := c.addBot(mgr, rec, inbox, log); err != nil {
		return err
	}
	webhook := &bot.Webhook{Secrets: s.webhook, Handle: inbox.Handle, Log: log, Answered: counted.webhook}
	if err := c.addServer(mgr, webhook, log); err != nil {
		return err
	}
	go giveBackMemory(ctx, allocated)
	log.InfoContext(ctx, "serving", "version", version(), "listen", c.listen, "github", c.githubURL, "cluster", cfg.Host)
	if err := mgr.Start(ctx); err != nil {
		return fmt.Errorf("serving: %w", err)
	}
	log.InfoContext(context.WithoutCancel(ctx), "stopped")
	return nil
}

func newLogger(level string, out io.Writer) (*slog.Logger, error) {
	var l slog.Level
	if err := l.UnmarshalText([]byte(level)); err != nil {
		return nil, fmt.Errorf("--log-level (%s): %w", variable("log-level"), err)
	}
	return slog.New(slog.NewJSONHandler(out, &slog.HandlerOptions{Level: l, ReplaceAttr: maskLog})), nil
}

// manager connects to Kubernetes. The times of its lease let another replica take over
// within seconds. They fence nothing; the claim does.
func (c *serveConfig) manager(cfg *rest.Config, home string, log *slog.Logger) (ctrl.Manager, error) {
	scheme := runtime.NewScheme()
	if err := errors.Join(clientgoscheme.AddToScheme(scheme), v1alpha1.AddToScheme(scheme)); err != nil {
		return nil, fmt.Errorf("building the scheme: %w", err)
	}
	cfg = rest.CopyConfig(cfg)
	cfg.UserAgent = "turnout/" + version()
	cfg.QPS = -1 // the API server's priority and fairness limits the requests
	lease, renew, retry, grace := 10*time.Second, 7*time.Second, time.Second, shutdownTimeout
	options := ctrl.Options{
		Scheme: scheme, MapperProvider: newMapper, Logger: logr.FromSlogHandler(log.Handler()),
		Metrics:                       server.Options{BindAddress: c.metricsListen},
		LeaderElection:                c.leaderElect,
		LeaderElectionID:              "turnout",
		LeaderElectionNamespace:       c.leaderElectNamespace,
		LeaderElectionReleaseOnCancel: true,
		LeaseDuration:                 &lease, RenewDeadline: &renew, RetryPeriod: &retry,
		GracefulShutdownTimeout: &grace,
	}
	ctrl.SetLogger(options.Logger)
	klog.SetLogger(options.Logger) // client-go's
	if len(c.namespaces) > 0 {
		options.Cache.DefaultNamespaces = map[string]cache.Config{}
		for _, namespace := range c.namespaces {
			options.Cache.DefaultNamespaces[namespace] = cache.Config{}
		}
		// With some namespaces only, Turnout may have rights nowhere else, so it reads
		// Namespaces one by one and does not watch them.
		options.Client.Cache = &client.CacheOptions{DisableFor: []client.Object{&corev1.Namespace{}}}
	}
	options.Cache.DefaultTransform = workload.Slim
	options.Cache.ByObject = map[client.Object]cache.ByObject{
		&v1alpha1.Delivery{}: {Namespaces: map[string]cache.Config{home: {}}},
	}
	mgr, err := ctrl.NewManager(cfg, options)
	if err != nil {
		return nil, fmt.Errorf("connecting to Kubernetes at %s: %w", cfg.Host, err)
	}
	return mgr, nil
}

// addDeployer wires the deployer. It runs only on the leader.
func (c *serveConfig) addDeployer(ctx context.Context, mgr ctrl.Manager, rec *record.Record, github *githubapp.Client, m *metrics,
	inside bool,
	log *slog.Logger,
) error {
	clientset, err := kubernetes.NewForConfig(mgr.GetConfig())
	if err != nil {
		return fmt.Errorf("connecting to Kubernetes: %w", err)
	}
	pods, err := c.pods(mgr.GetConfig(), inside)
	if err != nil {
		return err
	}
	google := cloudbuild.NewAccounts(cloudbuild.Config{
		Endpoint: c.cloudbuildEndpoint, Insecure: c.cloudbuildInsecure,
		Interceptor: m.cloudBuild,
	})
	if _, _, err := google.As(ctx, ""); err != nil { // configuration errors show at start
		return fmt.Errorf("reaching Google: %w", err)
	}
	public, err := c.outside()
	if err != nil {
		return err
	}
	maps, err := c.urlMaps(ctx)
	if err != nil {
		return err
	}
	d := &deployer.Deployer{
		Client:       mgr.GetClient(),
		Record:       rec,
		Repositories: &record.Repositories{Client: mgr.GetClient(), Reader: mgr.GetAPIReader(), Namespace: c.home(inside)},
		Routes:       &route.Router{Client: mgr.GetClient(), Reader: mgr.GetAPIReader()},
		Workloads:    &workload.Workloads{Client: mgr.GetClient(), Reader: mgr.GetAPIReader(), Clientset: clientset},
		Pods:         pods,
		Google:       google,
		Source:       deployer.RememberAncestry(gitHubSource{githubapp.Source{GitHub: github}}),
		Holder:       holder(),
		BuildPace:    cloudbuild.Pace{Min: c.buildPoll, Max: 2 * c.buildPoll},
		Events:       mgr.GetEventRecorder("turnout"),
		Observer:     m,
		UserAgent:    proof.UserAgent(version()),
		Log:          log,

		Namespaced:     len(c.namespaces) > 0,
		AllowAddresses: public.allowed,
		Proxy:          public.proxy,
		URLMaps:        maps,
		Monitoring:     c.monitoringEndpoint,
	}
	rec.Crowded = d.Crowded
	return d.Setup(mgr)
}

// pods chooses how the health gate reaches pods.
func (c *serveConfig) pods(cfg *rest.Config, inside bool) (gate.Access, error) {
	if c.podAccess == "direct" || c.podAccess == "auto" && inside {
		return gate.Straight(cfg)
	}
	return gate.ThroughAPIServer(cfg)
}

// holder names this process in claims, uniquely among processes and restarts.
func holder() string {
	host, err := os.Hostname()
	if err != nil {
		host = "turnout"
	}
	return host + "-" + string(uuid.NewUUID())
}

// addInbox wires the inbox: every replica stores webhooks, and the leader handles them.
func (c *serveConfig) addInbox(ctx context.Context, mgr ctrl.Manager, inbox *bot.Inbox, home string) error {
	if err := checkHome(ctx, mgr.GetAPIReader(), home); err != nil {
		return err
	}
	deliveries := &record.Deliveries{Client: mgr.GetClient(), Reader: mgr.GetAPIReader(), Namespace: home}
	inbox.Deliveries = botDeliveries{deliveries}
	return deliveries.Watch(mgr, inbox.Work)
}

// addBot wires publishing on GitHub and the sweep. It runs only on the leader.
func (c *serveConfig) addBot(mgr ctrl.Manager, rec *record.Record, inbox *bot.Inbox, log *slog.Logger) error {
	publisher := &bot.Publisher{
		GitHub: inbox.GitHub, Record: inbox.Record, Known: known{record.Known{Cache: mgr.GetClient()}}, Web: c.githubURL, Log: log,
	}
	if err := rec.Watch(mgr, "publish", publisher.Publish); err != nil {
		return err
	}
	sweep := &bot.Sweep{GitHub: inbox.GitHub, Record: inbox.Record, Inbox: inbox, Log: log}
	if err := mgr.Add(manager.RunnableFunc(sweep.Run)); err != nil {
		return fmt.Errorf("adding the sweep: %w", err)
	}
	return nil
}

// everyReplica is a server that runs on every replica, leader or not: each answers
// webhooks.
type everyReplica func(context.Context) error

func (f everyReplica) Start(ctx context.Context) error { return f(ctx) }
func (f everyReplica) NeedLeaderElection() bool        { return false }

// maxHeader bounds the header of a request, in bytes: anybody may send one. GitHub's
// headers are about 1 KB.
const maxHeader = 16 << 10

// maxConnections is how many connections are served at once. Each takes about 16 KB before
// its headers are read.
const maxConnections = 1024

// addServer wires the HTTP server.
func (c *serveConfig) addServer(mgr ctrl.Manager, webhook http.Handler, log *slog.Logger) error {
	mux := http.NewServeMux()
	mux.Handle("/webhook", webhook)
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "ok\n") })
	mux.HandleFunc("GET /readyz", func(w http.ResponseWriter, r *http.Request) {
		ctx, cancel := context.WithTimeout(r.Context(), time.Second)
		defer cancel()
		if !mgr.GetCache().WaitForCacheSync(ctx) {
			http.Error(w, "the cache of Kubernetes objects is not filled yet", http.StatusServiceUnavailable)
			return
		}
		_, _ = io.WriteString(w, "ok\n")
	})
	srv := &http.Server{
		Handler: mux, ReadHeaderTimeout: 10 * time.Second, ReadTimeout: 30 * time.Second, IdleTimeout: time.Minute,
		MaxHeaderBytes: maxHeader,
		ErrorLog:       slog.NewLogLogger(log.Handler(), slog.LevelWarn),
	}
	listener, err := net.Listen("tcp", c.listen)
	if err != nil {
		return fmt.Errorf("--listen (%s): %w", variable("listen"), err)
	}
	listener = netutil.LimitListener(listener, maxConnections)
	err = mgr.Add(everyReplica(func(ctx context.Context) error {
		stopped := context.AfterFunc(ctx, func() {
			ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), shutdownTimeout)
			defer cancel()
			_ = srv.Shutdown(ctx)
		})
		defer stopped()
		if err := srv.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
			return fmt.Errorf("serving webhooks: %w", err)
		}
		return nil
	}))
	if err != nil {
		return fmt.Errorf("adding the server: %w", err)
	}
	return nil
}
