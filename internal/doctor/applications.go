package doctor

import (
	"context"
	"errors"
	"fmt"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/turnout-dev/turnout/api/v1alpha1"
)

// grants checks that each application's namespace is granted what its spec needs.
func (w *World) grants(ctx context.Context) ([]Finding, error) {
	var found []Finding
	var errs []error
	granted := map[string]v1alpha1.Grants{}
	for _, name := range namespacesOf(w) {
		var ns corev1.Namespace
		if err := w.Kube.Get(ctx, client.ObjectKey{Name: name}, &ns); err != nil {
			errs = append(errs, fmt.Errorf("reading namespace %s: %w", name, err))
			continue
		}
		granted[name] = ns.Annotations
		if granted[name] == nil {
			granted[name] = v1alpha1.Grants{}
		}
	}
	for i := range w.Applications {
		bg := &w.Applications[i]
		g := granted[bg.Namespace]
		missing := g.Missing(bg.Needs()...)
		if g == nil || len(missing) == 0 {
			continue
		}
		advice := g.Explain(bg.Namespace, missing)
		found = append(found, Finding{
			Code: CodeNotGranted, Severity: SeverityError, Object: named("bluegreen", bg.Namespace, bg.Name), Field: missing[0].Field,
			Message: advice.Text, Commands: advice.Commands, Users: EffectReleases,
		})
	}
	return found, errors.Join(errs...)
}

// readiness shows what turnout serve found about each application when it last looked.
func (w *World) readiness(context.Context) ([]Finding, error) {
	if w.ApplicationsErr != nil {
		return nil, w.ApplicationsErr
	}
	if len(w.Applications) == 0 {
		return []Finding{{
			Code: CodeNoApplication, Severity: SeverityNote, Object: "bluegreens", Message: "there is no application yet: init writes one",
			Commands: commands(v1alpha1.Shell("turnout", "init")), Users: EffectNone,
		}}, nil
	}
	var found []Finding
	for i := range w.Applications {
		found = append(found, readinessOf(&w.Applications[i])...)
	}
	return found, nil
}

func readinessOf(bg *v1alpha1.BlueGreen) []Finding {
	f := Finding{Object: named("bluegreen", bg.Namespace, bg.Name), Severity: SeverityError, Users: EffectReleases}
	ready := meta.FindStatusCondition(bg.Status.Conditions, v1alpha1.ConditionReady)
	var found []Finding
	switch {
	case ready == nil || ready.ObservedGeneration != bg.Generation:
		f.Code, f.Message = CodeNotChecked, "no turnout serve has looked at it since it was changed: does it run, and serve this namespace?"
		f.Users = EffectNone
		found = append(found, f)
	case ready.Status == metav1.ConditionFalse && ready.Reason != v1alpha1.ReasonNotGranted: // which grants reports
		f.Code, f.Field = CodeBlocked, "status.conditions[Ready], "+ready.Reason
		f.Message, f.Commands, f.Users = ready.Message, bg.Status.CommandsOf(ready.Type), EffectRoutes
		found = append(found, f)
	}
	for _, p := range bg.Status.Findings {
		object := named("bluegreen", bg.Namespace, bg.Name)
		if p.Object != object {
			object += ": " + p.Object
		}
		one := Finding{
			Code: CodePreflight, Severity: SeverityWarning, Object: object,
			Field: p.Field, Message: p.Message, Commands: p.Commands, Users: EffectRoutes,
		}
		if p.Severity == v1alpha1.SeverityError {
			one.Severity = SeverityError
		}
		found = append(found, one)
	}
	return found
}
