package deployer

import (
	"context"
	"fmt"
	"slices"
	"strings"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/turnout-dev/turnout/api/v1alpha1"
	"github.com/turnout-dev/turnout/deployer/configmap"
)

// configuration knows what the ConfigMaps had that a version's pods read. All of it is advice: a
// failed read stops nothing.
type configuration struct{ cached, uncached client.Reader }

// record records what the ConfigMaps have that the pods will read which are about to be staged.
func (c configuration) record(ctx context.Context, a *attempt) {
	from := a.target().Other()
	if a.bg.Spec.Template == v1alpha1.TemplateOwn && a.o.Target.DeploymentExists {
		from = a.target()
	}
	pod, err := c.template(ctx, a, from)
	if err != nil {
		a.log.WarnContext(ctx, "the configmaps of the pods to be staged are not recorded", "error", err)
		return
	}
	var read []v1alpha1.ConfigMapRecord
	for _, name := range configmap.Names(pod) {
		content, known, err := c.read(ctx, a, name)
		if err != nil {
			a.log.WarnContext(ctx, "the configmaps of the pods to be staged are not recorded", "error", err)
			return
		}
		if known {
			read = append(read, v1alpha1.ConfigMapRecord{Name: name, Digest: configmap.Digest(a.rel.UID, content)})
		}
	}
	a.rel.Status.ConfigMaps = read
}

// tellBack reports what a rollback did not bring back with its version.
func (c configuration) tellBack(ctx context.Context, a *attempt) {
	to := a.rel.Spec.Rollback.To
	i := slices.IndexFunc(a.releases, func(r v1alpha1.Release) bool { return r.Name == to.Release })
	if i < 0 {
		return // another tool staged it, or its release is gone
	}
	staged := &a.releases[i]
	pod, err := c.template(ctx, a, a.target())
	var changed []string
	if err == nil {
		changed, err = configmap.Changed(staged, pod, func(name string) (configmap.Content, bool, error) { return c.read(ctx, a, name) })
	}
	if err != nil {
		a.log.WarnContext(ctx, "whether configmaps have changed since the version was staged is not known", "error", err)
		return
	}
	if len(changed) > 0 {
		a.finding(fmt.Sprintf("a rollback does not bring back what ConfigMaps had: %s changed since %s was staged, and its pods read what %s "+
			"now, at the latest when they start again", strings.Join(changed, ", "), to.Short(), hasOrHave(changed)))
	}
}

func hasOrHave(names []string) string {
	if len(names) == 1 {
		return "it has"
	}
	return "they have"
}

func (c configuration) template(ctx context.Context, a *attempt, color v1alpha1.Color) (*corev1.PodSpec, error) {
	var d appsv1.Deployment
	key := client.ObjectKey{Namespace: a.bg.Namespace, Name: a.bg.Side(color).Deployment}
	if err := c.cached.Get(ctx, key, &d); err != nil {
		return nil, fmt.Errorf("reading deployment %s: %w", key.Name, err)
	}
	return &d.Spec.Template.Spec, nil
}

func (c configuration) read(ctx context.Context, a *attempt, name string) (content configmap.Content, known bool, err error) {
	return configmap.Read(ctx, c.uncached, client.ObjectKey{Namespace: a.bg.Namespace, Name: name})
}
