package doctor

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"golang.org/x/oauth2"
	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/turnout-dev/turnout/api/v1alpha1"
	"github.com/turnout-dev/turnout/config"
)

// Google has the checks of what Turnout's Google identity may do. They ask Google as that
// identity, or as the account that a namespace is granted, so they are right only where
// Turnout runs.
type Google struct {
	World *World
	// Tokens are those of an account; "" means this process's own identity.
	Tokens func(ctx context.Context, account string) (oauth2.TokenSource, error)
	// Transport is the one below authentication. Default: http.DefaultTransport.
	Transport http.RoundTripper
	// LoadBalancerProject is the flag of that name of turnout serve; empty if not given.
	LoadBalancerProject string
}

// Checks are those of Google.
func (g *Google) Checks() []Check {
	all := []Check{{AreaGoogle, "identity", g.identity}}
	for _, kind := range []need{builds, buckets, accounts, impersonation, registries, balancers} {
		all = append(all, Check{AreaGoogle, kind.check, func(ctx context.Context) ([]Finding, error) { return g.ask(ctx, kind.check) }})
	}
	return all
}

// NotAsked is the check that says where Google can be asked.
func (w *World) NotAsked() Check {
	words := []string{"kubectl", "-n", config.Namespace, "exec", "deployment/" + config.Name, "--", "/turnout", "doctor"}
	if w.Scope.Application != "" {
		words = append(words, "--namespace", w.Scope.Namespace, "--app", w.Scope.Application)
	}
	return Check{AreaGoogle, "identity", func(context.Context) ([]Finding, error) {
		return []Finding{{
			Code: CodeNotAsked, Severity: SeverityNote, Object: "Google identity of Turnout",
			Message:  "Google answers for whoever asks, so it was not asked from here: only Turnout's pod has Turnout's identity",
			Commands: commands(v1alpha1.Shell(words...)),
		}}, nil
	}}
}

// identity checks that Google knows this process.
func (g *Google) identity(ctx context.Context) ([]Finding, error) {
	source, err := g.Tokens(ctx, "")
	if err == nil {
		_, err = source.Token()
	}
	if err == nil {
		return nil, nil
	}
	return []Finding{{
		Code: CodeNoIdentity, Severity: SeverityError, Object: named("serviceaccount", config.Namespace, config.Name), Users: EffectReleases,
		Message: "its pods have no Google identity, so nothing can be built: give it one by Workload Identity Federation: " + err.Error(),
		Page:    "https://cloud.google.com/kubernetes-engine/docs/how-to/workload-identity",
	}}, nil
}

// need is something that an account must be able to do with one of Google's resources.
type need struct {
	check    string // its name
	resource resource
	account  string // who needs it; "" means Turnout's own identity
	// permissions, and the role that has them.
	permissions []string
	role        string
	severity    Severity
	// by is the object and the field that need it.
	by, field string
}

// The kinds of needs, by the check that asks for them. docs/install.md has the roles.
var (
	builds = need{check: "builds", role: "roles/cloudbuild.builds.editor", severity: SeverityError, permissions: []string{
		"cloudbuild.builds.create", "cloudbuild.builds.get", "cloudbuild.builds.list", "cloudbuild.builds.update",
	}}
	buckets = need{check: "bucket", role: "roles/storage.objectAdmin", severity: SeverityError, permissions: []string{
		"storage.objects.create", "storage.objects.get",
	}}
	accounts = need{check: "accounts", role: "roles/iam.serviceAccountUser", severity: SeverityError, permissions: []string{
		"iam.serviceAccounts.actAs",
	}}
	impersonation = need{check: "impersonation", role: "roles/iam.serviceAccountTokenCreator", severity: SeverityError, permissions: []string{
		"iam.serviceAccounts.getAccessToken",
	}}
	// Only images that a step of a build pushes itself are looked up.
	registries = need{check: "registry", role: "roles/artifactregistry.reader", severity: SeverityWarning, permissions: []string{
		"artifactregistry.repositories.downloadArtifacts",
	}}
	balancers = need{
		check: "urlmaps", role: "projects/PROJECT/roles/ROLE", severity: SeverityWarning,
		permissions: []string{"compute.urlMaps.get"},
	}
)

// maxNeeds bounds how many resources a check asks Google about.
const maxNeeds = 100

// ask asks Google about every need of a check.
func (g *Google) ask(ctx context.Context, check string) ([]Finding, error) {
	all, err := g.needs(ctx)
	errs := []error{err}
	var found []Finding
	asked := 0
	for _, n := range all {
		if n.check != check || asked == maxNeeds {
			continue
		}
		asked++
		f, err := g.askOne(ctx, n)
		if f != nil {
			found = append(found, *f)
		}
		errs = append(errs, err)
	}
	return found, errors.Join(errs...)
}

// askOne returns the finding about a need, or nil if it is met.
func (g *Google) askOne(ctx context.Context, n need) (*Finding, error) {
	source, err := g.Tokens(ctx, n.account)
	if err != nil {
		return nil, fmt.Errorf("asking Google about %s: %w", n.resource.name, err)
	}
	transport := g.Transport
	if transport == nil {
		transport = http.DefaultTransport
	}
	granted, err := n.resource.test(ctx, &http.Client{Transport: &oauth2.Transport{Source: source, Base: transport}}, n.permissions)
	if f := n.refused(err); f != nil {
		return f, nil
	}
	if err != nil {
		return nil, fmt.Errorf("asking Google about %s: %w", n.resource.name, err)
	}
	missing := slices.DeleteFunc(slices.Clone(n.permissions), func(p string) bool { return slices.Contains(granted, p) })
	if len(missing) == 0 {
		return nil, nil
	}
	f := n.finding(CodeGooglePermission)
	f.Message = fmt.Sprintf("%s may not %s, which %s needs: give it %s there", n.who(), strings.Join(missing, ", "), n.by, n.role)
	f.Commands = commands(n.resource.give(n.role, n.member()))
	return f, nil
}

func (n need) finding(code Code) *Finding {
	return &Finding{Code: code, Severity: n.severity, Object: n.resource.name, Field: n.field, Users: EffectReleases}
}

func (n need) who() string {
	if n.account == "" {
		return "Turnout's Google identity"
	}
	return "account " + n.account
}

// member is who a role is given to. Turnout does not know the cluster's project.
func (n need) member() string {
	if n.account != "" {
		return "serviceAccount:" + n.account
	}
	return "principal://iam.googleapis.com/projects/PROJECT_NUMBER/locations/global/workloadIdentityPools/PROJECT_ID.svc.id.goog/subject/ns/" +
		config.Namespace + "/sa/" + config.Name
}

// needs lists what the applications need of Google, each once. What a namespace is not granted is
// not asked for.
func (g *Google) needs(ctx context.Context) ([]need, error) {
	var all []need
	var errs []error
	seen := map[string]bool{}
	add := func(n need) {
		if key := n.check + " " + n.account + " " + n.resource.name; n.resource.name != "" && !seen[key] {
			seen[key] = true
			all = append(all, n)
		}
	}
	for i := range g.World.Applications {
		bg := &g.World.Applications[i]
		var ns corev1.Namespace
		if err := g.World.Kube.Get(ctx, client.ObjectKey{Name: bg.Namespace}, &ns); err != nil {
			errs = append(errs, fmt.Errorf("reading namespace %s: %w", bg.Namespace, err))
			continue
		}
		granted := v1alpha1.Grants(ns.Annotations)
		if len(granted.Missing(bg.Needs()...)) > 0 {
			continue
		}
		for _, n := range needsOf(bg, granted.Impersonated()) {
			add(n)
		}
	}
	if g.LoadBalancerProject != "" && g.World.Scope.Application == "" {
		n := balancers
		n.resource, n.by = project(g.LoadBalancerProject), "turnout serve --load-balancer-project"
		add(n)
	}
	return all, errors.Join(errs...)
}

// needsOf are the needs of an application, in a namespace for which Turnout acts as an account.
func needsOf(bg *v1alpha1.BlueGreen, account string) []need {
	var all []need
	add := func(n need, r resource, field string) {
		n.resource, n.account, n.by, n.field = r, account, named("bluegreen", bg.Namespace, bg.Name), field
		all = append(all, n)
	}
	b := bg.Spec.Build
	add(builds, project(b.Project), "spec.build.project")
	if b.Trigger == "" && !b.Source.Git {
		add(buckets, bucket(bg.SourceBucket(), b.Project), "spec.build.source.bucket")
	}
	if b.Trigger == "" && b.ServiceAccount != "" {
		add(accounts, serviceAccount(b.ServiceAccount), "spec.build.serviceAccount")
	}
	if live := bg.Status.Live; live != nil {
		add(registries, repository(live.Image), "status.live.image")
	}
	for _, other := range bg.OtherImages() {
		add(registries, repository(other.Image), other.Field)
	}
	if account != "" {
		add(impersonation, serviceAccount(account), v1alpha1.ImpersonateAnnotation)
		all[len(all)-1].account = ""
	}
	return all
}
