package deployer

import (
	"context"
	"os"
	"slices"
	"strings"
	"testing"

	authorizationv1 "k8s.io/api/authorization/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	applycorev1 "k8s.io/client-go/applyconfigurations/core/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/yaml"

	"github.com/turnout-dev/turnout/api/v1alpha1"
)

func refusedWith(t *testing.T, err error, part string) {
	t.Helper()
	switch {
	case err == nil:
		t.Errorf("the request was admitted, want it refused with %q", part)
	case !apierrors.IsForbidden(err) && !apierrors.IsInvalid(err):
		t.Errorf("the error is %v, want the policy's refusal", err)
	case !strings.Contains(err.Error(), part):
		t.Errorf("the refusal is %q, want in it %q", err, part)
	}
}

// turnout-release grants the right to write releases, not the right to name somebody else as
// their cause.
func TestAtAdmissionNobodySpeaksForAnybodyElse(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	ci := w.user("ci", "release.yaml")
	cause := func(change func(*v1alpha1.Cause)) func(*v1alpha1.Release) {
		return func(r *v1alpha1.Release) { change(&r.Spec.Cause) }
	}
	for name, c := range map[string]struct {
		change func(*v1alpha1.Release)
		says   string // empty: admitted
	}{
		"their own name":        {func(*v1alpha1.Release) {}, ""},
		"and for whom they say": {cause(func(c *v1alpha1.Cause) { c.Claims = "octocat" }), ""},
		"the end of a hold":     {cause(func(c *v1alpha1.Cause) { c.Kind = v1alpha1.CauseHold }), "Push, Comment or Hold"},
		"their own contract": {func(r *v1alpha1.Release) {
			r.Spec.Contract = &v1alpha1.ContractRequest{Commit: r.Spec.Deploy.Commit, Image: "app@sha256:1", Attempt: 1}
			r.Spec.Kind, r.Spec.Deploy = v1alpha1.Contract, nil
		}, ""},
		"a contract that deploys, too": {func(r *v1alpha1.Release) {
			r.Spec.Contract = &v1alpha1.ContractRequest{Commit: r.Spec.Deploy.Commit, Image: "app@sha256:1", Attempt: 1}
			r.Spec.Kind = v1alpha1.Contract
		}, "nothing has two of them"},
		"a contract of nothing":  {func(r *v1alpha1.Release) { r.Spec.Kind, r.Spec.Deploy = v1alpha1.Contract, nil }, "a Contract has contract"},
		"a push":                 {cause(func(c *v1alpha1.Cause) { c.Kind = v1alpha1.CausePush }), "spec.cause.kind"},
		"a comment":              {cause(func(c *v1alpha1.Cause) { c.Kind = v1alpha1.CauseComment }), "spec.cause.kind"},
		"another name":           {cause(func(c *v1alpha1.Cause) { c.Actor = "alice" }), "write ci"},
		"no name":                {cause(func(c *v1alpha1.Cause) { c.Actor = "" }), "write ci"},
		"a pull request":         {cause(func(c *v1alpha1.Cause) { c.PullRequest = 1 }), "leave them out"},
		"a comment's id":         {cause(func(c *v1alpha1.Cause) { c.CommentID = 1 }), "leave them out"},
		"an address":             {cause(func(c *v1alpha1.Cause) { c.URL = "https://github.com" }), "leave them out"},
		"a delivery":             {cause(func(c *v1alpha1.Cause) { c.Delivery = "x" }), "leave them out"},
		"a push's commit before": {cause(func(c *v1alpha1.Cause) { c.Before = w.source.sha("b") }), "leave them out"},
		"another's approval": {func(r *v1alpha1.Release) {
			r.Spec.Approval = approvalBy("alice", v1alpha1.Cause{Kind: v1alpha1.CauseCLI, Actor: "ci"})
		}, "write ci"},
		"an approval by a comment": {func(r *v1alpha1.Release) {
			r.Spec.Approval = approvalBy("ci", v1alpha1.Cause{Kind: v1alpha1.CauseComment, Actor: "ci"})
		}, "spec.cause.kind"},
		"their own approval": {func(r *v1alpha1.Release) {
			r.Spec.Approval = approvalBy("ci", v1alpha1.Cause{Kind: v1alpha1.CauseCLI, Actor: "ci"})
		}, ""},
		"another's cancel": {func(r *v1alpha1.Release) {
			r.Spec.Cancel = cancelBy("alice", v1alpha1.Cause{Kind: v1alpha1.CauseCLI, Actor: "ci"})
		}, "write ci"},
		"another label": {func(r *v1alpha1.Release) { r.Labels[v1alpha1.ApplicationLabel] = "other" }, "must be spec.application"},
		"no label":      {func(r *v1alpha1.Release) { r.Labels = nil }, "must be spec.application"},
		"another owner": {func(r *v1alpha1.Release) {
			r.OwnerReferences[0].Kind, r.OwnerReferences[0].APIVersion = "ConfigMap", "v1"
		}, "metadata.ownerReferences"},
		"another application's": {func(r *v1alpha1.Release) { r.OwnerReferences[0].Name = "other" }, "metadata.ownerReferences"},
	} {
		t.Run(name, func(t *testing.T) {
			rel := w.byHand("ci", "a")
			c.change(rel)
			err := ci.Create(t.Context(), rel, client.DryRunAll)
			if c.says == "" {
				check(t, err)
				return
			}
			refusedWith(t, err, c.says)
		})
	}
}

func confirmedBy(name string, c v1alpha1.Cause) []v1alpha1.Confirmation {
	return []v1alpha1.Confirmation{{Color: v1alpha1.Green, By: name, At: metav1.Now(), Cause: c}}
}

func promotedBy(name string, c v1alpha1.Cause) []v1alpha1.Promotion {
	return []v1alpha1.Promotion{{Weight: 100, By: name, At: metav1.Now(), Cause: c}}
}

func approvalBy(name string, c v1alpha1.Cause) *v1alpha1.Approval {
	return &v1alpha1.Approval{By: name, At: metav1.Now(), Cause: c}
}

func cancelBy(name string, c v1alpha1.Cause) *v1alpha1.Cancel {
	return &v1alpha1.Cancel{By: name, At: metav1.Now(), Cause: c}
}

func takenBackBy(name string, c v1alpha1.Cause) *v1alpha1.TakeBack {
	return &v1alpha1.TakeBack{By: name, At: metav1.Now(), Cause: c}
}

func TestAtAdmissionAReleaseKeepsItsLabelsAndItsOwner(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	ci := w.user("ci", "release.yaml")
	rel := w.submit("a") // by Turnout
	mine := v1alpha1.Cause{Kind: v1alpha1.CauseCLI, Actor: "ci"}
	for name, c := range map[string]struct {
		change func(*v1alpha1.Release)
		says   string
	}{
		"label":              {func(r *v1alpha1.Release) { r.Labels[v1alpha1.ApplicationLabel] = "other" }, "labels"},
		"more labels":        {func(r *v1alpha1.Release) { r.Labels["x"] = "y" }, "labels of a release do not change"},
		"owner":              {func(r *v1alpha1.Release) { r.OwnerReferences = nil }, "ownerReferences of a release do not change"},
		"another's approval": {func(r *v1alpha1.Release) { r.Spec.Approval = approvalBy("alice", mine) }, "write ci"},
		"another's cancel":   {func(r *v1alpha1.Release) { r.Spec.Cancel = cancelBy("alice", mine) }, "write ci"},
		"a comment's cancel": {func(r *v1alpha1.Release) {
			r.Spec.Cancel = cancelBy("ci", v1alpha1.Cause{Kind: v1alpha1.CauseComment, Actor: "ci"})
		}, "spec.cause.kind"},
		"another's rollback": {func(r *v1alpha1.Release) { r.Spec.TakeBack = takenBackBy("alice", mine) }, "write ci"},
		"a comment's rollback": {func(r *v1alpha1.Release) {
			r.Spec.TakeBack = takenBackBy("ci", v1alpha1.Cause{Kind: v1alpha1.CauseComment, Actor: "ci"})
		}, "spec.cause.kind"},
		"their own rollback":     {func(r *v1alpha1.Release) { r.Spec.TakeBack = takenBackBy("ci", mine) }, ""},
		"another's confirmation": {func(r *v1alpha1.Release) { r.Spec.Confirmations = confirmedBy("alice", mine) }, "write ci"},
		"a comment's confirmation": {func(r *v1alpha1.Release) {
			r.Spec.Confirmations = confirmedBy("ci", v1alpha1.Cause{Kind: v1alpha1.CauseComment, Actor: "ci"})
		}, "spec.cause.kind"},
		"another's promotion": {func(r *v1alpha1.Release) { r.Spec.Promotions = promotedBy("alice", mine) }, "write ci"},
		"a comment's promotion": {func(r *v1alpha1.Release) {
			r.Spec.Promotions = promotedBy("ci", v1alpha1.Cause{Kind: v1alpha1.CauseComment, Actor: "ci"})
		}, "spec.cause.kind"},
		"their own promotion": {func(r *v1alpha1.Release) { r.Spec.Promotions = promotedBy("ci", mine) }, ""},
		// An existing entry is Turnout's and no obstacle.
		"their own confirmation": {func(r *v1alpha1.Release) { r.Spec.Confirmations = confirmedBy("ci", mine) }, ""},
		"their own approval":     {func(r *v1alpha1.Release) { r.Spec.Approval = approvalBy("ci", mine) }, ""},
		"their own cancel":       {func(r *v1alpha1.Release) { r.Spec.Cancel = cancelBy("ci", mine) }, ""},
	} {
		t.Run(name, func(t *testing.T) {
			now := rel.DeepCopy()
			w.get(now)
			c.change(now)
			err := ci.Update(t.Context(), now, client.DryRunAll)
			if c.says == "" {
				check(t, err)
				return
			}
			refusedWith(t, err, c.says)
		})
	}
}

// Turnout's role in config/ may write every cause, and read the policy.
func TestTurnoutsOwnRoleAttests(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	name := w.namespace + "-turnout"
	turnout := w.user(name, "role.yaml")
	w.create(&rbacv1.ClusterRoleBinding{
		ObjectMeta: metav1.ObjectMeta{Name: name},
		RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: w.namespace + "-" + name},
		Subjects:   []rbacv1.Subject{{Kind: rbacv1.UserKind, APIGroup: rbacv1.GroupName, Name: name}},
	})
	w.until("the role to be theirs everywhere", func() bool { return w.attests(turnout) }, func() string { return "" })
	rel := w.byHand("alice", "a")
	rel.Spec.Cause = v1alpha1.Cause{Kind: v1alpha1.CausePush, Actor: "alice", Delivery: "d", URL: "https://github.com/acme/shop"}
	check(t, turnout.Create(t.Context(), rel))
	rel.Spec.Approval = approvalBy("bob", v1alpha1.Cause{Kind: v1alpha1.CauseComment, Actor: "bob", CommentID: 1})
	check(t, turnout.Update(t.Context(), rel))
	rel.Status.Message = "queued"
	check(t, turnout.Status().Update(t.Context(), rel))
}

// attests reports whether a user may attest releases in every namespace.
func (w *world) attests(c client.Client) bool {
	w.t.Helper()
	r := &authorizationv1.SelfSubjectAccessReview{Spec: authorizationv1.SelfSubjectAccessReviewSpec{
		ResourceAttributes: &authorizationv1.ResourceAttributes{Group: "turnout.dev", Resource: "releases", Verb: "attest"},
	}}
	check(w.t, c.Create(w.t.Context(), r))
	return r.Status.Allowed
}

// Neither the owner of a namespace nor a cluster administrator is Turnout, by any resource that
// writes the same object.
func TestWhoMayDoEverythingInANamespaceIsNotTurnout(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	name := w.namespace + "-king"
	w.create(&rbacv1.Role{
		ObjectMeta: w.meta("all"),
		Rules:      []rbacv1.PolicyRule{{APIGroups: []string{"*"}, Resources: []string{"*"}, Verbs: []string{"*"}}},
	})
	w.create(&rbacv1.RoleBinding{
		ObjectMeta: w.meta("all"), RoleRef: rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "Role", Name: "all"},
		Subjects: []rbacv1.Subject{{Kind: rbacv1.UserKind, APIGroup: rbacv1.GroupName, Name: name}},
	})
	king := w.impersonate(name)
	w.until("the role", func() bool { return w.may(king, "attest", "releases", "") }, func() string { return "" })
	cfg := rest.CopyConfig(w.cfg)
	cfg.Impersonate = rest.ImpersonationConfig{UserName: name}
	clientset, err := kubernetes.NewForConfig(cfg)
	check(t, err)
	ctx, dryRun := t.Context(), []string{metav1.DryRunAll}

	granted := func() *corev1.Namespace {
		ns := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: w.namespace}}
		w.get(ns)
		ns.Annotations[v1alpha1.ProjectsAnnotation] = "team-b-prod"
		return ns
	}
	namespaces := clientset.CoreV1().Namespaces()
	const grant = "granted by a cluster administrator"
	for how, write := range map[string]func() error{
		"update": func() error {
			_, err := namespaces.Update(ctx, granted(), metav1.UpdateOptions{DryRun: dryRun})
			return err
		},
		"update/status": func() error {
			_, err := namespaces.UpdateStatus(ctx, granted(), metav1.UpdateOptions{DryRun: dryRun})
			return err
		},
		"update/finalize": func() error {
			_, err := namespaces.Finalize(ctx, granted(), metav1.UpdateOptions{DryRun: dryRun})
			return err
		},
		"patch/status": func() error {
			patch := []byte(`{"metadata":{"annotations":{"turnout.dev/projects":"team-b-prod"}}}`)
			_, err := namespaces.Patch(ctx, w.namespace, types.MergePatchType, patch, metav1.PatchOptions{DryRun: dryRun}, "status")
			return err
		},
		"apply": func() error {
			ns := applycorev1.Namespace(w.namespace).WithAnnotations(map[string]string{v1alpha1.ProjectsAnnotation: "team-b-prod"})
			_, err := namespaces.Apply(ctx, ns, metav1.ApplyOptions{DryRun: dryRun, Force: true, FieldManager: "king"})
			return err
		},
		"apply/status": func() error {
			ns := applycorev1.Namespace(w.namespace).WithAnnotations(map[string]string{v1alpha1.ProjectsAnnotation: "team-b-prod"})
			_, err := namespaces.ApplyStatus(ctx, ns, metav1.ApplyOptions{DryRun: dryRun, Force: true, FieldManager: "king"})
			return err
		},
	} {
		t.Run(how, func(t *testing.T) { refusedWith(t, write(), grant) })
	}

	push := w.byHand(name, "a")
	push.Spec.Cause.Kind = v1alpha1.CausePush
	refusedWith(t, king.Create(ctx, push, client.DryRunAll), "spec.cause.kind")
	rel := w.submit("a")
	rel.Status.Milestones.OnBranch = &v1alpha1.OnBranchMilestone{Branch: "main", By: v1alpha1.BranchByPush, At: metav1.Now()}
	refusedWith(t, king.Status().Update(ctx, rel, client.DryRunAll), "only Turnout writes it")
	app := w.application()
	app.Status.Repository = &v1alpha1.RepositoryPin{Name: repository, ID: 666, At: metav1.Now()}
	refusedWith(t, king.Status().Update(ctx, app, client.DryRunAll), "only Turnout writes it")
	patch := client.RawPatch(types.MergePatchType, []byte(`{"status":{"github":{"deploymentID":666}}}`))
	refusedWith(t, king.Status().Patch(ctx, rel, patch, &client.SubResourcePatchOptions{PatchOptions: client.PatchOptions{DryRun: dryRun}}),
		"only Turnout writes it")
}

// The roles for namespace owners do not allow it.
func TestNobodyButTurnoutWritesAStatus(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	roles := map[string]string{"releaser": "release.yaml", "editor": "owner.yaml"}
	for name, file := range roles {
		c := w.impersonate(name)
		w.bind(name, file)
		w.until(name+" to have a role", func() bool { return w.may(c, "get", "releases", "") || w.may(c, "update", "bluegreens", "") },
			func() string { return "" })
		for _, resource := range []string{"releases", "bluegreens"} {
			for _, verb := range []string{"update", "patch"} {
				if w.may(c, verb, resource, "status") {
					t.Errorf("%s may %s the status of %s", file, verb, resource)
				}
			}
			if w.may(c, "attest", resource, "") {
				t.Errorf("%s may attest %s", file, resource)
			}
		}
	}
}

// bind binds the roles of a file of config/rbac to a user, in the namespace.
func (w *world) bind(name, file string) {
	w.t.Helper()
	data, err := os.ReadFile("../config/rbac/" + file)
	check(w.t, err)
	for i, text := range strings.Split(string(data), "\n---\n") {
		var role rbacv1.ClusterRole
		check(w.t, yaml.Unmarshal([]byte(text), &role))
		role.Labels = nil // not aggregated for anybody else
		role.Name = w.namespace + "-" + role.Name
		w.create(&role)
		w.create(&rbacv1.RoleBinding{
			ObjectMeta: w.meta(name + "-" + string(rune('a'+i))),
			RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: role.Name},
			Subjects:   []rbacv1.Subject{{Kind: rbacv1.UserKind, APIGroup: rbacv1.GroupName, Name: name}},
		})
	}
}

// The name of the user does not matter.
func TestGrantsAreNotForWhoeverMayWriteTheNamespace(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	role := func(name string, rules ...rbacv1.PolicyRule) client.Client {
		cluster := metav1.ObjectMeta{Name: w.namespace + "-" + name}
		w.create(&rbacv1.ClusterRole{ObjectMeta: cluster, Rules: rules})
		w.create(&rbacv1.ClusterRoleBinding{
			ObjectMeta: cluster, RoleRef: rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: cluster.Name},
			Subjects: []rbacv1.Subject{{Kind: rbacv1.UserKind, APIGroup: rbacv1.GroupName, Name: name}},
		})
		return w.impersonate(name)
	}
	write := rbacv1.PolicyRule{APIGroups: []string{""}, Resources: []string{"namespaces"}, Verbs: []string{"get", "update", "create"}}
	owner := role("owner", write)
	granter := role("granter", write,
		rbacv1.PolicyRule{APIGroups: []string{"turnout.dev"}, Resources: []string{"namespaces"}, Verbs: []string{"grant"}})
	change := func(c client.Client, change func(map[string]string)) error {
		ns := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: w.namespace}}
		w.get(ns)
		change(ns.Annotations)
		return c.Update(t.Context(), ns, client.DryRunAll)
	}
	set := func(key, value string) func(map[string]string) {
		return func(a map[string]string) { a[key] = value }
	}
	ctx := context.WithoutCancel(t.Context())
	w.until("both to have their roles", func() bool {
		return client.IgnoreNotFound(owner.Get(ctx, client.ObjectKey{Name: "x"}, &corev1.Namespace{})) == nil &&
			change(granter, set("other", "x")) == nil
	}, func() string { return "" })
	check(t, change(owner, set("example.com/note", "x")))
	const says = "granted by a cluster administrator"
	for _, key := range []string{
		v1alpha1.RepositoriesAnnotation, v1alpha1.RepinAnnotation, "turnout.dev/projects",
		"turnout.dev/whatever-comes",
	} {
		w.until("the policy to be in force", func() bool { return change(owner, set(key, "x")) != nil }, func() string { return key })
		refusedWith(t, change(owner, set(key, "x")), says)
		check(t, change(granter, set(key, "x")))
	}
	refusedWith(t, change(owner, func(a map[string]string) { delete(a, v1alpha1.RepositoriesAnnotation) }), says)
	created := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{
		Name:        w.namespace + "-own",
		Annotations: map[string]string{v1alpha1.RepositoriesAnnotation: "acme/secrets"},
	}}
	refusedWith(t, owner.Create(t.Context(), created, client.DryRunAll), says)
}

// Causes are attested where the policy is in force, and claims where anybody could have written
// them.
func TestCausesAreAttestedWhereThePolicyIsInForce(t *testing.T) {
	t.Parallel()
	w := newWorld(t, manual)
	w.run()
	rel := w.awaitPhase(w.submit("a"), v1alpha1.ReleaseWaiting)
	if got := rel.Status.Attestation; got != v1alpha1.CausesAttested {
		t.Errorf("with the policy the causes are %q", got)
	}
	o := newOpenWorld(t, manual)
	o.run()
	rel = o.awaitPhase(o.submit("a"), v1alpha1.ReleaseWaiting)
	o.approve(rel)
	rel = o.awaitPhase(rel, v1alpha1.ReleaseSucceeded)
	if got := rel.Status.Attestation; got != v1alpha1.CausesClaimed {
		t.Errorf("without the policy the causes are %q", got)
	}
	promoted := slices.IndexFunc(rel.Status.Timeline, func(e v1alpha1.TimelineEntry) bool { return e.Step == v1alpha1.StepPromote })
	if promoted < 0 || rel.Status.Timeline[promoted].Message != "approved by claims: hubot" {
		t.Errorf("the timeline does not mark the approval as a claim: %+v", rel.Status.Timeline)
	}
}
