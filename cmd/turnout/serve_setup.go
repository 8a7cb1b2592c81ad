package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"net"
	"net/http"
	"os"
	"strings"
	"time"

	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/turnout-dev/turnout/bot"
	"github.com/turnout-dev/turnout/bot/githubapp"
	"github.com/turnout-dev/turnout/internal/setup"
)

// unregistered reports whether there is no GitHub App yet: neither its number, nor its files.
// If one of them is there, the others are missing by mistake.
func (c *serveConfig) unregistered() bool {
	return c.setupListen != "0" && c.githubAppID == 0 && absent(c.privateKeyFile) && absent(c.webhookSecretFile)
}

func absent(file string) bool {
	if file == "" {
		return true
	}
	_, err := os.Stat(file)
	return errors.Is(err, fs.ErrNotExist)
}

// register waits for a GitHub App, serves the setup page meanwhile, and fills in the
// configuration and the secrets as if they had been given. It returns at once if the Secret has
// an App.
func (c *serveConfig) register(ctx context.Context, cfg *rest.Config, home string, s *secrets, log *slog.Logger) error {
	kube, err := client.New(cfg, client.Options{})
	if err != nil {
		return fmt.Errorf("connecting to Kubernetes at %s: %w", cfg.Host, err)
	}
	secret := &setup.Secret{Client: kube, Namespace: home}
	app, err := secret.Registered(ctx)
	if err != nil {
		return err
	}
	if app == nil {
		page := &setup.Page{GitHub: githubapp.Config{URL: c.githubURL}, Secret: secret, Log: log}
		if app, err = c.setUp(ctx, page, log); err != nil {
			return err
		}
	}
	c.githubAppID, s.privateKey = app.ID, app.PrivateKey
	s.webhook, err = bot.NewSecrets(strings.Fields(string(app.WebhookSecret))...)
	return err
}

// setUp serves the setup page on its own listener. On the webhook's listener it says that the
// process is alive, and takes the page's test delivery, and nothing else.
func (c *serveConfig) setUp(ctx context.Context, page *setup.Page, log *slog.Logger) (*setup.App, error) {
	own, err := net.Listen("tcp", c.setupListen)
	if err != nil {
		return nil, fmt.Errorf("--setup-listen (%s): %w", variable("setup-listen"), err)
	}
	public, err := net.Listen("tcp", c.listen)
	if err != nil {
		_ = own.Close()
		return nil, fmt.Errorf("--listen (%s): %w", variable("listen"), err)
	}
	srv := &http.Server{Handler: alive(page), ReadHeaderTimeout: 10 * time.Second, ReadTimeout: 30 * time.Second, MaxHeaderBytes: maxHeader}
	go func() { _ = srv.Serve(public) }()
	defer func() { _ = srv.Close() }()
	log.InfoContext(ctx, "there is no GitHub App yet; serving the page that registers it", "setup", own.Addr().String(),
		"listen", public.Addr().String())
	app, err := page.Run(ctx, own)
	if err != nil {
		return nil, err
	}
	return &app, nil
}

// alive answers the kubelet of a process that has no App, and the setup page's test delivery. It
// is ready, too: a load balancer sends nothing to a pod that is not, and the delivery would be
// lost. No webhook is, since there is no App.
func alive(page *setup.Page) http.Handler {
	mux := http.NewServeMux()
	for _, path := range []string{"/healthz", "/readyz"} {
		mux.HandleFunc("GET "+path, func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "ok\n") })
	}
	mux.HandleFunc("POST /webhook", page.Ping)
	mux.HandleFunc("/", func(w http.ResponseWriter, _ *http.Request) {
		http.Error(w, "there is no GitHub App yet", http.StatusServiceUnavailable)
	})
	return mux
}
