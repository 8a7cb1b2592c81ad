package doctor

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"

	authorizationv1 "k8s.io/api/authorization/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"

	"github.com/turnout-dev/turnout/config"
)

// Limits of the questions to the API server.
const (
	reviewsAtOnce = 8
	maxReviews    = 2000
)

// right is one right of a role in config/.
type right struct {
	role, namespace       string // the role's name; the namespace it holds in, empty for all
	group, resource, name string
	verb                  string
}

// rights checks that Turnout's account may do everything that its roles in config/ say, whoever
// gave it the right. Turnout itself asks about itself; anybody else about that account.
func (w *World) rights(ctx context.Context) ([]Finding, error) {
	if w.DeploymentErr != nil {
		return nil, w.DeploymentErr
	}
	all, err := w.expected()
	if err != nil {
		return nil, err
	}
	needed, err := rightsIn(all)
	if err != nil {
		return nil, err
	}
	if len(needed) > maxReviews {
		needed = needed[:maxReviews] // many namespaces, with the same rights in each
	}
	refused := make([]bool, len(needed))
	errs := make([]error, len(needed))
	turn := make(chan struct{}, reviewsAtOnce)
	var asking sync.WaitGroup
	for i, r := range needed {
		turn <- struct{}{}
		asking.Go(func() {
			defer func() { <-turn }()
			allowed, err := w.allowed(ctx, r)
			refused[i], errs[i] = !allowed && err == nil, err
		})
	}
	asking.Wait()
	var lacking []right
	for i, r := range needed {
		if refused[i] {
			lacking = append(lacking, r)
		}
	}
	return w.lackingRights(lacking), firstOf(errs)
}

// firstOf is one of several errors that are most likely the same.
func firstOf(errs []error) error {
	if i := slices.IndexFunc(errs, func(err error) bool { return err != nil }); i >= 0 {
		return errs[i]
	}
	return nil
}

// allowed asks the API server about one right.
func (w *World) allowed(ctx context.Context, r right) (bool, error) {
	resource, sub, _ := strings.Cut(r.resource, "/")
	about := &authorizationv1.ResourceAttributes{
		Namespace: r.namespace, Group: r.group, Resource: resource, Subresource: sub, Name: r.name, Verb: r.verb,
	}
	if w.AsTurnout() {
		review := &authorizationv1.SelfSubjectAccessReview{Spec: authorizationv1.SelfSubjectAccessReviewSpec{ResourceAttributes: about}}
		if err := w.Kube.Create(ctx, review); err != nil {
			return false, fmt.Errorf("asking what Turnout may do: %w", err)
		}
		return review.Status.Allowed, nil
	}
	review := &authorizationv1.SubjectAccessReview{Spec: authorizationv1.SubjectAccessReviewSpec{
		User: account, ResourceAttributes: about,
		Groups: []string{"system:serviceaccounts", "system:serviceaccounts:" + config.Namespace, "system:authenticated"},
	}}
	if err := w.Kube.Create(ctx, review); err != nil {
		return false, fmt.Errorf("asking what %s may do, which a cluster administrator can, or Turnout in its pod: %w", account, err)
	}
	return review.Status.Allowed, nil
}

// lackingRights are the findings about rights, one for each resource of a role.
func (w *World) lackingRights(lacking []right) []Finding {
	verbs := map[right][]string{}
	var order []right
	for _, r := range lacking {
		verb := r.verb
		if r.verb = ""; verbs[r] == nil {
			order = append(order, r)
		}
		verbs[r] = append(verbs[r], verb)
	}
	var found []Finding
	for _, r := range order {
		kind, where := "ClusterRole", "in every namespace"
		if r.namespace != "" {
			kind, where = "Role", "in namespace "+r.namespace
		}
		f := Finding{
			Code: CodeNotAllowed, Severity: SeverityError, Object: named(kind, r.namespace, r.role),
			Field: strings.TrimSuffix(r.resource+"."+r.group, "."), Users: EffectReleases, Commands: commands(w.reinstall()),
			Message: fmt.Sprintf("Turnout's account may not %s it %s: install this version's roles and bindings",
				strings.Join(verbs[r], ", "), where),
		}
		if r.resource == "pods/exec" {
			f.Severity = SeverityWarning
			f.Message += ", or leave it so if no application has spec.gate.exec"
		}
		found = append(found, f)
	}
	return found
}

// rightsIn lists the rights of the roles that are bound to Turnout's account.
func rightsIn(objects []*unstructured.Unstructured) ([]right, error) {
	rules := map[string][]rbacv1.PolicyRule{}
	var all []right
	var errs []error
	decode := func(object *unstructured.Unstructured, into any) {
		errs = append(errs, runtime.DefaultUnstructuredConverter.FromUnstructured(object.Object, into))
	}
	for _, object := range objects {
		if kind := object.GetKind(); kind == "ClusterRole" || kind == "Role" {
			var role rbacv1.Role // a ClusterRole has the same rules
			decode(object, &role)
			rules[kind+" "+object.GetNamespace()+"/"+object.GetName()] = role.Rules
		}
	}
	for _, object := range objects {
		if kind := object.GetKind(); kind != "ClusterRoleBinding" && kind != "RoleBinding" {
			continue
		}
		var binding rbacv1.RoleBinding
		decode(object, &binding)
		if !slices.ContainsFunc(binding.Subjects, func(s rbacv1.Subject) bool { return s.Kind == rbacv1.ServiceAccountKind }) {
			continue
		}
		in := object.GetNamespace()
		if binding.RoleRef.Kind == "ClusterRole" {
			in = ""
		}
		for _, rule := range rules[binding.RoleRef.Kind+" "+in+"/"+binding.RoleRef.Name] {
			all = append(all, rightsOf(rule, right{role: binding.RoleRef.Name, namespace: object.GetNamespace()})...)
		}
	}
	return all, errors.Join(errs...)
}

func rightsOf(rule rbacv1.PolicyRule, in right) []right {
	names := rule.ResourceNames
	if len(names) == 0 {
		names = []string{""}
	}
	var all []right
	for _, in.group = range rule.APIGroups {
		for _, in.resource = range rule.Resources {
			for _, in.name = range names {
				for _, in.verb = range rule.Verbs {
					all = append(all, in)
				}
			}
		}
	}
	return all
}
