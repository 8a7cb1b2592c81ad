// Package turnout runs the real turnout binary in the sandbox, with only the rights that config/
// gives it.
package turnout

import (
	"bytes"
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"time"

	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	kuberuntime "k8s.io/apimachinery/pkg/runtime"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/yaml"

	"github.com/turnout-dev/turnout/api/v1alpha1"
	"github.com/turnout-dev/turnout/bot/githubtest"
	"github.com/turnout-dev/turnout/config/policy"
	"github.com/turnout-dev/turnout/internal/process"
	"github.com/turnout-dev/turnout/sandbox/netns"
	"github.com/turnout-dev/turnout/sandbox/world"
)

// user is turnout's name at the API server.
const user = "turnout"

// Namespace is turnout's own.
const Namespace = "turnout"

// kubeconfigFile is that user's; the world's own, an administrator's, is next to it.
const kubeconfigFile = "turnout.kubeconfig"

// Options select the binary and the world.
type Options struct {
	// Project is the project's folder, where bin/turnout and config/ are.
	Project string
	// World it runs in.
	World *world.World
	// Dir contains its key, its secret and its log.
	Dir string
	// BuildPoll is the minimum time between two looks at a build. Default 200 ms: the stand-in
	// has no quota.
	BuildPoll time.Duration
	// LogLevel is debug, info, warn or error. Default info.
	LogLevel string
	// ReadURLMaps makes it read the load balancer's URL maps, as its operator may allow on Google
	// Cloud.
	ReadURLMaps bool
	// Monitoring is the address of a stand-in for Cloud Monitoring. Default: Google's.
	Monitoring string
	// Webhook is where GitHub sends webhooks, for several replicas behind one address. Default: to
	// the only one.
	Webhook string
	// Compute is another address of the world's Compute API. Default: its own.
	Compute string
}

// loadBalancerProject is turnout's flag; empty: it reads no URL maps.
func (o *Options) loadBalancerProject() string {
	if o.ReadURLMaps {
		return o.World.Project
	}
	return ""
}

// Turnout is a running turnout serve.
type Turnout struct {
	// App is its GitHub App, installed nowhere yet.
	App *githubtest.App
	// URL it listens on, inside the sandbox.
	URL string
	// MetricsURL is the address for Prometheus.
	MetricsURL string
	// SecretFile holds the webhook secret.
	SecretFile string
	// Log is the file of its log; the next process appends to it.
	Log string

	options               Options
	kubeconfig            string // its file
	program               string // empty: the project's
	listen, metricsListen string
	running               *process.Process
}

// Start registers the App, gives the binary its rights in the cluster, starts it and waits until
// it is ready.
func Start(ctx context.Context, o Options) (*Turnout, error) {
	o.BuildPoll, o.LogLevel = cmp.Or(o.BuildPoll, 200*time.Millisecond), cmp.Or(o.LogLevel, "info")
	t := &Turnout{
		options: o, Log: filepath.Join(o.Dir, "turnout.log"), SecretFile: filepath.Join(o.Dir, "secret"),
		kubeconfig: filepath.Join(o.Dir, kubeconfigFile),
	}
	err := t.address()
	if err != nil {
		return nil, err
	}
	secret := rand.Text()
	if t.App, err = register(o, cmp.Or(o.Webhook, t.URL+"/webhook"), secret); err != nil {
		return nil, err
	}
	kubeconfig, inForce, err := authorize(ctx, o)
	if err != nil {
		return nil, err
	}
	files := map[string][]byte{kubeconfigFile: kubeconfig, "app.pem": t.App.PrivateKeyPEM(), "secret": []byte(secret + "\n")}
	for name, content := range files {
		if err := os.WriteFile(filepath.Join(o.Dir, name), content, 0o600); err != nil {
			return nil, fmt.Errorf("writing turnout's configuration: %w", err)
		}
	}
	if err := t.Run(ctx); err != nil {
		return t, err
	}
	if err := awaitTime(ctx, inForce); err != nil {
		return t, errors.Join(err, t.Stop())
	}
	return t, nil
}

// address finds free ports.
func (t *Turnout) address() error {
	for _, address := range []*string{&t.listen, &t.metricsListen} {
		var err error
		if *address, err = freeAddress(); err != nil {
			return err
		}
	}
	t.URL, t.MetricsURL = "http://"+t.listen, "http://"+t.metricsListen+"/metrics"
	return nil
}

// Replica is another process of the same installation, with ports and a log of its own. It is not
// started.
func (t *Turnout) Replica() (*Turnout, error) {
	other := &Turnout{App: t.App, SecretFile: t.SecretFile, Log: t.Log + ".replica", options: t.options, kubeconfig: t.kubeconfig}
	return other, other.address()
}

// Use makes the next process run another binary than the project's, such as one of another version.
func (t *Turnout) Use(program string) { t.program = program }

// Run starts the binary, again after [Turnout.Stop] or [Turnout.Kill], and waits
// until it is ready. If it does not get ready, it is stopped.
func (t *Turnout) Run(ctx context.Context) error {
	if err := t.start(t.options); err != nil {
		return err
	}
	if err := t.ready(ctx); err != nil {
		return errors.Join(err, t.Stop())
	}
	return nil
}

func (t *Turnout) start(o Options) error {
	env := append(os.Environ(),
		"STORAGE_EMULATOR_HOST="+o.World.StorageHost,
		"TURNOUT_LISTEN="+t.listen,
		"TURNOUT_METRICS_LISTEN="+t.metricsListen,
		"TURNOUT_GITHUB_URL="+o.World.GitHub.URL(),
		fmt.Sprintf("TURNOUT_GITHUB_APP_ID=%d", t.App.ID),
		"TURNOUT_GITHUB_PRIVATE_KEY_FILE="+filepath.Join(o.Dir, "app.pem"),
		"TURNOUT_WEBHOOK_SECRET_FILE="+t.SecretFile,
		"TURNOUT_KUBECONFIG="+t.kubeconfig,
		"TURNOUT_CLOUDBUILD_ENDPOINT="+o.World.CloudBuild.Endpoint(),
		"TURNOUT_CLOUDBUILD_INSECURE=true",
		"TURNOUT_BUILD_POLL="+o.BuildPoll.String(),
		"TURNOUT_ALLOW_ADDRESSES=127.0.0.0/8", // where the world's load balancers are
		"TURNOUT_LOG_LEVEL="+o.LogLevel,
		"TURNOUT_COMPUTE_ENDPOINT="+cmp.Or(o.Compute, o.World.ComputeURL),
		"TURNOUT_LOAD_BALANCER_PROJECT="+o.loadBalancerProject(),
		"TURNOUT_MONITORING_ENDPOINT="+o.Monitoring,
		"TURNOUT_OWN_NAMESPACE="+Namespace,
		"TURNOUT_LEADER_ELECT=true", // as config/serve does
		"TURNOUT_LEADER_ELECT_NAMESPACE="+Namespace,
	)
	running, err := process.Start(process.Options{
		Program: cmp.Or(t.program, Binary(o.Project)), Args: []string{"serve"}, Env: env, Log: t.Log, Append: true,
	})
	if err != nil {
		return fmt.Errorf("%w (make bin/turnout builds it)", err)
	}
	t.running = running
	return nil
}

// UseKubeconfig leads the next process to the API server in another way, as the same user. Other
// replicas keep theirs.
func (t *Turnout) UseKubeconfig(kubeconfig []byte) error {
	t.kubeconfig = t.Log + ".kubeconfig"
	if err := os.WriteFile(t.kubeconfig, kubeconfig, 0o600); err != nil {
		return fmt.Errorf("writing turnout's kubeconfig: %w", err)
	}
	return nil
}

// restartPause is between the end of a process and the start of the next one. A kubelet's grow up to five
// minutes, which no test has.
const restartPause = time.Second

// KeepRunning starts the next process whenever one ends, as a kubelet does, and calls started with it.
// Call stop before [Turnout.Stop]; it waits until the last one is ready, and returns how many ended.
func (t *Turnout) KeepRunning(ctx context.Context, started func(pid int)) (stop func() (ended int, err error)) {
	stopping, stopped := make(chan struct{}), make(chan struct{})
	var ended int
	var failed error
	go func() {
		defer close(stopped)
		for failed == nil {
			select {
			case <-stopping:
				return
			case <-t.running.Done():
			}
			ended++
			select {
			case <-ctx.Done():
				failed = ctx.Err()
			case <-time.After(restartPause):
				if failed = t.start(t.options); failed == nil {
					started(t.PID())
				}
			}
		}
	}()
	return func() (int, error) {
		close(stopping)
		<-stopped
		if failed == nil {
			failed = t.ready(ctx)
		}
		return ended, failed
	}
}

// PID is the running process's.
func (t *Turnout) PID() int { return t.running.PID() }

// Binary is the program under test.
func Binary(project string) string { return filepath.Join(project, "bin", "turnout") }

// manifest is the needed part of app.yml.
type manifest struct {
	Permissions map[string]string `json:"default_permissions"`
	Events      []string          `json:"default_events"`
}

// register creates the App with only the permissions and events of app.yml, as GitHub does from a
// manifest.
func register(o Options, webhook, secret string) (*githubtest.App, error) {
	text, err := os.ReadFile(filepath.Join(o.Project, "app.yml"))
	if err != nil {
		return nil, fmt.Errorf("reading the App's manifest: %w", err)
	}
	var m manifest
	if err := yaml.Unmarshal(text, &m); err != nil {
		return nil, fmt.Errorf("reading app.yml: %w", err)
	}
	app, err := o.World.GitHub.AddApp(githubtest.AppConfig{
		Slug: "turnout", WebhookURL: webhook, WebhookSecret: secret, Permissions: m.Permissions, Events: m.Events,
	})
	if err != nil {
		return nil, fmt.Errorf("registering the App: %w", err)
	}
	return app, nil
}

// ready waits for /readyz.
func (t *Turnout) ready(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	for {
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, t.URL+"/readyz", http.NoBody)
		if err != nil {
			return fmt.Errorf("asking whether turnout is ready: %w", err)
		}
		if resp, err := http.DefaultClient.Do(req); err == nil {
			_ = resp.Body.Close()
			if resp.StatusCode == http.StatusOK {
				return nil
			}
		}
		select {
		case <-t.running.Done():
			return t.running.Err()
		case <-ctx.Done():
			return fmt.Errorf("turnout is not ready: %w; its log is %s", ctx.Err(), t.Log)
		case <-time.After(50 * time.Millisecond):
		}
	}
}

// stopWithin is how long turnout may take to stop, the grace period of config/.
const stopWithin = 30 * time.Second

// Stop ends turnout as Kubernetes would, and waits for it.
func (t *Turnout) Stop() error {
	if err := t.running.StopWithin(stopWithin); err != nil {
		return fmt.Errorf("stopping turnout: %w; its log is %s", err, t.Log)
	}
	return nil
}

// Kill ends turnout as a crash of its machine would, and waits until it is gone.
func (t *Turnout) Kill() error { return t.running.Kill() }

// authorize binds the ClusterRole of config/, and the Role in turnout's own namespace, to its own
// user. It returns that user's kubeconfig, and the time from which the admission policies count.
func authorize(ctx context.Context, o Options) (kubeconfig []byte, inForce time.Time, err error) {
	admin, err := Admin(o.World)
	if err != nil {
		return nil, inForce, err
	}
	role, own := &rbacv1.ClusterRole{}, &rbacv1.Role{}
	if err := errors.Join(readRole(o.Project, "role.yaml", role), readRole(o.Project, "own.yaml", own)); err != nil {
		return nil, inForce, err
	}
	own.Namespace = Namespace
	subjects := []rbacv1.Subject{{APIGroup: rbacv1.GroupName, Kind: "User", Name: user}}
	binding := &rbacv1.ClusterRoleBinding{
		ObjectMeta: metav1.ObjectMeta{Name: role.Name},
		RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: role.Name}, Subjects: subjects,
	}
	ownBinding := &rbacv1.RoleBinding{
		ObjectMeta: metav1.ObjectMeta{Namespace: Namespace, Name: own.Name},
		RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "Role", Name: own.Name}, Subjects: subjects,
	}
	namespace := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: Namespace}}
	for _, object := range []client.Object{namespace, role, binding, own, ownBinding} {
		if err := admin.Create(ctx, object); err != nil {
			return nil, inForce, fmt.Errorf("giving turnout its rights: %w", err)
		}
	}
	if inForce, err = admit(ctx, admin); err != nil {
		return nil, inForce, err
	}
	_, kubeconfig, err = o.World.ControlPlane.User(user, nil)
	return kubeconfig, inForce, err
}

// readRole reads the first role in a file of config/rbac.
func readRole(project, file string, role client.Object) error {
	text, err := os.ReadFile(filepath.Join(project, "config", "rbac", file))
	if err != nil {
		return fmt.Errorf("reading turnout's role: %w", err)
	}
	first, _, _ := bytes.Cut(text, []byte("\n---\napiVersion: rbac.authorization.k8s.io/v1\nkind: RoleBinding"))
	if err := yaml.UnmarshalStrict(first, role); err != nil {
		return fmt.Errorf("reading turnout's role: %w", err)
	}
	return nil
}

// admit installs the admission policies of config/, and returns the time from which they count:
// anything written earlier is only a claim.
func admit(ctx context.Context, admin client.Client) (inForce time.Time, err error) {
	for _, p := range policy.All() {
		for _, object := range []client.Object{p.Policy, p.Binding} {
			if err := admin.Create(ctx, object); err != nil {
				return inForce, fmt.Errorf("installing the admission policy %s: %w", object.GetName(), err)
			}
			inForce = object.GetCreationTimestamp().Add(policy.Lag + time.Second)
		}
	}
	return inForce, nil
}

func awaitTime(ctx context.Context, at time.Time) error {
	timer := time.NewTimer(time.Until(at))
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// Admin is a client with all rights, for the people of a story.
func Admin(w *world.World) (client.WithWatch, error) {
	scheme := kuberuntime.NewScheme()
	if err := errors.Join(clientgoscheme.AddToScheme(scheme), v1alpha1.AddToScheme(scheme)); err != nil {
		return nil, fmt.Errorf("building the scheme: %w", err)
	}
	admin, err := client.NewWithWatch(w.ControlPlane.Config, client.Options{Scheme: scheme})
	if err != nil {
		return nil, fmt.Errorf("connecting to the sandbox's cluster: %w", err)
	}
	return admin, nil
}

func freeAddress() (string, error) {
	l, err := net.Listen("tcp", net.JoinHostPort(netns.HostAddress, "0"))
	if err != nil {
		return "", fmt.Errorf("looking for a free port: %w", err)
	}
	defer l.Close()
	return l.Addr().String(), nil
}
